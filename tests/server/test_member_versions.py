"""Decisions against the version of their member: what is kept, what is stale, what is refused."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from experiments.log.events import Decision, Outcome
from server.budgets import Draw
from server.errors import StoreUnavailableError
from server.storage import Chain, DecisionResult, PendingDecision, SqliteEventLog, StateDocument
from tests.server.test_storage import PATIENT_S, decision, outcome

Grouped = Callable[[], AbstractContextManager[None]]


class Purse:
    """Budgets that count units by account, and hear of every step."""

    def __init__(self, **units: int) -> None:
        self.left = dict(units)
        self.reserved: dict[str, int] = {}
        self.heard: list[str] = []

    def release_expired(self, cursor: sqlite3.Cursor, programme: str, now_micros: int) -> int:
        """Release nothing: these reservations last."""
        raise AssertionError("nobody asks for it here")

    def reserve(
        self, cursor: sqlite3.Cursor, programme: str, draws: Sequence[Draw], decision: Decision
    ) -> tuple[str, ...]:
        """Take what is left, or name who gets nothing."""
        assert cursor.connection.in_transaction
        assert programme == decision.programme
        taken = dict(self.reserved)
        for draw in draws:
            taken[draw.account_id] = taken.get(draw.account_id, 0) + draw.units
        refused = tuple(
            one.candidate_id for one in draws if taken[one.account_id] > self.left[one.account_id]
        )
        if not refused:
            self.reserved = taken
        self.heard.append(f"reserve {decision.decision_id}")
        return refused

    def redeemed(self, cursor: sqlite3.Cursor, outcomes: Sequence[Outcome]) -> None:
        """Note the redemptions."""
        assert cursor.connection.in_transaction
        self.heard += [f"redeemed {one.event_id}" for one in outcomes]

    def flush(self, cursor: sqlite3.Cursor) -> None:
        """Note it."""
        assert cursor.connection.in_transaction
        self.heard.append("flush")

    def committed(self) -> None:
        """Make it final."""
        for account_id, units in self.reserved.items():
            self.left[account_id] -= units
        self.reserved.clear()
        self.heard.append("committed")

    def rolled_back(self) -> None:
        """Forget it."""
        self.reserved.clear()
        self.heard.append("rolled back")


def draw(candidate_id: str, units: int = 1, account_id: str = "a") -> Draw:
    """Return a draw of units from an account."""
    return Draw(candidate_id, account_id, 0, units, 0, None, None, 0)


def kept(number: int, version: int | None, **changes: object) -> DecisionResult:
    """Return what is told of a decision that was kept."""
    return DecisionResult(decision(number, member_version=version, **changes))


STALE = DecisionResult(None, stale=True)


@pytest.fixture
def purse() -> Purse:
    """Budgets with two units in each of two accounts."""
    return Purse(a=2, b=2)


@pytest.fixture
def log(tmp_path: Path, purse: Purse) -> Iterator[SqliteEventLog]:
    """An empty log."""
    with closing(SqliteEventLog(tmp_path / "log.db", budgets=purse)) as opened:
        yield opened


@pytest.fixture
def grouped(log: SqliteEventLog, tmp_path: Path) -> Grouped:
    """What makes writes share one transaction, after one that keeps the writer waiting."""

    @contextmanager
    def hold() -> Iterator[None]:
        with closing(sqlite3.connect(tmp_path / "log.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            log.submit_decision(decision(0, member_id="somebody else", request_id=""))
            yield
            other.execute("COMMIT")

    return hold


def told(pending: Sequence[PendingDecision]) -> list[DecisionResult]:
    """Return what became of decisions."""
    return [one.result(PATIENT_S) for one in pending]


def test_every_event_counts(log: SqliteEventLog) -> None:
    """Decisions and new outcomes of a member count up their version; those of others and repeats do not."""
    assert log.submit_decision(decision(1)).result(PATIENT_S) == kept(1, 1)
    member_id = decision(1).member_id
    sent = [outcome(number, member_id=member_id) for number in (1, 2, 1)]
    log.append_outcomes([*sent, outcome(3, member_id="other"), outcome(4, programme="second")], PATIENT_S)

    assert log.submit_decision(decision(2)).result(PATIENT_S) == kept(2, 4)
    assert log.member_state("default", member_id).version == 4
    assert log.member_state("default", "other").version == 1
    assert log.member_state("second", "Zoë").version == 1
    assert log.member_state("default", "nobody").version == 0


def test_version_is_checked(log: SqliteEventLog, tmp_path: Path) -> None:
    """A decision that read an earlier or a later state than the log has is stale and not kept; the right one is kept."""
    versions = (2, 1, 1, 3, 2)

    results = [
        log.submit_decision(decision(number, member_version=version)).result(PATIENT_S)
        for number, version in enumerate(versions)
    ]

    assert results == [STALE, kept(1, 1), STALE, STALE, kept(4, 2)]
    with closing(sqlite3.connect(tmp_path / "log.db")) as connection:
        rows = connection.execute("SELECT decision_id, member_version FROM decisions").fetchall()
    assert rows == [("d1", 1), ("d4", 2)]


def test_versions_within_a_transaction(log: SqliteEventLog, grouped: Grouped) -> None:
    """In one transaction each decision and each outcome sees what those before it did, in the order they were sent."""
    chain = Chain()
    member_id = decision(1).member_id
    with grouped():
        first = [
            log.submit_decision(decision(number, member_version=number), chain=chain) for number in (1, 2, 3)
        ]
        late = log.submit_decision(decision(4, member_version=3))
        open_version = log.submit_decision(decision(5))

    assert told(first) == [kept(number, number) for number in (1, 2, 3)]
    assert told([late, open_version]) == [STALE, kept(5, 4)]
    assert not chain.broken
    log.append_outcomes([outcome(1, member_id=member_id)], PATIENT_S)
    assert log.submit_decision(decision(6, member_version=6), chain=chain).result(PATIENT_S) == kept(6, 6)


def test_repeats_within_a_transaction(log: SqliteEventLog, grouped: Grouped) -> None:
    """A retry that meets its first attempt in the same transaction gets the decision of that, and adds no version."""
    with grouped():
        pending = [
            log.submit_decision(decision(1, request_id="r")),
            log.submit_decision(decision(2, request_id="r")),
            log.submit_decision(decision(3, request_id="")),
        ]

    first = decision(1, request_id="r", member_version=1)
    assert told(pending) == [
        DecisionResult(first),
        DecisionResult(first, repeated=True),
        kept(3, 2, request_id=""),
    ]


def test_repeat_reserves_nothing(log: SqliteEventLog, purse: Purse) -> None:
    """A retry finds its decision before versions and budgets are looked at, also if the budget is empty by now."""
    first = log.submit_decision(decision(1, member_version=1), draws=[draw("x", 2)]).result(PATIENT_S)

    again = log.submit_decision(decision(2, request_id="r1", member_version=1), draws=[draw("x", 2)]).result(
        PATIENT_S
    )

    assert again == DecisionResult(first.decision, repeated=True)
    assert purse.left["a"] == 0


def test_budget_refuses(log: SqliteEventLog, purse: Purse, grouped: Grouped) -> None:
    """What an account has not left is refused by candidate, and nothing of that decision is kept; later ones go on."""
    with grouped():
        pending = [
            log.submit_decision(decision(1, member_version=1), draws=[draw("x")]),
            log.submit_decision(decision(2, member_version=2), draws=[draw("x", 2), draw("y", 1, "b")]),
            log.submit_decision(decision(3, member_version=2), draws=[draw("y", 2, "b")]),
            log.submit_decision(decision(4, member_version=3), draws=[draw("x"), draw("y", 1, "b")]),
        ]

    assert told(pending) == [
        kept(1, 1),
        DecisionResult(None, refused=("x",)),
        kept(3, 2),
        DecisionResult(None, refused=("y",)),
    ]
    assert purse.left == {"a": 1, "b": 0}


def test_log_without_budgets_refuses_draws(tmp_path: Path) -> None:
    """Where nobody keeps budgets nothing can be drawn, rather than without limit."""
    with closing(SqliteEventLog(tmp_path / "log.db")) as log:
        result = log.submit_decision(decision(1), draws=[draw("x"), draw("y"), draw("x")]).result(PATIENT_S)

    assert result == DecisionResult(None, refused=("x", "y"))


def test_broken_chain_stays_broken(log: SqliteEventLog) -> None:
    """After a decision that was refused, one on top of it is stale even if its version fits by chance."""
    chain = Chain()
    refused = log.submit_decision(decision(1, member_version=1), draws=[draw("x", 3)], chain=chain)
    log.append_outcomes([outcome(1, member_id=decision(1).member_id)], PATIENT_S)

    on_top = log.submit_decision(decision(2, member_version=2), chain=chain)
    anew = log.submit_decision(decision(3, member_version=2), chain=Chain())

    assert told([refused, on_top, anew]) == [DecisionResult(None, refused=("x",)), STALE, kept(3, 2)]
    assert chain.broken


def test_repeat_breaks_its_chain(log: SqliteEventLog) -> None:
    """A retry adds nothing to the log; whatever was decided on top of it is stale."""
    log.submit_decision(decision(1)).result(PATIENT_S)
    chain = Chain()

    log.submit_decision(decision(2, request_id="r1", member_version=2), chain=chain).result(PATIENT_S)

    assert chain.broken
    assert log.submit_decision(decision(3, member_version=2), chain=chain).result(PATIENT_S) == STALE


def test_fault_of_another_breaks_no_chain(log: SqliteEventLog, grouped: Grouped, purse: Purse) -> None:
    """A group with an impossible item is written one by one: the others are kept, with their budgets reserved once."""
    chain, doomed = Chain(), Chain()
    with grouped():
        pending = [
            log.submit_decision(decision(1, member_version=1), chain=chain, draws=[draw("x")]),
            log.submit_decision(decision(2, member_id="Max", eligible_count=2**70), chain=doomed),
            log.submit_decision(decision(3, member_version=2), chain=chain, draws=[draw("x")]),
            log.submit_decision(decision(4, member_version=3), chain=chain, draws=[draw("x")]),
        ]

    assert told([*pending[:1], *pending[2:]]) == [
        kept(1, 1),
        kept(3, 2),
        DecisionResult(None, refused=("x",)),
    ]
    with pytest.raises(OverflowError):
        pending[1].result(PATIENT_S)
    assert doomed.broken
    assert purse.left["a"] == 0
    assert log.member_state("default", "Max").version == 0


def test_unwritable_log_breaks_chains(log: SqliteEventLog, tmp_path: Path) -> None:
    """What could not be written is not a ground for later decisions."""
    chain = Chain()
    with closing(sqlite3.connect(tmp_path / "log.db")) as other:
        other.execute("DROP TABLE states")

    pending = log.submit_decision(
        decision(1, member_version=1), chain=chain, states=[StateDocument("s", "{}")]
    )

    with pytest.raises(StoreUnavailableError):
        pending.result(PATIENT_S)
    assert chain.broken


def test_states_are_kept_once(log: SqliteEventLog, tmp_path: Path) -> None:
    """What decisions read is kept with the first decision that is kept, once, also if another process kept it."""
    closed = StateDocument("b1", '{"closed":["x"]}')
    with closing(SqliteEventLog(tmp_path / "log.db")) as other:
        other.submit_decision(decision(1), states=[closed]).result(PATIENT_S)
    log.submit_decision(decision(2, member_version=9), states=[StateDocument("b2", "{}")]).result(PATIENT_S)
    assert log.state_document("default", "b2") is None, "a stale decision keeps nothing"

    for number in (3, 4):
        log.submit_decision(decision(number), states=[closed, StateDocument("b2", "{}")]).result(PATIENT_S)

    assert log.state_document("default", "b1") == closed.document
    assert log.state_document("default", "b2") == "{}"
    assert log.state_document("second", "b1") is log.state_document("default", "b3") is None


def test_budgets_hear_each_step(log: SqliteEventLog, purse: Purse) -> None:
    """Budgets are asked once for each decision that draws, told of new redemptions only, and flushed before each commit."""
    log.submit_decision(decision(1)).result(PATIENT_S)
    log.submit_decision(decision(2), draws=[draw("x")]).result(PATIENT_S)
    sent = [outcome(1, outcome_type="redemption"), outcome(2), outcome(1, outcome_type="redemption")]
    log.append_outcomes(sent, PATIENT_S)
    log.append_outcomes(sent[:1], PATIENT_S)

    steps = ([*asked, "flush", "committed"] for asked in ([], ["reserve d2"], ["redeemed o1"], []))
    assert purse.heard == [one for step in steps for one in step]


@pytest.mark.parametrize(
    ("decided", "sent", "expected"),
    [
        ({"channel_id": "app"}, {"channel_id": ""}, "app"),
        ({"channel_id": "app"}, {"channel_id": "web"}, "web"),
        ({"channel_id": ""}, {"channel_id": ""}, ""),
        ({"channel_id": "app"}, {"channel_id": "", "member_id": "Max"}, ""),
        ({"channel_id": "app"}, {"channel_id": "", "decision_id": "d9"}, ""),
    ],
    ids=["its decision's", "its own", "none known", "another member's decision", "unknown decision"],
)
def test_channel_of_an_outcome(
    tmp_path: Path, decided: dict[str, str], sent: dict[str, str], expected: str
) -> None:
    """An outcome has the channel that the client names, or else that of the decision it names, if that is the member's."""
    heard: list[Outcome] = []
    with closing(SqliteEventLog(tmp_path / "log.db", on_outcomes=heard.extend)) as log:
        log.submit_decision(decision(1, member_id="Zoë", **decided)).result(PATIENT_S)
        log.append_outcomes([outcome(1, **sent)], PATIENT_S)

    (kept_outcome,) = heard
    assert kept_outcome.channel_id == expected
    assert kept_outcome.member_version == (1 if "member_id" in sent else 2)
