"""A server whose log commands read, and that they call."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.cli.in_process import Ran
from tests.server.decision_scene import Asking, Now
from tests.server.running import Running

Command = Callable[..., Ran]


@dataclass(frozen=True)
class Deciding:
    """A running server.

    Attributes:
        server: The server.
        ask: Its calls.
        config: Its configuration.
        address: Host and port.
        now: Its clock.
    """

    server: Running
    ask: Asking
    config: str
    address: str
    now: Now

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return Path(self.config).parent
