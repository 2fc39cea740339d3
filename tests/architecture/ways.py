"""Which files of the product a piece of work runs through."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).parents[2]
PACKAGES = ("server", "experiments", "training", "cli", "troth")


@contextmanager
def files_of() -> Iterator[set[str]]:
    """Gather the files of the product whose functions are called meanwhile, on any thread; generated code is left out.

    Threads that run already are watched from their next call on, if they were started while ``watched_threads`` was on.
    """
    found: set[str] = set()

    def note(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and frame.f_code.co_name != "<module>":
            _add(found, frame.f_code.co_filename)

    _CURRENT.append(note)
    sys.setprofile(note)
    try:
        yield found
    finally:
        sys.setprofile(None)
        _CURRENT.remove(note)


@contextmanager
def watched_threads() -> Iterator[None]:
    """Let ``files_of`` see the threads that are started meanwhile."""
    threading.setprofile(_forward)
    try:
        yield
    finally:
        threading.setprofile(None)


_CURRENT: list[Callable[[FrameType, str, object], None]] = []


def _forward(frame: FrameType, event: str, argument: object) -> None:
    for note in _CURRENT:
        note(frame, event, argument)


def _add(found: set[str], name: str) -> None:
    path = Path(name)
    if path.is_relative_to(ROOT):
        inside = path.relative_to(ROOT)
        if inside.parts[0] in PACKAGES and inside.parts[:2] != ("troth", "v1"):
            found.add(str(inside))
