"""``ExplainDecision`` and ``ReplayDecision``: every gate has its sentence, and every decision comes out bit for bit."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from google.type.money_pb2 import Money

from server.config import load_config
from server.decide.gates import Gate
from server.log_replay import LogReplayed, open_log_replay
from tests.server import busy, scene
from tests.server import decision_scene as ds
from tests.server.decision_scene import EMAIL, Asking, Now, stamp, values
from tests.server.running import RPC_TIMEOUT_S, Running, refusal, running
from tests.server.waiting import wait_until
from troth.v1 import catalog_pb2, catalog_service_pb2, catalog_service_pb2_grpc, decision_pb2
from troth.v1.recommendation_service_pb2 import ExplainDecisionRequest, ReplayDecisionRequest


@pytest.fixture
def now() -> Now:
    """The server's clock."""
    return Now()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The busy programme."""
    return busy.write(tmp_path / "scene")


def replay_all(config: Path, *, sample: int = 0) -> LogReplayed:
    """Make the decisions of the log again, from the files alone."""
    with open_log_replay(load_config(config), "default") as log:
        return log.many(since=None, sample=sample, report=lambda *_: None)


def upsert_offer(server: Running, offer: catalog_pb2.Offer) -> None:
    """Change the catalogue in force."""
    stub: Any = catalog_service_pb2_grpc.CatalogServiceStub(server.channel)
    stub.UpsertOffer(
        catalog_service_pb2.UpsertOfferRequest(offer=offer, actor="tests"), timeout=RPC_TIMEOUT_S
    )


def gates_of(ask: Asking, decision: Any) -> dict[str, tuple[str, str]]:
    """Return gate and sentence of each candidate of a decision, the channel beside the name if there is one."""
    return {
        f"{one.candidate_id}/{one.channel_id}".rstrip("/"): (
            decision_pb2.Gate.Name(one.gate).removeprefix("GATE_"),
            one.explanation,
        )
        for one in ask.explain(decision.decision_id).candidates
    }


@pytest.mark.parametrize("count", [400, pytest.param(10_000, marks=pytest.mark.slow)])
def test_replay_is_exact(config: Path, now: Now, count: int) -> None:
    """With everything on, each decision comes out again: after a model swap, another catalogue, new evidence, a restart."""
    folder, made = config.parent, []
    with running(config, now) as server:
        made += busy.traffic(server, now, count // 4, 1)
        scene.promote(folder, scene.write_version(folder, "2", "scene@2", 2))
        ask = Asking(server)
        wait_until(lambda: ask.offers("m01", "plain").model_version == "scene@2", "the new model serves")
        made += busy.traffic(server, now, count // 4, 2)
        offer = catalog_pb2.Offer(offer_id="late", value=Money(currency_code="USD", units=20))
        upsert_offer(server, offer)
        made += busy.traffic(server, now, count // 4, 3)
        assert ask.replay(made[0]).identical
    for seed in (4, 5):
        # A server looks at the responses when it starts, so each of these two has other evidence.
        with running(config, now) as server:
            made += busy.traffic(server, now, count // 8, seed)
            ask = Asking(server)
            for decision_id in made[:: len(made) // 20]:
                answer = ask.replay(decision_id)
                assert answer.identical, (decision_id, answer.differences)

    found = replay_all(config)

    assert found.deviations == ()
    assert found.identical_count >= count
    assert len(set(made)) == count
    with closing(sqlite3.connect(folder / "troth.db")) as connection:
        read = "SELECT count(DISTINCT {0}) FROM decisions".format
        counts = {
            name: connection.execute(read(name)).fetchone()[0]
            for name in (
                "model_version",
                "catalogue_revision",
                "evidence_state",
                "exploration",
                "standing_arm",
                "budget_state",
            )
        }
    # Without these the test would prove little: two models and none, two catalogues, every arm, and so on.
    assert counts["model_version"] == 3
    assert counts["catalogue_revision"] == 2
    assert counts["evidence_state"] >= 2
    assert counts["exploration"] == 5
    assert counts["standing_arm"] == 5
    assert counts["budget_state"] >= 2


def test_sample_is_spread_over_the_log(config: Path, now: Now) -> None:
    """A sample has the size that was asked for, and all of a smaller log."""
    with running(config, now) as server:
        busy.traffic(server, now, 24, 1)

    assert replay_all(config, sample=7).identical_count == 7
    assert replay_all(config, sample=1000).identical_count == 24


_EDITS: dict[str, tuple[str, str]] = {
    "offers[0].score": ("offers", "score"),
    "offers[0].propensity": ("offers", "propensity"),
    "offers[0].offer_id": ("offers", "offer_id"),
}


@pytest.mark.parametrize("path", sorted(_EDITS))
def test_manipulated_offers_are_found(tmp_path: Path, now: Now, path: str) -> None:
    """One bit of one number that was changed in the log is named, with what the log has and what comes out."""
    config = ds.write(tmp_path / "scene")
    with running(config, now) as server:
        decision_id = Asking(server).offers("anna").decision_id
    column, name = _EDITS[path]
    with closing(sqlite3.connect(config.parent / "troth.db", isolation_level=None)) as connection:
        (text,) = connection.execute(f"SELECT {column} FROM decisions").fetchone()
        offers = json.loads(text)
        value = offers[0][name]
        offers[0][name] = "jam" if isinstance(value, str) else float(value) * (1 - 2**-53)
        connection.execute(f"UPDATE decisions SET {column} = ?", [json.dumps(offers)])

    with running(config, now) as server:
        answer = Asking(server).replay(decision_id)

    assert not answer.identical
    (difference,) = answer.differences
    assert difference.field_path == path
    assert difference.logged != difference.replayed == repr(value)


@pytest.mark.parametrize(
    ("statement", "path"),
    [
        ("UPDATE decisions SET eligible_count = eligible_count + 1", "eligible_count"),
        ("UPDATE decisions SET exploration = 'softmax'", "exploration"),
        ("UPDATE decisions SET slate_propensity = 0.5", "slate_propensity"),
        ("UPDATE decisions SET ranking = 'champion'", "ranking"),
        ("UPDATE decisions SET arbitration_id = 'other'", "arbitration_id"),
        ("UPDATE decisions SET removed = '{}'", "removed.ELIGIBILITY_ERROR"),
        ("UPDATE decisions SET attributes = '{\"age\": 20}'", "offers"),
    ],
)
def test_manipulated_rows_are_found(tmp_path: Path, now: Now, statement: str, path: str) -> None:
    """Whatever was changed in the log, answer or question, shows as a difference."""
    config = ds.write(tmp_path / "scene")
    with running(config, now) as server:
        Asking(server).offers("anna")
    with closing(sqlite3.connect(config.parent / "troth.db", isolation_level=None)) as connection:
        connection.execute(statement)

    with open_log_replay(load_config(config), "default") as log:
        found = log.many(since=None, sample=0, report=lambda *_: None)
        (deviation,) = found.deviations

    assert (found.identical_count, found.different_count) == (0, 1)
    with open_log_replay(load_config(config), "default") as log:
        paths = [one.path for one in log.handler.replay("default", deviation.decision_id).differences]
    assert any(one.startswith(path) for one in paths), paths


def test_events_of_the_past_that_come_later_change_nothing(tmp_path: Path, now: Now) -> None:
    """An outcome that is logged after a decision, though it happened before, is not part of what the decision read."""
    with running(ds.write(tmp_path / "scene"), now) as server:
        ask = Asking(server)
        decision = ask.action("anna")
        ask.log("anna", "purchase", outcome_time=stamp(datetime(2026, 5, 1, tzinfo=UTC)))
        ask.say("anna", EMAIL, tier="silver")

        assert ask.replay(decision.decision_id).identical
        assert ask.explain(decision.decision_id).candidates[0].candidate_id == "welcome"


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda folder: shutil.rmtree(folder / "models"), "model scene@1 is not in"),
        (
            lambda folder: _run(folder, "UPDATE decisions SET catalogue_revision = 'x'"),
            "the log has no catalogue of revision",
        ),
        (lambda folder: _run(folder, "UPDATE decisions SET budget_state = 'x'"), "the log has no state x"),
        (lambda folder: _run(folder, "UPDATE decisions SET placement_id = 'x'"), "has no placement 'x'"),
        (
            lambda folder: _run(folder, "UPDATE decisions SET member_version = NULL"),
            "logged by a version of Troth",
        ),
    ],
)
def test_what_is_gone_makes_replay_impossible(
    tmp_path: Path, now: Now, damage: Callable[[Path], object], sentence: str
) -> None:
    """What a decision was made from and is not there any more is named; the call fails, nothing is guessed."""
    config = ds.write(tmp_path / "scene", with_model=True)
    with running(config, now) as server:
        ask = Asking(server)
        decision_id = ask.offers("m01").decision_id
        damage(config.parent)

        for call, request in (
            (ask.stub.ReplayDecision, ReplayDecisionRequest(decision_id=decision_id)),
            (ask.stub.ExplainDecision, ExplainDecisionRequest(decision_id=decision_id)),
        ):
            refused = refusal(call, request)
            assert refused.reason == "REPLAY_IMPOSSIBLE"
            assert sentence in refused.message

    assert replay_all(config).impossible_count == 1


def _run(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "troth.db", isolation_level=None)) as connection:
        connection.execute(statement)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that one decision was made by."""
    with running(ds.write(tmp_path_factory.mktemp("plain") / "scene"), Now()) as started:
        yield started


