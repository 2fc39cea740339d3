"""Simulation before launch: what a catalogue would do, by the serving function itself, in a world of its own."""

from server.whatif.document import to_json
from server.whatif.opening import Opened, opened
from server.whatif.requests import SimulationError
from server.whatif.simulate import Simulation, SimulationOptions, simulate

__all__ = ["Opened", "Simulation", "SimulationError", "SimulationOptions", "opened", "simulate", "to_json"]
