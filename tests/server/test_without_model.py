"""A server whose programme has no model yet."""

from datetime import date
from pathlib import Path

from tests.server import scene
from tests.server.running import running
from tests.server.waiting import wait_until
from troth.v1 import decision_pb2


def test_no_champion_yet(tmp_path: Path) -> None:
    """Before the first pull the catalogue's order answers and says so; the server is not ready. A pull changes both."""
    with running(scene.write_scene(tmp_path / "scene", with_model=False)) as server:
        for member in ("m01", "nobody"):
            decision = server.decide(member, offer_count=4)

            assert [one.offer_id for one in decision.offers] == scene.eligible("checkout", date(2030, 1, 1))[
                :4
            ]
            assert {one.score for one in decision.offers} == {0.0}
            assert decision.ranking == decision_pb2.RANKING_CATALOGUE
            assert list(decision.degradations) == [decision_pb2.DEGRADATION_MODEL_MISSING]
            assert decision.model_version == ""
            assert not decision.HasField("feature_time")
            row = server.logged_decision(decision.decision_id)
            assert (row["ranking"], row["model_version"], row["feature_time"], row["degradations"]) == (
                "catalogue",
                "",
                None,
                ["MODEL_MISSING"],
            )
        assert not server.healthy()
        assert not server.healthy("troth.v1.RecommendationService")

        scene.promote(tmp_path / "scene", scene.write_version(tmp_path / "scene", "1", scene.MODEL_VERSION))

        wait_until(server.healthy, "the pulled model makes the server ready")
        assert server.decide("m01").model_version == scene.MODEL_VERSION
        assert server.healthy("troth.v1.RecommendationService")


def test_programme_that_names_no_models(tmp_path: Path) -> None:
    """A programme that is configured without a models folder is ready at once and says what is missing in each answer."""
    with running(scene.write_scene(tmp_path / "scene")) as server:
        decision = server.decide("m01", programme="second")

        assert server.healthy()
        assert [one.offer_id for one in decision.offers] == ["first"]
        assert list(decision.degradations) == [decision_pb2.DEGRADATION_MODEL_MISSING]
