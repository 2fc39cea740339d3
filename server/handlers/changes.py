"""Changes of experiments and catalogues: one after the other, durable first, then in force."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import ValidationError

from experiments.definition import ExperimentDefinition, State
from experiments.definition.lifecycle import ExperimentChange
from experiments.errors import Problem
from server.catalogue import Catalogue, catalogue_changes
from server.catalogue.diff import CatalogueChange, ChangeSource
from server.clock import Clock
from server.decide.snapshot import KnownExperiment, Snapshot
from server.errors import (
    CatalogueConflictError,
    EtagMismatchError,
    ExperimentConflictError,
    RequestIdReusedError,
    StoreTimeoutError,
    StoreUnavailableError,
)
from server.programme.experiment_checks import PREFIX, conflicts, serving_problems
from server.programme.loading import readable_catalogue
from server.programme.programmes import Programmes, known_experiment
from server.storage import ExperimentStore
from server.storage.catalogue_store import CatalogueStore

_STORE_TIMEOUT_S = 3600.0
"""The thread of changes outwaits a slow store; a request gives up at its own deadline."""

Change = TypeVar("Change", ExperimentChange, CatalogueChange)
Content = TypeVar("Content")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a change comes from.

    Attributes:
        actor: Who asks, as the request says.
        request_id: Key of retries, or empty.
        digest: Of what is asked.
    """

    actor: str
    request_id: str
    digest: str


class _Changes(ABC, Generic[Change, Content, Result]):
    """Makes changes of one kind in a thread of its own, each from the check until it is in force.

    So each is checked against everything that is on disk, even after a request gave up waiting for its change.

    Args:
        programmes: Holds what is in force.
        thread: The thread's name.
    """

    def __init__(self, programmes: Programmes, thread: str) -> None:
        self._programmes = programmes
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=thread)
        self._followed: dict[str, int] = {}

    def close(self) -> None:
        """Finish the change under way and take no more."""
        self._thread.shutdown(cancel_futures=True)

    def follow(self, names: Iterable[str]) -> None:
        """Put in force what other processes changed in the same store. Called from one thread, about every second.

        Raises:
            ExperimentConflictError: An experiment does not fit with what only this process has; it stays as it was here.
            CatalogueConflictError: An experiment of this process needs what a catalogue lost; the earlier catalogue stays.
            StoreUnavailableError: The store cannot be read, or not by this version.
        """
        for programme in names:
            # A change of this process under way reads the store itself.
            if not self._programmes.changing.acquire(blocking=False):
                return
            try:
                self._followed[programme] = self._adopt(programme, self._followed.get(programme, 0))
            finally:
                self._programmes.changing.release()

    def _run(
        self,
        programme: str,
        prepare: Callable[[Snapshot], tuple[Change, Content]],
        provenance: Provenance,
        timeout: float,
        *,
        validate_only: bool = False,
    ) -> Result:
        """Make a change; return its result once it is on disk and in force.

        Args:
            programme: The loyalty programme.
            prepare: Returns the change and the content afterwards, or raises what is wrong with it.
            provenance: Where it comes from; a retry gets the result of the change that its request made already.
            timeout: Seconds to wait at most.
            validate_only: Whether to check only.

        Returns:
            The change's result.

        Raises:
            RequestIdReusedError: The key was used for another request.
            EtagMismatchError: Another process made a change meanwhile.
            StoreUnavailableError: Nothing was stored.
            StoreTimeoutError: It was not confirmed in time; it may still be made.
        """
        try:
            running = self._thread.submit(
                self._perform, programme, prepare, provenance, validate_only=validate_only
            )
        except RuntimeError:
            raise StoreUnavailableError("the server is stopping") from None
        try:
            return running.result(timeout)
        except FutureTimeoutError:
            running.cancel()
            raise StoreTimeoutError from None

    def _perform(
        self,
        programme: str,
        prepare: Callable[[Snapshot], tuple[Change, Content]],
        provenance: Provenance,
        *,
        validate_only: bool,
    ) -> Result:
        with self._programmes.changing:
            if provenance.request_id:
                earlier = self._change_of_request(programme, provenance.request_id)
                if earlier is not None:
                    return self._repeated(earlier, provenance)
            snapshot = self._programmes.current(programme)
            change, content = prepare(snapshot)
            self._check(snapshot, content)
            if validate_only:
                return self._result(change)
            stored = self._append(change)
            if stored != change:
                # Another process writes into the same store.
                if stored.request_id and stored.request_id == provenance.request_id:
                    return self._repeated(stored, provenance)
                raise self._overtaken(stored)
            return self._enforce(snapshot, change, content)

    def _repeated(self, earlier: Change, provenance: Provenance) -> Result:
        if earlier.request_digest != provenance.digest:
            raise RequestIdReusedError(provenance.request_id)
        return self._result(earlier)

    @abstractmethod
    def _change_of_request(self, programme: str, request_id: str) -> Change | None:
        """Return the change that a request made already."""

    @abstractmethod
    def _check(self, snapshot: Snapshot, content: Content) -> None:
        """Refuse content that does not fit with the rest of the programme."""

    @abstractmethod
    def _append(self, change: Change) -> Change:
        """Store a change; return the one that the store has in its place, which another process may have made."""

    @abstractmethod
    def _enforce(self, snapshot: Snapshot, change: Change, content: Content) -> Result:
        """Put a change in force; return its result."""

    @abstractmethod
    def _adopt(self, programme: str, seen: int) -> int:
        """Put in force what the store has beyond a mark; return the new mark."""

    @abstractmethod
    def _result(self, change: Change) -> Result:
        """Return the result of a change that is in force already, or was only checked."""

    @abstractmethod
    def _overtaken(self, stored: Change) -> EtagMismatchError:
        """Return the error of a change that another process overtook."""


