"""Before an experiment starts: how many units it needs, and what it can find."""

from experiments.planning.history import History, read_history
from experiments.planning.power import MethodPower, PowerReport, plan_methods
from experiments.planning.question import power, read_relative_effect

__all__ = [
    "History",
    "MethodPower",
    "PowerReport",
    "plan_methods",
    "power",
    "read_history",
    "read_relative_effect",
]
