"""How long something took and how much memory the process held while it did."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_INTERVAL = 0.02
_MIB = 1024.0 * 1024.0


@dataclass
class Measured:
    """What was measured; filled when the block ends.

    Attributes:
        seconds: Wall time.
        peak_memory_mib: Most resident memory of the process, in MiB.
    """

    seconds: float = 0.0
    peak_memory_mib: float = 0.0


@contextmanager
def measured() -> Iterator[Measured]:
    """Measure the block; memory is looked at every 20 ms and at both ends."""
    import psutil

    process, result, ended = psutil.Process(), Measured(), threading.Event()

    def look() -> None:
        result.peak_memory_mib = max(result.peak_memory_mib, process.memory_info().rss / _MIB)

    def watch() -> None:
        while not ended.wait(_INTERVAL):
            look()

    look()
    watcher = threading.Thread(target=watch, name="memory", daemon=True)
    watcher.start()
    started = time.perf_counter()
    try:
        yield result
    finally:
        result.seconds = time.perf_counter() - started
        ended.set()
        watcher.join()
        look()
