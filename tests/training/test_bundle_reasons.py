"""Reasons are read off history and model, the strongest first."""

from dataclasses import replace

import numpy as np
import pytest

from tests.training.bundle_models import COVERS, OFFERS, SCORERS, ranker, small_model
from training.bundle import OfferModel, Profile, Reason, ReasonCode, explain
from training.bundle.history import FIRST_AGE, LAST_AGE, TRIPS, empty_profile
from training.bundle.scorers import AnyScorer, Factors, Linear, Mixture, Personal, Popular, Projection

EVERY = np.arange(len(OFFERS))
CODES = {"due": ReasonCode.DUE_AGAIN, "before": ReasonCode.BOUGHT_BEFORE}


def _explain(model: OfferModel, member: int | None, past: Profile | None = None) -> list[tuple[Reason, ...]]:
    profile = model.profile(member) if past is None else past
    return explain(model, profile, profile, member, EVERY)


def _codes(reasons: list[tuple[Reason, ...]]) -> list[list[str]]:
    return [[reason.code.value for reason in one] for one in reasons]


def _profile(trips: float, last: float, first: float) -> Profile:
    """Return the history of somebody who bought p4, and so ö3, so often."""
    columns = np.zeros((1, len(empty_profile().stats)), dtype=np.float32)
    columns[0, [TRIPS, LAST_AGE, FIRST_AGE]] = trips, last, first
    return Profile(np.array([3], dtype=np.int32), columns, columns[0])


def test_what_was_bought() -> None:
    """Member a bought p1 3 days ago, and p4 10 and 20 days ago: o1 once, ö3 twice, about every 10 days."""
    reasons = _explain(small_model(SCORERS["frequency"]), 0)
    assert reasons[0] == (Reason(ReasonCode.BOUGHT_BEFORE, trip_count=1, span_days=3),)
    assert reasons[2] == (
        Reason(ReasonCode.DUE_AGAIN, interval_days=10, elapsed_days=10),
        Reason(ReasonCode.BOUGHT_BEFORE, trip_count=2, span_days=20),
    )
    assert _codes(reasons)[1] == _codes(reasons)[3] == ["NEW_TO_MEMBER"]


@pytest.mark.parametrize(
    ("trips", "last", "first", "expected"),
    [
        (1, 30, 30, ["before"]),
        (3, 7.4, 27.4, ["before"]),
        (3, 7.6, 27.6, ["due", "before"]),
        (3, 20, 40, ["due", "before"]),
        (3, 20.1, 40.1, ["before"]),
        (9, 0.2, 4.0, ["before"]),
        (2, 0, 0, ["before"]),
    ],
)
def test_when_something_is_due(trips: float, last: float, first: float, expected: list[str]) -> None:
    """Due from three quarters of the usual interval to twice that; never after one purchase, or for several a day."""
    reasons = _explain(small_model(SCORERS["frequency"]), None, _profile(trips, last, first))
    assert [reason.code for reason in reasons[2]] == [CODES[name] for name in expected]


@pytest.mark.parametrize("sparse", [False, True])
def test_goes_with_the_product_that_adds_most(sparse: bool) -> None:
    """The product named is the one that adds most to the score, and never one that the offer itself covers."""
    dense = np.zeros((5, 4), dtype=np.float32)
    dense[0] = [9.0, 0.5, 0.0, 0.25]  # p1
    dense[3] = [0.1, 0.75, 9.0, 0.125]  # p4, twice
    scorer = Linear("binary", 4, dense=dense)
    if sparse:
        rows, columns = np.nonzero(dense)
        indptr = np.searchsorted(rows, np.arange(6)).astype(np.int64)
        scorer = Linear("binary", 4, None, indptr, columns.astype(np.int32), dense[rows, columns])

    reasons = _explain(small_model(Mixture((scorer, SCORERS["popular"]), (1.0, 1.0))), 0)

    goes_with = {
        offer: reason.product_id
        for offer, given in zip(OFFERS, reasons, strict=True)
        for reason in given
        if reason.code is ReasonCode.GOES_WITH
    }
    # o1 is p1's own offer, and ö3 is p4's: p4 goes with o1, nothing with ö3; o2 and ö4 score below half of the offers.
    assert goes_with == {"o1": "p4"}


