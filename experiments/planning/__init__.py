"""Before an experiment starts: how many units it needs, and what it can find."""

from experiments.planning.power import (
    MethodPower,
    PastUnits,
    PowerReport,
    plan_experiment,
    plan_methods,
    read_history,
    relative_size,
    target_effect,
)

__all__ = [
    "MethodPower",
    "PastUnits",
    "PowerReport",
    "plan_experiment",
    "plan_methods",
    "read_history",
    "relative_size",
    "target_effect",
]
