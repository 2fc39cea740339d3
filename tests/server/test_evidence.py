"""What decisions are told of responses: counted once there was time to respond, neither earlier nor twice."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from experiments.log.events import OfferChoice, to_micros
from server.programme.programmes import EvidenceCache
from server.storage import SqliteEventLog
from server.whatif.ledger import Awaiting, EvidenceBefore, Waiting
from tests.server.test_storage import NOW, decision, outcome

WINDOW = timedelta(days=2)
PATIENT_S = 30.0


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteEventLog]:
    """An empty log."""
    opened = SqliteEventLog(tmp_path / "troth.db")
    yield opened
    opened.close()


def _give(log: SqliteEventLog, number: int, hours: float, *offers: str) -> None:
    chosen = tuple(OfferChoice(one, rank, 0.5, 1.0) for rank, one in enumerate(offers, start=1))
    when = NOW + timedelta(hours=hours)
    given = decision(
        number,
        receive_time=when,
        decide_time=when,
        offers=chosen,
        member_id=f"m{number}",
        member_version=None,
    )
    log.submit_decision(given).result(PATIENT_S)


def _answer(
    log: SqliteEventLog, number: int, of: int, offer_id: str, outcome_type: str = "redemption"
) -> None:
    answer = outcome(
        number, member_id=f"m{of}", decision_id=f"d{of}", offer_id=offer_id, outcome_type=outcome_type
    )
    log.append_outcomes([answer], PATIENT_S)


def _known(log: SqliteEventLog, *moments: datetime) -> list[dict[str, tuple[int, int]]]:
    cache = EvidenceCache(log.evidence_until, lambda _: WINDOW, timedelta(0))
    found = []
    for moment in moments:
        cache.follow(["default"], moment)
        found.append(dict(cache.of("default").counts))
    return found


def test_nothing_counts_before_there_was_time(log: SqliteEventLog) -> None:
    """A decision made an hour ago says nothing yet, whether it was answered or not."""
    _give(log, 1, 0, "tea", "jam")
    _answer(log, 1, 1, "tea")

    assert _known(log, NOW + WINDOW - timedelta(seconds=1)) == [{}]


def test_each_decision_counts_once(log: SqliteEventLog) -> None:
    """Answered or not, once its time is over; again and again looked at, no more than once; answered twice is answered."""
    _give(log, 1, 0, "tea", "jam")
    _give(log, 2, 1, "tea")
    _give(log, 3, 10, "tea")
    _answer(log, 1, 1, "tea")
    _answer(log, 2, 1, "tea", "purchase")
    _answer(log, 3, 1, "jam", "click")
    first, again, later = _known(
        log,
        NOW + WINDOW + timedelta(hours=1),
        NOW + WINDOW + timedelta(hours=2),
        NOW + WINDOW + timedelta(hours=11),
    )

    assert first == {"tea": (2, 1), "jam": (1, 0)}
    assert again == first
    assert later == {"tea": (3, 1), "jam": (1, 0)}


def test_a_campaign_does_not_look_like_refusals(log: SqliteEventLog) -> None:
    """What was just given to many keeps the rate it had; only their answers, in time, change it."""
    _give(log, 1, 0, "tea")
    _answer(log, 1, 1, "tea")
    for number in range(2, 40):
        _give(log, number, 60, "tea")

    before, after = _known(log, NOW + WINDOW, NOW + timedelta(hours=61))

    assert before == after == {"tea": (1, 1)}


def test_simulations_count_alike(log: SqliteEventLog) -> None:
    """The virtual count of the same decisions and answers is the same at every hour."""
    story = [(1, 0, ("tea", "jam")), (2, 3, ("tea",)), (3, 20, ("jam",)), (4, 30, ("tea", "jam"))]
    answers = [(1, 1, "tea"), (2, 3, "jam"), (3, 4, "tea")]
    awaiting = Awaiting(EvidenceBefore(), WINDOW)
    for number, hours, offers in story:
        _give(log, number, hours, *offers)
        micros = to_micros(NOW + timedelta(hours=hours))
        awaiting.gave(Waiting(micros, f"m{number}", f"d{number}", offers))
    for number, of, offer_id in answers:
        _answer(log, number, of, offer_id)
        awaiting.responded((f"m{of}", f"d{of}", offer_id))
    moments = [NOW + timedelta(hours=hour) for hour in range(0, 90, 6)]

    for moment, counted in zip(moments, _known(log, *moments), strict=True):
        assert dict(awaiting.until(to_micros(moment)).counts) == counted
