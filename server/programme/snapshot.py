"""What the server knows of one programme at one moment: catalogue, experiments, models. Immutable; replaced as a whole."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from types import MappingProxyType
from typing import Self

from experiments.assignment.plan import Plan, compile_plan
from experiments.definition import ExperimentDefinition, State
from experiments.definition.lifecycle import etag
from server.catalogue import Catalogue, Placement
from server.decide.snapshot import Compiled, compile_catalogue
from server.decide.table import TableCache
from server.errors import ProgrammeNotFoundError
from server.programme.experiment_checks import PREFIX, standing_experiment
from server.storage import StandingExperiment
from training.bundle import ActionBundle, Bundle, Manifest, Task


@dataclass(frozen=True)
class KnownExperiment:
    """An experiment as the server knows it.

    Attributes:
        definition: The experiment.
        position: Counts its changes; 0 for one that a file defines, which cannot be changed over gRPC.
        create_time: When it was created; none for one of a file.
        update_time: When it last changed; none for one of a file.
        etag: Identifies the content.
    """

    definition: ExperimentDefinition
    position: int = 0
    create_time: datetime | None = None
    update_time: datetime | None = None
    etag: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "etag", etag(self.definition))

    @classmethod
    def of_store(cls, standing: StandingExperiment) -> Self:
        """Return an experiment as the store has it."""
        last = standing.last
        return cls(last.definition, last.position, standing.create_time, last.change_time)

    @property
    def read_only(self) -> bool:
        """Whether a file defines it."""
        return self.position == 0


@dataclass(frozen=True)
class Snapshot:
    """Everything that a decision reads, fixed for its duration.

    Attributes:
        catalogue: Offers and placements.
        plan: Experiments in force, compiled.
        bundles: The champion model of each task that has one; read-only.
        experiments: The experiments of the plan by id, in the order of ids; read-only.
        actions: The champion of the action models, if there is one.
        compiled: Rules and limits of the catalogue; worked out from it unless given.
        tables: The candidates of each placement and day.
        sticky: The running experiments in which members keep the variant of their first exposure.
    """

    catalogue: Catalogue
    plan: Plan
    bundles: Mapping[Task, Bundle] = field(default_factory=lambda: MappingProxyType({}))
    experiments: Mapping[str, KnownExperiment] = field(default_factory=lambda: MappingProxyType({}))
    actions: ActionBundle | None = None
    sticky: frozenset[str] = field(init=False)
    compiled: Compiled = None  # type: ignore[assignment]  # compiled where it is not given
    tables: TableCache = field(init=False)

    def __post_init__(self) -> None:
        sticky = frozenset(
            experiment_id
            for experiment_id, known in self.experiments.items()
            if known.definition.sticky and known.definition.state is State.RUNNING
        )
        object.__setattr__(self, "sticky", sticky)
        if self.compiled is None:
            object.__setattr__(self, "compiled", compile_catalogue(self.catalogue))
        object.__setattr__(self, "tables", TableCache(self.catalogue, self.compiled.book, self.bundles))

    def bundle_at(self, placement: Placement) -> Bundle | None:
        """Return the model that ranks at a placement: the one of its task, if there is one; none where actions are chosen."""
        return None if placement.decides == "actions" else self.bundles.get(placement.task)

    def manifest_at(self, placement: Placement) -> Manifest | None:
        """Return what the model that speaks at a placement is, if there is one: for actions the one of their effects."""
        bundle = self.actions if placement.decides == "actions" else self.bundles.get(placement.task)
        return None if bundle is None else bundle.manifest


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
        """Let the next decisions of a task use another model; those of the other tasks keep theirs."""
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
        """Let the next decisions use another catalogue, with its standing arms of the period of a day."""
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
