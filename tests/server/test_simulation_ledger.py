"""Virtual budgets follow the rules of the log's."""

from server.budgets import Draw
from server.whatif.ledger import Ledger, OpeningBalance, OpenReservation


def draw(candidate_id: str, account_id: str = "a", *, allowed: int | None = 2, expire: int = 100) -> Draw:
    """Return a draw of one unit and three millionths."""
    return Draw(candidate_id, account_id, 0, 1, 3, allowed, None, expire)


def test_a_decision_reserves_all_or_nothing() -> None:
    """What does not fit beside the rest of the same decision is refused, and nothing is taken."""
    ledger = Ledger(OpeningBalance())

    assert ledger.reserve("d", "m", [draw("x"), draw("y"), draw("z")], 0) == {"z"}
    assert ledger.spent([("a", 0)]) == {("a", 0): (0, 0)}
    assert ledger.reserve("d", "m", [draw("x"), draw("y")], 0) == frozenset()
    assert ledger.spent([("a", 0)]) == {("a", 0): (2, 6)}


def test_each_account_holds_for_its_own_time() -> None:
    """What runs out first is released first; a redemption in between commits the rest, and spends the released again."""
    ledger = Ledger(OpeningBalance())
    ledger.reserve("d", "m", [draw("x", "short", expire=10), draw("x", "long", expire=20)], 0)

    assert ledger.release(10) == {("short", 0): (0, 0)}
    assert ledger.redeem("d", "m", "x") == {("short", 0): (1, 3), ("long", 0): (1, 3)}
    assert ledger.late_redemptions == 1
    assert ledger.release(20) == {}
    assert ledger.redeem("d", "m", "x") == {}
    assert ledger.pages["short", 0].released_units == 1


def test_a_redemption_without_a_decision_is_of_the_latest_open_one() -> None:
    """Open ones come before released ones, whatever their age; other members' and other offers' do not count."""
    ledger = Ledger(OpeningBalance())
    ledger.reserve("open", "m", [draw("x", allowed=None, expire=50)], 0)
    ledger.reserve("over", "m", [draw("x", allowed=None, expire=10)], 0)
    ledger.release(10)

    assert ledger.redeem("", "other", "x") == {}
    ledger.redeem("", "m", "x")
    assert ledger.late_redemptions == 0
    ledger.redeem("", "m", "x")
    assert ledger.late_redemptions == 1
    assert ledger.redeem("", "m", "x") == {}


def test_what_was_open_before_is_kept() -> None:
    """Reservations of before can be redeemed and run out; what was committed stays."""
    opening = OpeningBalance({("a", 0): (5, 15)}, (OpenReservation("old", "m", "x", "a", 0, 1, 3, 10),))

    assert Ledger(opening).redeem("old", "m", "x") == {("a", 0): (6, 18)}
    assert Ledger(opening).release(10) == {("a", 0): (5, 15)}
