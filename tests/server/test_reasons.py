"""Why an offer was chosen, as the client is told and as the log keeps it."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

from tests.server import task_scene as tasks
from tests.server.running import Running
from troth.v1 import decision_pb2

CODES = decision_pb2.OfferReasonCode


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("reasons") / "scene"
    tasks.write_tasks(folder)
    with tasks.serving(folder) as started:
        yield started


def _told(decision: Any) -> dict[str, list[tuple[Any, ...]]]:
    """Return for each chosen offer its reasons: code and the evidence that is set."""
    return {
        offer.offer_id: [
            (
                CODES.Name(reason.code).removeprefix("OFFER_REASON_CODE_"),
                *(value for field, value in reason.ListFields() if field.name != "code"),
            )
            for reason in offer.reasons
        ]
        for offer in decision.offers
    }


def _logged(server: Running, decision_id: str) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(server.log_path)) as connection:
        (offers,) = connection.execute(
            "SELECT offers FROM decisions WHERE decision_id = ?", (decision_id,)
        ).fetchone()
    read: list[dict[str, Any]] = json.loads(offers)
    return read


def test_reasons_of_what_was_bought(server: Running) -> None:
    """Two days after the feature time: bread 3 times, 25, 15 and 5 days ago, milk once, 5 days ago; butter never."""
    told = _told(server.decide("anna"))

    assert told == {
        "bread": [("BOUGHT_BEFORE", 3, 25)],
        "milk": [("BOUGHT_BEFORE", 1, 5)],
        "butter": [("NEW_TO_MEMBER",)],
    }


def test_due_again(server: Running) -> None:
    """Six days later bread, bought every 10 days, was bought 11 days ago: it is due, which comes before that it was bought."""
    with tasks.serving(server.log_path.parent, lambda: tasks.NOW + timedelta(days=6)) as later:
        assert _told(later.decide("anna"))["bread"] == [("DUE_AGAIN", 10, 11), ("BOUGHT_BEFORE", 3, 31)]


def test_goes_with(server: Running) -> None:
    """An offer that a product of the member speaks for names that product, from history or basket."""
    told = _told(server.decide("anna", "ideas", basket_product_ids=["salt"]))

    assert told["eggs"] == [("GOES_WITH", "salt"), ("NEW_TO_MEMBER",)]
    assert told["butter"] == [("GOES_WITH", "bread"), ("NEW_TO_MEMBER",)]
    assert _told(server.decide("stranger", "ideas", basket_product_ids=["salt"]))["eggs"] == [
        ("GOES_WITH", "salt")
    ]


@pytest.mark.parametrize(
    ("member", "placement"), [("stranger", "checkout"), ("anna", "best-ideas"), ("omnia", "ideas")]
)
def test_popular_offers_have_one_reason(server: Running, member: str, placement: str) -> None:
    """Where popularity ranked, for whatever cause, it is the only reason."""
    decision = server.decide(member, placement)

    assert decision.ranking == decision_pb2.RANKING_POPULAR
    assert set(map(tuple, _told(decision).values())) == {(("POPULAR",),)}


def test_no_reason_without_a_model(server: Running) -> None:
    """The order of the catalogue is not a reason."""
    assert set(map(tuple, _told(server.decide("anna", "coupons")).values())) == {()}


def test_reasons_are_logged_and_told_again(server: Running) -> None:
    """The log keeps each offer's reasons, without empty evidence; a retry gets the same ones."""
    fields: dict[str, Any] = {"offer_count": 10, "request_id": "reasons", "basket_product_ids": ["salt"]}
    first = server.decide("anna", **fields)

    logged = {offer["offer_id"]: offer.get("reasons") for offer in _logged(server, first.decision_id)}

    assert logged["bread"] == [{"code": "BOUGHT_BEFORE", "trip_count": 3, "span_days": 25}]
    assert logged["novel"] is None
    assert {name: len(reasons or ()) for name, reasons in logged.items()} == {
        name: len(reasons) for name, reasons in _told(first).items()
    }
    assert server.decide("anna", **fields) == first
    assert len(server.logged_decision(first.decision_id)["offers"]) == 7
