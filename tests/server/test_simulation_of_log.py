"""Simulating the log's own requests with the catalogue that was in force gives the answers of the log."""

import hashlib
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from experiments.log.events import Decision
from server.config import load_config
from server.decide.choice import Choice
from server.decide.replay import differences
from server.whatif import SimulationError, SimulationOptions, opened
from server.whatif.requests import SimulatedRequest
from server.whatif.run import run
from server.whatif.simulate import prepared
from tests.server.simulated import (
    START,
    Serving,
    money,
    serving,
    simulated,
    write_files,
    write_revision,
)

CATALOGUE: dict[str, Any] = {
    "currency_code": "USD",
    "attributes": {"age": "int"},
    "channels": [{"channel_id": "email", "outbound": True}, {"channel_id": "app"}],
    "placements": [
        {"placement_id": "home", "default_offer_count": 2, "fallback_offer_ids": ["book"]},
        {
            "placement_id": "letter",
            "channels": ["email"],
            "arbitration": "money",
            "exploration": {"method": "epsilon", "share": 0.5, "shortlist": 3},
        },
        {"placement_id": "next", "decides": "actions", "channels": ["email", "app"]},
    ],
    "arbitrations": [{"arbitration_id": "money"}],
    "contact_policies": [{"policy_id": "seldom", "most": 3, "days": 1}],
    "cool_downs": [{"days": 1}],
    "segments": [{"segment_id": "old", "rule": "age >= 60"}],
    "offers": [
        {"offer_id": "tea", "value": money("5"), "budgets": [{"units": 40, "hold_days": 90}]},
        {"offer_id": "jam", "value": money("4"), "cost": money("0.01"), "eligible": "purchase_count > 0"},
        {"offer_id": "gold", "value": money("9"), "eligible": 'tier == "gold"', "caps": [{"most": 2}]},
        {"offer_id": "care", "value": money("3"), "eligible": '"old" in segments'},
        {"offer_id": "welcome", "value": money("6"), "applicable": "purchase_count == 0"},
        {"offer_id": "book", "value": money("1"), "placements": ["home"]},
    ],
    "actions": [
        {"action_id": "call", "kind": "care", "value": money("20"), "caps": [{"most": 2}]},
        {"action_id": "ask", "kind": "survey", "value": money("2"), "inventory": 20},
    ],
}
NEXT_DAY = START + timedelta(hours=25)
"""Evidence is gathered once a day."""
MEMBERS = [f"m{number}" for number in range(12)]


def live(server: Serving, chance: random.Random, steps: int = 300) -> None:
    """Let members ask, buy, redeem, refuse and change, twenty seconds apart, several things at one moment now and then."""
    for _ in range(steps):
        if chance.random() < 0.8:
            server.now += timedelta(seconds=20)
        member_id = chance.choice(MEMBERS)
        what = chance.random()
        if what < 0.6:
            age = {"age": chance.choice([20, 70])} if chance.random() < 0.3 else {}
            server.decide(member_id, chance.choice(["home", "letter", "next"]), attributes=age)
        elif what < 0.7:
            server.happened(member_id, "purchase")
        elif what < 0.8:
            server.say(
                member_id,
                attributes={"age": chance.randint(50, 70)},
                values={"tier": chance.choice(["gold", "silver"])},
            )
        elif server.decisions:
            decision = chance.choice(server.decisions[-20:])
            given = [*(one.offer_id for one in decision.offers), *(one.action_id for one in decision.actions)]
            if given and given[0] != "no_action":
                kind = "redemption" if what < 0.93 else "refusal"
                server.happened(decision.member_id, kind, decision.decision_id, given[0])


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Decision]]:
    """A configuration whose log holds some hours of two days, and what the servers of these days answered."""
    config = write_files(tmp_path_factory.mktemp("lived"), CATALOGUE)
    chance, decisions = random.Random(7), []
    for now in (START, NEXT_DAY):
        with serving(config, now) as server:
            live(server, chance)
            decisions += server.decisions
    return config, decisions


