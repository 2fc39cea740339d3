"""RecommendOffers as it should go: the answer, the log, and retries."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import grpc
import numpy as np
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from experiments.assignment.assign import assign_all
from experiments.assignment.plan import AssignmentReason
from experiments.log.rows import DECISION_COLUMNS
from server.catalogue import load_catalogue
from tests.server import scene
from tests.server.running import Running, refusal
from training.bundle import open_bundle
from troth.v1 import assignment_pb2, decision_pb2
from troth.v1.recommendation_service_pb2 import RecommendOffersRequest

NewId = Callable[[], str]
TODAY = date(2030, 1, 1)
"""Any day on which only the offers without a window are valid, as on every day the tests run."""


def _variant(member_id: str, placement_id: str = "checkout") -> dict[str, str]:
    return {
        one.experiment_id: one.variant_id or ""
        for one in assign_all(scene.plan(), member_id, placement_id)
        if one.reason is AssignmentReason.ASSIGNED
    }


def _member_in(variant_id: str) -> str:
    return next(member for member in scene.MEMBERS if _variant(member)["offer-ranking"] == variant_id)


def _chosen(decision: decision_pb2.Decision) -> list[tuple[str, float]]:
    return [(offer.offer_id, offer.score) for offer in decision.offers]


def test_personal_ranking_by_hand(server: Running) -> None:
    """A member of the personal arm gets the best of their own scores; popularity, then catalogue order break ties."""
    member = _member_in("personal")

    decision = server.decide(member, offer_count=10)

    eligible = scene.eligible("checkout", TODAY)
    assert scene.ranked(eligible, scene.personal_scores(member))[:10] == _chosen(decision)
    assert decision.ranking == decision_pb2.RANKING_CHAMPION
    assert list(decision.degradations) == []
    assert decision.eligible_count == len(eligible) == 16


def test_popular_ranking_by_hand(server: Running) -> None:
    """A member of the control arm gets what is popular, in the same order for everybody."""
    decision = server.decide(_member_in("popular"), offer_count=10)

    expected = scene.ranked(scene.eligible("checkout", TODAY), scene.popular_scores())[:10]
    assert expected == _chosen(decision)
    assert decision.ranking == decision_pb2.RANKING_POPULAR
    assert list(decision.degradations) == []


def test_all_members_by_hand(server: Running) -> None:
    """For every member, also with a name of another script, the answer equals the bundle's scores sorted plainly."""
    bundle = open_bundle(scene.champion_link(server.log_path.parent).resolve())
    eligible = scene.eligible("checkout", TODAY)
    rankings = set()
    for member in scene.MEMBERS:
        index = bundle.model.member_ids.index(member)
        assert index is not None
        arm = _variant(member)["offer-ranking"]
        scores = bundle.model.all_scores(index) if arm == "personal" else bundle.model.popular_scores
        by_offer = dict(zip(bundle.offer_ids, np.asarray(scores).tolist(), strict=True))

        decision = server.decide(member, offer_count=10)

        assert scene.ranked(eligible, by_offer)[:10] == _chosen(decision), member
        rankings.add(decision.ranking)
    assert rankings == {decision_pb2.RANKING_CHAMPION, decision_pb2.RANKING_POPULAR}


def test_placement_decides_the_ranking_where_no_experiment_does(server: Running) -> None:
    """At ``home`` no experiment names a ranking, so the placement's does; its own offer is a candidate only there."""
    decision = server.decide(_member_in("personal"), "home", offer_count=4)

    eligible = scene.eligible("home", TODAY)
    assert "home-only" in eligible
    assert decision.ranking == decision_pb2.RANKING_POPULAR
    assert scene.ranked(eligible, scene.popular_scores())[:4] == _chosen(decision)
    assert decision.eligible_count == len(eligible) == 17


