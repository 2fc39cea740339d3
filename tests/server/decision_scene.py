"""A programme with offers, actions and every limit, whose every answer can be worked out by hand."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from google.protobuf.timestamp_pb2 import Timestamp

from tests.server import scene
from tests.server.running import RPC_TIMEOUT_S, Client
from troth.v1 import member_service_pb2, recommendation_service_pb2_grpc
from troth.v1.assignment_pb2 import AttributeValue
from troth.v1.member_pb2 import Consent, Member
from troth.v1.outcome_service_pb2 import LogOutcomesRequest, Outcome
from troth.v1.recommendation_service_pb2 import (
    DecideCampaignRequest,
    ExplainDecisionRequest,
    NextBestActionRequest,
    ReplayDecisionRequest,
)

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
"""A Monday; 14:00 in Zurich, 21:00 in Tokyo."""


def money(amount: str) -> dict[str, str]:
    """Return dollars as a catalogue has them."""
    return {"amount": amount, "currency_code": "USD"}


CATALOGUE: dict[str, Any] = {
    "currency_code": "USD",
    "attributes": {"age": "int", "student": "bool"},
    "channels": [
        {"channel_id": "app"},
        {"channel_id": "email", "outbound": True, "purposes": ["marketing"]},
        {"channel_id": "push", "outbound": True},
    ],
    "placements": [
        {"placement_id": "till", "channels": ["app", "email"], "arbitration": "worth"},
        {"placement_id": "plain", "exploration": {"method": "epsilon", "share": 0.3, "shortlist": 6}},
        {"placement_id": "next", "decides": "actions", "channels": ["app", "push", "email"]},
    ],
    "groups": [{"group_id": "adults", "eligible": "age >= 18"}],
    "arbitrations": [{"arbitration_id": "worth", "default_value": money("1"), "default_probability": 0.1}],
    "contact_policies": [{"policy_id": "twice-a-week", "channels": ["email"], "most": 2, "days": 7}],
    "quiet_hours": [{"start": "21:00", "end": "08:00", "channels": ["push"]}],
    "cool_downs": [
        {"days": 30, "outcome_types": ["unsubscribe"], "scope": "channel"},
        {"days": 10, "outcome_types": ["refusal"]},
    ],
    "offers": [
        {"offer_id": "honey", "title": "Honey", "value": money("9")},
        {"offer_id": "jam", "title": "Jam", "value": money("8"), "cost": money("0.1"), "creative": "jam.png"},
        {"offer_id": "wine", "title": "Wine", "value": money("7"), "group_id": "adults"},
        {"offer_id": "kale", "title": "Kale", "value": money("6"), "budgets": [{"units": 3, "hold_days": 2}]},
        {"offer_id": "nuts", "title": "Nuts", "kind": "perk", "value": money("5"), "inventory": 2},
        {"offer_id": "rice", "title": "Rice", "kind": "perk"},
    ],
    "actions": [
        {
            "action_id": "welcome", "kind": "welcome", "title": "Welcome", "applicable": "purchase_count == 0",
            "value": money("5"), "cost": money("0.1"), "prior_probability": 0.5, "channels": ["email", "app"],
            "caps": [{"most": 5}], "creative": "hello.html",
        },
        {
            "action_id": "nudge", "kind": "tier_nudge", "eligible": 'tier == "silver"', "value": money("10"),
            "cost": money("0.5"), "prior_probability": 0.3, "channels": ["push", "email"],
        },
        {
            "action_id": "survey", "kind": "survey", "value": money("0.1"), "cost": money("1"),
            "prior_probability": 0.1, "channels": ["app"],
        },
    ],
}  # fmt: skip
"""At ``till`` each offer is worth a tenth of its value less its cost, in this order; a welcome is worth 2.4, a nudge 2.5, a
survey -0.99."""


def write(folder: Path, *, with_model: bool = False, experiments: str = "", **changes: Any) -> Path:
    """Write the programme into an empty folder and return the path of its configuration.

    Args:
        folder: Where to.
        with_model: Whether the scene's model serves it.
        experiments: YAML; none if empty.
        changes: Parts of the catalogue that are different.
    """
    config = scene.write_scene(folder, with_model=with_model)
    write_catalogue(folder, **changes)
    (folder / "experiments.yaml").write_text(experiments, encoding="utf-8")
    sections = scene.CONFIG.split("[programmes.second]")[0]
    if not experiments:
        sections = sections.replace('experiments = "experiments.yaml"\n', "")
    if not with_model:
        sections = sections.replace('models = "models"\n', "")
    config.write_text(sections, encoding="utf-8")
    return config


def write_catalogue(folder: Path, **changes: Any) -> None:
    """Write the catalogue's file."""
    text = yaml.safe_dump(CATALOGUE | changes, sort_keys=False, allow_unicode=True)
    (folder / "catalogue.yaml").write_text(text, encoding="utf-8")


