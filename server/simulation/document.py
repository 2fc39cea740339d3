"""A simulation as one JSON document."""

from dataclasses import asdict
from datetime import date
from typing import Any

from server.whatif.simulate import Simulation
from server.whatif.summary import Summary


def to_json(simulation: Simulation) -> dict[str, Any]:
    """Return the document; days are ISO texts, shares lie between 0 and 1."""
    found: dict[str, Any] = _plain(
        {
            "programme": simulation.programme,
            "first_day": simulation.first_day,
            "last_day": simulation.last_day,
            "requests": simulation.requests,
            "responses": "assume" if simulation.assumed else "none",
            "new": _summary(simulation.new),
            "today": _summary(simulation.today),
            "groups": [asdict(one) for one in simulation.groups],
            "candidates": [asdict(one) for one in simulation.candidates],
        }
    )
    return found


def _summary(summary: Summary) -> dict[str, Any]:
    return {**asdict(summary), "value_per_decision": summary.value_per_decision}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, date) else value
