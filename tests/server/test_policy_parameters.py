"""What variants may say of the policy, and what experiments may steer beside each other."""

from typing import Any

import pytest

from experiments.definition import ExperimentDefinition, parse_experiment
from server.catalogue import Arbitration, Catalogue, Exploration, Placement, catalogue_problems
from server.programme.experiment_checks import conflicts, ranking_conflict, serving_problems

CATALOGUE = Catalogue(
    placements=(Placement(placement_id="till"),), arbitrations=(Arbitration(arbitration_id="likely"),)
)


def _experiment(name: str, **parameters: Any) -> ExperimentDefinition:
    return parse_experiment(
        {
            "experiment_id": name,
            "hypothesis": "It sells more.",
            "owner": "tests",
            "state": "running",
            "placements": ["till"],
            "control": "a",
            "variants": [{"variant_id": "a", "weight": 1}, {"variant_id": "b", "weight": 1, "parameters": parameters}],
            "metrics": [
                {
                    "metric_id": "sold", "name": "Sold", "role": "success", "kind": "mean",
                    "numerator": {"event": "outcomes", "outcome_type": "purchase", "aggregate": "count"},
                }
            ],
        },
        "a test",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("parameters", "path", "words"),
    [
        (
            {"arbitration": "margin"},
            "arbitration",
            "the catalogue has no arbitration 'margin'; it has likely",
        ),
        ({"exploration": "epsilon"}, "exploration", "must be off, not 'epsilon'"),
        ({"ranking": "newest"}, "ranking", "must be champion or popular, not 'newest'"),
    ],
)
def test_a_variant_names_what_there_is(parameters: dict[str, str], path: str, words: str) -> None:
    """A policy that does not exist is refused when the experiment is made, not passed over when members ask."""
    (problem,) = serving_problems(_experiment("one", **parameters), CATALOGUE)

    assert problem.path == f"variants.b.parameters.{path}"
    assert words in problem.message


def test_a_variant_may_choose() -> None:
    """An arbitration of the catalogue, none at all, and no exploration are variants of the policy."""
    for parameters in ({"arbitration": "likely"}, {"arbitration": ""}, {"exploration": "off"}):
        assert list(serving_problems(_experiment("one", **parameters), CATALOGUE)) == []


def test_two_do_not_steer_the_same_part() -> None:
    """Two experiments may run at one placement unless both steer the same part of the policy there."""
    likely, off = _experiment("one", arbitration="likely"), _experiment("two", exploration="off")

    assert ranking_conflict(likely, off) is None
    conflict = ranking_conflict(likely, _experiment("two", arbitration=""))
    assert conflict is not None
    assert "both steer the arbitration at placement 'till'" in conflict.message


def test_ids_of_standing_arms_are_taken() -> None:
    """An experiment of a user cannot pass for the standing arms."""
    problems = conflicts(_experiment("standing-arms.2026-11"), [], CATALOGUE)

    assert "ids that begin with 'standing-arms.'" in problems[0].message


def test_thompson_needs_an_arbitration() -> None:
    """Where the model alone ranks nothing says how uncertain a score is, so Thompson sampling would be none."""
    exploring = Placement(placement_id="till", exploration=Exploration(method="thompson"))

    (problem,) = catalogue_problems(Catalogue(placements=(exploring,)))
    assert problem.path == "placements[0].exploration.method"
    weighing = exploring.model_copy(update={"arbitration": "likely"})
    assert catalogue_problems(CATALOGUE.model_copy(update={"placements": (weighing,)})) == []
