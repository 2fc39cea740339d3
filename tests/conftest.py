"""How the whole suite runs: one thread a process, libraries compiled once, heavy files first."""

import os
import socketserver
import sys
from collections.abc import Callable

import pytest

# Workers times threads are the cores. OpenMP's limit holds for what asks for more by itself (LightGBM, implicit); all of
# it must be said before numpy or polars is imported, and processes that tests start inherit it.
for _name in (
    "OMP_NUM_THREADS",
    "OMP_THREAD_LIMIT",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "POLARS_MAX_THREADS",
):
    os.environ[_name] = "1"

# Where nothing may keep bytecode, each of the hundred processes that tests start compiles every library again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# The HTTP server of the metrics looks twice a second whether it should end; tests end hundreds of them.
socketserver.BaseServer.serve_forever.__defaults__ = (0.02,)

# The longest, in this order; a group is run by one worker, so that what its files share is made once. Importing MLflow and
# laying out an empty store take a process several seconds.
_GROUPS = {
    "mlflow": (
        "training/test_tracking.py",
        "training/test_offers_job.py",
        "training/test_refresh_job.py",
        "training/test_promotion.py",
        "training/actions/test_job.py",
        "training/member_value/test_job.py",
        "cli/test_models_command.py",
        "cli/test_models_refresh.py",
        "cli/test_plan_command.py",
    ),
    "loop": ("e2e/test_loop.py",),
    "kill": ("e2e/test_kill.py",),
    "start": ("server/test_start.py",),
    "budgets": ("server/test_concurrent_budgets.py",),
}
# Files whose tests are long and share nothing: single tests, which fill the gaps at the end.
_SPREAD = (
    "decide/test_propensities.py",
    "experiments/error_rates/",
    "experiments/send_plan/test_simulations.py",
    "training/actions/test_learning.py",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tell xdist which tests belong together, and put the heavy ones first."""
    if not config.pluginmanager.hasplugin("xdist"):
        return
    heavy = {name: (place, group) for place, (group, names) in enumerate(_GROUPS.items()) for name in names}
    places = {}
    for item in items:
        name = item.path.relative_to(config.rootpath / "tests").as_posix()
        place, group = heavy.get(name, (len(heavy), name.removesuffix(".py").replace("/test_", "/")))
        if name.startswith(_SPREAD):
            place += 1
        else:
            item.add_marker(pytest.mark.xdist_group(group))
        places[item] = place
    items.sort(key=places.__getitem__)


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Notes what a simulation measured, by name; ``make nightly`` writes it into docs/test-results.md."""

    def note(**measured: float) -> None:
        for name, value in measured.items():
            record_property(name.replace("_", " "), f"{value:.4g}")

    return note
