"""Keeping experiments: creating, changing and moving them, with an audit trail; and reading them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.definition import ExperimentDefinition, State, change_problems, parse_experiment
from experiments.definition.lifecycle import ChangeAction, ExperimentChange, changed_paths, transition_problem
from experiments.errors import DefinitionError, Problem
from server.clock import Clock
from server.decide.snapshot import KnownExperiment, Snapshot
from server.errors import (
    ExperimentExistsError,
    ExperimentNotFoundError,
    ExperimentReadOnlyError,
    ExperimentStateError,
    InvalidRequestError,
)
from server.handlers.changes import ExperimentChanges, Provenance, experiment_changed
from server.programme.experiment_checks import PREFIX, targeting_problems
from server.programme.programmes import Programmes
from server.storage import ExperimentStore

_MOVES = {
    ChangeAction.START: State.RUNNING,
    ChangeAction.STOP: State.STOPPED,
    ChangeAction.ARCHIVE: State.ARCHIVED,
}


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


class ExperimentHandler:
    """Answers everything that reads or changes experiments.

    Args:
        programmes: Holds the experiments in force.
        store: Where changes go before they take effect.
        clock: The server's clock.
    """

    def __init__(self, programmes: Programmes, store: ExperimentStore, clock: Clock) -> None:
        self._programmes = programmes
        self._store = store
        self._clock = clock
        self._changes = ExperimentChanges(programmes, store)

    def close(self) -> None:
        """Finish the change under way and take no more."""
        self._changes.close()

    def follow(self, names: Iterable[str]) -> None:
        """Put in force what other processes changed; see ``ExperimentChanges.follow``."""
        self._changes.follow(names)

    def get(self, programme: str, experiment_id: str) -> KnownExperiment:
        """Return an experiment.

        Raises:
            ProgrammeNotFoundError, ExperimentNotFoundError: There is none.
        """
        return _find(self._programmes.current(programme), programme, experiment_id)

    def listing(self, programme: str, after: str, most: int) -> Sequence[KnownExperiment]:
        """Return the experiments whose ids come after one, by id, at most so many.

        Args:
            programme: The loyalty programme.
            after: Entries up to this one are left out.
            most: How many at most.

        Raises:
            ProgrammeNotFoundError: Unknown programme.
        """
        known = self._programmes.current(programme).experiments
        return [known[experiment_id] for experiment_id in sorted(known) if experiment_id > after][:most]

    def changes(
        self, programme: str, experiment_id: str, after: int, most: int
    ) -> Sequence[ExperimentChange]:
        """Return the audit trail of an experiment after a position, oldest first, at most so many.

        Args:
            programme: The loyalty programme.
            experiment_id: The experiment.
            after: Changes up to this position are left out.
            most: How many at most.

        Raises:
            ProgrammeNotFoundError, ExperimentNotFoundError: There is no such experiment.
            StoreUnavailableError: The trail cannot be read.
        """
        self.get(programme, experiment_id)
        return self._store.changes(programme, experiment_id, after, most)

    def create(
        self, programme: str, fields: Mapping[str, Any], provenance: Provenance, timeout: float
    ) -> KnownExperiment:
        """Create a draft; return it once it is on disk and in force.

        Args:
            programme: The loyalty programme.
            fields: Values by field.
            provenance: Who asks for it and why.
            timeout: Seconds that the store may take.

        Returns:
            The experiment.

        Raises:
            InvalidRequestError: The definition breaks rules.
            ExperimentExistsError: The id is taken.
            ExperimentConflictError: It does not fit together with others or the catalogue.
            RequestIdReusedError, StoreUnavailableError, StoreTimeoutError: As for every change.
        """
        self._programmes.current(programme)

        def change(snapshot: Snapshot) -> ExperimentChange:
            after = _parsed({**fields, "programme": programme, "state": State.DRAFT.value})
            if after.experiment_id in snapshot.experiments:
                raise ExperimentExistsError(programme, after.experiment_id)
            return self._change(ChangeAction.CREATE, None, after, provenance)

        return self._changes.run(programme, change, provenance, timeout)

    def update(
        self,
        target: Target,
        fields: Mapping[str, Any],
        names: Sequence[str],
        provenance: Provenance,
        timeout: float,
    ) -> KnownExperiment:
        """Set the named fields, or take them back to their defaults; return the experiment once that is in force.

        Args:
            target: The experiment, and the content that it must still have.
            fields: Values by field.
            names: The fields to set.
            provenance: Who asks for it and why.
            timeout: Seconds that the store may take.

        Returns:
            The experiment.

        Raises:
            ExperimentNotFoundError, ExperimentReadOnlyError, EtagMismatchError: It cannot be changed so.
            ExperimentStateError: Its state does not allow this change.
            InvalidRequestError, ExperimentConflictError: As for ``create``.
            RequestIdReusedError, StoreUnavailableError, StoreTimeoutError: As for every change.
        """
        self._programmes.current(target.programme)

        def change(snapshot: Snapshot) -> ExperimentChange:
            before = _changeable(snapshot, target)
            document = before.definition.model_dump()
            for name in names:
                document.pop(name, None)
                if name in fields:
                    document[name] = fields[name]
            after = _parsed(document)
            problems = list(change_problems(before.definition, after))
            if problems:
                raise ExperimentStateError(
                    f"Experiment {target.experiment_id!r} cannot change so", problems, target.experiment_id
                )
            return self._change(ChangeAction.UPDATE, before, after, provenance)

        return self._changes.run(target.programme, change, provenance, timeout)

    def move(
        self, target: Target, action: ChangeAction, provenance: Provenance, timeout: float
    ) -> KnownExperiment:
        """Start, stop or archive; return the experiment once that is in force.

        Args:
            target: The experiment, and the content that it must still have.
            action: What to do.
            provenance: Who asks for it and why.
            timeout: Seconds that the store may take.

        Returns:
            The experiment.

        Raises:
            ExperimentNotFoundError, ExperimentReadOnlyError, EtagMismatchError: It cannot be changed so.
            ExperimentStateError: The state does not come after its present one, or something is missing.
            ExperimentConflictError: It does not fit together with others or the catalogue.
            RequestIdReusedError, StoreUnavailableError, StoreTimeoutError: As for every change.
        """
        self._programmes.current(target.programme)

        def change(snapshot: Snapshot) -> ExperimentChange:
            before = _changeable(snapshot, target)
            state = _MOVES[action]
            sentence = f"Experiment {target.experiment_id!r} cannot {action}"
            problem = transition_problem(before.definition.state, state)
            if problem:
                raise ExperimentStateError(sentence, [Problem("state", problem)], target.experiment_id)
            try:
                after = parse_experiment(
                    {**before.definition.model_dump(), "state": state.value}, target.experiment_id
                )
            except DefinitionError as error:
                raise ExperimentStateError(sentence, error.problems, target.experiment_id) from None
            return self._change(action, before, after, provenance)

        return self._changes.run(target.programme, change, provenance, timeout)

    def _change(
        self,
        action: ChangeAction,
        before: KnownExperiment | None,
        after: ExperimentDefinition,
        provenance: Provenance,
    ) -> ExperimentChange:
        return ExperimentChange(
            programme=after.programme,
            experiment_id=after.experiment_id,
            position=1 if before is None else before.position + 1,
            action=action,
            actor=provenance.actor,
            change_time=self._clock(),
            request_id=provenance.request_id,
            request_digest=provenance.digest,
            before_revision=0 if before is None else before.definition.revision,
            before_state=None if before is None else before.definition.state,
            changed_paths=changed_paths(None if before is None else before.definition, after),
            definition=after,
        )


def _find(snapshot: Snapshot, programme: str, experiment_id: str) -> KnownExperiment:
    try:
        return snapshot.experiments[experiment_id]
    except KeyError:
        raise ExperimentNotFoundError(programme, experiment_id) from None


def _changeable(snapshot: Snapshot, target: Target) -> KnownExperiment:
    known = _find(snapshot, target.programme, target.experiment_id)
    if known.read_only:
        raise ExperimentReadOnlyError(target.experiment_id, standing=target.experiment_id.startswith(PREFIX))
    if target.etag and target.etag != known.etag:
        raise experiment_changed(target.experiment_id, known.etag)
    return known


def _parsed(document: Mapping[str, Any]) -> ExperimentDefinition:
    try:
        definition = parse_experiment(document, "experiment")
    except DefinitionError as error:
        problems: Sequence[Problem] = error.problems
    else:
        problems = targeting_problems(definition)
        if not problems:
            return definition
    raise InvalidRequestError(
        [Problem(f"experiment.{problem.path}".rstrip("."), problem.message) for problem in problems]
    )
