"""Experiments of files beside experiments of the store: together they make one plan, or the server says why not."""

from pathlib import Path

import pytest

from experiments.errors import DomainError
from server.app import build
from server.config import load_config
from tests.server import scene
from tests.server.experiments import Experiments, experiment
from tests.server.running import Running, running
from troth.v1 import experiment_pb2
from troth.v1.experiment_service_pb2 import GetAssignmentsRequest

ENTRY = """\
  - experiment_id: {name}
    hypothesis: It fits.
    owner: tests
    state: running
    placements: [home]
    layer: {{layer_id: one, slots: ["0-99"]}}
    variants: [{{variant_id: a}}, {{variant_id: b, parameters: {parameters}}}]
    metrics: [{{metric_id: m}}]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return scene.write_scene(tmp_path / "scene", with_model=False)


def _add(config: Path, name: str, parameters: str = "{}") -> None:
    path = config.parent / "experiments.yaml"
    path.write_text(
        path.read_text(encoding="utf-8") + ENTRY.format(name=name, parameters=parameters), encoding="utf-8"
    )


def _slots(*slots: str) -> experiment_pb2.ExperimentLayer:
    return experiment_pb2.ExperimentLayer(layer_id="one", slots=slots)


def _refused(config: Path) -> str:
    with pytest.raises(DomainError) as caught:
        build(load_config(config)).stop()
    assert "\n" not in caught.value.message
    return caught.value.message


def _ids(server: Running) -> list[str]:
    return [
        one.experiment_id for one in server.get_assignments(GetAssignmentsRequest(member_id="m")).assignments
    ]


def test_both_make_one_plan(config: Path) -> None:
    """Running experiments of files and of the store assign side by side, by id."""
    _add(config, "from-file")
    with running(config) as server:
        Experiments(server).running("stored", layer=_slots("100-199"))
        before = _ids(server)
    with running(config) as server:
        assert _ids(server) == before == ["banner", "from-file", "offer-ranking", "stored"]


def test_a_file_cannot_take_an_id_of_the_store(config: Path) -> None:
    """A file that defines what was created over gRPC is refused by name."""
    with running(config) as server:
        Experiments(server).create(experiment("taken"))
    _add(config, "taken")

    assert "taken.experiment_id" in _refused(config)


def test_a_file_cannot_take_slots_of_the_store(config: Path) -> None:
    """A file that runs in slots which a running experiment of the store has is refused, with the slots; a draft has none."""
    with running(config) as server:
        keep = Experiments(server)
        keep.create(experiment("draft", layer=_slots("0-9")))
        keep.running("stored", layer=_slots("90-150"))
    _add(config, "from-file")

    said = _refused(config)

    assert "stored.layer.slots" in said
    assert "90-99 are lent to from-file already" in said


def test_a_catalogue_cannot_lose_a_placement_in_use(config: Path) -> None:
    """A running experiment of the store whose placement is gone from the catalogue is named at the start."""
    with running(config) as server:
        Experiments(server).running("stored")
    path = config.parent / "catalogue.yaml"
    path.write_text(
        path.read_text(encoding="utf-8").replace("placement_id: home", "placement_id: house"),
        encoding="utf-8",
    )
    (config.parent / "experiments.yaml").write_text("experiments: []\n", encoding="utf-8")

    assert "home" in _refused(config)


def test_rankings_of_files_and_store_do_not_fight(config: Path) -> None:
    """A file and a stored experiment that both steer the ranking at a placement are refused together."""
    variants = [experiment_pb2.ExperimentVariant(variant_id=one) for one in "ab"]
    variants[1].parameters["ranking"].string_value = "popular"
    with running(config) as server:
        Experiments(server).running("stored", variants=variants)
    _add(config, "from-file", "{ranking: popular}")

    assert "both steer the ranking at placement 'home'" in _refused(config)


def test_a_broken_experiment_of_the_store_is_named(config: Path) -> None:
    """An experiment of the store that no version could have written keeps the server from starting, in one sentence."""
    import sqlite3
    from contextlib import closing

    with running(config) as server:
        Experiments(server).create(experiment("stored"))
    with closing(sqlite3.connect(config.parent / "troth.db")) as connection:
        connection.execute("DROP TRIGGER changes_stay_on_update")
        connection.execute("UPDATE experiment_changes SET definition = json_set(definition, '$.alpha', 7)")
        connection.commit()

    said = _refused(config)

    assert "breaks the rules of this version" in said
    assert "alpha" in said
