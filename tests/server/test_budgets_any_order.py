"""Decisions, redemptions, expiry, commits and roll-backs in any order, against a plain account of what should be there."""

from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.log.events import to_micros
from server.budgets import Accounts, Book, Draw
from server.catalogue import Budget, Catalogue, Group, Offer
from server.storage.budget_writes import BudgetWrites, account_totals
from tests.server.budget_process import START, asked, catalogue, money
from tests.server.test_budgets_book import closed_by_force
from tests.server.test_budgets_writes import KEPT, SUMS, Store, redemption


@dataclass
class _Story:
    """What should be in the file after a random sequence of events."""

    made: Catalogue
    accounts: Accounts = field(init=False)
    rows: dict[tuple[str, str, str], tuple[Draw, str]] = field(default_factory=dict)
    members: dict[str, str] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.accounts = Accounts(self.made)

    def spent(self) -> dict[tuple[str, int], tuple[int, int]]:
        sums: dict[tuple[str, int], tuple[int, int]] = {}
        for one, state in self.rows.values():
            units, micros = sums.get((one.account_id, one.period), (0, 0))
            if state != "released":
                units, micros = units + one.units, micros + one.micros
            sums[one.account_id, one.period] = units, micros
        return sums

    def release(self, now: int, account_id: str | None = None) -> int:
        """Release what ran out: of all decisions, or of those that took from an account."""
        its_turn = {key[0] for key in self.rows if account_id in (None, key[2])}
        released = 0
        for key, (one, state) in self.rows.items():
            ran_out = self.times[key[0]] + one.hold_micros <= now
            if key[0] in its_turn and state == "reserved" and ran_out:
                self.rows[key] = one, "released"
                released += 1
        return released

    def redeem(self, decision_id: str, candidate_id: str) -> int:
        late = 0
        for key, (one, state) in self.rows.items():
            if key[:2] == (decision_id, candidate_id):
                late |= state == "released"
                self.rows[key] = one, "committed"
        return late


_MADE = catalogue(
    Offer(
        offer_id="a", group_id="g", cost=money("1"), budgets=(Budget(units=2, period="day", hold_days=0.4),)
    ),
    Offer(
        offer_id="b",
        group_id="g",
        cost=money("2.5"),
        budgets=(Budget(units=30, period="week", pacing="even"),),
    ),
    Offer(offer_id="c", inventory=3, discount=money("0.3")),
    groups=(
        Group(group_id="g", budgets=(Budget(money=money("9"), hold_days=1), Budget(units=5, hold_days=2))),
    ),
)
_STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["decide"] * 5 + ["redeem", "redeem unnamed", "release", "commit", "commit", "roll back"]
        ),
        st.sampled_from([0.0, 0.01, 1.0, 6.0, 24.0]),
        st.lists(st.sampled_from("abc"), min_size=1, unique=True),
        st.integers(0, 12),
    ),
    min_size=20,
    max_size=60,
)


@settings(max_examples=200, deadline=None)
@given(steps=_STEPS)
def test_any_sequence_of_events(steps: list[tuple[str, float, list[str], int]]) -> None:
    """Whatever happens, the file tells the truth.

    A reservation never brings an account above what it allows at that time, and is refused only if it would; the totals in
    the file are the sums of its open and committed reservations; and what the book has closed is what does not fit.
    """
    store, story, numbers, time = Store(), _Story(_MADE), count(1), START
    book = Book(story.accounts)
    store.writes = BudgetWrites(lambda _, changes: book.spent(changes))
    with closing(store.connection) as connection:
        cursor = connection.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        kept, late, late_kept = dict(story.rows), 0, 0
        for what, hours, candidate_ids, number in [*steps, ("commit", 0.0, [], 0)]:
            time += timedelta(hours=hours)
            if what == "decide":
                one = asked(f"d{next(numbers):02}", time, f"m{number % 3}")
                draws = story.accounts.draws(candidate_ids, time)
                refused = store.writes.reserve(cursor, "default", draws, one)
                assert refused == _expected(story, draws, to_micros(time))
                if not refused:
                    story.members[one.decision_id] = one.member_id
                    story.times[one.decision_id] = to_micros(time)
                    rows = {(one.decision_id, each.candidate_id, each.account_id): each for each in draws}
                    story.rows |= {key: (each, "reserved") for key, each in rows.items()}
                    for each in draws:
                        units, micros = story.spent()[each.account_id, each.period]
                        assert each.allowed_units is None or units <= each.allowed_units
                        assert each.allowed_micros is None or micros <= each.allowed_micros
            elif what.startswith("redeem"):
                candidate_id, decision_id = candidate_ids[0], f"d{number:02}"
                named = what == "redeem"
                event = redemption(
                    0,
                    member_id=f"m{number % 3}",
                    offer_id=candidate_id,
                    decision_id=decision_id if named else "",
                )
                if not named:
                    decision_id = _latest(story, event.member_id, candidate_id)
                store.writes.redeemed(cursor, [event])
                late += story.redeem(decision_id, candidate_id)
            elif what == "release":
                assert store.writes.release_expired(cursor, "default", to_micros(time)) == story.release(
                    to_micros(time)
                )
            else:
                if what == "commit":
                    store.writes.flush(cursor)
                    cursor.execute("COMMIT")
                    store.writes.committed()
                    kept, late_kept = dict(story.rows), late
                else:
                    cursor.execute("ROLLBACK")
                    store.writes.rolled_back()
                    story.rows, late = dict(kept), late_kept
                assert store.writes.late_redemptions == late
                totals = account_totals(connection, "default").spent
                assert totals == story.spent()
                assert connection.execute(KEPT).fetchall() == connection.execute(SUMS).fetchall()
                assert book.closed(time).candidate_ids == closed_by_force(story.accounts, dict(totals), time)
                cursor.execute("BEGIN IMMEDIATE")


def _expected(story: _Story, draws: list[Draw], now: int) -> tuple[str, ...]:
    """Return the candidates to be refused, one after the other; release what ran out beside an account that has too little."""
    taken: dict[tuple[str, int], tuple[int, int]] = {}
    refused = []
    for candidate_id in dict.fromkeys(one.candidate_id for one in draws):
        wanted = dict(taken)
        for one in (each for each in draws if each.candidate_id == candidate_id):
            account = one.account_id, one.period
            units, micros = wanted.get(account, (0, 0))
            wanted[account] = units + one.units, micros + one.micros
            if not _fits(story, one, wanted[account]):
                story.release(now, one.account_id)
                if not _fits(story, one, wanted[account]):
                    refused.append(candidate_id)
                    break
        else:
            taken = wanted
    return tuple(refused)


def _fits(story: _Story, one: Draw, wanted: tuple[int, int]) -> bool:
    units, micros = story.spent().get((one.account_id, one.period), (0, 0))
    return (one.allowed_units is None or units + wanted[0] <= one.allowed_units) and (
        one.allowed_micros is None or micros + wanted[1] <= one.allowed_micros
    )


def _latest(story: _Story, member_id: str, candidate_id: str) -> str:
    """Return the member's latest decision with an open reservation of the candidate, else with a released one."""
    for wanted in ("reserved", "released"):
        found = [
            key[0]
            for key, (_, state) in story.rows.items()
            if key[1] == candidate_id and state == wanted and story.members[key[0]] == member_id
        ]
        if found:
            return found[-1]
    return ""