def test_every_field_of_the_answer_equals_the_log(server: Running, new_id: NewId) -> None:
    """What the client was told is what an analysis will read, field by field."""
    before = datetime.now(UTC)
    member, request_id = _member_in("personal"), new_id()
    client_time = Timestamp()
    client_time.FromDatetime(before + timedelta(seconds=90))

    decision = server.decide(member, offer_count=4, request_id=request_id, request_time=client_time)

    row = server.logged_decision(decision.decision_id)
    version = row["member_version"]
    assert version >= 1
    assert row == {
        **dict.fromkeys(DECISION_COLUMNS),
        "kind": "offers",
        "actions": row["actions"],
        "member_version": version,
        "exploration": "none",
        "slate_propensity": 1.0,
        "programme": "default",
        "decision_id": decision.decision_id,
        "request_id": request_id,
        "request_digest": row["request_digest"],
        "member_id": member,
        "placement_id": "checkout",
        "requested_count": 4,
        "request_time": client_time.ToDatetime(tzinfo=UTC),
        "receive_time": decision.decide_time.ToDatetime(tzinfo=UTC),
        "decide_time": decision.decide_time.ToDatetime(tzinfo=UTC),
        "ranking": "champion",
        "model_version": scene.MODEL_VERSION,
        "plan_revision": scene.plan().revision,
        "catalogue_revision": load_catalogue(server.log_path.parent / "catalogue.yaml").revision,
        "feature_time": scene.FEATURE_TIME,
        "eligible_count": 16,
        "degradations": [],
        "offers": [
            {
                "offer_id": offer.offer_id,
                "rank": place,
                "score": offer.score,
                "propensity": 1.0,
            }
            for place, offer in enumerate(decision.offers, start=1)
        ],
        "assignments": [
            {
                "experiment_id": one.experiment_id,
                "variant_id": one.variant_id,
                "experiment_revision": one.experiment_revision,
            }
            for one in decision.assignments
        ],
    }
    assert before <= row["receive_time"] <= datetime.now(UTC)
    assert decision.programme == "default"
    assert decision.member_id == member
    assert decision.placement_id == "checkout"
    assert decision.model_version == row["model_version"]
    assert decision.plan_revision == row["plan_revision"]
    assert decision.catalogue_revision == row["catalogue_revision"]
    assert decision.feature_time.ToDatetime(tzinfo=UTC) == row["feature_time"]
    assert decision.eligible_count == row["eligible_count"]
    assert [offer.rank for offer in decision.offers] == [1, 2, 3, 4]
    assert {offer.propensity for offer in decision.offers} == {1.0}


def test_titles_and_discounts_come_from_the_catalogue(server: Running) -> None:
    """Each offer carries its title; a discount exactly, and none where the catalogue has none."""
    titles = {offer.offer_id: offer.title for offer in scene.OFFERS}
    seen = {}
    for member in scene.MEMBERS:
        for offer in server.decide(member, offer_count=10).offers:
            assert offer.title == titles[offer.offer_id]
            seen[offer.offer_id] = offer
    discount = seen.pop("tea").discount
    assert (discount.currency_code, discount.units, discount.nanos) == ("USD", 1, 550_000_000)
    assert not any(offer.HasField("discount") for offer in seen.values())


def test_decision_lists_assigned_experiments_only(server: Running) -> None:
    """A decision names the experiments of its placement that reached the member, with typed parameters."""
    for member in scene.MEMBERS:
        for placement in ("checkout", "home"):
            decision = server.decide(member, placement)

            told = {one.experiment_id: one for one in decision.assignments}
            assert {key: one.variant_id for key, one in told.items()} == _variant(member, placement)
            assert {one.reason for one in told.values()} <= {assignment_pb2.ASSIGNMENT_REASON_ASSIGNED}
            if placement == "checkout":
                assert told["offer-ranking"].experiment_revision == 3
                ranking = {"personal": "champion", "popular": "popular"}[told["offer-ranking"].variant_id]
                assert told["offer-ranking"].parameters["ranking"].string_value == ranking


def test_unknown_member_gets_popular_offers_and_is_told(server: Running) -> None:
    """Whoever the model does not know gets popular offers; the answer and the log say so."""
    decision = server.decide("nobody-knows-me", offer_count=5)

    assert list(decision.degradations) == [decision_pb2.DEGRADATION_MEMBER_UNKNOWN]
    assert decision.ranking == decision_pb2.RANKING_POPULAR
    expected = scene.ranked(scene.eligible("checkout", TODAY), scene.popular_scores())[:5]
    assert expected == _chosen(decision)
    row = server.logged_decision(decision.decision_id)
    assert (row["ranking"], row["degradations"]) == ("popular", ["MEMBER_UNKNOWN"])


def test_offers_unknown_to_the_model_are_candidates_with_score_zero(server: Running) -> None:
    """An offer that the model has never seen is counted and comes after everything that scores, never crashing."""
    for member in (_member_in("personal"), _member_in("popular"), "nobody"):
        decision = server.decide(member, offer_count=10)

        assert decision.eligible_count == 16
        assert "gone" not in {offer.offer_id for offer in decision.offers}
        scores = [offer.score for offer in decision.offers]
        assert scores == sorted(scores, reverse=True)
        assert all(offer.score == 0.0 for offer in decision.offers if offer.offer_id == "brand-new")


