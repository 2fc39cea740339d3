"""Servers that the tests of a session share. Each test uses ids of its own."""

import itertools
from collections.abc import Callable, Iterator

import pytest
from hypothesis import settings

from tests.server.running import Running, running
from tests.server.scene import write_scene

# The same examples on every run, and no limit of time for each, which a busy machine would break.
settings.register_profile("troth", derandomize=True, deadline=None, database=None)
settings.load_profile("troth")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A live server with a model."""
    with running(write_scene(tmp_path_factory.mktemp("live") / "scene")) as started:
        yield started


@pytest.fixture(scope="session")
def replay_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server started for replay, with a model."""
    with running(write_scene(tmp_path_factory.mktemp("replay") / "scene"), replay=True) as started:
        yield started


_numbers = itertools.count(1)


@pytest.fixture
def new_id() -> Callable[[], str]:
    """Makes ids that no other test of the process uses."""
    return lambda: f"id-{next(_numbers)}"