class ExperimentChanges(_Changes[ExperimentChange, ExperimentDefinition, KnownExperiment]):
    """Changes of experiments.

    Args:
        programmes: Holds the experiments in force.
        store: Where changes go before they take effect.
    """

    def __init__(self, programmes: Programmes, store: ExperimentStore) -> None:
        super().__init__(programmes, "experiment-changes")
        self._store = store

    def run(
        self,
        programme: str,
        changed: Callable[[Snapshot], ExperimentChange],
        provenance: Provenance,
        timeout: float,
    ) -> KnownExperiment:
        """Make a change; return the experiment once the change is on disk and in force.

        Args:
            programme: The loyalty programme.
            changed: Returns the change of the experiments in force, or raises what is wrong with it.
            provenance: Where it comes from; a retry gets the answer of the change that its request made already.
            timeout: Seconds to wait at most.

        Returns:
            The experiment after the change.

        Raises:
            ExperimentConflictError: The experiment would not fit together with others or the catalogue.
            RequestIdReusedError: The key was used for another request.
            EtagMismatchError: Another process changed the experiment.
            StoreUnavailableError: Nothing was stored.
            StoreTimeoutError: It was not confirmed in time; it may still be made.
        """

        def prepare(snapshot: Snapshot) -> tuple[ExperimentChange, ExperimentDefinition]:
            change = changed(snapshot)
            return change, change.definition

        return self._run(programme, prepare, provenance, timeout)

    def _change_of_request(self, programme: str, request_id: str) -> ExperimentChange | None:
        return self._store.change_of_request(programme, request_id)

    def _check(self, snapshot: Snapshot, content: ExperimentDefinition) -> None:
        others = [
            known.definition for name, known in snapshot.experiments.items() if name != content.experiment_id
        ]
        problems = conflicts(content, others, snapshot.catalogue)
        if problems:
            sentence = f"Experiment {content.experiment_id!r} does not fit in"
            raise ExperimentConflictError(sentence, problems, content.experiment_id)

    def _append(self, change: ExperimentChange) -> ExperimentChange:
        return self._store.append_change(change, _STORE_TIMEOUT_S)

    def _enforce(
        self, snapshot: Snapshot, change: ExperimentChange, content: ExperimentDefinition
    ) -> KnownExperiment:
        before = snapshot.experiments.get(change.experiment_id)
        created = change.change_time if before is None else before.create_time
        known = KnownExperiment(content, change.position, created, change.change_time)
        self._programmes.replace_experiment(change.programme, known)
        return known

    def _adopt(self, programme: str, seen: int) -> int:
        count = self._store.change_count(programme)
        if count == seen:
            return seen
        try:
            stored = self._store.stored_experiments(programme)
        except ValidationError as error:
            raise StoreUnavailableError(
                f"an experiment of programme {programme!r} breaks the rules of this version"
            ) from error
        for one in stored:
            known, snapshot = known_experiment(one), self._programmes.current(programme)
            there = snapshot.experiments.get(one.last.experiment_id)
            if there is not None and (there.read_only or there.position >= known.position):
                continue
            self._check(snapshot, known.definition)
            self._programmes.replace_experiment(programme, known)
        return count

    def _result(self, change: ExperimentChange) -> KnownExperiment:
        (first,) = self._store.changes(change.programme, change.experiment_id, 0, 1)
        return KnownExperiment(change.definition, change.position, first.change_time, change.change_time)

    def _overtaken(self, stored: ExperimentChange) -> EtagMismatchError:
        return experiment_changed(stored.experiment_id, KnownExperiment(stored.definition).etag)


def experiment_changed(experiment_id: str, etag: str) -> EtagMismatchError:
    """Return the error that says that somebody changed the experiment, which now has this etag."""
    return EtagMismatchError(f"Experiment {experiment_id!r}", etag, experiment_id=experiment_id)


@dataclass(frozen=True, slots=True)
class CatalogueEdit:
    """What a change of a catalogue says beside its content.

    Attributes:
        programme: The loyalty programme.
        provenance: Where it comes from.
        etag: The revision that it was made from; empty for no guard.
        source: How it came in.
        validate_only: Whether to check only.
    """

    programme: str
    provenance: Provenance
    etag: str = ""
    source: ChangeSource = ChangeSource.GRPC
    validate_only: bool = False


