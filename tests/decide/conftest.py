"""The same examples on every run, and catalogues by the thousand."""

import functools
import zoneinfo
from collections.abc import Iterator

import pytest
from hypothesis import settings

# No limit of time for each example, which a busy machine would break.
settings.register_profile("troth", derandomize=True, deadline=None, database=None)
settings.load_profile("troth")


@pytest.fixture(scope="session", autouse=True)
def _zones_listed_once() -> Iterator[None]:
    """List the machine's time zones once: it takes most of the time that a small catalogue needs."""
    with pytest.MonkeyPatch.context() as patch:
        listed = functools.cache(zoneinfo.available_timezones)
        patch.setattr("server.catalogue.model.available_timezones", listed)
        yield