class Now:
    """A clock that a test sets."""

    def __init__(self, time: datetime = NOON) -> None:
        self.time = time

    def __call__(self) -> datetime:
        """Return the time."""
        return self.time

    def pass_(self, **units: float) -> None:
        """Let time pass, such as ``days=3``."""
        self.time += timedelta(**units)


def stamp(time: datetime) -> Timestamp:
    """Return a time as a message."""
    message = Timestamp()
    message.FromDatetime(time)
    return message


def values(**attributes: object) -> dict[str, AttributeValue]:
    """Return attributes of a request."""
    kinds = {bool: "bool_value", int: "int_value", float: "double_value", str: "string_value"}
    return {name: AttributeValue(**{kinds[type(value)]: value}) for name, value in attributes.items()}  # type: ignore[arg-type]


class Asking:
    """The calls about decisions, in short.

    Args:
        client: A connected client.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.stub: Any = recommendation_service_pb2_grpc.RecommendationServiceStub(client.channel)
        self._events = 0

    def offers(self, member_id: str, placement_id: str = "till", **fields: Any) -> Any:
        """Return the decision on offers."""
        return self.client.decide(member_id, placement_id, **fields)

    def action(self, member_id: str, placement_id: str = "next", **fields: Any) -> Any:
        """Return the decision on an action."""
        request = NextBestActionRequest(member_id=member_id, placement_id=placement_id, **fields)
        return self.stub.NextBestAction(request, timeout=RPC_TIMEOUT_S).decision

    def explain(self, decision_id: str) -> Any:
        """Return why."""
        request = ExplainDecisionRequest(decision_id=decision_id)
        return self.stub.ExplainDecision(request, timeout=RPC_TIMEOUT_S)

    def replay(self, decision_id: str) -> Any:
        """Return whether it comes out the same."""
        return self.stub.ReplayDecision(ReplayDecisionRequest(decision_id=decision_id), timeout=RPC_TIMEOUT_S)

    def campaign(
        self, campaign_id: str, member_ids: list[str], placement_id: str = "till", **fields: Any
    ) -> list[Any]:
        """Return the answers for the members of a campaign."""
        request = DecideCampaignRequest(
            campaign_id=campaign_id, placement_id=placement_id, member_ids=member_ids, **fields
        )
        return list(self.stub.DecideCampaign(request, timeout=RPC_TIMEOUT_S))

    def log(self, member_id: str, outcome_type: str, *, event: str = "", **fields: Any) -> None:
        """Log an outcome; it must be new."""
        self._events += 1
        outcome = Outcome(
            event_id=event or f"{member_id}-{outcome_type}-{self._events}",
            member_id=member_id,
            outcome_type=outcome_type,
            **fields,
        )
        answer = self.client.log_outcomes(LogOutcomesRequest(outcomes=[outcome]), timeout=RPC_TIMEOUT_S)
        assert answer.accepted_count == 1

    def say(
        self, member_id: str, consents: Mapping[tuple[str, str], bool] | None = None, **fields: Any
    ) -> None:
        """Upsert a member; consents by channel and purpose."""
        given = [
            Consent(channel_id=channel, purpose=purpose, granted=granted)
            for (channel, purpose), granted in (consents or {}).items()
        ]
        member = Member(member_id=member_id, consents=given, **fields)
        request = member_service_pb2.UpsertMembersRequest(
            updates=[member_service_pb2.MemberUpdate(member=member)], actor="tests"
        )
        self.client.members.UpsertMembers(request, timeout=RPC_TIMEOUT_S)


EMAIL = {("email", "marketing"): True}


def removed(decision: Any) -> dict[str, int]:
    """Return how many candidates each gate removed, by the gate's name."""
    from troth.v1 import decision_pb2

    return {
        decision_pb2.Gate.Name(one.gate).removeprefix("GATE_"): one.candidate_count
        for one in decision.removed_counts
    }


def offered(decision: Any) -> list[str]:
    """Return the offers of a decision, best first."""
    return [offer.offer_id for offer in decision.offers]


def done(decision: Any) -> tuple[str, str]:
    """Return action and channel of a decision."""
    return decision.action.action_id, decision.action.channel_id
