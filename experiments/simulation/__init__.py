"""A/A simulation: do the methods keep their word on a user's own data?"""

from experiments.simulation.result import MethodRate, MetricSimulation, Simulation
from experiments.simulation.simulate import simulate

__all__ = ["MethodRate", "MetricSimulation", "Simulation", "simulate"]
