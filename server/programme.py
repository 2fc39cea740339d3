"""What the server knows of one programme at one moment: catalogue, plan, model. Immutable; replaced as a whole."""

from dataclasses import dataclass, field

from experiments.plan import Plan
from server.catalogue import Catalogue
from server.decide.candidates import CandidateIndex
from server.errors import ProgrammeNotFoundError
from training.bundle import Bundle


@dataclass(frozen=True)
class Snapshot:
    """Everything that a decision reads, fixed for its duration.

    Attributes:
        catalogue: Offers and placements.
        plan: Experiments in force.
        bundle: The champion model; none if none was pulled yet.
    """

    catalogue: Catalogue
    plan: Plan
    bundle: Bundle | None
    candidates: CandidateIndex = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "candidates", CandidateIndex(self.catalogue, self.bundle))


class Programmes:
    """The current snapshot of each programme. A snapshot is swapped by one assignment, so a reader sees old or new."""

    def __init__(self, snapshots: dict[str, Snapshot]) -> None:
        self._snapshots = dict(snapshots)

    def current(self, programme: str) -> Snapshot:
        """Return the snapshot in force.

        Raises:
            ProgrammeNotFoundError: The server does not serve this programme.
        """
        try:
            return self._snapshots[programme]
        except KeyError:
            raise ProgrammeNotFoundError(programme) from None

    def replace_bundle(self, programme: str, bundle: Bundle) -> None:
        """Let the next decisions use another model."""
        before = self._snapshots[programme]
        self._snapshots[programme] = Snapshot(before.catalogue, before.plan, bundle)

    def has_model(self, programme: str) -> bool:
        """Tell whether a model is loaded."""
        return self._snapshots[programme].bundle is not None
