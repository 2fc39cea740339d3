"""Reservations: never above what is allowed, never lost, committed once; whatever the order of events."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from experiments.log.events import Outcome, to_micros
from server.budgets import Draw, Totals
from server.storage.budget_writes import BudgetWrites, account_totals
from server.storage.reservations import CHANGE_RESERVATIONS
from tests.server.budget_process import START, asked, open_file
from tests.server.test_storage import outcome

DAY = timedelta(days=1)
SUMS = """
    SELECT account_id, period, sum(units * (state = 'o')), sum(micros * (state = 'o')),
           sum(units * (state = 'c')), sum(micros * (state = 'c'))
    FROM (
        SELECT value ->> 1 AS account_id, value ->> 2 AS period, value ->> 3 AS units, value ->> 4 AS micros,
               substr(states, key + 1, 1) AS state
        FROM reservations, json_each(draws) WHERE programme = 'default'
    )
    GROUP BY account_id, period ORDER BY account_id, period
"""
KEPT = """
    SELECT account_id, period, reserved_units, reserved_micros, committed_units, committed_micros
    FROM budget_accounts WHERE programme = 'default' ORDER BY account_id, period
"""


def draw(candidate_id: str = "a", account_id: str = "x", **changes: Any) -> Draw:
    """Return a draw of 1 unit and 1 dollar from an account of 2 units."""
    values = {
        "candidate_id": candidate_id, "account_id": account_id, "period": 0, "units": 1, "micros": 1_000_000,
        "allowed_units": 2, "allowed_micros": None, "hold_micros": 7 * 86_400_000_000,
    }  # fmt: skip
    return Draw(**(values | changes))  # type: ignore[arg-type]  # fields by name


def redemption(number: int, **changes: Any) -> Outcome:
    """Return a redemption of offer a by member m."""
    plain = {"member_id": "m", "outcome_type": "redemption", "decision_id": "", "offer_id": "a"}
    return outcome(number, **(plain | changes))


class Store:
    """A file, its writer, and what the writer told."""

    def __init__(self, path: Path | str = ":memory:") -> None:
        self.connection = open_file(path)
        self.told: list[tuple[str, dict[tuple[str, int], tuple[int, int]]]] = []
        self.writes = BudgetWrites(lambda programme, changes: self.told.append((programme, dict(changes))))

    def run(self, *steps: Callable[[sqlite3.Cursor], Any]) -> list[Any]:
        """Run steps in one transaction and commit it."""
        cursor = self.connection.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        results = [step(cursor) for step in steps]
        self.writes.flush(cursor)
        cursor.execute("COMMIT")
        self.writes.committed()
        return results

    def reserve(self, number: int, *draws: Draw, **changes: Any) -> tuple[str, ...]:
        """Reserve for one decision in a transaction of its own."""
        one = asked(f"d{number}", **changes)
        (refused,) = self.run(lambda cursor: self.writes.reserve(cursor, "default", draws, one))
        return tuple(refused)

    def redeem(self, *outcomes: Outcome) -> int:
        """Commit redemptions; return how many were late."""
        before = self.writes.late_redemptions
        self.run(lambda cursor: self.writes.redeemed(cursor, outcomes))
        return self.writes.late_redemptions - before

    def release(self, time: Any, most: int = 1000) -> int:
        """Release what has run out."""
        micros = to_micros(time)
        (released,) = self.run(lambda cursor: self.writes.release_expired(cursor, "default", micros, most))
        return int(released)

    def account(self, account_id: str = "x") -> tuple[int, ...]:
        """Return units and micros reserved, units and micros committed."""
        rows = [row[2:] for row in self.connection.execute(KEPT) if row[0] == account_id]
        return tuple(rows[0]) if rows else (0, 0, 0, 0)

    def states(self) -> list[tuple[str, str]]:
        """Return each decision and the states of what it reserved."""
        return self.connection.execute(
            "SELECT decision_id, states FROM reservations ORDER BY decision_id"
        ).fetchall()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store of its own for each test."""
    opened = Store(tmp_path / "log.db")
    with closing(opened.connection):
        yield opened


