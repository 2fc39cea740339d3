"""Making changes of catalogues: one after the other, durable first, then in force."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass

from experiments.definition import State
from experiments.errors import Problem
from server.catalogue import Catalogue, catalogue_changes
from server.catalogue.diff import CatalogueChange, ChangeSource
from server.clock import Clock
from server.decide.snapshot import Snapshot
from server.errors import (
    CatalogueConflictError,
    EtagMismatchError,
    RequestIdReusedError,
    StoreTimeoutError,
    StoreUnavailableError,
)
from server.handlers.change_runner import Provenance
from server.programme.experiment_checks import PREFIX, serving_problems
from server.programme.loading import stored_catalogue
from server.programme.programmes import Programmes
from server.storage.catalogue_store import CatalogueStore

_PATIENCE_S = 3600.0


@dataclass(frozen=True, slots=True)
class Edit:
    """What a change says beside its content.

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


class CatalogueRunner:
    """Runs changes in a thread of its own, each from the check to the new catalogue.

    So each is checked against everything that is on disk, also where a request gave up waiting for its change.

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
        self._programmes = programmes
        self._store = store
        self._clock = clock
        self._on_change = on_change
        self._changing = ThreadPoolExecutor(1, thread_name_prefix="catalogue-changes")
        self._followed: dict[str, int] = {}

    def close(self) -> None:
        """Finish the change under way and take no more."""
        self._changing.shutdown(cancel_futures=True)

    def run(self, edit: Edit, changed: Callable[[Catalogue], Catalogue], timeout: float) -> CatalogueChange:
        """Make a change; return it once it is on disk and in force.

        Args:
            edit: Where it comes from; a request that made its change already gets that one.
            changed: Returns the catalogue afterwards, or raises what is wrong with it.
            timeout: Seconds to wait at most.

        Returns:
            The change as kept.

        Raises:
            ProgrammeNotFoundError: Unknown programme.
            CatalogueConflictError: An experiment needs what would be gone.
            RequestIdReusedError: The key was used for another request.
            EtagMismatchError: The catalogue is not the one that the change was made from.
            StoreUnavailableError: Nothing was kept.
            StoreTimeoutError: It was not confirmed in time; it may still be made.
        """
        self._programmes.current(edit.programme)
        try:
            running = self._changing.submit(self._perform, edit, changed)
        except RuntimeError:
            raise StoreUnavailableError("the server is stopping") from None
        try:
            return running.result(timeout)
        except FutureTimeoutError:
            running.cancel()
            raise StoreTimeoutError from None

    def follow(self, names: Iterable[str]) -> None:
        """Put in force what other processes changed in the same store. Called from one thread, about every second.

        Raises:
            CatalogueConflictError: An experiment of this process needs what is gone; the catalogue from before stays.
            StoreUnavailableError: The store cannot be read, or not by this version.
        """
        for programme in names:
            position = self._followed.get(programme, 0)
            # A change of this process under way reads the store itself.
            if not self._programmes.changing.acquire(blocking=False):
                return
            try:
                if self._store.catalogue_changes(programme, position, 1):
                    self._followed[programme] = self._adopt(programme)
            finally:
                self._programmes.changing.release()

    def _adopt(self, programme: str) -> int:
        """Put in force the catalogue that the store has; return the position of its change."""
        snapshot, standing = self._programmes.current(programme), self._store.standing_catalogue(programme)
        if standing is None:
            return 0
        if standing.revision != snapshot.catalogue.revision:
            after = stored_catalogue(standing)
            if after is None:
                raise StoreUnavailableError(
                    f"revision {standing.revision} of programme {programme!r} breaks the rules of this version"
                )
            _check_experiments(snapshot, after)
            self._enforce(programme, after)
        return standing.position

    def _enforce(self, programme: str, after: Catalogue) -> None:
        self._programmes.replace_catalogue(programme, after, self._clock().astimezone(after.zone).date())
        self._on_change(programme, after)

    def _perform(self, edit: Edit, changed: Callable[[Catalogue], Catalogue]) -> CatalogueChange:
        with self._programmes.changing:
            return self._perform_alone(edit, changed)

    def _perform_alone(self, edit: Edit, changed: Callable[[Catalogue], Catalogue]) -> CatalogueChange:
        provenance = edit.provenance
        if provenance.request_id:
            earlier = self._store.catalogue_change_of_request(edit.programme, provenance.request_id)
            if earlier is not None:
                return _repeated(earlier, provenance)
        snapshot = self._programmes.current(edit.programme)
        standing = self._store.standing_catalogue(edit.programme)
        before = snapshot.catalogue
        if standing is not None and standing.revision != before.revision:
            # Another process changed it.
            before = stored_catalogue(standing) or before
        if edit.etag and edit.etag != before.revision:
            raise _changed_meanwhile(edit.programme, before.revision)
        after = changed(before)
        _check_experiments(snapshot, after)
        wanted = self._change(edit, 0 if standing is None else standing.position, before, after)
        if edit.validate_only:
            return wanted
        if wanted.changes:
            kept = self._store.append_catalogue_change(wanted, _PATIENCE_S)
            if kept != wanted:
                # Another process writes into the same store.
                if kept.request_id and kept.request_id == provenance.request_id:
                    return _repeated(kept, provenance)
                raise _changed_meanwhile(edit.programme, kept.revision)
        if after.revision != snapshot.catalogue.revision:
            self._enforce(edit.programme, after)
        return wanted

    def _change(self, edit: Edit, standing: int, before: Catalogue, after: Catalogue) -> CatalogueChange:
        changes = catalogue_changes(before, after)
        return CatalogueChange(
            programme=edit.programme,
            position=0 if edit.validate_only or not changes else standing + 1,
            revision=after.revision,
            change_time=self._clock(),
            actor=edit.provenance.actor,
            source=edit.source,
            request_id=edit.provenance.request_id,
            request_digest=edit.provenance.digest,
            changes=changes,
            document=after.to_json(),
        )


def _check_experiments(snapshot: Snapshot, after: Catalogue) -> None:
    """Refuse a catalogue that lacks what an experiment needs that is not over."""
    problems, first = [], ""
    for experiment_id, known in snapshot.experiments.items():
        # The catalogue's own standing arms follow it.
        if known.definition.state is State.ARCHIVED or experiment_id.startswith(PREFIX):
            continue
        for problem in serving_problems(known.definition, after):
            problems.append(Problem(f"experiments.{experiment_id}.{problem.path}", problem.message))
            first = first or experiment_id
    if problems:
        raise CatalogueConflictError("Experiments need what the catalogue would lose", problems, first)


def _repeated(earlier: CatalogueChange, provenance: Provenance) -> CatalogueChange:
    if earlier.request_digest != provenance.digest:
        raise RequestIdReusedError(provenance.request_id)
    return earlier


def _changed_meanwhile(programme: str, revision: str) -> EtagMismatchError:
    return EtagMismatchError(f"The catalogue of programme {programme!r}", revision, programme=programme)
