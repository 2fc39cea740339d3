"""Threads of linear algebra in training jobs."""

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def one_thread_of_algebra() -> Iterator[None]:
    """Keep BLAS at one thread: products for single members are too small to share, and round alike on every machine."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

    with threadpool_limits(1, "blas"):
        yield