def test_reserves_until_nothing_is_left(store: Store) -> None:
    """Two units are reserved for two decisions; the third is refused and leaves nothing; each is told the totals."""
    assert [store.reserve(number, draw()) for number in (1, 2, 3)] == [(), (), ("a",)]

    assert store.account() == (2, 2_000_000, 0, 0)
    assert store.states() == [("d1", "o"), ("d2", "o")]
    # What the third was refused on is told again, for those who do not know yet.
    assert store.told == [
        ("default", {("x", 0): spent}) for spent in ((1, 1_000_000), (2, 2_000_000), (2, 2_000_000))
    ]


def test_all_or_nothing(store: Store) -> None:
    """If one candidate of a decision is refused, nothing of the others is reserved; those that fit are not named."""
    money_left = draw("b", "y", allowed_units=None, allowed_micros=999_999)

    assert store.reserve(1, draw("c", "z"), draw("b", "x"), money_left) == ("b",)

    assert store.states() == []
    assert store.account("x") == (0, 0, 0, 0)


def test_candidates_of_one_decision_share_what_is_left(store: Store) -> None:
    """Of three candidates that draw on two units of their group the last is refused; of a refused one nothing counts."""
    none_left = draw("a", "own", allowed_units=0)

    assert store.reserve(1, draw("a"), draw("b"), draw("c")) == ("c",)
    assert store.reserve(2, draw("a"), none_left, draw("b"), draw("c")) == ("a",)
    assert store.reserve(3, draw("b"), draw("c")) == ()


def test_decisions_of_one_transaction_see_each_other(store: Store) -> None:
    """Within one group the second decision finds what the first took, and each account is written once."""
    first, second, third = (asked(f"d{number}") for number in (1, 2, 3))
    reserve = store.writes.reserve

    results = store.run(
        *(lambda cursor, one=one: reserve(cursor, "default", [draw()], one) for one in (first, second, third))
    )

    assert results == [(), (), ("a",)]
    assert store.account() == (2, 2_000_000, 0, 0)


def test_programmes_and_periods_are_apart(store: Store) -> None:
    """What one programme, or one period, has spent is not missing in another."""
    lone = draw(allowed_units=1)
    assert store.reserve(1, lone) == ()
    assert store.reserve(2, draw(allowed_units=1, period=86_400_000_000)) == ()
    (other,) = store.run(lambda cursor: store.writes.reserve(cursor, "other", [lone], asked("d1")))

    assert other == ()
    assert account_totals(store.connection, "other").spent == {("x", 0): (1, 1_000_000)}


def test_rolled_back_is_forgotten(store: Store) -> None:
    """After a transaction that was not kept, memory knows what the file knows, and nobody is told."""
    store.reserve(1, draw())
    cursor = store.connection.cursor()
    cursor.execute("BEGIN IMMEDIATE")
    assert store.writes.reserve(cursor, "default", [draw()], asked("d2")) == ()
    store.writes.flush(cursor)
    cursor.execute("ROLLBACK")
    store.writes.rolled_back()

    assert [store.reserve(number, draw()) for number in (3, 4)] == [(), ("a",)]
    assert store.states() == [("d1", "o"), ("d3", "o")]
    assert [changes[("x", 0)][0] for _, changes in store.told] == [1, 2, 2]


def test_another_writer_is_noticed(tmp_path: Path) -> None:
    """Two writers on one file take turns and never use what the other has taken; each reads on from a version."""
    one, two = Store(tmp_path / "log.db"), Store(tmp_path / "log.db")
    with closing(one.connection), closing(two.connection):
        known = account_totals(one.connection, "default")
        assert known == Totals(0, {})
        results = [(one, 1, 4), (two, 2, 4), (one, 3, 4), (two, 4, 4), (one, 5, 4), (two, 6, 4)]
        assert [by.reserve(number, draw(allowed_units=most)) for by, number, most in results] == [
            (),
            (),
            (),
            (),
            ("a",),
            ("a",),
        ]

        known = account_totals(one.connection, "default", known.version)
        assert known == Totals(4, {("x", 0): (4, 4_000_000)})
        two.reserve(7, draw("b", "y"))
        assert account_totals(one.connection, "default", known.version) == Totals(
            5, {("y", 0): (1, 1_000_000)}
        )
        assert account_totals(one.connection, "default", 5) == Totals(5, {})