def choices(config: Path, asked: SimulationOptions) -> dict[str, Choice]:
    """Return what the catalogue in force answers, by the key of the request."""
    found: dict[str, Choice] = {}
    with opened(load_config(config), "default", START) as source:

        def keep(request: SimulatedRequest, choice: Choice) -> None:
            found[request.key] = choice

        run(source.today, prepared(source, asked, source.today), on_choice=keep)
    return found


def test_every_answer_is_that_of_the_log(lived: tuple[Path, list[Decision]]) -> None:
    """Budgets, caps, contacts, segments, cool-downs, chance: all come out bit for bit as the server had them."""
    config, decisions = lived

    found = choices(config, SimulationOptions())

    assert {decision.decision_id for decision in decisions} == found.keys()
    for number, decision in enumerate(decisions):
        assert not differences(decision, found[decision.decision_id]), number


def test_the_log_of_the_test_has_every_kind_of_limit(lived: tuple[Path, list[Decision]]) -> None:
    """The comparison above means something: all these gates closed, and answers differ between members."""
    _, decisions = lived

    gates = {gate for decision in decisions for gate in decision.removed}
    assert {
        "BUDGET_SPENT", "CAP_REACHED", "CONTACT_POLICY", "COOL_DOWN", "NOT_ELIGIBLE", "NOT_APPLICABLE",
        "ELIGIBILITY_ERROR", "FALLBACK_ONLY",
    } <= gates  # fmt: skip
    assert len({tuple(one.offer_id for one in decision.offers) for decision in decisions}) > 10


def test_what_was_before_the_period_counts(lived: tuple[Path, list[Decision]]) -> None:
    """Simulating only the second day starts from what the log has of the first: members, budgets, evidence."""
    config, decisions = lived

    found = choices(config, SimulationOptions(from_day=NEXT_DAY.date()))

    of_day = [decision for decision in decisions if decision.decide_time >= NEXT_DAY]
    assert {decision.decision_id for decision in of_day} == found.keys()
    for number, decision in enumerate(of_day):
        assert not differences(decision, found[decision.decision_id]), number


def test_nothing_is_written(lived: tuple[Path, list[Decision]], tmp_path: Path) -> None:
    """The log is byte for byte the same after a simulation, and so is everything beside it."""
    config, _ = lived
    before = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in config.parent.glob("*.db")}

    simulated(config, catalogue=write_revision(tmp_path, {**CATALOGUE, "note": "another"}), assume=True)

    after = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in config.parent.glob("*.db")}
    assert before == after


def test_another_seed_is_another_draw(lived: tuple[Path, list[Decision]]) -> None:
    """The same seed gives the same answers, another one others; seed 0 is the server's own chance."""
    config, decisions = lived

    def answers(seed: int) -> list[tuple[str, ...]]:
        found = choices(config, SimulationOptions(seed=seed))
        return [tuple(one.offer_id for one in found[decision.decision_id].offers) for decision in decisions]

    assert answers(5) == answers(5)
    assert answers(5) != answers(0)


def test_a_budget_is_never_overspent(lived: tuple[Path, list[Decision]]) -> None:
    """At the end of every day nothing is spent beyond what a budget allows, whoever responds."""
    config, _ = lived

    for seed in range(4):
        found = simulated(config, assume=True, seed=seed)
        for budget in found.today.budgets:
            assert budget.units is not None
            for day in budget.days:
                assert day.left_units is not None
                assert day.left_units >= 0
                assert day.left_units == budget.units - day.reserved_units - day.committed_units


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"from_day": START.date() - timedelta(days=60), "until_day": START.date() - timedelta(days=31)}, "no decisions from"),
        ({"from_day": START.date(), "until_day": START.date() - timedelta(days=1)}, "is after --until"),
    ],
)  # fmt: skip
def test_an_empty_period_is_refused(
    lived: tuple[Path, list[Decision]], asked: dict[str, Any], words: str
) -> None:
    """Days without decisions, and days in the wrong order, are named."""
    with pytest.raises(SimulationError, match=words):
        simulated(lived[0], **asked)
