"""A/A simulation: do the methods keep their word on a user's own data?"""

from experiments.aa_test.simulate import AATest, MethodRate, MetricSimulation, simulate

__all__ = ["AATest", "MethodRate", "MetricSimulation", "simulate"]
