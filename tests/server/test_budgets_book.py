"""What budgets have closed: the same as looking at every account each time, without looking at every account each time."""

import sys
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import FrameType

from hypothesis import given, settings
from hypothesis import strategies as st

from server.budgets import NOTHING_CLOSED, Accounts, Book, BudgetFollower, Closed, Draw, Totals
from server.catalogue import Budget, Catalogue, Group, Offer
from tests.server.budget_process import START, catalogue, money

HOUR = timedelta(hours=1)

_BUDGETS = st.builds(
    lambda units, cents, period, pacing: Budget(
        units=units if units or not cents else None,
        money=money(f"{cents / 100:.2f}") if cents else None,
        period=period,
        pacing=pacing,
    ),
    units=st.integers(1, 4) | st.none(),
    cents=st.integers(1, 400),
    period=st.sampled_from(["total", "day", "week"]),
    pacing=st.sampled_from(["none", "even"]),
)
_LISTS = st.lists(_BUDGETS, max_size=2).map(tuple)


@st.composite
def _catalogues(draw: st.DrawFn) -> Catalogue:
    offers = [
        Offer(
            offer_id=name,
            group_id=draw(st.sampled_from(["", "outer", "inner"])),
            cost=money(f"{draw(st.integers(0, 3))}"),
            budgets=draw(_LISTS),
            inventory=draw(st.none() | st.integers(0, 3)),
        )
        for name in "abcdef"
    ]
    groups = (
        Group(group_id="outer", budgets=draw(_LISTS)),
        Group(group_id="inner", parent_id="outer", budgets=draw(_LISTS)),
    )
    return catalogue(*offers, groups=groups)


def closed_by_force(
    accounts: Accounts, spent: dict[tuple[str, int], tuple[int, int]], time: datetime
) -> set[str]:
    """Return the candidates of which some draw does not fit."""
    closed = set()
    for draw in accounts.draws(accounts.by_candidate, time):
        units, micros = spent.get((draw.account_id, draw.period), (0, 0))
        fits = (draw.allowed_units is None or units + draw.units <= draw.allowed_units) and (
            draw.allowed_micros is None or micros + draw.micros <= draw.allowed_micros
        )
        if not fits:
            closed.add(draw.candidate_id)
    return closed


@settings(max_examples=150, deadline=None)
@given(data=st.data(), made=_catalogues())
def test_closed_is_what_a_look_at_every_account_finds(data: st.DataObject, made: Catalogue) -> None:
    """After any spends and releases, at any time, also back by hours: closed is exactly what does not fit once more."""
    accounts = Accounts(made)
    book = Book(accounts)
    spent: dict[tuple[str, int], tuple[int, int]] = {}
    time = START
    for _ in range(data.draw(st.integers(1, 12))):
        time += timedelta(minutes=data.draw(st.sampled_from([0, 0, 7, 60, 60 * 24, -60])))
        spends: bool = data.draw(st.booleans())
        draws = accounts.draws("abcdef", time)
        if draws and spends:
            drawn: Draw = data.draw(st.sampled_from(draws))
            new = (data.draw(st.integers(0, 4)), data.draw(st.integers(0, 4_000_000)))
            spent[drawn.account_id, drawn.period] = new
            book.spent({(drawn.account_id, drawn.period): new})
        assert book.closed(time).candidate_ids == closed_by_force(accounts, spent, time)
    assert book.closed(time) == Book(accounts, Totals(1, spent)).closed(time)


def test_what_closed_says() -> None:
    """Ids in order, a document of them that can be read back, and an id that only equal contents share."""
    accounts = Accounts(catalogue(*(Offer(offer_id=one, inventory=1) for one in ("b", "a"))))
    book = Book(accounts)
    assert book.closed(START) == NOTHING_CLOSED
    assert (NOTHING_CLOSED.state_id, NOTHING_CLOSED.document) == ("", "[]")

    book.spent({("inventory:b", 0): (1, 0)})
    only_b = book.closed(START)
    book.spent({("inventory:a", 0): (1, 0)})
    both = book.closed(START)

    assert (both.sorted_ids, both.document) == (("a", "b"), '["a","b"]')
    assert both.candidate_ids == {"a", "b"}
    assert both == Closed.of(["b", "a"]) == Closed.from_document(both.document)
    assert len({only_b.state_id, both.state_id, ""}) == 3


