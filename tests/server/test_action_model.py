"""The action model in the server: effects take the place of priors, follow the member, and are replayed with their version."""

from pathlib import Path

import numpy as np
import pytest

from server.programme.models import actions_folder
from tests.server import decision_scene as ds
from tests.server import scene
from tests.server.decision_scene import Asking, Now, done, values
from tests.server.running import running
from tests.server.waiting import wait_until
from training.bundle import ActionModel, write_bundle
from training.bundle.encoding import Encoding, LevelsPart, NumberPart


def put(folder: Path, name: str, version: str, *, average: float = 1.0) -> Path:
    """Pull an action model: a welcome brings ``average`` and 0.1 more per year above 40, a survey 4 to students of Ulm; and let it be champion."""
    model = ActionModel(
        control="no_action",
        arms=("welcome", "survey", "parcel"),
        outcome="margin",
        encoding=Encoding((NumberPart("age", 40.0, 1.0, flagged=False), LevelsPart("city", ("Ulm",)))),
        lines=np.array([[0.1, 0.0], [0.0, 4.0], [0.0, 0.0]]),
        intercepts=np.zeros(3),
        trees=(),
        logistic=np.zeros(3, dtype=np.bool_),
        weights=np.eye(3),
        averages=np.array([average, 0.0, 99.0]),
        shrinkages=np.ones(3),
        means=np.zeros(3),
    )
    link = actions_folder(folder / "models", "default")
    path = link.parent / "versions" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bundle(
        path,
        model,
        programme="default",
        model_name="dr_ridge",
        model_version=version,
        data_fingerprint="scene",
        feature_time=scene.FEATURE_TIME,
    )
    aside = link.with_name(".champion.new")
    aside.symlink_to(path)
    aside.replace(link)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The scene with a models folder and an action model in it."""
    ds.write(
        tmp_path / "scene", with_model=True, attributes={"age": "int", "student": "bool", "city": "string"}
    )
    put(tmp_path / "scene", "1", "effects@1")
    return tmp_path / "scene"


def test_effects_take_the_place_of_priors(folder: Path) -> None:
    """A welcome of 50 years is worth 1 + 1 - 0.1, one of 20 less than nothing; a nudge, which the model does not know, keeps its prior."""
    with running(folder / "troth.toml", Now()) as server:
        ask = Asking(server)
        old = ask.action("anna", attributes=values(age=50), factors_wanted=True)
        assert done(old) == ("welcome", "app")
        assert old.action.score == pytest.approx(1.9)
        assert old.model_version == "effects@1"
        factors = old.action.factors
        assert (factors.probability, factors.value_factor) == (1.0, pytest.approx(2.0))

        young = ask.action("bea", attributes=values(age=20))
        assert done(young)[0] == "no_action"
        student = ask.action("cleo", attributes=values(age=20, city="Ulm"))
        assert (done(student)[0], student.action.score) == ("survey", pytest.approx(3.0))
        ask.say("dora", tier="silver")
        assert done(ask.action("dora", attributes=values(age=20)))[0] == "nudge"
        unknown = ask.action("eve")
        assert unknown.action.score == pytest.approx(0.9)


def test_a_profile_counts_as_a_request_does(folder: Path) -> None:
    """What the member table said of them is read by the model, without the request saying it again."""
    with running(folder / "troth.toml", Now()) as server:
        ask = Asking(server)
        ask.say("anna", attributes=values(age=60))
        assert ask.action("anna").action.score == pytest.approx(2.9)


def test_a_new_model_serves_at_once_and_old_decisions_are_made_again(folder: Path) -> None:
    """After a swap decisions follow the new effects; those of before are replayed with theirs, bit for bit."""
    with running(folder / "troth.toml", Now()) as server:
        ask = Asking(server)
        before = ask.action("anna", attributes=values(age=47))
        put(folder, "2", "effects@2", average=3.0)
        wait_until(lambda: ask.action("x").model_version == "effects@2", "the new model serves")
        after = ask.action("anna", attributes=values(age=47))
        assert after.action.score == pytest.approx(before.action.score + 2.0)
        for decision in (before, after):
            assert ask.replay(decision.decision_id).identical


def test_a_model_of_another_programme_does_not_start(folder: Path) -> None:
    """Whoever points the link elsewhere is told at the start."""
    link = actions_folder(folder / "models", "default")
    link.unlink()
    link.symlink_to(scene.champion_link(folder).resolve())
    with (
        pytest.raises(Exception, match="of kind 'offers'; expected 'actions'"),
        running(folder / "troth.toml", Now()),
    ):
        pass


def test_levers_and_context_weights_count_for_effects_too(tmp_path: Path) -> None:
    """A welcome of 50 years is worth 2 x 3 x 0.5 - 0.1 with a lever of 3 and a context weight of a half."""
    welcome, *others = ds.CATALOGUE["actions"]
    ds.write(
        tmp_path / "scene",
        with_model=True,
        actions=[welcome | {"lever": 3.0}, *others],
        arbitrations=[
            *ds.CATALOGUE["arbitrations"],
            {"arbitration_id": "halved", "context_weights": [{"rule": "age > 40", "weight": 0.5}]},
        ],
        placements=[
            *ds.CATALOGUE["placements"][:2],
            ds.CATALOGUE["placements"][2] | {"arbitration": "halved"},
        ],
    )
    put(tmp_path / "scene", "1", "effects@1")
    with running(tmp_path / "scene" / "troth.toml", Now()) as server:
        action = Asking(server).action("anna", attributes=values(age=50)).action
        assert (action.action_id, action.score) == ("welcome", pytest.approx(2.9))


def test_the_standing_arm_without_a_model_decides_by_priors(tmp_path: Path) -> None:
    """Who is in ``no_model`` is decided for as if no effects were known: 0.5 x 5 - 0.1, whatever their age; the others by effects."""
    ds.write(
        tmp_path / "scene",
        with_model=True,
        standing_arms={"period": "month", "traffic_ppm": {"no_model": 500_000}},
    )
    put(tmp_path / "scene", "1", "effects@1")
    with running(tmp_path / "scene" / "troth.toml", Now()) as server:
        ask = Asking(server)
        decisions = [ask.action(f"m{number}", attributes=values(age=50)) for number in range(12)]
        scores = {bool(one.standing_arm): one.action.score for one in decisions}
        assert scores == {True: pytest.approx(2.4), False: pytest.approx(1.9)}
