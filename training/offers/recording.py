"""Recording one training job: a run that compares, below it a run per model, below that a run per trial."""

import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from training.bundle import OfferModel
from training.evaluation import Evaluation
from training.offers.model_cards import comparison_note
from training.offers.result import COUNTING, JobInfo, TrainOffersResult
from training.plots import comparison_chart
from training.tracking.evidence import CHAMPION_CASES_FILE, write_cases
from training.tracking.model_run import ModelRun
from training.tracking.registry import CHALLENGER_ALIAS
from training.tracking.runs import (
    COUNTING_RUN_TAG,
    MEASURED_CHAMPION_TAG,
    NOTE_TAG,
    RunContext,
    flat,
    job_tags,
)
from training.tracking.store import ensure_experiment, registered_model_name, using_store


class OffersRecorder:
    """The MLflow side of one training job. Use it as a context manager; an exception marks the open runs as failed.

    Attributes:
        job: What all models of the job have in common.
        model_name: Name of the registered model.
        parent_run_id: Run that compares the models.
        experiment_id: MLflow experiment.
    """

    def __init__(self, store: Path, job: JobInfo, run_name: str) -> None:
        """Prepare the record.

        Args:
            store: Folder of the store; made where it does not exist.
            job: What all models of the job have in common.
            run_name: Name of the run that compares the models.

        Raises:
            TrainingError: The programme cannot name a model.
        """
        self.job = job
        self.model_name = registered_model_name(job.programme, job.task)
        self.parent_run_id = ""
        self.experiment_id = ""
        self._store = Path(store)
        self._run_name = run_name
        self._stack = ExitStack()
        self._context: RunContext | None = None
        self._models: list[ModelRun] = []
        self._champion: tuple[str, Evaluation] | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            mlflow = stack.enter_context(using_store(self._store))
            self.experiment_id = ensure_experiment(mlflow, self._store, self.job.programme)
            run = stack.enter_context(
                mlflow.start_run(
                    experiment_id=self.experiment_id,
                    run_name=self._run_name,
                    tags=job_tags(self.job),
                    log_system_metrics=True,
                )
            )
            self.parent_run_id = str(run.info.run_id)
            context = RunContext(
                client=mlflow.MlflowClient(),
                experiment_id=self.experiment_id,
                parent_run_id=self.parent_run_id,
                registered_name=self.model_name,
                job=self.job,
            )
            context.log_dataset(self.parent_run_id)
            self._context = context
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            for model in self._models:
                if model.open:
                    model.close(failed=True)
        finally:
            self._stack.__exit__(kind, error, trace)

    def start_model(self, name: str) -> ModelRun:
        """Open the run of a model; several may be open at once."""
        model = ModelRun(self._entered(), name)
        self._models.append(model)
        return model

    def record_champion_cases(self, version: str, evaluation: Evaluation) -> None:
        """Keep how the current champion did on the cases of this job, so that the gate can compare.

        Args:
            version: The champion's version in the registry.
            evaluation: How its bundle did on the folds that the models of this job are judged on.
        """
        self._champion = version, evaluation

    def finish(self, result: TrainOffersResult) -> None:
        """Record the comparison and let the alias ``challenger`` point to the best model."""
        context = self._entered()
        best, note = result.model(result.best), comparison_note(result)
        tags = {NOTE_TAG: note, "troth.best": result.best}
        if COUNTING in result.run_ids:
            tags[COUNTING_RUN_TAG] = result.run_ids[COUNTING]
        with tempfile.TemporaryDirectory(prefix="troth-") as temporary:
            folder = Path(temporary)
            (folder / "plots").mkdir()
            (folder / "plots" / "comparison.png").write_bytes(comparison_chart(result))
            document = json.dumps(result.to_json(), indent=2, ensure_ascii=False)
            (folder / "comparison.json").write_text(document + "\n", encoding="utf-8")
            tags |= self._write_champion(folder, best.model)
            context.client.log_artifacts(self.parent_run_id, str(folder))
        metrics = flat(best.judged.metrics) | flat(best.validation.metrics, "validation_")
        context.log(self.parent_run_id, metrics=metrics, tags=tags)
        context.client.set_registered_model_alias(
            self.model_name, CHALLENGER_ALIAS, result.versions[result.best]
        )
        context.client.update_registered_model(self.model_name, description=note)

    def _write_champion(self, folder: Path, model: OfferModel) -> dict[str, str]:
        if self._champion is None:
            return {}
        version, evaluation = self._champion
        write_cases(folder / CHAMPION_CASES_FILE, evaluation, model.member_ids)
        return {MEASURED_CHAMPION_TAG: version}

    def _entered(self) -> RunContext:
        if self._context is None:
            raise RuntimeError("The recorder must be entered first: with OffersRecorder(…) as recorder.")
        return self._context