def test_what_ran_out_is_released_before_anything_is_refused(store: Store) -> None:
    """At the moment it expires a reservation makes room for the next decision, not a microsecond earlier."""
    ends = START + DAY
    for number in (1, 2):
        store.reserve(number, draw(hold_micros=86_400_000_000))

    assert store.reserve(3, draw(), time=ends - timedelta(microseconds=1)) == ("a",)
    assert store.reserve(4, draw(), time=ends) == ()

    assert store.states() == [("d1", "r"), ("d2", "r"), ("d4", "o")]
    assert store.account() == (1, 1_000_000, 0, 0)


def test_what_runs_out_within_one_transaction(store: Store) -> None:
    """A reservation that is not yet in the file can make room too, if the next decision is made for a later time."""
    reserve = store.writes.reserve
    short = draw(allowed_units=1, hold_micros=1)
    later = asked("d2", time=START + DAY)

    results = store.run(
        lambda cursor: reserve(cursor, "default", [short], asked("d1")),
        lambda cursor: reserve(cursor, "default", [short], asked("d3")),
        lambda cursor: reserve(cursor, "default", [draw(allowed_units=1)], later),
    )

    assert results == [(), ("a",), ()]
    assert store.account() == (1, 1_000_000, 0, 0)


def test_a_shorter_reservation_is_not_overlooked(store: Store) -> None:
    """What is reserved after a refusal can run out before all that was open then, and makes room too."""
    soon = START + timedelta(hours=1)
    store.reserve(1, draw(allowed_units=1))
    assert store.reserve(2, draw(allowed_units=1)) == ("a",)
    store.reserve(3, draw(hold_micros=3_600_000_000))

    assert store.reserve(4, draw(), time=soon) == ()


def test_released_in_the_transaction_that_reserved(store: Store) -> None:
    """What is not yet in the file can be released."""
    one = draw(hold_micros=1)

    results = store.run(
        lambda cursor: store.writes.reserve(cursor, "default", [one], asked("d1")),
        lambda cursor: store.writes.release_expired(cursor, "default", to_micros(START + DAY)),
    )

    assert results == [(), 1]
    assert store.account() == (0, 0, 0, 0)


def test_accounts_read_together_leave_others_alone(store: Store) -> None:
    """Reading one account and another one's period does not undo what this transaction took from the first in that period."""
    later = 86_400_000_000
    store.reserve(1, draw("a", "x"))

    store.run(
        lambda cursor: store.writes.reserve(cursor, "default", [draw("a", "x")], asked("d2")),
        lambda cursor: store.writes.reserve(
            cursor, "default", [draw("a", "x", period=later), draw("b", "y")], asked("d3")
        ),
    )

    assert store.account("x") == (2, 2_000_000, 0, 0)


def test_release_takes_the_oldest_first(store: Store) -> None:
    """At most so many, the oldest first; what is still open, redeemed or released is left alone; other accounts too."""
    for number in range(1, 6):
        store.reserve(
            number,
            draw(allowed_units=9, hold_micros=number),
            draw("b", "y", allowed_units=9),
        )
    store.redeem(redemption(1, decision_id="d1"))
    now = START + timedelta(microseconds=4)

    assert store.release(now, most=2) == 2
    assert store.account() == (2, 2_000_000, 1, 1_000_000)
    released = {decision_id for decision_id, state in store.states() if "r" in state}
    assert released == {"d2", "d3"}
    assert [store.release(now, most=2), store.release(now, most=2)] == [1, 0]
    assert store.account() == (1, 1_000_000, 1, 1_000_000)
    assert store.told[-1] == ("default", {("x", 0): (2, 2_000_000)})


