"""A newly pulled model: taken up while clients ask, never half, and refused when it is broken."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest

from server.programme.models import Watched, look, open_for
from tests.server import scene
from tests.server.captured_logs import CapturedLog, captured_log
from tests.server.running import Running, running
from tests.server.waiting import wait_until
from training.bundle import Task
from troth.v1 import decision_pb2

TODAY = date(2030, 1, 1)


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Running]:
    with running(scene.write_scene(tmp_path / "scene")) as started:
        yield started


@pytest.fixture
def log() -> Iterator[CapturedLog]:
    """The structured log, kept while a test runs."""
    with captured_log() as captured:
        yield captured


def test_swap_under_load(fresh: Running) -> None:
    """While models come, no call fails, and each answer is wholly of the model whose version it names."""
    folder = fresh.log_path.parent
    stop = threading.Event()
    eligible = scene.eligible("checkout", TODAY)
    expected = {
        (ranking, seed): {
            member: scene.ranked(
                eligible,
                scene.personal_scores(member, seed) if ranking == "personal" else scene.popular_scores(seed),
                seed,
            )[:10]
            for member in scene.MEMBERS[:8]
        }
        for ranking in ("personal", "popular")
        for seed in range(1, 6)
    }
    names = {decision_pb2.RANKING_CHAMPION: "personal", decision_pb2.RANKING_POPULAR: "popular"}

    def work(worker: int) -> set[str]:
        member, seen = scene.MEMBERS[worker], set()
        while not stop.is_set():
            decision = fresh.decide(member, offer_count=10)
            seed = int(decision.model_version.removeprefix("scene@"))
            offers = [(offer.offer_id, offer.score) for offer in decision.offers]
            assert expected[names[decision.ranking], seed][member] == offers
            seen.add(decision.model_version)
        return seen

    with ThreadPoolExecutor(8) as pool:
        clients = [pool.submit(work, worker) for worker in range(8)]
        try:
            for seed in range(2, 6):
                scene.promote(folder, scene.write_version(folder, str(seed), f"scene@{seed}", seed))
                wait_until(
                    lambda: fresh.decide("m01").model_version == f"scene@{seed}",  # noqa: B023 called at once
                    f"model {seed} serves",
                )
        finally:
            stop.set()
        seen = set().union(*(client.result(timeout=30) for client in clients))
    assert seen == {f"scene@{seed}" for seed in range(1, 6)}


def _truncated(path: Path) -> None:
    array = path / "popular_scores.npy"
    array.write_bytes(array.read_bytes()[:-4])


def _flipped(path: Path) -> None:
    array = path / "history.columns.npy"
    content = bytearray(array.read_bytes())
    content[-1] ^= 1
    array.write_bytes(content)


def _half_written(path: Path) -> None:
    (path / "manifest.json").unlink()


def _gone(path: Path) -> None:
    shutil.rmtree(path)


@pytest.mark.parametrize("damage", [_truncated, _flipped, _half_written, _gone])
def test_broken_model_is_not_used(fresh: Running, log: CapturedLog, damage: Callable[[Path], None]) -> None:
    """A damaged bundle leaves the old one serving and one line in the log; a good one after it is taken up."""
    folder = fresh.log_path.parent
    broken = scene.write_version(folder, "broken", "scene@broken", 2)
    damage(broken)
    before = fresh.decide("m01", offer_count=10)

    scene.promote(folder, broken)

    wait_until(lambda: bool(log.errors), "the broken model is noticed")
    after = fresh.decide("m01", offer_count=10)
    assert after.model_version == scene.MODEL_VERSION
    assert list(after.offers) == list(before.offers)
    assert fresh.healthy()
    (line,) = log.errors
    assert line["programme"] == "default"
    assert str(broken) in line["problem"]

    scene.promote(folder, scene.write_version(folder, "good", "scene@3", 3))

    wait_until(lambda: fresh.decide("m01").model_version == "scene@3", "the good model serves")


def test_broken_model_is_told_once(tmp_path: Path, log: CapturedLog) -> None:
    """Looking again and again at the same broken model tells of it once; the next broken one is told again."""
    folder = tmp_path / "scene"
    scene.write_scene(folder)
    swapped: list[str] = []

    def swap(path: Path) -> str:
        version = open_for("default", Task.REPLENISH, path).manifest.model_version
        swapped.append(version)
        return version

    link = scene.champion_link(folder)
    watched = Watched("default", "replenish", link, link.resolve(), swap)

    for count, damage in enumerate((_truncated, _gone), start=1):
        broken = scene.write_version(folder, f"broken-{count}", "scene@broken", 2)
        damage(broken)
        scene.promote(folder, broken)
        for _ in range(3):
            look(watched)
        assert len(log.errors) == count

    scene.promote(folder, scene.write_version(folder, "good", "scene@3", 3))
    for _ in range(3):
        look(watched)
    assert swapped == ["scene@3"]


def test_champion_taken_away(fresh: Running) -> None:
    """A link that disappears leaves the loaded model serving."""
    scene.champion_link(fresh.log_path.parent).unlink()
    folder = fresh.log_path.parent
    # The watcher looks twenty times a second.
    time.sleep(0.3)

    assert fresh.decide("m01").model_version == scene.MODEL_VERSION
    scene.promote(folder, scene.write_version(folder, "2", "scene@2", 2))
    wait_until(lambda: fresh.decide("m01").model_version == "scene@2", "the next model serves")


def test_open_file_survives_removal_of_its_folder(fresh: Running) -> None:
    """The arrays of a served bundle stay readable when its folder is cleaned up."""
    old = scene.champion_link(fresh.log_path.parent).resolve()
    before = fresh.decide("Zoë", offer_count=10)
    shutil.rmtree(old)

    assert list(fresh.decide("Zoë", offer_count=10).offers) == list(before.offers)
