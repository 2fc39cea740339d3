"""The real server, as a process of its own."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from experiments.errors import DomainError

_LONGEST_STOP_S = 30.0
_LINES_SHOWN = 3


class ServerProcessError(DomainError):
    """The server did not start or stopped by itself."""

    reason = "SERVER_FAILED"


@contextmanager
def serving(config: Path, log: Path) -> Iterator[str]:
    """Run `troth serve --replay` on free ports and give its address; drain it in the end.

    Args:
        config: The configuration.
        log: File for the server's structured log.

    Raises:
        ServerProcessError: It did not start.
    """
    command = [
        sys.executable, "-m", "cli.main", "serve", "--config", str(config), "--replay",
        "--port", "0", "--metrics-port", "0",
    ]  # fmt: skip
    with (
        log.open("wb") as lines,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=lines, text=True) as process,
    ):
        assert process.stdout is not None
        try:
            said = process.stdout.readline()
            found = re.search(r"answers on (\S+),", said)
            if found is None:
                process.wait(timeout=_LONGEST_STOP_S)
                last = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LINES_SHOWN:]
                raise ServerProcessError(
                    f"The server did not start: {' '.join(last)} (see {log})", log=str(log)
                )
            yield found.group(1)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=_LONGEST_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
