"""Loading a programme: its catalogue from file or store, whichever changed last, its experiments and its models."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from pydantic import ValidationError

from experiments.assignment.plan import compile_plan
from experiments.definition import ExperimentDefinition, State, load_experiments, together_problems
from experiments.errors import DefinitionError, DomainError, Problem
from server.catalogue import Catalogue, catalogue_changes, catalogue_problems, load_catalogue
from server.catalogue.diff import FILE_ACTOR, CatalogueChange, ChangeSource
from server.catalogue.load import part_problems
from server.config import ProgrammeSection, load_config
from server.decide.snapshot import KnownExperiment, Snapshot
from server.errors import StoreUnavailableError
from server.programme.experiment_checks import check_served
from server.programme.models import open_actions, open_champions
from server.programme.programmes import known_experiment, standing_arms
from server.storage import ExperimentStore
from server.storage.catalogue_store import CatalogueFile, CatalogueStore
from training.bundle import ActionBundle, Bundle, BundleError, Task


@dataclass(frozen=True, slots=True)
class StartingCatalogue:
    """What a server begins with.

    Attributes:
        catalogue: The catalogue in force.
        from_file: Whether the file brings it, so that this is a change to keep.
    """

    catalogue: Catalogue
    from_file: bool


def catalogue_to_serve(
    file_catalogue: Catalogue, standing: CatalogueChange | None, last_from_file: CatalogueChange | None
) -> StartingCatalogue:
    """Return the catalogue to begin with.

    The file counts when it says something else than it last did, or never said anything; otherwise what stands in the store
    does, so that changes over gRPC outlive a restart until somebody edits the file.

    Args:
        file_catalogue: What the file says now.
        standing: The last change in the store; ``None`` if there is none.
        last_from_file: The last change that the file made; ``None`` if it never made one.

    Raises:
        ValidationError: What stands in the store breaks the rules of today.
    """
    if standing is None or last_from_file is None or last_from_file.revision != file_catalogue.revision:
        return StartingCatalogue(file_catalogue, from_file=True)
    if standing.revision == file_catalogue.revision:
        return StartingCatalogue(file_catalogue, from_file=False)
    return StartingCatalogue(Catalogue.from_json(standing.document), from_file=False)


_ATTEMPTS = 5
"""How often another process may start at the same moment and be faster."""
_PATIENCE_S = 60.0


def open_catalogue(file_catalogue: Catalogue, store: CatalogueStore, now: datetime) -> Catalogue:
    """Return the catalogue that a starting server serves; a change that the file makes is on disk before.

    Args:
        file_catalogue: What the configured file says, checked.
        store: The store of catalogues.
        now: The server's clock.

    Raises:
        DefinitionError: What stands in the store breaks the rules of this version.
        StoreUnavailableError, StoreTimeoutError: The store cannot be used.
    """
    programme = file_catalogue.programme
    for _ in range(_ATTEMPTS):
        standing = store.stored_catalogue(programme)
        try:
            start = catalogue_to_serve(file_catalogue, standing, store.last_catalogue_from_file(programme))
        except ValidationError as error:
            raise _outdated(programme, part_problems(error, Catalogue)) from None
        if not start.from_file:
            problems = catalogue_problems(start.catalogue)
            if problems:
                raise _outdated(programme, problems)
            return start.catalogue
        change = _file_change(file_catalogue, standing, now)
        if store.append_catalogue_change(change, _PATIENCE_S) == change:
            return file_catalogue
    raise StoreUnavailableError("other servers change the catalogue all the time")


def configured_catalogue(config: Path, programme: str) -> Catalogue:
    """Return the catalogue that a server of a configuration would begin with; nothing is written.

    Args:
        config: The configuration file.
        programme: The loyalty programme.

    Raises:
        DefinitionError: The configuration or the catalogue is wrong, or does not have this programme.
        StoreUnavailableError: The store cannot be read.
    """
    settings = load_config(config)
    section = settings.programmes.get(programme)
    if section is None:
        raise DefinitionError(str(config), [Problem("programmes", f"there is no programme {programme!r}")])
    file_catalogue = load_catalogue(Path(section.catalogue))
    path = Path(settings.store.path)
    if not path.exists():
        return file_catalogue
    store = CatalogueFile(path)
    standing, from_file = store.stored_catalogue(programme), store.last_catalogue_from_file(programme)
    try:
        return catalogue_to_serve(file_catalogue, standing, from_file).catalogue
    except ValidationError as error:
        raise _outdated(programme, part_problems(error, Catalogue)) from None


def _file_change(
    file_catalogue: Catalogue, standing: CatalogueChange | None, now: datetime
) -> CatalogueChange:
    return CatalogueChange(
        programme=file_catalogue.programme,
        position=1 if standing is None else standing.position + 1,
        revision=file_catalogue.revision,
        change_time=now,
        actor=FILE_ACTOR,
        source=ChangeSource.FILE,
        request_id="",
        request_digest="",
        changes=catalogue_changes(readable_catalogue(standing), file_catalogue),
        document=file_catalogue.to_json(),
    )


def readable_catalogue(standing: CatalogueChange | None) -> Catalogue | None:
    """Return the catalogue of a change to compare with; ``None`` if there is none or this version cannot read it."""
    if standing is None:
        return None
    try:
        return Catalogue.from_json(standing.document)
    except ValidationError:
        return None


def _outdated(programme: str, problems: list[Problem]) -> DefinitionError:
    source = (
        f"The catalogue of programme {programme!r} in the store breaks the rules of this version; once the configured file is"
        " edited, that replaces it"
    )
    return DefinitionError(source, problems)


class StartError(DomainError):
    """The server cannot start; the message says why and what to do."""

    reason = "CANNOT_START"


@dataclass(frozen=True, slots=True)
class ProgrammeParts:
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


def open_parts(programme: str, section: ProgrammeSection) -> ProgrammeParts:
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
    return ProgrammeParts(programme, section.experiments, catalogue, definitions, bundles, actions)


class OpeningStore(ExperimentStore, CatalogueStore, Protocol):
    """What a programme is opened from beside its files."""


def snapshot(parts: ProgrammeParts, store: OpeningStore, now: datetime) -> Snapshot:
    """Return the programme as it is in force: what files say, and what the store has beside and since.

    A catalogue file that says something new is kept in the store as a change.

    Args:
        parts: What files say.
        store: Has the experiments and the catalogue.
        now: Decides the period of standing arms.

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
        standing = store.stored_experiments(programme)
    except ValidationError as error:
        raise StartError(
            f"An experiment of programme {programme!r} in the store breaks the rules of this version:"
            f" {' '.join(str(error).split())}"
        ) from error
    return {one.last.experiment_id: known_experiment(one) for one in standing}


def _check_together(parts: ProgrammeParts, stored: list[ExperimentDefinition]) -> None:
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
