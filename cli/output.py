"""What a command prints: sentences for people, one JSON document for programs, progress on stderr.

Progress is a bar on a terminal; elsewhere it is lines with the time that has passed.
"""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from experiments.errors import AnalysisError


def say(sentence: str) -> None:
    """Print a line for people, at once."""
    sys.stdout.write(sentence + "\n")
    sys.stdout.flush()


def write_json(document: Mapping[str, Any], target: str) -> None:
    """Write one JSON document to a file, or to stdout for ``-``."""
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if target == "-":
        sys.stdout.write(text)
    else:
        write_text(Path(target), text)


def write_text(path: Path, text: str) -> None:
    """Write a file.

    Raises:
        AnalysisError: It cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise AnalysisError(f"{path} cannot be written: {error.strerror or error}.", path=str(path)) from None


def publish(json: str, document: Callable[[], Mapping[str, Any]], text: Callable[[], str]) -> None:
    """Write a command's JSON document where that is asked for, and say its text unless stdout is the document's.

    Args:
        json: The option ``--json``: a file, ``-`` for stdout, or empty.
        document: Makes the document.
        text: Makes the text for people.
    """
    if json:
        write_json(document(), json)
    if json != "-":
        say(text())


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows as aligned columns under a header."""
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


Report = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""

QUIET_SECONDS = 10.0
"""A command that ends sooner writes no lines."""

ALIVE_SECONDS = 30.0
"""Longest silence of one that runs on."""


@contextmanager
def progress_bar() -> Iterator[Report]:
    """Show what was reported last: as a bar on a terminal, else as lines for a log."""
    if not sys.stderr.isatty():
        with progress_lines(sys.stderr) as report:
            yield report
        return
    with Progress(
        TextColumn("  {task.description:48}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as progress:
        task = progress.add_task("", total=None)

        def report_bar(what: str, done: int, total: int) -> None:
            progress.update(task, description=what, completed=done, total=total)

        yield report_bar


@contextmanager
def progress_lines(
    stream: TextIO, *, quiet: float = QUIET_SECONDS, alive: float = ALIVE_SECONDS
) -> Iterator[Report]:
    """Write a line when something else is reported, and the last one again with the time since, now and then.

    A count that grows under the same text gives no line of its own.

    Args:
        stream: Where the lines go.
        quiet: Seconds at the beginning without lines.
        alive: Most seconds between two lines after that.

    Returns:
        The reporter.
    """
    lines = Lines(stream, quiet)
    ended = threading.Event()

    def watch() -> None:
        wait = quiet
        while not ended.wait(wait):
            wait = lines.say_alive(alive)

    watcher = threading.Thread(target=watch, name="progress", daemon=True)
    watcher.start()
    try:
        yield lines.report
    finally:
        ended.set()
        watcher.join()


def spoken(seconds: float) -> str:
    """Return a time as people say it, such as ``1 m 20 s``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} m"
    return f"{minutes} m {rest:02} s" if minutes else f"{rest} s"


class Lines:
    """What was reported last, and when something was last written."""

    def __init__(self, stream: TextIO, quiet: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin.

        Args:
            stream: Where the lines go.
            quiet: Seconds at the beginning without lines.
            clock: Tells the time in seconds.
        """
        self._stream, self._quiet, self._clock = stream, quiet, clock
        self._lock = threading.Lock()
        self._started = self._since = self._written = self._clock()
        self._what, self._count = "", ""

    def report(self, what: str, done: int, total: int) -> None:
        """Take a report; a new text is written at once.

        Args:
            what: What is compared.
            done: How much is done.
            total: How much there is.
        """
        with self._lock:
            self._count = f" ({done:,} of {total:,})" if total > 1 else ""
            if what == self._what:
                return
            self._what, self._since = what, self._clock()
            if self._since - self._started >= self._quiet:
                self._write("")

    def say_alive(self, alive: float) -> float:
        """Write that the same is still going on, if nothing was written for long; return when to look again."""
        with self._lock:
            now = self._clock()
            if self._written == self._started or now - self._written >= alive:
                self._write(f", {spoken(now - self._since)}")
            return max(alive - (self._clock() - self._written), 0.01)

    def _write(self, lasting: str) -> None:
        self._written = self._clock()
        if self._what:
            elapsed = spoken(self._written - self._started)
            self._stream.write(f"{elapsed:>10}  {self._what}{self._count}{lasting}\n")
            self._stream.flush()
