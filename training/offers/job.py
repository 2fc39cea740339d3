"""The training job for offers: the models of one task, compared, recorded, and the best of them offered for service.

Settings are chosen on validation folds, the chosen ones are fitted again up to the test, and the test is looked at once.
What serves is the best on validation, if it passes the promotion gate.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from training.evaluation import Estimate, paired_difference
from training.job_description import job_info
from training.offers.champion import evaluate_champion
from training.offers.learning import Learning
from training.offers.options import DEFAULT_SEED, MIXTURE, MODELS, RANKER, JobOptions
from training.offers.problem import Problem, one_thread_of_algebra
from training.offers.recording import OffersRecorder
from training.offers.result import COUNTING, JobInfo, TrainOffersResult
from training.offers.sources import Source
from training.recommendations import write_recommendations
from training.slices import measure_slices
from training.tracking import experiment_name, registered_model_name, tracking_uri

__all__ = ["DEFAULT_SEED", "MODELS", "JobOptions", "Progress", "train_offers"]

Progress = Callable[[str, int, int], None]


def train_offers(source: Source, options: JobOptions, progress: Progress | None = None) -> TrainOffersResult:
    """Compare the models of a task, record them in MLflow, and let the best serve if it passes the gate.

    A second job on the same store goes on with the trials of the first and adds new runs and versions beside the old ones.

    Raises:
        TrainingError: A model is not known, the data cannot be used, or the store cannot be written.
    """
    names = options.check()
    problem = Problem(
        source.purchases,
        source.split,
        tuple(sorted(set(options.ks))),
        f"ndcg@{options.ks[0]}",
        options.seed,
        source.first_trees,
    )
    with one_thread_of_algebra():
        return _Job(problem, options, names, progress).run()


class _Job:
    def __init__(
        self, problem: Problem, options: JobOptions, names: Sequence[str], progress: Progress | None
    ) -> None:
        self._problem, self._options, self._progress = problem, options, progress
        self._done, self._total = 0, 3 * len(names) + 2
        self._learning = Learning(problem, options, names, self._say)
        self._models = self._learning.models

    def run(self) -> TrainOffersResult:
        problem, options = self._problem, self._options
        self._say("reading the folds")
        problem.validation  # noqa: B018  # fails before a store is made when the data cannot be used
        job = job_info(problem, options)
        run_ids, versions = {}, {}
        with OffersRecorder(options.store, job, f"{job.task} {datetime.now(UTC):%Y-%m-%d %H:%M}") as recorder:
            self._learning.run(recorder)
            best = self._best()
            self._measure_slices()
            for name, model in self._models.items():
                recorded = self._learning.runs[name].finish(model, self._models)
                run_ids[name], versions[name] = recorded.run_id, recorded.version
                self._say(f"recorded {name}")
            result = self._result(job, best, recorder, run_ids, versions)
            found = evaluate_champion(options.store, options.programme, problem, problem.judged)
            if found is not None:
                recorder.record_champion_cases(*found)
            recorder.finish(result)
        if options.promote:
            result = self._promote(result)
        if options.recommendations is not None:
            write_recommendations(
                self._models[best].model,
                max(problem.ks),
                options.recommendations,
                progress=self._progress,
            )
        return result

    def _best(self) -> str:
        metric = self._problem.metric
        return max(self._models, key=lambda name: self._models[name].validation.metrics[metric].value)

    def _measure_slices(self) -> None:
        if not self._problem.tests:
            return
        for name in {COUNTING, "popularity", MIXTURE, RANKER} & set(self._models):
            model = self._models[name]
            slices = measure_slices(
                model.model,
                self._problem.tests[-1],
                self._problem.ks,
                self._problem.purchases.members.table,
                seed=self._problem.seed,
            )
            self._models[name] = replace(model, slices=slices)

    def _promote(self, result: TrainOffersResult) -> TrainOffersResult:
        from training.promotion import promote

        outcome = promote(
            self._options.store, result.job.programme, result.job.task, result.versions[result.best]
        )
        self._say("went through the promotion gate")
        if not outcome.promoted and outcome.previous is None and COUNTING in result.versions:
            # Better that counting serves than nothing.
            counting = promote(
                self._options.store, result.job.programme, result.job.task, result.versions[COUNTING]
            )
            return replace(result, promotion=f"{outcome.reason} {counting.reason}", promoted=False)
        return replace(result, promotion=outcome.reason, promoted=outcome.promoted)

    def _result(
        self,
        job: JobInfo,
        best: str,
        recorder: OffersRecorder,
        run_ids: Mapping[str, str],
        versions: Mapping[str, str],
    ) -> TrainOffersResult:
        return TrainOffersResult(
            job=job,
            models=tuple(self._models.values()),
            best=best,
            run_ids=run_ids,
            versions=versions,
            parent_run_id=recorder.parent_run_id,
            experiment_id=recorder.experiment_id,
            experiment_name=experiment_name(job.programme),
            tracking_uri=tracking_uri(self._options.store),
            registered_model=registered_model_name(job.programme, job.task),
            differences=self._differences(),
            left_out=dict(self._learning.left_out),
        )

    def _differences(self) -> dict[str, Estimate]:
        counting = self._models.get(COUNTING)
        if counting is None:
            return {}
        return {
            name: paired_difference(model.judged, counting.judged, self._problem.metric)
            for name, model in self._models.items()
            if name != COUNTING
        }

    def _say(self, text: str, *, step: bool = True) -> None:
        self._done += step
        if self._progress is not None:
            self._progress(text, min(self._done, self._total), self._total)
