"""The states of members in memory: one step ahead of the log, and never trusted further than the log confirms."""

import dataclasses
import multiprocessing
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import NamedTuple

import pytest

from experiments.log.events import Decision, Outcome
from experiments.log.frames import read_log
from server.budgets import Draw
from server.errors import StoreUnavailableError
from server.members import MemberState
from server.members.profile import ProfileUpdate
from server.members.state import after_decision
from server.storage import DecisionResult, PendingDecision, ProfileUpdates, SqliteEventLog
from server.storage.member_cache import MemberStates
from tests.server.test_storage import NOW, PATIENT_S, decision, outcome

MEMBER = decision(1).member_id


class CountedLog(SqliteEventLog):
    """A log that counts how often states are read from it, and can be told to fail."""

    loads = 0
    fault: Exception | None = None

    def __init__(self, path: Path, most: int) -> None:
        super().__init__(path, on_outcomes=self._told)
        self.states = MemberStates(self, most)

    def _told(self, outcomes: Sequence[Outcome]) -> None:
        self.states.took(outcomes)

    def member_state(self, programme: str, member_id: str, upto_version: int | None = None) -> MemberState:
        """Read, and count."""
        self.loads += 1
        if self.fault is not None:
            raise self.fault
        return super().member_state(programme, member_id, upto_version)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[CountedLog]:
    """An empty log that tells the cache of its outcomes."""
    with closing(CountedLog(tmp_path / "log.db", most=3)) as opened:
        yield opened


@pytest.fixture
def states(log: CountedLog) -> MemberStates:
    """A cache of three members."""
    return log.states


class Sent(NamedTuple):
    """A decision on its way, and the state that it read."""

    pending: PendingDecision
    made: Decision
    read: MemberState


def submit(log: SqliteEventLog, states: MemberStates, number: int, **changes: object) -> Sent:
    """Decide on the member's state as the server does."""
    plain = decision(number, **{"request_id": "", **changes})
    with states.hold(plain.programme, plain.member_id) as held:
        made = dataclasses.replace(plain, member_version=held.state.version + 1)
        pending = log.submit_decision(made, chain=held.chain)
        held.advance(after_decision(held.state, made))
        return Sent(pending, made, held.state)


def state(states: MemberStates, member_id: str = MEMBER) -> MemberState:
    """Return a member's state in memory."""
    with states.hold("default", member_id) as held:
        return held.state


def test_flood_of_one_member_is_read_once(log: CountedLog, states: MemberStates) -> None:
    """Many requests of one member follow each other without waiting for the disk, and none is stale."""
    sent = [submit(log, states, number) for number in range(50)]

    assert [one.pending.result(PATIENT_S) for one in sent] == [DecisionResult(one.made) for one in sent]
    assert [one.made.member_version for one in sent] == list(range(1, 51))
    assert log.loads == 1
    assert state(states) == log.member_state("default", MEMBER)


def test_outcomes_and_profiles_are_seen_at_once(log: CountedLog, states: MemberStates) -> None:
    """What the log took in is in the next state, without reading the log again."""
    submit(log, states, 1).pending.result(PATIENT_S)
    log.append_outcomes([outcome(number, member_id=MEMBER) for number in (1, 2, 1)], PATIENT_S)
    update = ProfileUpdate(MEMBER, {"age": 44})
    states.profiles_changed(
        log.update_profiles(ProfileUpdates("default", [update], NOW, "me", "", ""), PATIENT_S).changes
    )

    seen = state(states)

    assert log.loads == 1
    assert seen.version == 4
    assert seen.by_event["purchase"].total == 2
    assert seen.profile.attributes == {"age": 44}
    assert seen == log.member_state("default", MEMBER)


def test_what_was_not_kept_is_forgotten(log: CountedLog, states: MemberStates) -> None:
    """After a decision that the log did not keep, the state is read anew; those made on top of it are decided again."""
    log.submit_decision(decision(0, request_id="r")).result(PATIENT_S)
    repeat = submit(log, states, 1, request_id="r")
    on_top = submit(log, states, 2)

    assert repeat.pending.result(PATIENT_S).repeated
    assert on_top.pending.result(PATIENT_S) == DecisionResult(None, stale=True)
    assert state(states).version == 1
    again = submit(log, states, 2)
    assert again.pending.result(PATIENT_S) == DecisionResult(again.made)
    assert log.loads == 2


def test_other_process_is_noticed(log: CountedLog, states: MemberStates, tmp_path: Path) -> None:
    """What another process logged makes the next decision stale, once; then its state is right."""
    submit(log, states, 1).pending.result(PATIENT_S)
    with closing(SqliteEventLog(tmp_path / "log.db")) as other:
        other.append_outcomes([outcome(1, member_id=MEMBER)], PATIENT_S)
    assert submit(log, states, 2).pending.result(PATIENT_S).stale

    sent = submit(log, states, 3)

    assert sent.pending.result(PATIENT_S) == DecisionResult(sent.made)
    assert sent.made.member_version == 3


