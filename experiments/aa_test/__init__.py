"""A/A simulation: do the methods keep their word on a user's own data?"""

from experiments.aa_test.simulate import MethodRate, MetricSimulation, Simulation, simulate

__all__ = ["MethodRate", "MetricSimulation", "Simulation", "simulate"]
