"""A member's state is a fold of what the log has of them: of any order, at any version."""

import dataclasses
import random
import re
import sqlite3
import tempfile
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.log.events import ACTIONS, ActionChoice, Decision, OfferChoice, Outcome, to_micros
from experiments.rules import AttributeValue
from server.catalogue.limits import MAX_COUNTED
from server.members import EventTally, MemberProfile, MemberState, Trip
from server.members.profile import ProfileUpdate
from server.members.state import MAX_TRIPS, StateFold, after_decision, after_outcome
from server.storage import ProfileUpdates, SqliteEventLog, reads
from tests.server.test_storage import NOW, PATIENT_S, decision, outcome

MEMBER = "Zoë 🛒"
OFFERS_GIVEN = st.lists(st.sampled_from(["a", "b", "c"]), max_size=3, unique=True)
ACTIONS_GIVEN = st.lists(
    st.tuples(st.sampled_from(["care", "welcome", "no_action"]), st.sampled_from(["email", "app", ""])),
    max_size=2,
)
MINUTES = st.integers(-300, 300)


def offers_decision(number: int, minutes: int, channel_id: str, offer_ids: list[str]) -> Decision:
    """Return a decision that gives these offers."""
    offers = tuple(OfferChoice(offer_id, rank, 1.0, 1.0) for rank, offer_id in enumerate(offer_ids, start=1))
    time = NOW + minutes * timedelta(minutes=1)
    return decision(number, decide_time=time, channel_id=channel_id, offers=offers, request_id="")


def actions_decision(number: int, minutes: int, chosen: list[tuple[str, str]]) -> Decision:
    """Return a decision that gives these actions, each by its channel."""
    actions = tuple(
        ActionChoice(action_id, channel, rank, 1.0, 1.0)
        for rank, (action_id, channel) in enumerate(chosen, start=1)
    )
    time = NOW + minutes * timedelta(minutes=1)
    return decision(
        number, kind=ACTIONS, decide_time=time, channel_id="", offers=(), actions=actions, request_id=""
    )


def happened(number: int, minutes: int, event: str, **changes: object) -> Outcome:
    """Return an outcome of the member."""
    time = NOW + minutes * timedelta(minutes=1)
    plain = outcome(number, member_id=MEMBER, outcome_type=event, outcome_time=time, decision_id="")
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]  # fields by name


@st.composite
def events(draw: st.DrawFn) -> list[Decision | Outcome | ProfileUpdate]:
    """Return what happens to a member, in any order of its times."""
    made: list[Decision | Outcome | ProfileUpdate] = []
    for number in range(draw(st.integers(0, 25))):
        minutes = draw(MINUTES)
        kind = draw(st.sampled_from(["offers", "actions", "purchase", "redemption", "profile"]))
        if kind == "offers":
            channel = draw(st.sampled_from(["", "app"]))
            made.append(offers_decision(number, minutes, channel, draw(OFFERS_GIVEN)))
        elif kind == "actions":
            made.append(actions_decision(number, minutes, draw(ACTIONS_GIVEN)))
        elif kind == "profile":
            value = draw(st.one_of(st.none(), st.integers(0, 3), st.just("x"), st.just(("tea",))))
            made.append(ProfileUpdate(MEMBER, {"likes": value}, {("app", "ads"): draw(st.booleans())}))
        else:
            products = tuple(draw(st.lists(st.sampled_from(["bread", "tea"]), max_size=2)))
            offer_id, channel = draw(st.sampled_from(["", "a"])), draw(st.sampled_from(["", "app", "web"]))
            made.append(
                happened(number, minutes, kind, product_ids=products, offer_id=offer_id, channel_id=channel)
            )
    return made


def following(state: MemberState, event: Decision | Outcome | ProfileUpdate) -> MemberState:
    """Return the state after one more event, as the server folds it while it runs."""
    version = state.version + 1
    if isinstance(event, Decision):
        return after_decision(state, dataclasses.replace(event, member_version=version))
    if isinstance(event, Outcome):
        return after_outcome(state, dataclasses.replace(event, member_version=version))
    return state.after_profile(version, event.applied_to(state.profile))


def append(log: SqliteEventLog, event: Decision | Outcome | ProfileUpdate) -> bool:
    """Log one event; tell whether it was something new."""
    if isinstance(event, Decision):
        return log.submit_decision(event).result(PATIENT_S).decision is not None
    if isinstance(event, Outcome):
        return log.append_outcomes([event], PATIENT_S).accepted_count == 1
    return (
        log.update_profiles(ProfileUpdates("default", [event], NOW, "me", "", ""), PATIENT_S).changed_count
        == 1
    )


@settings(max_examples=40, deadline=None)
@given(events())
def test_state_at_a_version_is_the_state_that_was(
    happening: list[Decision | Outcome | ProfileUpdate],
) -> None:
    """Whatever happens, the log gives back at each version the state that the server had folded when it was reached."""
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(SqliteEventLog(Path(folder) / "log.db")) as log,
    ):
        states = [MemberState(MEMBER)]
        for event in happening:
            if append(log, event):
                states.append(following(states[-1], event))
                assert log.member_state("default", MEMBER) == states[-1]

        for version, state in enumerate(states):
            assert log.member_state("default", MEMBER, version) == state
        assert log.member_state("default", MEMBER, len(states) + 5) == states[-1]


