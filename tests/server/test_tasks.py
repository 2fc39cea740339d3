"""Each placement has a task: which model ranks there, and which offers come into question."""

import itertools
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from server.decide.context import DecisionContext
from server.decide.score import score
from server.decide.snapshot import Snapshot
from server.decide.table import fill_unknown
from server.members import MemberState
from tests.server import scene
from tests.server import task_scene as tasks
from tests.server.captured_logs import captured_log
from tests.server.running import Running
from tests.server.task_scene import ids
from tests.server.waiting import wait_until
from training.bundle import Task, open_bundle
from troth.v1 import decision_pb2
from troth.v1.outcome_service_pb2 import LogOutcomesRequest, Outcome


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tasks.write_tasks(tmp_path / "scene")
    return tmp_path / "scene"


@pytest.fixture
def server(folder: Path) -> Iterator[Running]:
    with tasks.serving(folder) as started:
        yield started


def test_each_placement_uses_the_model_of_its_task(server: Running) -> None:
    """Two placements with different tasks are ranked by different models, and each answer names its own."""
    counted = server.decide("anna")
    ideas = server.decide("anna", "ideas")

    assert (counted.model_version, ideas.model_version) == (tasks.REPLENISH, tasks.DISCOVER)
    assert [(one.offer_id, one.score) for one in counted.offers] == [
        ("bread", 3.0),
        ("milk", 1.0),
        ("butter", 0.0),
    ]
    assert [(one.offer_id, one.score) for one in ideas.offers] == [
        ("butter", 0.5),
        ("jam", 0.25),
        ("eggs", 0.0),
    ]
    assert server.logged_decision(ideas.decision_id)["model_version"] == tasks.DISCOVER
    assert list(ideas.degradations) == list(counted.degradations) == []


@pytest.mark.parametrize("placement", ["ideas", "best-ideas"])
def test_discover_never_shows_what_was_bought(server: Running, placement: str) -> None:
    """At a placement for discovery nothing appears that the member ever bought, however the placement ranks.

    It does not matter whether they bought it before or after the model was made; the count of eligible offers follows.
    """
    bought = {member: set(products) for member, products in tasks.BOUGHT.items() if member != "omnia"}
    numbers = itertools.count()
    for extra in (None, "butter", "eggs", "jam"):
        for member, products in bought.items():
            if extra is not None:
                event = Outcome(
                    event_id=f"{placement}-{next(numbers)}",
                    member_id=member,
                    outcome_type="purchase",
                    product_ids=[extra],
                )
                server.log_outcomes(LogOutcomesRequest(outcomes=[event]))
                products.add(extra)

            decision = server.decide(member, placement, offer_count=10)

            assert set(ids(decision)) == set(tasks.PRODUCTS) - products
            assert decision.eligible_count == len(tasks.PRODUCTS) - len(products)


def test_basket_is_no_discovery(server: Running) -> None:
    """What lies in the basket is not offered as something new."""
    assert "butter" in ids(server.decide("anna", "ideas", offer_count=10))
    assert "butter" not in ids(server.decide("anna", "ideas", offer_count=10, basket_product_ids=["butter"]))


def test_win_back_shows_what_lapsed(folder: Path) -> None:
    """At a placement for winning back nothing appears that was bought in the last 8 weeks; later it does, and leads."""
    with tasks.serving(folder) as server:
        assert not set(ids(server.decide("anna", "back", offer_count=10))) & {"bread", "milk"}
    with tasks.serving(folder, lambda: scene.FEATURE_TIME + timedelta(days=54)) as server:
        later = server.decide("anna", "back")

        assert later.model_version == tasks.WIN_BACK
        assert ids(later) == ["bread", "milk", "butter"]


def test_exhausted_task(server: Running) -> None:
    """Who bought everything is shown what is popular instead of an empty page, and the answer says so."""
    decision = server.decide("omnia", "ideas", offer_count=4)

    assert ids(decision) == ["bread", "butter", "eggs", "jam"]
    assert decision.ranking == decision_pb2.RANKING_POPULAR
    assert list(decision.degradations) == [decision_pb2.DEGRADATION_TASK_EXHAUSTED]
    assert decision.eligible_count == len(tasks.PRODUCTS)
    row = server.logged_decision(decision.decision_id)
    assert (row["ranking"], row["degradations"]) == ("popular", ["TASK_EXHAUSTED"])


