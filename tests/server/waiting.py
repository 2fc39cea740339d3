"""Waiting for something to become true, without guessing how long it takes."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], bool], what: str, within_s: float = 15.0) -> None:
    """Return as soon as the condition holds; fail if it does not in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {within_s} s in vain until {what}"
        time.sleep(0.005)
