"""What a decision reads: catalogue, experiments and models of one programme at one moment. Immutable; replaced as a whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from experiments.assignment.plan import Plan
from experiments.definition import ExperimentDefinition, State
from experiments.definition.lifecycle import etag
from server.budgets import Accounts
from server.catalogue import Catalogue, Placement
from server.decide.limits import MemberLimits
from server.decide.rules import RuleBook
from server.decide.table import TableCache
from training.bundle import ActionBundle, Bundle, Manifest, Task


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """What decisions read of a catalogue beside its candidates.

    Attributes:
        book: Its rules.
        limits: Its limits.
        accounts: Its budgets and inventories.
    """

    book: RuleBook
    limits: MemberLimits
    accounts: Accounts


def compile_catalogue(catalogue: Catalogue) -> Compiled:
    """Compile a checked catalogue.

    Raises:
        RuleError: A rule is not a rule over the catalogue's attributes.
    """
    return Compiled(RuleBook(catalogue), MemberLimits(catalogue), Accounts(catalogue))


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
        """Return the model that ranks at a placement: the one of its task, if there is one; ``None`` where actions are chosen."""
        return None if placement.decides == "actions" else self.bundles.get(placement.task)

    def manifest_at(self, placement: Placement) -> Manifest | None:
        """Return what the model that speaks at a placement is, if there is one: for actions the one of their effects."""
        bundle = self.actions if placement.decides == "actions" else self.bundles.get(placement.task)
        return None if bundle is None else bundle.manifest