class CatalogueChanges(_Changes[CatalogueChange, Catalogue, CatalogueChange]):
    """Changes of catalogues.

    Args:
        programmes: Holds the catalogues in force.
        store: Where changes go before they take effect.
        clock: The server's clock.
        on_change: Called with programme and catalogue once another one is in force.
    """

    def __init__(
        self,
        programmes: Programmes,
        store: CatalogueStore,
        clock: Clock,
        on_change: Callable[[str, Catalogue], None],
    ) -> None:
        super().__init__(programmes, "catalogue-changes")
        self._store = store
        self._clock = clock
        self._on_change = on_change

    def run(
        self, edit: CatalogueEdit, changed: Callable[[Catalogue], Catalogue], timeout: float
    ) -> CatalogueChange:
        """Make a change; return it once it is on disk and in force.

        Args:
            edit: Where it comes from; a retry gets the change that its request made already.
            changed: Returns the catalogue afterwards, or raises what is wrong with it.
            timeout: Seconds to wait at most.

        Returns:
            The change as stored.

        Raises:
            ProgrammeNotFoundError: Unknown programme.
            CatalogueConflictError: An experiment needs what the catalogue would lose.
            RequestIdReusedError: The key was used for another request.
            EtagMismatchError: The catalogue is not the one that the change was made from.
            StoreUnavailableError: Nothing was stored.
            StoreTimeoutError: It was not confirmed in time; it may still be made.
        """
        self._programmes.current(edit.programme)

        def prepare(snapshot: Snapshot) -> tuple[CatalogueChange, Catalogue]:
            stored = self._store.stored_catalogue(edit.programme)
            before = snapshot.catalogue
            if stored is not None and stored.revision != before.revision:
                # Another process changed it.
                before = readable_catalogue(stored) or before
            if edit.etag and edit.etag != before.revision:
                raise _catalogue_changed(edit.programme, before.revision)
            after = changed(before)
            return self._change(edit, 0 if stored is None else stored.position, before, after), after

        return self._run(edit.programme, prepare, edit.provenance, timeout, validate_only=edit.validate_only)

    def _change(
        self, edit: CatalogueEdit, position: int, before: Catalogue, after: Catalogue
    ) -> CatalogueChange:
        """Return the change after a position of the audit trail."""
        changes = catalogue_changes(before, after)
        return CatalogueChange(
            programme=edit.programme,
            position=0 if edit.validate_only or not changes else position + 1,
            revision=after.revision,
            change_time=self._clock(),
            actor=edit.provenance.actor,
            source=edit.source,
            request_id=edit.provenance.request_id,
            request_digest=edit.provenance.digest,
            changes=changes,
            document=after.to_json(),
        )

    def _change_of_request(self, programme: str, request_id: str) -> CatalogueChange | None:
        return self._store.catalogue_change_of_request(programme, request_id)

    def _check(self, snapshot: Snapshot, content: Catalogue) -> None:
        problems, first = [], ""
        for experiment_id, known in snapshot.experiments.items():
            # The catalogue's own standing arms follow it.
            if known.definition.state is State.ARCHIVED or experiment_id.startswith(PREFIX):
                continue
            for problem in serving_problems(known.definition, content):
                problems.append(Problem(f"experiments.{experiment_id}.{problem.path}", problem.message))
                first = first or experiment_id
        if problems:
            raise CatalogueConflictError("Experiments need what the catalogue would lose", problems, first)

    def _append(self, change: CatalogueChange) -> CatalogueChange:
        return self._store.append_catalogue_change(change, _STORE_TIMEOUT_S) if change.changes else change

    def _enforce(self, snapshot: Snapshot, change: CatalogueChange, content: Catalogue) -> CatalogueChange:
        if content.revision != snapshot.catalogue.revision:
            day = self._clock().astimezone(content.zone).date()
            self._programmes.replace_catalogue(change.programme, content, day)
            self._on_change(change.programme, content)
        return change

    def _adopt(self, programme: str, seen: int) -> int:
        if not self._store.catalogue_changes(programme, seen, 1):
            return seen
        stored = self._store.stored_catalogue(programme)
        if stored is None:
            return 0
        snapshot = self._programmes.current(programme)
        if stored.revision != snapshot.catalogue.revision:
            catalogue = readable_catalogue(stored)
            if catalogue is None:
                raise StoreUnavailableError(
                    f"revision {stored.revision} of programme {programme!r} breaks the rules of this version"
                )
            self._check(snapshot, catalogue)
            self._enforce(snapshot, stored, catalogue)
        return stored.position

    def _result(self, change: CatalogueChange) -> CatalogueChange:
        return change

    def _overtaken(self, stored: CatalogueChange) -> EtagMismatchError:
        return _catalogue_changed(stored.programme, stored.revision)


def _catalogue_changed(programme: str, revision: str) -> EtagMismatchError:
    return EtagMismatchError(f"The catalogue of programme {programme!r}", revision, programme=programme)