def test_task_without_a_model(server: Running) -> None:
    """A placement whose task has no model degrades alone; the other placements and the health of the server do not."""
    decision = server.decide("anna", "coupons")

    assert ids(decision) == list(tasks.PRODUCTS[:3])
    assert decision.ranking == decision_pb2.RANKING_CATALOGUE
    assert list(decision.degradations) == [decision_pb2.DEGRADATION_MODEL_MISSING]
    assert (decision.model_version, decision.HasField("feature_time")) == ("", False)
    assert server.healthy()
    assert list(server.decide("anna").degradations) == []


def test_swap_of_one_task_leaves_the_others(folder: Path, server: Running) -> None:
    """A newly pulled model of one task is taken up there; the other tasks keep serving theirs, and a first one joins."""
    before = server.decide("anna", "ideas")
    popular = scene.counting_model(Task.REPLENISH, tasks.PRODUCTS, {"anna": {"salt": 5}}, tasks.POPULAR)

    tasks.serve(folder, popular, "counts@2")

    wait_until(lambda: server.decide("anna").model_version == "counts@2", "the new model serves")
    after = server.decide("anna", "ideas")
    assert ids(server.decide("anna"))[0] == "salt"
    assert (after.model_version, list(after.offers)) == (before.model_version, list(before.offers))
    assert server.decide("anna", "back").model_version == tasks.WIN_BACK

    tasks.serve(folder, tasks.counting(Task.REDEEM), "coupons@1")

    wait_until(
        lambda: server.decide("anna", "coupons").model_version == "coupons@1", "the first model serves"
    )
    assert server.decide("anna").model_version == "counts@2"


def test_model_of_another_task_is_refused(folder: Path, server: Running) -> None:
    """A bundle that was trained for one task is not served for another, though it was pulled there."""
    stray = scene.write_version(folder, "stray", "stray", fitted=tasks.counting())
    with captured_log() as log:
        scene.promote(folder, stray, Task.DISCOVER)

        wait_until(lambda: bool(log.errors), "the stray model is noticed")
        (line,) = log.errors
    assert (line["programme"], line["task"]) == ("default", "discover")
    assert "trained for the task 'replenish', not 'discover'" in line["problem"]
    assert server.decide("anna", "ideas").model_version == tasks.DISCOVER


def test_offer_that_the_model_does_not_know(server: Running) -> None:
    """An offer that the model never saw comes into question everywhere, scores 0, and stands behind those it knows."""
    decision = server.decide("bert", offer_count=10)

    assert ids(decision) == ["salt", "bread", "butter", "eggs", "jam", "milk", "novel"]
    assert (decision.offers[-1].score, list(decision.offers[-1].reasons)) == (0.0, [])


@pytest.mark.parametrize("values", [[0.9, 0.1], [3.0, 0.0], [-1.0, -2.5], [-1.0, 4.0], []], ids=str)
def test_unknown_offers_never_outrank(values: list[float]) -> None:
    """Whatever scores mean, an unknown offer scores at most 0, and no higher than the lowest known one."""
    known = np.array([False, *(True for _ in values), False])

    filled = fill_unknown(known, np.array(values, dtype=np.float32))

    assert filled[known].tolist() == pytest.approx(values)
    assert filled[~known].max() <= min([0.0, *filled[known]])


def test_probabilities_leave_unknown_offers_behind(folder: Path) -> None:
    """With a second stage, whose scores are probabilities above 0, an unknown offer comes last too."""
    tasks.serve(folder, tasks.tiered(), "tiered@1")
    with tasks.serving(folder) as server:
        decision = server.decide("anna", offer_count=10)

        assert decision.model_version == "tiered@1"
        assert ids(decision)[-1] == "novel"
        assert min(offer.score for offer in decision.offers[:-1]) > decision.offers[-1].score == 0.0


def test_only_candidates_are_scored(folder: Path) -> None:
    """The score of a candidate is, bit for bit, what the model gives it among all offers, and nothing else is scored."""
    tasks.serve(folder, tasks.tiered(), "tiered@1")
    bundle = open_bundle(scene.champion_link(folder).resolve())
    plan = scene.plan()
    snapshot = Snapshot(tasks.CATALOGUE, plan, {Task.REPLENISH: bundle})
    placement = tasks.CATALOGUE.placements_by_id["checkout"]
    table = snapshot.tables.on(placement, "", tasks.NOW.date())

    context = DecisionContext(member_id="anna", placement_id="checkout")
    context.state, context.time = MemberState("anna"), scene.FEATURE_TIME
    scored = score(bundle, table, np.arange(len(table)), context, ranking="champion")

    columns = table.columns[scored.places]
    assert len(scored.scores) == len(tasks.PRODUCTS) + 1
    everything = bundle.model.all_scores(bundle.model.member_ids.index("anna"))
    assert scored.scores[columns >= 0].tobytes() == everything[columns[columns >= 0]].tobytes()