def test_missed_event_drops_the_state(log: CountedLog, states: MemberStates, tmp_path: Path) -> None:
    """An outcome that does not follow the state in memory says that something was missed: the state is read anew."""
    state(states)
    with closing(SqliteEventLog(tmp_path / "log.db")) as other:
        other.append_outcomes([outcome(1, member_id=MEMBER)], PATIENT_S)
    log.append_outcomes([outcome(2, member_id=MEMBER)], PATIENT_S)

    assert state(states).by_event["purchase"].total == 2
    assert log.loads == 2


def test_only_the_latest_members_are_kept(log: CountedLog, states: MemberStates) -> None:
    """The member who was met longest ago goes first."""
    for member_id in ("a", "b", "c", "a", "d"):
        state(states, member_id)
    assert log.loads == 4

    for member_id in ("a", "c", "d"):
        state(states, member_id)
    assert log.loads == 4
    state(states, "b")
    assert log.loads == 5


def test_programmes_are_apart(log: CountedLog, states: MemberStates) -> None:
    """The same member id in two programmes is two members."""
    submit(log, states, 1).pending.result(PATIENT_S)

    with states.hold("second", MEMBER) as held:
        assert held.state.version == 0


def test_unreadable_log(log: CountedLog, states: MemberStates) -> None:
    """A state that cannot be read is an error of this request; the next one reads again, and nobody is locked out."""
    log.fault = StoreUnavailableError("locked")
    with pytest.raises(StoreUnavailableError):
        state(states)

    log.fault = None
    assert state(states).version == 0


def test_others_do_not_wait(log: CountedLog, states: MemberStates) -> None:
    """While one member is held, another one is served and outcomes are taken in."""
    with states.hold("default", MEMBER), ThreadPoolExecutor(1) as pool:
        assert pool.submit(state, states, "other").result(PATIENT_S).version == 0
        log.append_outcomes([outcome(1, member_id=MEMBER)], PATIENT_S)


def decide_until_kept(log: SqliteEventLog, states: MemberStates, decision_id: str, member_id: str) -> None:
    """Decide again while the decision is stale, as the server does; what it read must be what the log had."""
    result, sent = DecisionResult(None, stale=True), None
    while result.stale:
        sent = submit(log, states, 0, decision_id=decision_id, member_id=member_id)
        result = sent.pending.result(PATIENT_S)
    assert sent is not None
    assert result.decision == sent.made
    assert sent.read == log.member_state("default", member_id, sent.read.version)


def _work(path: Path, name: str, start: Barrier) -> None:
    """Decide and log outcomes for two members from four threads of one process, some decisions on top of refused ones."""
    with closing(CountedLog(path, most=100)) as log:
        start.wait(PATIENT_S)

        def work(thread: int) -> None:
            for number in range(15):
                member_id = f"m{number % 2}"
                key = f"{name}-{thread}-{number}"
                refuse(log, member_id)
                decide_until_kept(log, log.states, key, member_id)
                log.append_outcomes([outcome(0, event_id=key, member_id=member_id)], PATIENT_S)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))


def refuse(log: CountedLog, member_id: str) -> None:
    """Put in memory a state after a decision that the log will refuse, because no budget has anything left."""
    draws = [Draw("x", "a", 0, 1, 0, None, None, 0)]
    with log.states.hold("default", member_id) as held:
        made = decision(0, request_id="", member_id=member_id, member_version=held.state.version + 1)
        log.submit_decision(made, draws=draws, chain=held.chain)
        held.advance(after_decision(held.state, made))


def test_processes_share_a_file(tmp_path: Path) -> None:
    """Three processes of four threads on one file: of each member every version is one event, and each is kept once."""
    path = tmp_path / "log.db"
    with closing(SqliteEventLog(path)):
        pass
    spawn = multiprocessing.get_context("spawn")
    start = spawn.Barrier(3)
    processes = [spawn.Process(target=_work, args=(path, f"p{number}", start)) for number in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)

    assert [process.exitcode for process in processes] == [0, 0, 0]
    frames = read_log(path)
    events = [
        *frames.decisions.select("member_id", "member_version").rows(),
        *frames.outcomes.select("member_id", "member_version").rows(),
    ]
    assert len(events) == 3 * 4 * 15 * 2
    counts = Counter(member_id for member_id, _ in events)
    assert set(events) == {
        (member_id, version) for member_id, count in counts.items() for version in range(1, count + 1)
    }
    assert frames.decisions["decision_id"].n_unique() == 3 * 4 * 15


def test_threads_of_one_member(log: CountedLog, states: MemberStates) -> None:
    """Sixteen threads of one member: every version is one event, and the state in memory ends as that of the log."""
    gate = threading.Barrier(16)

    def work(thread: int) -> None:
        gate.wait(PATIENT_S)
        for number in range(10):
            decide_until_kept(log, states, f"{thread}-{number}", MEMBER)
            log.append_outcomes([outcome(0, event_id=f"{thread}-{number}", member_id=MEMBER)], PATIENT_S)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(16)))

    assert log.member_state("default", MEMBER).version == 320
    decide_until_kept(log, states, "last", MEMBER)
    assert state(states) == log.member_state("default", MEMBER)
