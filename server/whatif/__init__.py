"""Simulation before launch: what a catalogue would do, by the serving function itself, in a world of its own."""

from server.whatif.document import to_json
from server.whatif.opening import Opened, opened
from server.whatif.requests import SimulationError
from server.whatif.simulate import Asked, Simulation, simulate

__all__ = ["Asked", "Opened", "Simulation", "SimulationError", "opened", "simulate", "to_json"]
