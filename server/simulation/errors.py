"""What keeps a simulation from running."""

from experiments.errors import DomainError


class SimulationError(DomainError):
    """The simulation cannot run; the message says why and what to do."""

    reason = "CANNOT_SIMULATE"
