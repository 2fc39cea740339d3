"""Making changes of experiments: one after the other, durable first, then in force."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass

from pydantic import ValidationError

from experiments.definition import ExperimentDefinition
from experiments.definition.lifecycle import ExperimentChange
from server.decide.snapshot import KnownExperiment, Snapshot
from server.errors import (
    EtagMismatchError,
    ExperimentConflictError,
    RequestIdReusedError,
    StoreTimeoutError,
    StoreUnavailableError,
)
from server.programme.experiment_checks import conflicts
from server.programme.programmes import Programmes, known_experiment
from server.storage import ExperimentStore

_PATIENCE_S = 3600.0


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


@dataclass(frozen=True, slots=True)
class Target:
    """What a change is about.

    Attributes:
        programme: The loyalty programme.
        experiment_id: The experiment.
        etag: Guard against the changes of others: its content as it was read; empty for no guard.
    """

    programme: str
    experiment_id: str
    etag: str = ""


class ChangeRunner:
    """Runs changes in a thread of its own, each from the check to the new plan.

    So each is checked against everything that is on disk, also where a request gave up waiting for its change.

    Args:
        programmes: Holds the experiments in force.
        store: Where changes go before they take effect.
    """

    def __init__(self, programmes: Programmes, store: ExperimentStore) -> None:
        self._programmes = programmes
        self._store = store
        self._changing = ThreadPoolExecutor(1, thread_name_prefix="experiment-changes")
        self._followed: dict[str, int] = {}

    def close(self) -> None:
        """Finish the change under way and take no more."""
        self._changing.shutdown(cancel_futures=True)

    def run(
        self,
        programme: str,
        change: Callable[[Snapshot], ExperimentChange],
        provenance: Provenance,
        timeout: float,
    ) -> KnownExperiment:
        """Make a change; return the experiment once the change is on disk and in force.

        Args:
            programme: The loyalty programme.
            change: Returns the change for the experiments in force, or raises what is wrong with it.
            provenance: Where it comes from; a request that made its change already gets that one's answer.
            timeout: Seconds to wait at most.

        Returns:
            The experiment after the change.

        Raises:
            ExperimentConflictError: The experiment would not fit together with others or the catalogue.
            RequestIdReusedError: The key was used for another request.
            EtagMismatchError: Another process changed the experiment.
            StoreUnavailableError: Nothing was kept.
            StoreTimeoutError: It was not confirmed in time; it may still be made.
        """
        try:
            running = self._changing.submit(self._perform, programme, change, provenance)
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
            ExperimentConflictError: An experiment does not fit with what only this process has; it stays as it was here.
            StoreUnavailableError: The store cannot be read, or not by this version.
        """
        for programme in names:
            # A change of this process under way reads the store itself.
            if not self._programmes.changing.acquire(blocking=False):
                return
            try:
                count = self._store.change_count(programme)
                if count != self._followed.get(programme):
                    self._adopt(programme)
                    self._followed[programme] = count
            finally:
                self._programmes.changing.release()

    def _adopt(self, programme: str) -> None:
        try:
            standing = self._store.standing_experiments(programme)
        except ValidationError as error:
            raise StoreUnavailableError(
                f"an experiment of programme {programme!r} breaks the rules of this version"
            ) from error
        for one in standing:
            known, snapshot = known_experiment(one), self._programmes.current(programme)
            there = snapshot.experiments.get(one.last.experiment_id)
            if there is not None and (there.read_only or there.position >= known.position):
                continue
            _check_fit(known.definition, snapshot)
            self._programmes.replace_experiment(programme, known)

    def _perform(
        self, programme: str, change: Callable[[Snapshot], ExperimentChange], provenance: Provenance
    ) -> KnownExperiment:
        with self._programmes.changing:
            return self._perform_alone(programme, change, provenance)

    def _perform_alone(
        self, programme: str, change: Callable[[Snapshot], ExperimentChange], provenance: Provenance
    ) -> KnownExperiment:
        if provenance.request_id:
            earlier = self._store.change_of_request(programme, provenance.request_id)
            if earlier is not None:
                return self._repeated(earlier, provenance)
        snapshot = self._programmes.current(programme)
        wanted = change(snapshot)
        after = wanted.definition
        _check_fit(after, snapshot)
        kept = self._store.append_change(wanted, _PATIENCE_S)
        if kept != wanted:
            # Another process writes into the same store.
            if kept.request_id and kept.request_id == provenance.request_id:
                return self._repeated(kept, provenance)
            raise experiment_changed(wanted.experiment_id, KnownExperiment(kept.definition).etag)
        before = snapshot.experiments.get(wanted.experiment_id)
        known = KnownExperiment(
            after,
            wanted.position,
            wanted.change_time if before is None else before.create_time,
            wanted.change_time,
        )
        self._programmes.replace_experiment(programme, known)
        return known

    def _repeated(self, earlier: ExperimentChange, provenance: Provenance) -> KnownExperiment:
        if earlier.request_digest != provenance.digest:
            raise RequestIdReusedError(provenance.request_id)
        (first,) = self._store.changes(earlier.programme, earlier.experiment_id, 0, 1)
        return KnownExperiment(earlier.definition, earlier.position, first.change_time, earlier.change_time)


def _check_fit(definition: ExperimentDefinition, snapshot: Snapshot) -> None:
    others = [
        known.definition for name, known in snapshot.experiments.items() if name != definition.experiment_id
    ]
    problems = conflicts(definition, others, snapshot.catalogue)
    if problems:
        sentence = f"Experiment {definition.experiment_id!r} does not fit in"
        raise ExperimentConflictError(sentence, problems, definition.experiment_id)


def experiment_changed(experiment_id: str, etag: str) -> EtagMismatchError:
    """Return the error that says that somebody changed the experiment, which now has this etag."""
    return EtagMismatchError(f"Experiment {experiment_id!r}", etag, experiment_id=experiment_id)