@pytest.mark.parametrize(
    ("placement", "asked", "answered"),
    [
        ("checkout", 0, 3),
        ("home", 0, 2),
        ("checkout", 1, 1),
        ("checkout", 10, 10),
        ("checkout", 11, 10),
        ("checkout", 10_000, 10),
        ("home", 10_000, 4),
        ("checkout", 2**31 - 1, 10),
    ],
)
def test_offer_count(server: Running, placement: str, asked: int, answered: int) -> None:
    """0 is the placement's default; more than the placement's maximum is cut to it."""
    decision = server.decide("m01", placement, offer_count=asked)

    assert len(decision.offers) == answered
    assert server.logged_decision(decision.decision_id)["requested_count"] == answered


def test_fewer_offers_than_asked_for(server: Running) -> None:
    """Where fewer are eligible, the answer is shorter, not padded."""
    decision = server.decide("m01", programme="second", offer_count=10)

    assert [offer.offer_id for offer in decision.offers] == ["first", "last"]
    assert decision.eligible_count == 2


def test_retry_gets_the_same_decision(server: Running, new_id: NewId) -> None:
    """A retry with the same key, also stamped anew, gets the same answer to the byte, and nothing more is logged."""
    request = RecommendOffersRequest(member_id="m02", placement_id="checkout", request_id=new_id())
    request.request_time.FromDatetime(datetime.now(UTC))
    first = server.recommend_offers(request)
    rows = server.row_counts()
    request.request_time.FromDatetime(datetime.now(UTC) + timedelta(seconds=30))
    request.programme = "default"

    again = server.recommend_offers(request)

    assert again == first
    assert again.SerializeToString(deterministic=True) == first.SerializeToString(deterministic=True)
    assert server.row_counts() == rows


def test_no_request_id_means_a_new_decision_each_time(server: Running) -> None:
    """Without a key two questions are two decisions."""
    first, second = server.decide("m02"), server.decide("m02")

    assert first.decision_id != second.decision_id
    for decision in (first, second):
        assert server.logged_decision(decision.decision_id)["request_id"] is None


def test_concurrent_retries_make_one_decision(server: Running, new_id: NewId) -> None:
    """16 threads that ask with the same key at once all get the one decision; one row is logged."""
    request_id = new_id()
    before = server.row_counts()[0]

    with ThreadPoolExecutor(16) as pool:
        decisions = list(pool.map(lambda _: server.decide("m03", request_id=request_id), range(64)))

    assert all(decision == decisions[0] for decision in decisions)
    assert server.row_counts()[0] == before + 1
    assert server.logged_decision(decisions[0].decision_id)["request_id"] == request_id


@pytest.mark.parametrize(
    "change",
    [{"member_id": "m05"}, {"placement_id": "home"}, {"offer_count": 4}],
    ids=lambda change: next(iter(change)),
)
def test_another_question_under_the_same_key(
    server: Running, new_id: NewId, change: dict[str, str | int]
) -> None:
    """The key of one question cannot answer another; the first decision stays, nothing is logged."""
    request = RecommendOffersRequest(
        member_id="m04", placement_id="checkout", offer_count=3, request_id=new_id()
    )
    first = server.recommend_offers(request).decision
    rows = server.row_counts()
    other = RecommendOffersRequest()
    other.CopyFrom(request)
    for field, value in change.items():
        setattr(other, field, value)

    refused = refusal(server.recommend_offers, other)

    assert refused.code is grpc.StatusCode.ALREADY_EXISTS
    assert refused.reason == "REQUEST_ID_REUSED"
    assert refused.metadata == {"request_id": request.request_id}
    assert server.row_counts() == rows
    assert server.recommend_offers(request).decision == first


def test_keys_of_two_programmes_are_apart(server: Running, new_id: NewId) -> None:
    """The programme is part of the key: the same request_id elsewhere is another question."""
    request_id = new_id()

    ours = server.decide("m04", request_id=request_id)
    theirs = server.decide("somebody", programme="second", request_id=request_id)

    assert ours.decision_id != theirs.decision_id
    assert theirs.programme == "second"
    assert server.logged_decision(theirs.decision_id, "second")["request_id"] == request_id
    assert server.frames("default").decisions.filter(decision_id=theirs.decision_id).is_empty()


def test_decision_ids_are_uuids_of_version_7(server: Running) -> None:
    """Decision ids are unique, ordered by time to the millisecond, and of the form that RFC 9562 gives."""
    import uuid

    ids = [uuid.UUID(server.decide("m06").decision_id) for _ in range(50)]

    assert len(set(ids)) == 50
    assert {(one.version, one.variant) for one in ids} == {(7, uuid.RFC_4122)}
    stamps = [one.int >> 80 for one in ids]
    assert stamps == sorted(stamps)
    assert abs(stamps[-1] / 1000 - datetime.now(UTC).timestamp()) < 60