@settings(max_examples=200, deadline=None)
@given(events(), st.randoms(use_true_random=False))
def test_fold_does_not_depend_on_order(
    happening: list[Decision | Outcome | ProfileUpdate], chance: random.Random
) -> None:
    """The same decisions and outcomes make the same state in whatever order they are folded."""
    folded = [event for event in happening if not isinstance(event, ProfileUpdate)]
    shuffled = chance.sample(folded, len(folded))

    one = other = MemberState(MEMBER)
    for event in folded:
        one = following(one, event)
    for event in shuffled:
        other = following(other, event)

    assert one == other


@given(
    st.lists(st.integers(0, 300), min_size=MAX_COUNTED + 1, max_size=MAX_COUNTED + 20), st.integers(-1, 301)
)
def test_tally_counts_within_its_bound(times: list[int], since: int) -> None:
    """A tally counts all, keeps the latest times, and tells how many came after a moment as far as any limit counts."""
    tally = EventTally()
    for time in times:
        tally = tally.counting(time)

    assert tally.total == len(times)
    assert tally.times == tuple(sorted(times)[-MAX_COUNTED:])
    assert tally.since(since) == min(sum(time > since for time in times), MAX_COUNTED)


def test_many_events_at_once_are_bounded_too() -> None:
    """Folded at once or one by one, no more trips and times of a member are kept than the bounds say."""
    numbers = range(MAX_TRIPS + MAX_COUNTED)
    one, fold = MemberState(MEMBER), StateFold()
    for number in numbers:
        event = happened(number, number, "purchase", product_ids=("tea", "bread"), channel_id="app")
        one = following(one, event)
        fold.outcome(
            to_micros(event.outcome_time), "purchase", event.offer_id, event.channel_id, event.product_ids
        )

    assert len(one.trips) == MAX_TRIPS
    assert one.by_event["purchase"].total == len(numbers)
    assert fold.state(MEMBER, one.version, one.profile) == one


def test_what_a_decision_gives() -> None:
    """Each thing given counts by itself and once by its channel; *no action* and an empty answer count as nothing."""
    state = MemberState(MEMBER)
    state = following(state, offers_decision(1, 0, "app", ["a", "b"]))
    state = following(state, actions_decision(2, 1, [("care", "email"), ("no_action", "")]))
    state = following(state, actions_decision(3, 2, [("no_action", "app")]))
    state = following(state, offers_decision(4, 3, "app", []))

    first, second = to_micros(NOW), to_micros(NOW + timedelta(minutes=1))
    assert state.version == 4
    assert state.by_event == {"decision": EventTally(2, (first, second))}
    assert state.by_candidate == {
        ("decision", "a"): EventTally(1, (first,)),
        ("decision", "b"): EventTally(1, (first,)),
        ("decision", "care"): EventTally(1, (second,)),
    }
    assert state.by_channel == {
        ("decision", "app"): EventTally(1, (first,)),
        ("decision", "email"): EventTally(1, (second,)),
    }


def test_profile_is_read_back_with_its_types(tmp_path: Path) -> None:
    """Every kind of attribute, and every other field of a profile, is the same after the log."""
    attributes: dict[str, AttributeValue] = {
        "text": "é",
        "whole": 1,
        "real": 1.0,
        "truth": True,
        "moment": NOW,
        "list": ("a", "b"),
        "none": (),
    }
    values = {"tier": "gold", "points_balance": 0, "points_expire_time": NOW, "time_zone": "Europe/Vienna"}
    update = ProfileUpdate(MEMBER, attributes, {("", "ads"): True, ("app", "ads"): False}, values)
    with closing(SqliteEventLog(tmp_path / "log.db")) as log:
        append(log, update)
        profile = log.member_state("default", MEMBER).profile

    assert profile == update.applied_to(MemberProfile())
    assert {name: type(value) for name, value in profile.attributes.items()} == {
        name: type(value) for name, value in attributes.items()
    }


def test_events_of_older_logs_count_as_version_0(tmp_path: Path) -> None:
    """What was logged before there were versions is in every state; the first event since makes version 1."""
    with closing(SqliteEventLog(tmp_path / "log.db")) as log:
        append(log, offers_decision(1, 0, "app", ["a"]))
        append(log, happened(1, 1, "purchase", product_ids=("tea",)))
    with closing(sqlite3.connect(tmp_path / "log.db")) as connection:
        for table in ("decisions", "outcomes"):
            connection.execute(f"UPDATE {table} SET member_version = NULL, channel_id = NULL")
        connection.execute("UPDATE decisions SET kind = NULL")
        connection.execute("DELETE FROM members")
        connection.commit()

    with closing(SqliteEventLog(tmp_path / "log.db")) as log:
        old = log.member_state("default", MEMBER)
        append(log, offers_decision(2, 2, "app", ["b"]))

        assert old.version == 0
        assert old.by_candidate.keys() == {("decision", "a"), ("purchase", "a")}
        assert old.trips == (Trip(to_micros(NOW + timedelta(minutes=1)), ("tea",)),)
        assert log.member_state("default", MEMBER, 0) == old
        assert log.member_state("default", MEMBER).version == 1


def test_a_member_is_found_by_an_index(tmp_path: Path) -> None:
    """Nothing that is read of one member, or of one decision, is searched for row by row."""
    with closing(SqliteEventLog(tmp_path / "log.db")):
        pass
    statements = [
        value
        for name, value in vars(reads).items()
        if name.startswith("_") and re.search(r"SELECT.*(member|decision)_id = \?", str(value), re.DOTALL)
    ]
    assert len(statements) >= 6
    with closing(sqlite3.connect(tmp_path / "log.db")) as connection:
        for statement in statements:
            marks = [0] * statement.count("?")
            plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", marks)]
            scans = [step for step in plan if step.startswith("SCAN") and "json_each" not in step]
            assert not scans, (statement, plan)
