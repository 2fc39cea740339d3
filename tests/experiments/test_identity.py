import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.assignment.assign import assign
from experiments.assignment.identity import LinkCycleError, link, resolve
from experiments.assignment.plan import compile_plan
from tests.experiments.definitions import definition


def test_logging_in_changes_no_variant() -> None:
    """The member is hashed as the visitor that she was first."""
    plan = compile_plan([definition()], "default")

    for number in range(50):
        visitor, member = f"device-{number}", f"member-{number}"
        links = link({}, visitor, member)
        assert assign(plan, "offer-ranking", resolve(links, member)) == assign(plan, "offer-ranking", visitor)


def test_an_id_without_a_link_stands_for_itself() -> None:
    """Nothing is known of it, so it is the first."""
    assert resolve({"member": "device"}, "other") == "other"


def test_a_second_device_joins_the_member() -> None:
    """The first link counts: neither the member nor her first device moves, the second device follows them."""
    links = link(link({}, "phone", "member"), "laptop", "member")

    assert {resolve(links, unit_id) for unit_id in ("phone", "laptop", "member")} == {"phone"}


def test_a_shared_device_keeps_its_first_id() -> None:
    """Two members on one device are one unit to an experiment: whoever sees the screen sees one variant."""
    links = link(link({}, "tablet", "anna"), "tablet", "bert")

    assert {resolve(links, unit_id) for unit_id in ("tablet", "anna", "bert")} == {"tablet"}


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from("uvwxyz")), max_size=20))
def test_linked_ids_stay_one_person(pairs: list[tuple[str, str]]) -> None:
    """Links made by ``link`` never lead in a circle, and both ids of a pair resolve to one from then on."""
    links: dict[str, str] = {}

    for earlier, later in pairs:
        before = dict(links)
        after = link(links, earlier, later)
        assert links == before
        assert resolve(after, earlier) == resolve(after, later)
        assert resolve(after, resolve(after, later)) == resolve(after, later)
        for made in pairs[: pairs.index((earlier, later))]:
            assert resolve(after, made[0]) == resolve(after, made[1])
        links = after


def test_circles_are_refused() -> None:
    """Links from elsewhere may be broken; they are named instead of followed for ever."""
    with pytest.raises(LinkCycleError, match="circle"):
        resolve({"a": "b", "b": "a"}, "a")
