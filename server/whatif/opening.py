"""What a simulation starts from: the programme as it is in force, and its log, both only read."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from experiments.errors import DefinitionError, Problem
from server.catalogue import load_catalogue
from server.config import Config
from server.decide.snapshot import Snapshot
from server.programme.loading import OpeningStore, open_parts, snapshot
from server.programme.programmes import Programmes
from server.storage import SqliteEventLog
from server.whatif.log import LogReads


@dataclass(frozen=True, slots=True)
class Opened:
    """A programme ready to be simulated.

    Attributes:
        programme: The loyalty programme.
        today: What is in force.
        log: Its decision log; an empty one if the server has not made it yet.
        now: The time; standing arms are those of its period.
        evidence_interval: Between two looks of the server at the responses.
    """

    programme: str
    today: Snapshot
    log: LogReads
    now: datetime
    evidence_interval: timedelta

    def revised(self, path: Path | None) -> Snapshot:
        """Return what would be in force with another catalogue; the same as today without one.

        Raises:
            DefinitionError: The catalogue is wrong; all problems are named.
        """
        if path is None:
            return self.today
        catalogue = load_catalogue(path)
        if catalogue.programme != self.programme:
            problem = Problem("programme", f"is {catalogue.programme!r}; {self.programme!r} is simulated")
            raise DefinitionError(str(path), [problem])
        # By the way that a change over gRPC takes, so that standing arms change too.
        programmes = Programmes({self.programme: self.today})
        programmes.replace_catalogue(self.programme, catalogue, self.now.astimezone(catalogue.zone).date())
        return programmes.current(self.programme)


@contextmanager
def opened(config: Config, programme: str, now: datetime) -> Iterator[Opened]:
    """Open a programme as the server would, without writing anything.

    Args:
        config: The server's configuration.
        programme: One of its programmes.
        now: The time.

    Returns:
        The opened programme.

    Raises:
        DefinitionError: A definition is wrong; all problems are named.
        StartError: A model cannot be opened, or the store breaks the rules of this version.
        SimulationError: The log cannot be read.
    """
    with TemporaryDirectory(prefix="troth-simulation-") as folder:
        path = Path(config.store.path)
        if not path.is_file():
            path = Path(folder) / "empty.db"
            SqliteEventLog(path).close()
        with closing(LogReads(path)) as log:
            parts = open_parts(programme, config.programmes[programme])
            today = snapshot(parts, cast(OpeningStore, log), now)
            yield Opened(programme, today, log, now, timedelta(seconds=config.server.evidence_interval))
