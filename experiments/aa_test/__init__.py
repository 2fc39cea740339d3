"""A/A simulation: do the methods keep their word on a user's own data?"""

from experiments.aa_test.simulate import simulate
from experiments.simulation.result import MethodRate, MetricSimulation, Simulation

__all__ = ["MethodRate", "MetricSimulation", "Simulation", "simulate"]
