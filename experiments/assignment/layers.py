"""Layers of experiments that exclude each other: their slots are lent and come back.

A layer spreads the members over 1,000 slots by a hash of its own. A running experiment holds some of them; when it stops,
they are free again. Which slots an experiment gets is pseudo-random, so the members of a finished experiment are
spread over many later ones instead of meeting one successor together.
"""

from collections.abc import Collection, Iterable

from experiments.assignment.hashing import Purpose, point
from experiments.definition import ExperimentDefinition, State
from experiments.definition.settings import SLOTS
from experiments.errors import DomainError


class LayerFullError(DomainError):
    """A layer has fewer free slots than are asked for."""

    reason = "LAYER_FULL"


def free_slots(layer_id: str, programme: str, definitions: Iterable[ExperimentDefinition]) -> tuple[int, ...]:
    """Return the slots of a layer that no running experiment of the programme holds, in order."""
    free = set(range(SLOTS))
    for definition in definitions:
        layer = definition.layer
        runs = definition.programme == programme and definition.state is State.RUNNING
        if runs and layer is not None and layer.layer_id == layer_id:
            free -= {slot for lower, upper in layer.ranges for slot in range(lower, upper)}
    return tuple(sorted(free))


def lend(free: Collection[int], count: int, salt: str) -> tuple[int, ...]:
    """Choose slots for an experiment, in order.

    Asking for more with the same salt and free slots gives the same slots and others, so an experiment grows without
    losing a member.

    Args:
        free: The slots to choose from.
        count: How many, at least 0.
        salt: Decides which; the experiment's id, for example.

    Raises:
        LayerFullError: There are fewer free slots.
    """
    if count > len(free):
        raise LayerFullError(
            f"The layer has {len(free)} free slots, but {count} are asked for; stop an experiment or ask for less.",
            free=str(len(free)),
            count=str(count),
        )
    by_chance = sorted(free, key=lambda slot: point(Purpose.LENDING, "", salt, str(slot)))
    return tuple(sorted(by_chance[:count]))


def slot_texts(slots: Iterable[int]) -> tuple[str, ...]:
    """Return slots as a definition writes them: ``("0-249", "700")``."""
    ranges: list[list[int]] = []
    for slot in sorted(slots):
        if ranges and slot == ranges[-1][1] + 1:
            ranges[-1][1] = slot
        else:
            ranges.append([slot, slot])
    return tuple(f"{first}-{last}" if last > first else str(first) for first, last in ranges)
