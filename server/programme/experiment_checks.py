"""Whether this server could carry out its experiments: placements, rankings, and one beside the other."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

from experiments.assignment.plan import compile_plan
from experiments.definition import ExperimentDefinition, State, together_problems
from experiments.definition.model import Variant
from experiments.errors import DefinitionError, Problem
from experiments.standing_arms import STANDING, standing_definition
from server.catalogue import Catalogue
from server.decide.policy import ARBITRATION_PARAMETER, EXPLORATION_PARAMETER, OFF, RANKING_PARAMETER
from server.decide.score import CHAMPION, POPULAR

PREFIX = f"{STANDING}."
"""Ids that begin so belong to standing arms."""


def standing_experiment(catalogue: Catalogue, day: date) -> ExperimentDefinition | None:
    """Return the experiment of a catalogue's standing arms in the period of a day; ``None`` if it has no arms."""
    arms: Mapping[str, int] = {str(arm): ppm for arm, ppm in catalogue.standing_arms.traffic_ppm.items()}
    if not arms:
        return None
    placements = [placement.placement_id for placement in catalogue.placements]
    return standing_definition(catalogue.programme, arms, catalogue.standing_arms.period, day, placements)


_STEERING = (RANKING_PARAMETER, ARBITRATION_PARAMETER, EXPLORATION_PARAMETER)


def serving_problems(definition: ExperimentDefinition, catalogue: Catalogue) -> Iterator[Problem]:
    """Yield what of an experiment the catalogue or the rankings do not have."""
    if definition.experiment_id.startswith(PREFIX):
        yield Problem(
            "experiment_id", f"ids that begin with {PREFIX!r} are for standing arms; choose another"
        )
    for placement in definition.placements:
        if placement not in catalogue.placements_by_id:
            yield Problem("placements", f"the catalogue has no placement {placement!r}")
    for variant in definition.variants:
        ranking = variant.parameters.get(RANKING_PARAMETER, POPULAR)
        if ranking not in (CHAMPION, POPULAR):
            yield Problem(
                f"variants.{variant.variant_id}.parameters.{RANKING_PARAMETER}",
                f"must be {CHAMPION} or {POPULAR}, not {ranking!r}",
            )
        yield from _policy_problems(variant, catalogue)


def _policy_problems(variant: Variant, catalogue: Catalogue) -> Iterator[Problem]:
    path = f"variants.{variant.variant_id}.parameters"
    arbitration = variant.parameters.get(ARBITRATION_PARAMETER, "")
    if arbitration != "" and arbitration not in catalogue.arbitrations_by_id:
        known = ", ".join(catalogue.arbitrations_by_id) or "none"
        yield Problem(
            f"{path}.{ARBITRATION_PARAMETER}",
            f"the catalogue has no arbitration {arbitration!r}; it has {known}",
        )
    exploration = variant.parameters.get(EXPLORATION_PARAMETER, OFF)
    if exploration != OFF:
        yield Problem(
            f"{path}.{EXPLORATION_PARAMETER}",
            f"must be {OFF}, not {exploration!r}; how much is left to chance otherwise stands at the placement",
        )


def ranking_conflict(first: ExperimentDefinition, second: ExperimentDefinition) -> Problem | None:
    """Return the problem of two running experiments that both steer the same part of the policy at a placement."""
    both = [name for name in _STEERING if name in _steered(first) & _steered(second)]
    if not both:
        return None
    shared = [placement for placement in second.placements if placement in first.placements]
    if not shared:
        return None
    return Problem(
        "",
        f"and {first.experiment_id} both steer the {both[0]} at placement {shared[0]!r}; stop one of them",
    )


def conflicts(
    definition: ExperimentDefinition, others: Iterable[ExperimentDefinition], catalogue: Catalogue
) -> list[Problem]:
    """Return what keeps an experiment from being served beside the others; archived ones do not count.

    Args:
        definition: The experiment.
        others: The experiments beside it.
        catalogue: The catalogue.
    """
    beside = [other for other in others if other.state is not State.ARCHIVED]
    problems = list(serving_problems(definition, catalogue))
    if definition.state is not State.ARCHIVED:
        together = together_problems([*beside, definition])
        problems += [problem for index, problem in together if index == len(beside)]
    found = (ranking_conflict(other, definition) for other in beside)
    problems += [Problem("placements", f"this {problem.message}") for problem in found if problem]
    return problems


def targeting_problems(definition: ExperimentDefinition) -> tuple[Problem, ...]:
    """Return what is wrong with the targeting rule."""
    try:
        compile_plan([definition], definition.programme)
    except DefinitionError as error:
        return error.problems
    return ()


def check_served(
    source: str, catalogue: Catalogue, definitions: Sequence[ExperimentDefinition], *, since: int = 0
) -> None:
    """Refuse experiments that this server could not carry out.

    Args:
        source: Where they come from, for the message.
        catalogue: The programme's offers and placements.
        definitions: All experiments of the programme.
        since: The first of them that was not checked before.

    Raises:
        DefinitionError: There are such experiments; all problems are named.
    """
    problems = []
    for index, definition in enumerate(definitions):
        if index < since:
            continue
        name = definition.experiment_id
        problems += [
            Problem(f"{name}.{problem.path}", problem.message)
            for problem in serving_problems(definition, catalogue)
        ]
        for other in definitions[:index]:
            conflict = ranking_conflict(other, definition)
            if conflict:
                problems.append(Problem(name, conflict.message))
    if problems:
        raise DefinitionError(source, problems)


def _steered(definition: ExperimentDefinition) -> set[str]:
    if definition.state is not State.RUNNING:
        return set()
    return {name for variant in definition.variants for name in variant.parameters}
