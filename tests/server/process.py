"""The server as a process of its own, as operators run it."""

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from experiments.log.frames import EventFrames, read_log
from tests.server.running import Client

ROOT = Path(__file__).parents[2]
LONGEST_START_S = 60.0
LONGEST_STOP_S = 30.0
_ADDRESSES = re.compile(r"answers on (\S+?), metrics on (\S+?)\.?$")


def serve_command(config: Path, *options: str) -> list[str]:
    """Return the command that serves a configuration on free ports."""
    return [sys.executable, "-m", "cli.main", "serve", "--config", str(config), *options]


class ServerProcess:
    """A running `troth serve`.

    Attributes:
        process: The process.
        address: Host and port of gRPC.
        metrics_address: Host and port of the metrics.
        errors: File with what it wrote to stderr.
        log_path: Its SQLite file, if the configuration is a scene's.
    """

    def __init__(self, config: Path, errors: Path, command: Sequence[str]) -> None:
        self.errors = errors
        self.log_path = config.parent / "troth.db"
        with errors.open("ab") as lines:
            self.process: subprocess.Popen[str] = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=lines, text=True, cwd=ROOT
            )
        assert self.process.stdout is not None
        line = _first_line(self.process.stdout)
        found = _ADDRESSES.search(line)
        if found is None:
            self.kill()
            written = errors.read_text(encoding="utf-8", errors="replace")
            raise AssertionError(
                f"the server said {line!r} instead of its address; stderr: {written[-3000:]}"
            )
        self.address, self.metrics_address = found.groups()

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    def frames(self, programme: str = "default") -> EventFrames:
        """Return the log as an analysis reads it."""
        return read_log(self.log_path, programme)

    def kill(self) -> None:
        """End it without a chance to clean up (SIGKILL)."""
        self.process.kill()
        self._reap()

    def stop(self) -> int:
        """Drain it (SIGTERM) and return its exit code; kill it if it does not end."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=LONGEST_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self._reap()
        return self.process.returncode

    def _reap(self) -> None:
        self.process.wait(timeout=LONGEST_STOP_S)
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def serving(config: Path, *options: str) -> Iterator[ServerProcess]:
    """Run `troth serve` on a configuration; it is ended whatever happens.

    Args:
        config: The configuration; its stderr goes to ``server.log`` beside it.
        options: Further options of the command.
    """
    server = ServerProcess(config, config.parent / "server.log", serve_command(config, *options))
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def connected(server: ServerProcess) -> Iterator[Client]:
    """Connect a client to a server process."""
    client = Client(server.address)
    try:
        yield client
    finally:
        client.close()


def _first_line(stream: IO[str]) -> str:
    """Read one line, or give up when the process says nothing for too long."""
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.append(stream.readline()), daemon=True)
    reader.start()
    reader.join(LONGEST_START_S)
    return lines[0].rstrip() if lines else ""