@pytest.mark.parametrize(
    ("fields", "reason", "paths"),
    [
        ({}, "INVALID_REQUEST", ["decision_id"]),
        ({"decision_id": "d" * 129}, "INVALID_REQUEST", ["decision_id"]),
        ({"decision_id": "nothing-like-it"}, "DECISION_NOT_FOUND", []),
        ({"decision_id": "d", "programme": "other"}, "PROGRAMME_NOT_FOUND", []),
    ],
)
def test_bad_input(plain: Running, fields: dict[str, str], reason: str, paths: list[str]) -> None:
    """A decision that is not there, or no id at all, is a clear error of both calls."""
    ask = Asking(plain)
    for call, request in (
        (ask.stub.ReplayDecision, ReplayDecisionRequest(**fields)),
        (ask.stub.ExplainDecision, ExplainDecisionRequest(**fields)),
    ):
        refused = refusal(call, request)
        assert (refused.reason, refused.paths) == (reason, paths)


def test_explain_orders_candidates(plain: Running) -> None:
    """First what was chosen by rank, then what could have been by falling score, then the gates in their order."""
    ask = Asking(plain)
    decision = ask.offers("anna", offer_count=2)
    answer = ask.explain(decision.decision_id)

    assert answer.decision == decision
    assert answer.member_version == 0
    listed = [(one.candidate_id, one.rank, one.gate) for one in answer.candidates]
    assert listed == [
        ("honey", 1, 0), ("jam", 2, 0), ("kale", 0, 0), ("nuts", 0, 0), ("rice", 0, 0),
        ("wine", 0, decision_pb2.GATE_ELIGIBILITY_ERROR),
    ]  # fmt: skip
    factors = answer.candidates[1].factors
    assert (factors.probability, factors.value_factor, factors.cost_term) == (0.1, 8, 0.1)
    assert not answer.candidates[-1].HasField("factors")