def test_a_redemption_commits_once(store: Store) -> None:
    """A redemption commits its offer's reservations in all accounts and no other; a second one changes nothing."""
    store.reserve(1, draw("a", "x"), draw("a", "y"), draw("b", "x"))

    assert store.redeem(redemption(1, decision_id="d1", member_id="another")) == 0
    for repeat in (2, 3):
        assert store.redeem(redemption(repeat, decision_id="d1")) == 0

    assert store.account("x") == (1, 1_000_000, 1, 1_000_000)
    assert store.account("y") == (0, 0, 1, 1_000_000)


@pytest.mark.parametrize(
    "changes",
    [
        {"decision_id": "d9"},
        {"offer_id": "b"},
        {"offer_id": ""},
        {"outcome_type": "purchase", "decision_id": "d1"},
        {"programme": "other", "decision_id": "d1"},
        {"member_id": "another"},
    ],
)
def test_what_commits_nothing(store: Store, changes: dict[str, Any]) -> None:
    """Other outcomes, and redemptions of what was not reserved, commit nothing."""
    store.reserve(1, draw())

    assert store.redeem(redemption(1, **changes)) == 0

    assert store.account() == (1, 1_000_000, 0, 0)


def test_a_redemption_without_decision(store: Store) -> None:
    """It belongs to the member's latest open reservation of the offer; without an open one to the latest released."""
    for number, member in ((1, "m"), (2, "m"), (3, "another"), (4, "m")):
        hold = 1 if number == 4 else 10**12
        time = START + timedelta(seconds=-number if number < 3 else number)
        store.reserve(number, draw(allowed_units=9, hold_micros=hold), time=time, member_id=member)
    store.release(START + timedelta(seconds=9))

    assert store.redeem(redemption(1)) == 0
    assert store.states()[:2] == [("d1", "c"), ("d2", "o")]
    assert [store.redeem(redemption(number)) for number in (2, 3, 4)] == [0, 1, 0]
    assert store.states() == [
        ("d1", "c"),
        ("d2", "c"),
        ("d3", "o"),
        ("d4", "c"),
    ]


def test_a_late_redemption_is_a_fact(store: Store) -> None:
    """What was released and given to others is booked when it is redeemed after all, even above the budget; once."""
    store.reserve(1, draw(allowed_units=1, hold_micros=0))
    assert store.reserve(2, draw(allowed_units=1)) == ()

    assert [store.redeem(redemption(number, decision_id="d1")) for number in (1, 2)] == [1, 0]

    assert store.account() == (1, 1_000_000, 1, 1_000_000)
    assert store.reserve(3, draw(allowed_units=2)) == ("a",)


def test_a_change_finds_its_reservations_by_decision(store: Store) -> None:
    """SQLite looks up each decision to be changed, however many the programme has."""
    plan = store.connection.execute(f"EXPLAIN QUERY PLAN {CHANGE_RESERVATIONS}", ("[]",)).fetchall()

    assert "(programme=? AND decision_id=?)" in plan[-1][-1]


def test_a_group_costs_few_statements(store: Store) -> None:
    """500 decisions with 3 draws each from 30 accounts are kept in 60 statements, 500 refusals in a handful."""
    statements: list[str] = []
    store.connection.set_trace_callback(statements.append)

    def reserve_all(first: int, most: int) -> None:
        def one(number: int) -> Callable[[sqlite3.Cursor], Any]:
            draws = [
                draw(f"c{part}", f"x{(number * 3 + part) % 30}", allowed_units=most) for part in range(3)
            ]
            return lambda cursor: store.writes.reserve(cursor, "default", draws, asked(f"d{number}"))

        store.run(*(one(number) for number in range(first, first + 500)))

    reserve_all(0, 1000)
    assert len(statements) <= 60
    statements.clear()
    reserve_all(500, 1)
    assert len(statements) <= 2 * 30 + 10
