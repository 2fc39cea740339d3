"""What a request tells of the moment: the basket, and attributes of a member whom the model does not know."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from tests.server import task_scene as tasks
from tests.server.running import Running, refusal
from tests.server.task_scene import ids
from troth.v1 import assignment_pb2, decision_pb2
from troth.v1.recommendation_service_pb2 import RecommendOffersRequest

UNKNOWN = [decision_pb2.DEGRADATION_MEMBER_UNKNOWN]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("basket") / "scene"
    tasks.write_tasks(folder)
    tasks.serve(folder, tasks.tiered(), "tiered@1")
    with tasks.serving(folder) as started:
        yield started


def test_basket_of_an_unknown_member_changes_the_answer(server: Running) -> None:
    """Nothing is known of them but their basket: the model ranks by it, and says that it does not know them."""
    without = server.decide("stranger", "ideas")
    with_salt = server.decide("stranger", "ideas", basket_product_ids=["salt"])

    assert (without.ranking, list(without.degradations)) == (decision_pb2.RANKING_POPULAR, UNKNOWN)
    assert ids(without) == ["bread", "butter", "eggs"]
    assert (with_salt.ranking, list(with_salt.degradations)) == (decision_pb2.RANKING_CHAMPION, UNKNOWN)
    assert [(one.offer_id, one.score) for one in with_salt.offers] == [
        ("eggs", 0.75),
        ("bread", 0.0),
        ("butter", 0.0),
    ]


def test_basket_adds_to_what_is_known(server: Running) -> None:
    """A known member is scored by what they bought and by what lies in their basket."""
    assert ids(server.decide("anna", "ideas")) == ["butter", "jam", "eggs"]
    assert ids(server.decide("anna", "ideas", basket_product_ids=["salt"])) == ["eggs", "butter", "jam"]
    assert ids(server.decide("nemo", "ideas", basket_product_ids=["salt"]))[0] == "eggs"


def test_products_that_the_model_does_not_know(server: Running) -> None:
    """Unknown products in a basket are ignored, alone or beside known ones; a product named twice counts once."""
    alone = server.decide("stranger", "ideas", basket_product_ids=["caviar", "\U0001f6d2"])
    beside = server.decide("stranger", "ideas", basket_product_ids=["caviar", "salt", "salt"])

    assert alone.ranking == decision_pb2.RANKING_POPULAR
    assert list(beside.offers) == list(server.decide("stranger", "ideas", basket_product_ids=["salt"]).offers)


@pytest.mark.parametrize(("tier", "first"), [("gold", {"bread", "salt"}), ("plain", {"butter", "eggs"})])
def test_attributes_of_an_unknown_member(server: Running, tier: str, first: set[str]) -> None:
    """Attributes that the model looks at stand in for a history: the model ranks a member whom it does not know."""
    attributes = {"tier": assignment_pb2.AttributeValue(string_value=tier)}

    decision = server.decide("stranger", offer_count=2, attributes=attributes)

    assert (decision.ranking, list(decision.degradations)) == (decision_pb2.RANKING_CHAMPION, UNKNOWN)
    assert set(ids(decision)) == first


@pytest.mark.parametrize(
    ("placement", "name", "value"),
    [("checkout", "height", "gold"), ("checkout", "tier", "platinum"), ("ideas", "tier", "gold")],
)
def test_attributes_that_tell_the_model_nothing(
    server: Running, placement: str, name: str, value: str
) -> None:
    """An attribute that the model does not look at, or a value it never met, leaves an unknown member with what is popular."""
    attributes = {name: assignment_pb2.AttributeValue(string_value=value)}

    decision = server.decide("stranger", placement, attributes=attributes)

    assert (decision.ranking, list(decision.degradations)) == (decision_pb2.RANKING_POPULAR, UNKNOWN)


def test_attributes_change_nothing_for_a_known_member(server: Running) -> None:
    """What the model learned of a member is not overruled by a request."""
    attributes = {"tier": assignment_pb2.AttributeValue(string_value="gold")}

    assert list(server.decide("anna", attributes=attributes).offers) == list(server.decide("anna").offers)


def test_all_problems_of_a_basket_at_once(server: Running) -> None:
    """Too many products, an empty one, a long one and one with a control character are all named; nothing is decided."""
    rows = server.row_counts()
    basket = ["", "p" * 257, "a\nb", *(f"p{number}" for number in range(498))]

    refused = refusal(server.recommend_offers, RecommendOffersRequest(basket_product_ids=basket))

    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.paths == [
        "member_id",
        "placement_id",
        "basket_product_ids",
        "basket_product_ids[0]",
        "basket_product_ids[1]",
        "basket_product_ids[2]",
    ]
    assert server.row_counts() == rows


def test_largest_basket(server: Running) -> None:
    """500 products of 256 characters of any script are a basket."""
    basket = [f"{number:03}{'茶' * 253}" for number in range(500)]

    assert len(server.decide("anna", basket_product_ids=basket).offers) == 3


def test_retry_may_carry_another_basket(server: Running) -> None:
    """A retry finds its decision although the basket has changed meanwhile."""
    first = server.decide("anna", "ideas", request_id="basket-retry", basket_product_ids=["salt"])
    again = server.decide("anna", "ideas", request_id="basket-retry", basket_product_ids=["milk"])

    assert again == first


def test_basket_leaves_no_trace(server: Running, tmp_path: Path) -> None:
    """A basket is not a purchase: the next answer knows nothing of it."""
    before = server.decide("anna", "ideas")
    server.decide("anna", "ideas", basket_product_ids=["salt"])

    assert list(server.decide("anna", "ideas").offers) == list(before.offers)
