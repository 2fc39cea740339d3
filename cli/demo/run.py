"""`troth demo`: train, register, pull, serve, replay, analyse, report. The server is the real one, a process of its own."""

import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cli.demo.replay import PLACEMENT, ReplayCounts, covered_products, replay, trips_of_weeks
from cli.demo.report import report_context
from cli.demo.workspace import Workspace, open_workspace, write_definitions
from cli.output import Report, progress_bar, say, write_json
from cli.train import comparison
from experiments.analysis import ExperimentResult, analyze_log
from experiments.definition import load_experiments
from experiments.errors import DomainError
from experiments.log.frames import read_log
from experiments.pages import build_report
from training.data import OfferDataset
from training.data.complete_journey import MAX_PRODUCTS, load_dataset
from training.offers.job import train_offers
from training.offers.job_data import from_coupons_until
from training.offers.options import JobOptions
from training.offers.result import TrainOffersResult
from training.tracking import pull_model

_MAX_STOP_S = 30.0
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
                process.wait(timeout=_MAX_STOP_S)
                last = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LINES_SHOWN:]
                raise ServerProcessError(
                    f"The server did not start: {' '.join(last)} (see {log})", log=str(log)
                )
            yield found.group(1)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=_MAX_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()


PROGRAMME = "default"
TASK = "redeem"
LAST_SEEN_WEEK = 49
REPLAY_WEEKS = (50, 53)
DEMO_MODELS = ("popularity", "decayed_frequency")
"""What a demo trains in seconds; `troth train offers` trains the others, too."""


def run_demo(folder: Path, models: Sequence[str] | None, max_trips: int) -> None:
    """Run the whole loop and say what was done.

    Args:
        folder: For everything the demo makes.
        models: Train only these; all if none are named.
        max_trips: Replay only the first trips, up to this many; 0 for all.

    Raises:
        DomainError: A step cannot be done; its message says why.
    """
    started = time.monotonic()
    say("Troth demo: a year of a grocery loyalty programme (Complete Journey), from training to report.")
    workspace = open_workspace(folder)
    with step("Read the purchases"):
        dataset = load_dataset("complete-journey")
    source = from_coupons_until(LAST_SEEN_WEEK, MAX_PRODUCTS)
    with (
        step(f"Trained and compared models in MLflow ({source.split.description})"),
        progress_bar() as report,
    ):
        options = JobOptions(store=folder / "mlflow", programme=PROGRAMME, models=models or DEMO_MODELS)
        trained = train_offers(source, options, progress=report)
    say(_indented(comparison(trained)))
    with step("Pulled the champion, wrote catalogue and experiment"):
        pulled = pull_model(folder / "mlflow", PROGRAMME, TASK, target_dir=workspace.models)
        write_definitions(workspace, dataset, LAST_SEEN_WEEK)
    weeks = f"{REPLAY_WEEKS[0]} to {REPLAY_WEEKS[1]}"
    with step(f"Replayed the trips of weeks {weeks} against the server"), progress_bar() as report:
        counts = _replay(workspace, dataset, max_trips, report)
    say(
        f"  {counts.trip_count:,} trips asked for offers, {counts.exposure_count:,} exposures and "
        f"{counts.outcome_count:,} purchases from the offers' products were logged."
    )
    with step("Analysed the log, wrote the report"):
        result = _analyse(workspace, dataset, trained, counts)
    say(f"  Done in {time.monotonic() - started:.0f} s, serving {pulled.manifest.model_version}.\n")
    _say_what_next(workspace, trained, result)


@contextmanager
def step(done: str) -> Iterator[None]:
    """Time a step and say that it is done."""
    started = time.monotonic()
    yield
    say(f"• {done} ({time.monotonic() - started:.1f} s)")


def _replay(workspace: Workspace, dataset: OfferDataset, limit: int, report: Report) -> ReplayCounts:
    trips = trips_of_weeks(dataset, *REPLAY_WEEKS)
    trips = trips[:limit] if limit else trips
    with serving(workspace.replay_config, workspace.replay / "server.log") as address:
        return replay(
            address,
            trips,
            covered_products(dataset),
            lambda done: report("Replaying trips", done, len(trips)),
        )


def _analyse(
    workspace: Workspace, dataset: OfferDataset, trained: TrainOffersResult, counts: ReplayCounts
) -> ExperimentResult:
    (definition,) = load_experiments(workspace.experiment)
    frames = read_log(workspace.log, PROGRAMME)
    result = analyze_log(definition, frames)
    write_json(result.to_json(), str(workspace.replay / "result.json"))
    html = build_report(result, report_context(dataset, trained, counts, frames.decisions))
    (workspace.replay / "report.html").write_text(html, encoding="utf-8")
    shutil.copyfile(workspace.replay / "report.html", workspace.folder / "report.html")
    return result


def _say_what_next(workspace: Workspace, trained: TrainOffersResult, result: ExperimentResult) -> None:
    programs = Path(sys.executable).parent
    say(f"Report:  {(workspace.folder / 'report.html').absolute()}")
    say(f"Result:  {result.sentence()}")
    say(f"MLflow:  {programs / 'mlflow'} ui --backend-store-uri {trained.tracking_uri}")
    say(f"Server:  {programs / 'troth'} serve --config {workspace.live_config} --replay")
    say(
        "Call:    grpcurl -plaintext -d "
        f"""'{{"member_id": "1", "placement_id": "{PLACEMENT}", "request_time": "2017-12-15T17:00:00Z"}}' """
        "127.0.0.1:50051 troth.v1.RecommendationService/RecommendOffers"
    )


def _indented(text: str) -> str:
    return "\n".join("  " + line for line in text.splitlines())
