"""The run of one model: trials below it while they happen, everything else when the model is done."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from training.evaluation import paired_difference
from training.offers.model_cards import model_card
from training.offers.result import COUNTING, TrainedModel, TrialRecord, estimates_json
from training.plots import model_plots
from training.tracking.evidence import CASES_FILE, PARITY_FILE, parity_of, write_cases, write_parity
from training.tracking.recipes import write_recipe
from training.tracking.records import RecordedModel, model_version
from training.tracking.registering import register_version, store_model
from training.tracking.runs import NOTE_TAG, RunContext, flat, job_tags


class ModelRun:
    """The record of one model, open until ``finish``. Several may be open at once.

    Attributes:
        name: Name of the model.
        run_id: MLflow run.
        open: Whether it is not finished yet.
    """

    def __init__(self, context: RunContext, name: str) -> None:
        self.name = name
        self._context = context
        self._tags = job_tags(context.job) | {"troth.model": name}
        self.run_id = context.start(f"{context.job.task}/{name}", context.parent_run_id, self._tags)
        self.open = True
        context.log_dataset(self.run_id)

    def log_trial(self, trial: TrialRecord) -> None:
        """Record a setting that was tried, as a finished run below this one."""
        context, seconds = self._context, trial.fit_seconds + trial.score_seconds
        run_id = context.start(f"trial {trial.number}", self.run_id, self._tags, seconds_ago=seconds)
        try:
            times = {"fit_seconds": trial.fit_seconds, "score_seconds": trial.score_seconds}
            context.log(run_id, metrics=flat(trial.metrics) | times, parameters=trial.parameters)
        except BaseException:
            context.end(run_id, failed=True)
            raise
        context.end(run_id)

    def finish(self, trained: TrainedModel, baselines: Mapping[str, TrainedModel]) -> RecordedModel:
        """Record how the model did, store it, register it as a new version, and close the run.

        Args:
            trained: The model.
            baselines: Models to compare it with, by name; ``decayed_frequency`` where the job has it.
        """
        context, job = self._context, self._context.job
        counting = baselines.get(COUNTING) if trained.name != COUNTING else None
        note = model_card(trained, job, counting)
        model = store_model(
            context,
            self.run_id,
            self.name,
            trained.model,
            parameters=trained.parameters,
            metrics=flat(trained.judged.metrics),
        )
        with tempfile.TemporaryDirectory(prefix="troth-") as temporary:
            files = Path(temporary) / "files"
            self._write_files(trained, counting, files)
            context.client.log_artifacts(self.run_id, str(files))
        context.log(
            self.run_id,
            metrics=_metrics(trained, counting, job.metric),
            parameters=trained.parameters,
            tags={NOTE_TAG: note},
            model_id=model.model_id,
        )
        version = register_version(context, self.run_id, model, note, self._tags)
        self.close()
        return RecordedModel(self.run_id, version, model_version(self.name, self.run_id))

    def leave_out(self, reason: str) -> None:
        """Close the run of a model that cannot be fitted on this data; its note says why."""
        self._context.log(self.run_id, tags={NOTE_TAG: f"Left out: {reason}"})
        self.close()

    def close(self, *, failed: bool = False) -> None:
        """Close the run."""
        self.open = False
        self._context.end(self.run_id, failed=failed)

    def _write_files(self, trained: TrainedModel, counting: TrainedModel | None, folder: Path) -> None:
        """Write the artifacts of the run into a new folder."""
        plots = model_plots(trained, self._context.job, counting)
        (folder / "plots").mkdir(parents=True)
        for name, image in plots.items():
            (folder / "plots" / name).write_bytes(image)
        write_cases(folder / CASES_FILE, trained.judged, trained.model.member_ids)
        write_parity(folder / PARITY_FILE, parity_of(trained.model, self._context.job.seed))
        if trained.recipe is not None and trained.known is not None:
            write_recipe(folder, trained.recipe, trained.known)
        documents: dict[str, object] = {"trials.json": [_trial_json(trial) for trial in trained.trials]}
        if trained.slices:
            documents["slices.json"] = {
                name: estimates_json(estimates) for name, estimates in trained.slices.items()
            }
        if trained.gains:
            documents["gains.json"] = dict(trained.gains)
        for name, document in documents.items():
            (folder / name).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _metrics(trained: TrainedModel, counting: TrainedModel | None, metric: str) -> dict[str, float]:
    """Return the numbers of a model's run: both windows, the deciding one, times and slices."""
    metrics = flat(trained.validation.metrics, "validation_")
    if trained.test is not None:
        metrics |= flat(trained.test.metrics, "test_")
    metrics |= flat({metric: trained.judged.metrics[metric]})
    if counting is not None:
        delta = paired_difference(trained.judged, counting.judged, metric)
        metrics |= flat({f"difference_to_{COUNTING}": delta})
    for name, estimates in trained.slices.items():
        metrics |= flat(estimates, f"slices/{name}/")
    return metrics | {"fit_seconds": trained.fit_seconds, "peak_memory_mib": trained.peak_memory_mib}


def _trial_json(trial: TrialRecord) -> dict[str, object]:
    return {
        "number": trial.number,
        "parameters": dict(trial.parameters),
        "metrics": estimates_json(trial.metrics),
        "fit_seconds": round(trial.fit_seconds, 3),
        "score_seconds": round(trial.score_seconds, 3),
    }
