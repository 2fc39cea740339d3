import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.assignment.layers import LayerFullError, free_slots, lend, slot_texts
from experiments.definition import ExperimentDefinition
from experiments.definition.settings import slot_ranges
from tests.experiments.definitions import definition

SLOTS = st.sets(st.integers(0, 999), max_size=300)


def in_layer(experiment_id: str, *slots: str, **changes: object) -> ExperimentDefinition:
    """Return an experiment that holds slots of the layer ``checkout``."""
    layer = {"layer_id": "checkout", "slots": list(slots)}
    return definition(**{"experiment_id": experiment_id, "layer": layer, **changes})


def test_running_experiments_hold_their_slots_and_others_do_not() -> None:
    """Slots come back when an experiment stops; other layers and programmes are no concern of this one."""
    definitions = [
        in_layer("a", "0-399", "500"),
        in_layer("b", "600-999"),
        in_layer("stopped", "400-499", state="stopped"),
        in_layer("draft", "400-499", state="draft"),
        in_layer("elsewhere", "400-450", layer={"layer_id": "home", "slots": ["400-450"]}),
        in_layer("foreign", "400-450", programme="other"),
        in_layer("free", layer=None),
    ]

    assert free_slots("checkout", "default", definitions) == (*range(400, 500), *range(501, 600))
    assert free_slots("unknown", "default", definitions) == tuple(range(1000))


@given(free=SLOTS, count=st.integers(0, 300), more=st.integers(0, 300), salt=st.text(max_size=9))
def test_lent_slots_are_free_ones_and_growing_keeps_them(
    free: set[int], count: int, more: int, salt: str
) -> None:
    """As many as asked for, each once, and asking for more gives these and others, whatever the order of the slots."""
    few, many = sorted((min(count, len(free)), min(more, len(free))))

    lent = lend(free, few, salt)

    assert len(lent) == len(set(lent)) == few
    assert set(lent) <= set(lend(sorted(free, reverse=True), many, salt)) <= free
    assert lent == lend(tuple(free), few, salt)


def test_successors_share_few_members() -> None:
    """Two experiments that take 200 of 1,000 slots one after the other share about 40 of them, not all."""
    first, second = (set(lend(range(1000), 200, salt)) for salt in ("spring", "summer"))

    # 40 expected; hypergeometric standard deviation 5.06.
    assert abs(len(first & second) - 40) < 4 * 5.06


def test_lending_is_frozen_as_well() -> None:
    """The choice depends on salt and slots alone, today and in ten years."""
    assert lend(range(10), 3, "spring") == (4, 5, 8)


def test_a_full_layer_is_said() -> None:
    """Nobody gets fewer slots than asked for without a word."""
    with pytest.raises(LayerFullError, match="2 free slots, but 3 are asked for"):
        lend((4, 5), 3, "spring")


@given(SLOTS)
def test_texts_are_read_back(slots: set[int]) -> None:
    """What a definition writes holds exactly the slots."""
    ranges = slot_ranges(slot_texts(slots))

    assert {slot for lower, upper in ranges for slot in range(lower, upper)} == slots


def test_texts_join_neighbours() -> None:
    """Ranges are written as such, single slots alone."""
    assert slot_texts({700, *range(250), 999, 998}) == ("0-249", "700", "998-999")