def test_basket_is_evidence_but_no_purchase() -> None:
    """A product in the basket can be what an offer goes with; what it belongs to is neither bought before nor new."""
    dense = np.zeros((5, 4), dtype=np.float32)
    dense[4, 1] = 1.0  # ß-product with o2
    model = small_model(Linear("binary", 4, dense=dense))
    past = model.profile(0)
    present = past.with_trip([4])

    reasons = explain(model, past, present, 0, EVERY)

    assert reasons[1] == (
        Reason(ReasonCode.GOES_WITH, product_id="ß-product"),
        Reason(ReasonCode.NEW_TO_MEMBER),
    )
    assert _codes(reasons)[3] == ["POPULAR"]


@pytest.mark.parametrize("kind", ["factors", "projection", "personal"])
def test_liked_by_similar_members(kind: str) -> None:
    """Factors, low rank and stored scores speak for what they put above most offers."""
    ones = np.ones((3, 1), dtype=np.float32)
    offers = np.array([[0.1], [0.2], [0.3], [0.9]], dtype=np.float32)
    scorers: dict[str, AnyScorer] = {
        "factors": Factors(offers, np.zeros(4, np.float32), member_factors=ones),
        "projection": Projection("binary", np.ones((5, 1), np.float32), offers),
        "personal": Personal(np.array([0, 4, 4, 4]), np.arange(4, dtype=np.int32), offers[:, 0], 4),
    }
    scorer = scorers[kind]
    assert _codes(_explain(small_model(scorer), 0))[3] == ["LIKED_BY_SIMILAR_MEMBERS", "NEW_TO_MEMBER"]
    assert "LIKED_BY_SIMILAR_MEMBERS" not in _codes(_explain(small_model(scorer), 0))[0]


def test_popular_is_the_top_tenth_and_the_last_resort() -> None:
    """Popular is what is above nine tenths of all offers; with nothing else to say it is said anyway. Three at most."""
    many = 20
    model = small_model(SCORERS["popular"])
    scores = np.arange(many, dtype=np.float32)
    covers = replace(COVERS, offer_count=many)
    ids = type(model.offer_ids).of([f"o{number:02}" for number in range(many)])
    model = replace(model, covers=covers, offer_ids=ids, popular_scores=scores, scorer=Popular(scores))

    def reasons(member: int | None) -> list[list[str]]:
        profile = model.profile(member)
        return _codes(explain(model, profile, profile, member, np.arange(many)))

    assert reasons(0)[19] == ["POPULAR", "NEW_TO_MEMBER"]
    assert reasons(0)[18] == ["NEW_TO_MEMBER"]
    assert reasons(None) == [["POPULAR"]] * many


@pytest.mark.parametrize("kind", [*SCORERS, "ranker"])
def test_every_offer_has_one_to_three_reasons(kind: str) -> None:
    """Whatever the scorer, member or nobody: at least one reason, at most three, none twice, evidence in range."""
    model = small_model(ranker() if kind == "ranker" else SCORERS[kind])
    for member in (0, 1, 2, None):
        for given in _explain(model, member):
            codes = [reason.code for reason in given]
            assert 1 <= len(codes) == len(set(codes)) <= 3
            for reason in given:
                assert (reason.product_id != "") is (reason.code is ReasonCode.GOES_WITH)
                assert (
                    (reason.trip_count > 0)
                    is (reason.code is ReasonCode.BOUGHT_BEFORE)
                    is (reason.span_days > 0)
                )
                assert (reason.interval_days > 0) is (reason.code is ReasonCode.DUE_AGAIN)


def test_order_of_the_offers_does_not_matter() -> None:
    """The reasons of an offer are the same whatever else was chosen, and in whatever order."""
    model = small_model(ranker())
    profile = model.profile(0)
    forward = explain(model, profile, profile, 0, EVERY)
    assert explain(model, profile, profile, 0, EVERY[::-1].copy()) == forward[::-1]
    assert [explain(model, profile, profile, 0, EVERY[place : place + 1])[0] for place in EVERY] == forward
    assert explain(model, profile, profile, 0, EVERY[:0]) == []
