"""What a programme is made of when the server starts: files, the stored experiments, the models."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from pydantic import ValidationError

from experiments.definition import ExperimentDefinition, State, load_experiments, together_problems
from experiments.errors import DefinitionError, DomainError, Problem
from experiments.plan import compile_plan
from server.catalogue import Catalogue, load_catalogue
from server.catalogue_opening import open_catalogue
from server.config import ProgrammeSection
from server.programme.experiment_checks import check_served
from server.programme.models import open_actions, open_champions
from server.programme.snapshot import KnownExperiment, Snapshot, standing_arms
from server.storage import ExperimentStore
from server.storage.catalogue_store import CatalogueStore
from training.bundle import ActionBundle, Bundle, BundleError, Task


class StartError(DomainError):
    """The server cannot start; the message says why and what to do."""

    reason = "CANNOT_START"


@dataclass(frozen=True, slots=True)
class Parts:
    """What files say about a programme.

    Attributes:
        programme: The loyalty programme.
        source: Where its experiments are defined.
        catalogue: Its offers and placements.
        definitions: Its experiments.
        bundles: Its model of each task that has one.
        actions: Its action model, if there is one.
    """

    programme: str
    source: str
    catalogue: Catalogue
    definitions: tuple[ExperimentDefinition, ...]
    bundles: Mapping[Task, Bundle]
    actions: ActionBundle | None


def open_parts(programme: str, section: ProgrammeSection) -> Parts:
    """Read the files of a programme.

    Raises:
        DefinitionError: A definition is wrong; all problems are named.
        StartError: A model cannot be opened.
    """
    catalogue = load_catalogue(Path(section.catalogue))
    if catalogue.programme != programme:
        problem = Problem(
            "programme", f"is {catalogue.programme!r}; the configuration has it under {programme!r}"
        )
        raise DefinitionError(section.catalogue, [problem])
    loaded = load_experiments(Path(section.experiments)) if section.experiments else ()
    definitions = tuple(definition for definition in loaded if definition.programme == programme)
    check_served(section.experiments, catalogue, definitions)
    # For the faults that only compiling finds, such as those of targeting rules.
    compile_plan(definitions, programme)
    try:
        bundles = open_champions(Path(section.models), programme) if section.models else {}
        actions = open_actions(Path(section.models), programme) if section.models else None
    except BundleError as error:
        raise StartError(f"{error.message} Run `troth models pull` again.") from error
    return Parts(programme, section.experiments, catalogue, definitions, bundles, actions)


class OpeningStore(ExperimentStore, CatalogueStore, Protocol):
    """What a programme is opened from beside its files."""


def snapshot(parts: Parts, store: OpeningStore, now: datetime) -> Snapshot:
    """Return the programme as it is in force: what files say, and what the store has beside and since.

    A catalogue file that says something new is kept in the store as a change.

    Raises:
        DefinitionError: Files and store contradict each other; all problems are named.
        StartError: An experiment of the store breaks the rules of this version.
        StoreUnavailableError, StoreTimeoutError: The store cannot be used.
    """
    parts = replace(parts, catalogue=open_catalogue(parts.catalogue, store, now))
    known = {definition.experiment_id: KnownExperiment(definition) for definition in parts.definitions}
    stored = _stored(parts.programme, store)
    twice = sorted(known.keys() & stored.keys())
    if twice:
        message = "was created over gRPC already; choose another id in the file"
        raise DefinitionError(parts.source, [Problem(f"{name}.experiment_id", message) for name in twice])
    _check_together(parts, [one.definition for one in stored.values()])
    known |= stored
    known |= standing_arms(parts.catalogue, now.astimezone(parts.catalogue.zone).date())
    return Snapshot(
        parts.catalogue,
        compile_plan([one.definition for one in known.values()], parts.programme),
        MappingProxyType(dict(parts.bundles)),
        dict(sorted(known.items())),
        parts.actions,
    )


def _stored(programme: str, store: ExperimentStore) -> dict[str, KnownExperiment]:
    try:
        standing = store.standing_experiments(programme)
    except ValidationError as error:
        raise StartError(
            f"An experiment of programme {programme!r} in the store breaks the rules of this version:"
            f" {' '.join(str(error).split())}"
        ) from error
    return {one.last.experiment_id: KnownExperiment.of_store(one) for one in standing}


def _check_together(parts: Parts, stored: list[ExperimentDefinition]) -> None:
    """Refuse running experiments of the store that a change of the files has put in conflict with these."""
    running = [definition for definition in stored if definition.state is State.RUNNING]
    every = [*parts.definitions, *running]
    since = len(parts.definitions)
    problems = [
        Problem(f"{every[index].experiment_id}.{problem.path}", problem.message)
        for index, problem in together_problems(every)
        if index >= since
    ]
    if problems:
        raise DefinitionError(f"{parts.source}, beside the experiments of the store", problems)
    check_served(parts.source, parts.catalogue, every, since=since)
