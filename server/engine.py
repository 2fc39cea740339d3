"""Everything behind the gRPC server: store, states, models, handlers, and the threads that keep them up to date."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

from experiments.errors import DomainError
from experiments.log.events import Outcome
from server.budgets import Accounts, Books, BudgetFollower, Totals
from server.clock import Clock
from server.config import Config
from server.handlers.assignments import Assigner, AssignmentHandler
from server.handlers.campaign import CampaignHandler
from server.handlers.catalogue import CatalogueHandler, SegmentHandler
from server.handlers.decisions import DecisionMaker
from server.handlers.experiments import ExperimentHandler
from server.handlers.members import MemberHandler
from server.handlers.outcomes import EventHandler
from server.handlers.replay import ReplayHandler
from server.handlers.results import ResultsHandler
from server.metrics import Metrics
from server.programme.background import BackgroundTasks
from server.programme.loading import StartError, open_parts, snapshot
from server.programme.models import (
    ACTIONS,
    ModelWatcher,
    Watched,
    actions_folder,
    champion_folder,
    open_actions_at,
    open_for,
)
from server.programme.programmes import EvidenceCache, Programmes
from server.storage import SqliteEventLog
from server.storage.budget_writes import BudgetWrites
from server.storage.member_cache import MemberStates
from training.bundle import Task

_TASK_TIMEOUT_S = 5.0


class Engine:
    """The handlers of a server and what they work on. ``start`` it, ``close`` it once.

    Args:
        config: The operator's configuration.
        clock: The server's clock.
        metrics: Told what happens.
        on_model: Called after another model began to serve.

    Attributes:
        programmes: What is in force.
        decisions: Makes decisions.
        campaigns: Makes those of campaigns.
        replays: Explains them, and makes them again.
        assignments: Answers which variant.
        experiments: Changes experiments.
        results: Analyses them.
        members: Keeps what is said of members.
        catalogues: Keeps catalogues.
        segments: Measures segments.
        events: Takes in exposures and outcomes.

    Raises:
        StartError: It cannot start.
        DefinitionError: A definition is wrong; all problems are named.
    """

    def __init__(self, config: Config, clock: Clock, metrics: Metrics, on_model: Callable[[], None]) -> None:
        self._config = config
        self._metrics = metrics
        self._on_model = on_model
        self._opened: list[Callable[[], None]] = []
        try:
            self._open(clock)
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Say which models serve, and begin to keep things up to date."""
        for programme in self._config.programmes:
            for task, bundle in self.programmes.current(programme).bundles.items():
                self._metrics.serves(programme, task, bundle.manifest.model_version)
            actions = self.programmes.current(programme).actions
            if actions is not None:
                self._metrics.serves(programme, ACTIONS, actions.manifest.model_version)
        self._watcher.start()
        self._background.run_once()
        self._background.start()

    def is_ready(self) -> bool:
        """Tell whether every programme that names a models folder has a model."""
        return all(self.programmes.has_model(name) for name in self._model_folders())

    def close(self) -> None:
        """End what was begun, the last first; what waits for the log is written. Closing twice does nothing."""
        while self._opened:
            self._opened.pop()()

    def _open(self, clock: Clock) -> None:
        config, path = self._config, Path(self._config.store.path)
        names = tuple(config.programmes)
        parts = [open_parts(name, section) for name, section in config.programmes.items()]
        books = Books(self._totals)
        self._log = self._open_log(path, books)
        self._opened.append(self._log.close)
        self._states = MemberStates(self._log)
        now = clock()
        self.programmes = Programmes({part.programme: snapshot(part, self._log, now) for part in parts})
        for name in names:
            books.open(name, self._accounts(name))
        evidence = EvidenceCache(
            self._log.evidence_until,
            lambda name: self.programmes.current(name).catalogue.response_window,
            timedelta(seconds=config.server.evidence_interval),
        )
        assigner = Assigner(self._log, names)
        self.decisions = DecisionMaker(
            self.programmes,
            assigner,
            self._states,
            self._log,
            clock,
            books=books.of,
            evidence=evidence.of,
            replay=config.server.replay,
            on_decision=self._metrics.decided,
        )
        self.campaigns = CampaignHandler(self.programmes, self.decisions)
        self._opened.append(self.campaigns.close)
        self.replays = ReplayHandler(self._log, self._model_folders(), self.programmes.current)
        self.assignments = AssignmentHandler(self.programmes, assigner, self._log, clock)
        self.experiments = ExperimentHandler(self.programmes, self._log, clock)
        self._opened.append(self.experiments.close)
        self.results = ResultsHandler(self.programmes, self._log, path, clock)
        self._opened.append(self.results.close)
        self.members = MemberHandler(self.programmes, self._log, self._states, clock)
        self.catalogues = CatalogueHandler(
            self.programmes, self._log, clock, lambda name, _: books.open(name, self._accounts(name))
        )
        self._opened.append(self.catalogues.close)
        self.segments = SegmentHandler(self.programmes, self._log)
        self.events = EventHandler(self.programmes, self._log, self._metrics.took_events)
        budgets = BudgetFollower(books.all, self._release, self._log.budget_totals)
        self._background = BackgroundTasks(
            [
                budgets.follow,
                lambda now: evidence.follow(names, now),
                self.programmes.follow_periods,
                lambda _: self.catalogues.follow(names),
                lambda _: self.experiments.follow(names),
            ],
            clock,
        )
        self._opened.append(self._background.stop)
        self._watcher = self._model_watcher()
        self._opened.append(self._watcher.stop)

    def _open_log(self, path: Path, books: Books) -> SqliteEventLog:
        if not path.parent.is_dir():
            raise StartError(
                f"The folder of the event log, {path.parent}, does not exist; make it or set [store] path."
            )
        try:
            return SqliteEventLog(
                path,
                self._metrics.committed,
                self._took,
                BudgetWrites(books.spent),
            )
        except DomainError as error:
            cause = error.metadata.get("cause", error.message)
            raise StartError(
                f"The event log cannot be opened for writing ({cause}); check the disk, the rights and [store] path."
            ) from error

    def _accounts(self, programme: str) -> Accounts:
        return self.programmes.current(programme).compiled.accounts

    def _took(self, outcomes: Sequence[Outcome]) -> None:
        self._states.took(outcomes)

    def _totals(self, programme: str, after_version: int) -> Totals:
        return self._log.budget_totals(programme, after_version)

    def _release(self, programme: str, now_micros: int) -> int:
        return self._log.release_expired(programme, now_micros, _TASK_TIMEOUT_S)

    def _model_folders(self) -> dict[str, Path]:
        return {
            name: Path(section.models) for name, section in self._config.programmes.items() if section.models
        }

    def _model_watcher(self) -> ModelWatcher:
        watched = []
        for name, folder in self._model_folders().items():
            now = self.programmes.current(name)
            for task in Task:
                opened = now.bundles.get(task)
                watched.append(
                    Watched(
                        name,
                        task.value,
                        champion_folder(folder, name, task),
                        None if opened is None else opened.path,
                        partial(self._swap_model, name, task),
                    )
                )
            path = None if now.actions is None else now.actions.path
            swap = partial(self._swap_actions, name)
            watched.append(Watched(name, ACTIONS, actions_folder(folder, name), path, swap))
        return ModelWatcher(watched, self._config.server.watch_interval)

    def _swap_model(self, programme: str, task: Task, path: Path) -> str:
        bundle = open_for(programme, task, path)
        self.programmes.replace_bundle(programme, task, bundle)
        return self._serves(programme, task.value, bundle.manifest.model_version)

    def _swap_actions(self, programme: str, path: Path) -> str:
        bundle = open_actions_at(programme, path)
        self.programmes.replace_actions(programme, bundle)
        return self._serves(programme, ACTIONS, bundle.manifest.model_version)

    def _serves(self, programme: str, task: str, version: str) -> str:
        self._metrics.serves(programme, task, version)
        self._on_model()
        return version
