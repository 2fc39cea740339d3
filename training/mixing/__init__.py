"""The mixture: the other models' scores on one scale, added up with weights learned from held-out truths."""

from training.mixing.selection import select_weights
from training.mixing.stage import MixtureStage, mix
from training.offers.mixture import PooledCases, pool_cases, spreads

__all__ = ["MixtureStage", "PooledCases", "mix", "pool_cases", "select_weights", "spreads"]
