"""What is in force of each programme: its snapshot of catalogue, experiments and models, and the evidence of responses."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from types import MappingProxyType

from experiments.assignment.plan import compile_plan
from experiments.log.events import to_micros
from server.catalogue import Catalogue
from server.decide.context import NO_EVIDENCE, Evidence
from server.decide.snapshot import KnownExperiment, Snapshot, compile_catalogue
from server.errors import ProgrammeNotFoundError
from server.programme.experiment_checks import PREFIX, standing_experiment
from server.storage import StoredExperiment
from training.bundle import ActionBundle, Bundle, Task


def known_experiment(stored: StoredExperiment) -> KnownExperiment:
    """Return an experiment as the store has it."""
    last = stored.last
    return KnownExperiment(last.definition, last.position, stored.create_time, last.change_time)


class Programmes:
    """The current snapshot of each programme. A snapshot is swapped by one assignment, so a reader sees old or new.

    Attributes:
        changing: Held from the check of a change of experiments or catalogues until it is in force, since experiments need
            what catalogues have.
    """

    def __init__(self, snapshots: dict[str, Snapshot]) -> None:
        self._snapshots = dict(snapshots)
        # Models and experiments are replaced by different threads, each of which builds on what the other left.
        self._replacing = threading.Lock()
        self.changing = threading.Lock()

    def current(self, programme: str) -> Snapshot:
        """Return the snapshot in force.

        Raises:
            ProgrammeNotFoundError: The server does not serve this programme.
        """
        try:
            return self._snapshots[programme]
        except KeyError:
            raise ProgrammeNotFoundError(programme) from None

    def replace_bundle(self, programme: str, task: Task, bundle: Bundle) -> None:
        """Let the next decisions of a task use another model; those of the other tasks keep theirs.

        Args:
            programme: The loyalty programme.
            task: The task.
            bundle: The model.
        """
        with self._replacing:
            snapshot = self._snapshots[programme]
            bundles = MappingProxyType({**snapshot.bundles, task: bundle})
            self._snapshots[programme] = replace(snapshot, bundles=bundles)

    def replace_actions(self, programme: str, actions: ActionBundle) -> None:
        """Let the next decisions on actions use another model."""
        with self._replacing:
            self._snapshots[programme] = replace(self._snapshots[programme], actions=actions)

    def replace_experiment(self, programme: str, known: KnownExperiment) -> None:
        """Let the next requests see an experiment as it is now."""
        with self._replacing:
            snapshot = self._snapshots[programme]
            experiments = {**snapshot.experiments, known.definition.experiment_id: known}
            self._snapshots[programme] = _with_experiments(snapshot, experiments)

    def replace_catalogue(self, programme: str, catalogue: Catalogue, day: date) -> None:
        """Let the next decisions use another catalogue, with its standing arms of the period of a day.

        Args:
            programme: The loyalty programme.
            catalogue: The catalogue.
            day: The day.
        """
        with self._replacing:
            snapshot = replace(
                self._snapshots[programme], catalogue=catalogue, compiled=compile_catalogue(catalogue)
            )
            self._snapshots[programme] = _with_standing_arms(snapshot, day)

    def follow_periods(self, now: datetime) -> None:
        """Let members be drawn anew where a period of standing arms has begun."""
        with self._replacing:
            for programme, snapshot in self._snapshots.items():
                day = now.astimezone(snapshot.catalogue.zone).date()
                self._snapshots[programme] = _with_standing_arms(snapshot, day)

    def has_model(self, programme: str) -> bool:
        """Tell whether a model of any task is loaded."""
        snapshot = self._snapshots[programme]
        return bool(snapshot.bundles) or snapshot.actions is not None


ReadEvidence = Callable[[str, int, int], tuple[dict[str, tuple[int, int]], int]]
"""Counts decisions and responses of a programme's candidates after a mark up to a time, in microseconds since the Unix epoch, and
returns the mark reached."""


class EvidenceCache:
    """The evidence of each programme. Reading it is safe from any thread; only one brings it up to date.

    Args:
        read: Reads the log.
        window: Returns how long there is to respond to a decision of a programme before it counts; ``None`` where nothing reads
            evidence, so that none is gathered.
        interval: Between two reads of the log.
    """

    def __init__(
        self, read: ReadEvidence, window: Callable[[str], timedelta | None], interval: timedelta
    ) -> None:
        self._read = read
        self._window = window
        self._interval = interval
        self._marks: dict[str, int] = {}
        self._evidence: dict[str, Evidence] = {}
        self._due: datetime | None = None

    def of(self, programme: str) -> Evidence:
        """Return how members of a programme responded so far."""
        return self._evidence.get(programme, NO_EVIDENCE)

    def follow(self, programmes: Iterable[str], now: datetime) -> None:
        """Read what the log has since, if the interval is over.

        Raises:
            StoreUnavailableError: The log cannot be read.
        """
        if self._due is not None and now < self._due:
            return
        for programme in programmes:
            window = self._window(programme)
            if window is not None:
                self._update(programme, now - window)
        self._due = now + self._interval

    def _update(self, programme: str, until: datetime) -> None:
        found, mark = self._read(programme, self._marks.get(programme, 0), to_micros(until))
        if found:
            counts = dict(self.of(programme).counts)
            for candidate_id, (given, answered) in found.items():
                before = counts.get(candidate_id, (0, 0))
                counts[candidate_id] = (before[0] + given, before[1] + answered)
            self._evidence[programme] = Evidence(counts)
        self._marks[programme] = mark


def standing_arms(catalogue: Catalogue, day: date) -> dict[str, KnownExperiment]:
    """Return the experiment of a catalogue's standing arms in the period of a day, by its id; nothing without arms."""
    standing = standing_experiment(catalogue, day)
    return {} if standing is None else {standing.experiment_id: KnownExperiment(standing)}


def _with_standing_arms(snapshot: Snapshot, day: date) -> Snapshot:
    standing = standing_arms(snapshot.catalogue, day)
    there = {name: one for name, one in snapshot.experiments.items() if name.startswith(PREFIX)}
    if {name: one.etag for name, one in standing.items()} == {name: one.etag for name, one in there.items()}:
        return snapshot
    others = {name: one for name, one in snapshot.experiments.items() if name not in there}
    return _with_experiments(snapshot, {**others, **standing})


def _with_experiments(snapshot: Snapshot, experiments: Mapping[str, KnownExperiment]) -> Snapshot:
    plan = compile_plan([one.definition for one in experiments.values()], snapshot.plan.programme)
    return replace(snapshot, plan=plan, experiments=MappingProxyType(dict(sorted(experiments.items()))))