def test_a_dear_offer_closes_before_a_cheap_one() -> None:
    """A budget of money closes those that cost more than is left, and opens them again when a reservation runs out."""
    group = Group(group_id="g", budgets=(Budget(money=money("10")),))
    offers = (Offer(offer_id=f"{cost}", group_id="g", cost=money(f"{cost}")) for cost in (0, 1, 2, 5))
    book = Book(Accounts(catalogue(*offers, groups=(group,))))

    def closed_at(micros: int) -> tuple[str, ...]:
        book.spent({("group:g:0", 0): (0, micros)})
        return book.closed(START).sorted_ids

    assert closed_at(5_000_000) == ()
    assert closed_at(5_000_001) == ("5",)
    assert closed_at(8_000_001) == ("2", "5")
    assert closed_at(10_000_000) == ("1", "2", "5")
    assert closed_at(10_000_001) == ("0", "1", "2", "5")
    assert closed_at(5_000_000) == ()


def test_a_paced_budget_opens_with_the_hour() -> None:
    """Spent of the hour's part closes; the next hour opens; the next day begins anew."""
    budget = Budget(units=24, period="day", pacing="even")
    book = Book(Accounts(catalogue(Offer(offer_id="a", budgets=(budget,)))))
    midnight = datetime(2017, 12, 5, tzinfo=UTC)
    day = Accounts(catalogue(Offer(offer_id="a", budgets=(budget,)))).draws(["a"], midnight)[0].period

    book.spent({("candidate:a:0", day): (1, 0)})

    assert book.closed(midnight + timedelta(minutes=59)).sorted_ids == ("a",)
    assert book.closed(midnight + HOUR).sorted_ids == ()
    book.spent({("candidate:a:0", day): (24, 0)})
    assert book.closed(midnight + 24 * HOUR - timedelta(microseconds=1)).sorted_ids == ("a",)
    assert book.closed(midnight + 24 * HOUR).sorted_ids == ()
    assert book.closed(midnight + 23 * HOUR).sorted_ids == ("a",)


def calls(work: Callable[[], object]) -> int:
    """Return how many Python functions a piece of work calls."""
    count = 0

    def note(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def test_an_unrelated_spend_costs_one_look() -> None:
    """With 10,000 budgets a spend that closes nothing is a handful of calls, and the next question makes nothing new."""
    offers = (
        Offer(offer_id=f"o{number}", group_id="g", budgets=(Budget(units=9, period="day", pacing="even"),))
        for number in range(10_000)
    )
    book_accounts = Accounts(catalogue(*offers, groups=(Group(group_id="g", budgets=(Budget(units=5),)),)))
    book = Book(book_accounts)
    before = book.closed(START)

    assert calls(lambda: book.spent({("group:g:0", 0): (4, 0)})) < 20
    assert book.closed(START + timedelta(minutes=59)) is before

    # What it closes, it closes with one look too.
    assert calls(lambda: book.spent({("group:g:0", 0): (5, 0)})) < 20
    assert len(book.closed(START).sorted_ids) == 10_000
    assert calls(lambda: Book(book_accounts)) > 10_000, "calls are counted"


def test_a_catalogue_without_budgets_costs_nothing() -> None:
    """There is nothing to look at, and whatever was spent of older catalogues is passed over."""
    book = Book(Accounts(catalogue(Offer(offer_id="a"))), Totals(3, {("candidate:a:0", 0): (9, 9)}))

    assert not book.limits_something
    assert book.closed(START) is NOTHING_CLOSED


def test_old_periods_are_forgotten() -> None:
    """A year of days does not pile up, and a late redemption of an old day does not push out today."""
    accounts = Accounts(catalogue(Offer(offer_id="a", budgets=(Budget(units=1, period="day"),))))
    book = Book(accounts)
    days = [accounts.draws(["a"], START + timedelta(days=day))[0].period for day in range(365)]

    tracemalloc.start()
    try:
        for period in (*days, *days[:9]):
            book.spent({("candidate:a:0", period): (1, 0)})
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    # A day takes at least the 56 bytes of its pair of numbers.
    assert grown < 56 * len(days) / 4
    assert book.closed(START + timedelta(days=364)).sorted_ids == ("a",)


def test_the_follower_releases_and_reads() -> None:
    """It releases until nothing is left that has run out, and reads on from the version that it knows."""
    limited = Book(Accounts(catalogue(Offer(offer_id="a", inventory=1))), Totals(4))
    unlimited = Book(Accounts(catalogue(Offer(offer_id="a"))))
    expired = [1000, 1000, 3]
    released, read_from = [], []

    def release(programme: str, micros: int) -> int:
        released.append((programme, micros))
        return expired.pop(0) if expired else 0

    def read(programme: str, after_version: int) -> Totals:
        read_from.append((programme, after_version))
        return Totals(7, {("inventory:a", 0): (1, 0)})

    follower = BudgetFollower(lambda: {"limited": limited, "unlimited": unlimited}, release, read)
    follower.follow(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    follower.follow(datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC))

    assert released == [("limited", 1_000_000)] * 3 + [("limited", 2_000_000)]
    assert read_from == [("limited", 4), ("limited", 7)]
    assert limited.closed(START).sorted_ids == ("a",)