GATED: dict[str, Any] = {
    "currency_code": "USD",
    "attributes": {"age": "int"},
    "segments": [{"segment_id": "regulars", "rule": "purchase_count > 2"}],
    "channels": ds.CATALOGUE["channels"],
    "contact_policies": ds.CATALOGUE["contact_policies"],
    "quiet_hours": ds.CATALOGUE["quiet_hours"],
    "cool_downs": ds.CATALOGUE["cool_downs"],
    "placements": [
        {
            "placement_id": "till", "channels": ["app"], "arbitration": "worth", "fallback_offer_ids": ["spare"],
            "default_offer_count": 1,
        },
        {"placement_id": "next", "decides": "actions", "channels": ["app", "email", "push"]},
        {"placement_id": "elsewhere"},
    ],
    "groups": [{"group_id": "grown", "eligible": "age >= 18"}],
    "arbitrations": [
        {"arbitration_id": "worth", "default_value": ds.money("1"), "default_probability": 0.5, "least_score": 0.2},
    ],
    "actions": [{"action_id": "hello", "kind": "welcome", "value": ds.money("1"), "channels": ["email", "push"]}],
    "offers": [
        {"offer_id": "good"},
        {"offer_id": "elsewhere", "placements": ["elsewhere"]},
        {"offer_id": "by-letter", "channels": ["email"]},
        {"offer_id": "over", "valid_until": "2026-05-03"},
        {"offer_id": "spare"},
        {"offer_id": "grown", "group_id": "grown"},
        {"offer_id": "unknown", "eligible": 'tier == "gold"'},
        {"offer_id": "later", "applicable": "purchase_count > 0"},
        {"offer_id": "regular", "suitable": '"regulars" in segments'},
        {"offer_id": "expiring", "suitable": "days_to_points_expiry < 5"},
        {"offer_id": "timely", "applicable": "days_since_purchase > 5"},
        {"offer_id": "refused"},
        {"offer_id": "capped", "caps": [{"most": 2, "days": 7, "count": "view"}]},
        {"offer_id": "used"},
        {"offer_id": "spent", "inventory": 0},
        {"offer_id": "poor", "value": ds.money("0.1")},
    ],
}  # fmt: skip
_UNKNOWN = "not known of the member: "
SENTENCES = {
    "elsewhere": ("NOT_HERE", "its placements or channels do not include this one"),
    "by-letter": ("NOT_HERE", "its placements or channels do not include this one"),
    "over": ("NOT_VALID", "the day lies outside its days of validity"),
    "spare": ("FALLBACK_ONLY", "it is a fallback here, and enough else was left"),
    "grown": ("NOT_ELIGIBLE", "not eligible: needs age is at least 18"),
    "unknown": (
        "ELIGIBILITY_ERROR",
        "eligibility is not known: needs tier is gold (not known of the member: tier)",
    ),
    "later": ("NOT_APPLICABLE", "not applicable now: needs purchase_count is above 0"),
    "timely": (
        "APPLICABILITY_ERROR",
        f"whether it is applicable is not known: needs days_since_purchase is above 5 ({_UNKNOWN}days_since_purchase)",
    ),
    "regular": ("NOT_SUITABLE", "not suitable: needs regulars is among segments"),
    "expiring": (
        "SUITABILITY_ERROR",
        f"whether it is suitable is not known: needs days_to_points_expiry is below 5 ({_UNKNOWN}days_to_points_expiry)",
    ),
    "refused": ("COOL_DOWN", "the member said no lately"),
    "capped": ("CAP_REACHED", "given as often as its caps allow: view 2 times in 7 days"),
    "used": ("CAP_REACHED", "given as often as its caps allow: a coupon is redeemed once"),
    "spent": ("BUDGET_SPENT", "a budget or the inventory had not enough left at that time"),
    "poor": ("BELOW_LEAST_SCORE", "its score is below the least that the arbitration takes"),
}


