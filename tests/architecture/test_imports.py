"""What may import what."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("cli", "server", "training", "experiments", "troth")

# Serves one decision in a fresh process, then tells what was imported on the way.
SERVE_ONE = """
import json, sys, tempfile
from pathlib import Path
from tests.server.scene import write_scene   # makes files only; imports what the server imports anyway
def loaded():
    return sorted(name for name in FORBIDDEN if name in sys.modules)
FORBIDDEN = ("mlflow", "pandas", "scipy.stats", "sklearn", "implicit", "lightfm", "lightgbm", "optuna",
             "matplotlib", "altair", "pyarrow")
import server.app
at_import = loaded()
from server.config import load_config
import grpc
from troth.v1 import recommendation_service_pb2 as messages, recommendation_service_pb2_grpc as services
from troth.v1 import experiment_service_pb2, experiment_service_pb2_grpc
with tempfile.TemporaryDirectory() as folder:
    app = server.app.build(load_config(write_scene(Path(folder) / "scene")))
    app.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{app.port}") as channel:
            stub = services.RecommendationServiceStub(channel)
            question = messages.RecommendOffersRequest(member_id="m01", placement_id="checkout")
            answer = stub.RecommendOffers(question, timeout=20)
            experiments = experiment_service_pb2_grpc.ExperimentServiceStub(channel)
            experiments.GetAssignments(experiment_service_pb2.GetAssignmentsRequest(member_id="m01"), timeout=20)
            experiments.ListExperiments(experiment_service_pb2.ListExperimentsRequest(), timeout=20)
    finally:
        app.stop()
print(json.dumps({"at_import": at_import, "after": loaded(), "offers": len(answer.decision.offers)}))
"""


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, cwd=ROOT, timeout=120, check=False
    )


def test_import_contracts() -> None:
    """The contracts of pyproject.toml hold, and there are some."""
    tool = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [tool, "--no-cache"], capture_output=True, text=True, cwd=ROOT, timeout=120, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout
    assert "KEPT" in done.stdout


def test_serving_path_is_light() -> None:
    """A server that starts, decides, assigns and lists imports neither the tracker nor the heavy libraries of others."""
    done = _python("-c", SERVE_ONE)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"at_import": [], "after": [], "offers": 3}


def test_command_line_starts_light() -> None:
    """`troth serve` pays for what it serves with, not for training: the command imports libraries where they are used."""
    done = _python(
        "-c",
        "import sys, cli.main; "
        "print([name for name in ('mlflow', 'pandas', 'sklearn', 'grpc', 'polars') if name in sys.modules])",
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_without_a_subject(package: str) -> None:
    """There is no ``utils`` and no ``common``: what a module is about stands in its name."""
    vague = {"utils", "util", "common", "helpers", "misc", "shared", "base_utils", "lib"}
    names = {
        part
        for path in (ROOT / package).rglob("*.py")
        for part in path.relative_to(ROOT).with_suffix("").parts
    }

    assert not names & vague


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_is_named_like_a_standard_one(package: str) -> None:
    """No top-level module of ours hides one of the standard library."""
    assert package not in sys.stdlib_module_names


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_are_absolute(package: str) -> None:
    """A reader sees where a name comes from: no import is relative."""
    relative = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in (ROOT / package).rglob("*.py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if line.lstrip().startswith("from .")
    ]

    assert not relative
