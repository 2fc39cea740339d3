"""With everything on, the answer and the log agree in every field."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.server import busy
from tests.server import decision_scene as ds
from tests.server.decision_scene import EMAIL, Asking, Now, removed, stamp, values
from tests.server.running import Running, running
from troth.v1 import decision_pb2


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server of the busy programme."""
    with running(busy.write(tmp_path_factory.mktemp("busy") / "scene"), Now()) as started:
        yield started


def _factors(factors: decision_pb2.Factors) -> dict[str, float]:
    return {
        "probability": factors.probability,
        "value": factors.value_factor,
        "context": factors.context_factor,
        "lever": factors.lever_factor,
        "cost": factors.cost_term,
    }


def _offers(decision: Any) -> list[tuple[Any, ...]]:
    return [(one.offer_id, one.rank, one.score, one.propensity) for one in decision.offers]


@pytest.mark.parametrize("member_id", ["m01", "m02", "m03", "m17", "new1", "new2", "Zoë"])
@pytest.mark.parametrize("placement_id", ["busy", "learning", "plain", "till"])
def test_offers(server: Running, member_id: str, placement_id: str) -> None:
    """Offers, policy, chance, revisions and counts of an answer are those of its row."""
    ask = Asking(server)
    ask.say(member_id, EMAIL, tier="gold", points_balance=10)
    channel = "email" if placement_id in ("busy", "till") else ""
    decision = ask.offers(
        member_id,
        placement_id,
        offer_count=4,
        channel_id=channel,
        factors_wanted=True,
        attributes=values(age=33),
    )
    row = server.logged_decision(decision.decision_id)

    logged = [(one["offer_id"], one["rank"], one["score"], one["propensity"]) for one in row["offers"]]
    assert _offers(decision) == logged
    names = {
        number: name.removeprefix("CHANCE_METHOD_").lower()
        for name, number in decision_pb2.ChanceMethod.items()
    }
    rankings = {
        number: name.removeprefix("RANKING_").lower() for name, number in decision_pb2.Ranking.items()
    }
    degraded = [
        decision_pb2.Degradation.Name(one).removeprefix("DEGRADATION_") for one in decision.degradations
    ]
    assert {
        "member_id": decision.member_id,
        "placement_id": decision.placement_id,
        "ranking": rankings[decision.ranking],
        "degradations": degraded,
        "model_version": decision.model_version,
        "plan_revision": decision.plan_revision,
        "catalogue_revision": decision.catalogue_revision,
        "eligible_count": decision.eligible_count,
        "channel_id": decision.channel_id or None,
        "standing_arm": decision.standing_arm or None,
        "arbitration_id": decision.arbitration_id or None,
        "exploration": names[decision.exploration],
        "slate_propensity": decision.slate_propensity,
        "kind": "offers",
    }.items() <= row.items()
    assert stamp(row["decide_time"]) == decision.decide_time == stamp(ds.NOON)
    assert [(one.experiment_id, one.variant_id) for one in decision.assignments] == [
        (one["experiment_id"], one["variant_id"]) for one in row["assignments"]
    ]
    with_replay = ask.explain(decision.decision_id)
    assert with_replay.decision == decision
    explained = {one.candidate_id: one for one in with_replay.candidates if one.rank}
    for offer in decision.offers:
        assert offer.HasField("factors") == explained[offer.offer_id].HasField("factors")
        assert _factors(offer.factors) == _factors(explained[offer.offer_id].factors)
        assert explained[offer.offer_id].score == offer.score
    gates = [one.gate for one in with_replay.candidates if one.gate > decision_pb2.GATE_NOT_VALID]
    assert removed(decision) == {
        decision_pb2.Gate.Name(gate).removeprefix("GATE_"): gates.count(gate) for gate in gates
    }