@pytest.fixture
def gated(tmp_path: Path, now: Now) -> Iterator[Asking]:
    """A server whose catalogue closes every gate, and a member who has met them."""
    config = ds.write(tmp_path / "scene", **GATED)
    with running(config, now) as server:
        ask = Asking(server)
        for kind, offer_id in (
            ("refusal", "refused"),
            ("view", "capped"),
            ("view", "capped"),
            ("redemption", "used"),
        ):
            ask.log("anna", kind, offer_id=offer_id, outcome_time=stamp(now()))
        yield ask


def test_each_gate_has_its_sentence(gated: Asking) -> None:
    """Every gate that an offer can meet is named with why, in words of the catalogue."""
    found = gates_of(gated, gated.offers("anna", attributes=values(age=17)))
    explained = {name.removesuffix("/app"): why for name, why in found.items()}

    for name, expected in SENTENCES.items():
        assert explained[name] == expected, name
    assert explained["good"] == ("UNSPECIFIED", "")


def test_gates_of_channels(gated: Asking, now: Now) -> None:
    """Consent, contact policy, quiet hours and cool-down close a channel, and name it."""
    assert gates_of(gated, gated.action("anna"))["hello/email"] == (
        "NO_CONSENT", "the member did not consent to marketing on email",
    )  # fmt: skip
    now.pass_(hours=10)
    gated.say("anna", EMAIL)
    decisions = [gated.action("anna") for _ in range(3)]
    found = gates_of(gated, decisions[-1])
    assert found["hello/push"] == ("QUIET_HOURS", "it is quiet hours where the member is")
    assert found["hello/email"] == (
        "CONTACT_POLICY",
        "the member was contacted on email as often as the contact policy allows (twice-a-week)",
    )
    gated.log("anna", "unsubscribe", channel_id="email", outcome_time=stamp(now()))
    now.pass_(days=8)
    assert gates_of(gated, gated.action("anna"))["hello/email"] == ("COOL_DOWN", "the member said no lately")


def test_no_gate_is_left_out(tmp_path: Path, now: Now) -> None:
    """The remaining gates: what is new is tried on few, and who is held out gets nothing; all others are met above."""
    new_to_few = [
        {
            "placement_id": "till",
            "exploration": {"method": "epsilon", "cold_share": 1e-9},
            "arbitration": "worth",
        }
    ]
    with running(
        ds.write(
            tmp_path / "new",
            placements=new_to_few,
            actions=[],
            contact_policies=[],
            quiet_hours=[],
            cool_downs=[],
        ),
        now,
    ) as server:
        ask = Asking(server)
        few = gates_of(ask, ask.offers("anna"))
    arms: dict[str, Any] = {"standing_arms": {"traffic_ppm": {"holdout": 500_000}}}
    with running(ds.write(tmp_path / "held", **arms), now) as server:
        ask = Asking(server)
        decisions = (ask.offers(f"m{number}") for number in range(100))
        held = gates_of(ask, next(one for one in decisions if one.standing_arm == "holdout"))
    assert set(few.values()) >= {
        ("NEW_TO_FEW", "it is new, and this member is not among those it is tried on this month")
    }
    assert set(held.values()) == {("HELD_OUT", "the member is in the standing arm that gets nothing")}

    met = {gate for gate, _ in SENTENCES.values()}
    met |= {"NO_CONSENT", "QUIET_HOURS", "CONTACT_POLICY", "COOL_DOWN", "NEW_TO_FEW", "HELD_OUT"}
    # What a task leaves out needs a model; see the tests of tasks.
    assert {gate.name for gate in Gate} - met == {"OPEN", "NOT_OF_TASK"}
