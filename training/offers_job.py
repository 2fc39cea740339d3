"""The training job for offers: the models of one task, compared, recorded, and the best of them offered for service.

Settings are chosen on validation folds, the chosen ones are fitted again up to the test, and the test is looked at once.
What serves is the best on validation, if it passes the promotion gate.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from training.code_version import code_version
from training.data.fit_data import FitData
from training.errors import TrainingError
from training.evaluation import Estimate, Fold, paired_difference
from training.evaluation.folds import describe_day, fit_data
from training.measuring import Measured, measured
from training.offers_fits import Chosen, Problem, SecondStage, Tested, choose_settings, test_recommender
from training.offers_result import COUNTING, JobInfo, TrainedModel, TrainOffersResult, TrialRecord
from training.recommendations import write_recommendations
from training.recommenders import RECOMMENDERS
from training.slices import measure_slices
from training.sources import Source
from training.tracking import OffersRecorder, experiment_name, registered_model_name, tracking_uri
from training.tuning import Budget, StudyRecord

Progress = Callable[[str, int, int], None]

DEFAULT_SEED = 20171204
DEFAULT_KS = (10, 20)
RANKER = "ranker"
RANKER_SUMMARY = (
    "Boosted trees over the other models' scores and what is known of member and offer, calibrated."
)
MODELS = (*RECOMMENDERS, RANKER)
QUICK_TRIALS, SLOW_TRIALS, RANKER_TRIALS = 6, 1, 2
_FIRST_STAGE_SHARE, _SECOND_STAGE_SHARE = 0.6, 0.2


@dataclass(frozen=True)
class JobOptions:
    """What is asked of a job.

    Attributes:
        store: Folder of the MLflow store; made where it does not exist.
        programme: Loyalty programme.
        models: Names out of ``MODELS``; all by default, of which those that the data is too large for are left out.
        ks: Lengths of lists; the first decides.
        seed: Seed of everything random.
        time_budget: Seconds for trying settings; 0 for a fixed number of trials.
        promote: Whether the best goes through the promotion gate at the end.
        recommendations: Where to write every member's best offers by the best model, if anywhere.
    """

    store: Path
    programme: str = "default"
    models: Sequence[str] | None = None
    ks: Sequence[int] = DEFAULT_KS
    seed: int = DEFAULT_SEED
    time_budget: float = 0.0
    promote: bool = True
    recommendations: Path | None = None


def train_offers(source: Source, options: JobOptions, progress: Progress | None = None) -> TrainOffersResult:
    """Compare the models of a task, record them in MLflow, and let the best serve if it passes the gate.

    A second job on the same store goes on with the trials of the first and adds new runs and versions beside the old ones.

    Raises:
        TrainingError: A model is not known, the data cannot be used, or the store cannot be written.
    """
    names = _check(options)
    problem = Problem(
        source.purchases,
        source.split,
        tuple(sorted(set(options.ks))),
        f"ndcg@{options.ks[0]}",
        options.seed,
        source.first_trees,
    )
    with _one_thread_of_algebra():
        return _Job(problem, options, names, progress).run()


class _Job:
    def __init__(
        self, problem: Problem, options: JobOptions, names: Sequence[str], progress: Progress | None
    ) -> None:
        self._problem, self._options, self._names = problem, options, list(names)
        self._progress = progress
        self._explicit = options.models is not None
        self._done, self._total = 0, 2 * len(names) + 6
        self._chosen: dict[str, Chosen] = {}
        self._tested: dict[str, Tested] = {}
        self._models: dict[str, TrainedModel] = {}
        self._left_out: list[str] = []

    def run(self) -> TrainOffersResult:
        problem, options = self._problem, self._options
        self._say("reading the folds")
        problem.validation  # noqa: B018  # fails before a store is made when the data cannot be used
        tests = [make() for make in problem.split.test]
        final = tests[-1].data if tests else self._final_data()
        moment = tests[-1].cutoff if tests else self._last_moment()
        job = self._info(tests, moment)
        run_ids, versions = {}, {}
        with OffersRecorder(options.store, job, f"{job.task} {datetime.now(UTC):%Y-%m-%d %H:%M}") as recorder:
            runs = {}
            for name in [name for name in self._names if name != RANKER]:
                runs[name] = recorder.start_model(name)
                try:
                    self._choose(name, runs[name])
                except TrainingError as error:
                    if self._explicit:
                        raise
                    runs.pop(name).close(failed=True)
                    self._left_out.append(f"{name} is left out: {error.message}")
            for name in self._chosen:
                self._test(name, tests, final)
            if RANKER in self._names and problem.split.train and COUNTING in self._chosen:
                runs[RANKER] = recorder.start_model(RANKER)
                self._learn_second_stage(runs[RANKER], tests, final, moment)
            best = self._best()
            self._measure_slices(tests)
            for name, model in self._models.items():
                recorded = runs[name].finish(model, self._models)
                run_ids[name], versions[name] = recorded.run_id, recorded.version
                self._say(f"recorded {name}")
            result = self._result(job, best, recorder, run_ids, versions)
            self._judge_champion(recorder, tests)
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

    def _choose(self, name: str, run: Any) -> None:
        kind, budget = RECOMMENDERS[name], self._budget(name)

        def done(record: StudyRecord) -> None:
            run.log_trial(trial_record(record))
            value = record.tried.metrics[self._problem.metric].value
            self._say(f"{name}, trial {record.number}: {self._problem.metric} {value:.4f}", step=False)

        self._chosen[name] = choose_settings(
            kind,
            self._problem,
            store=self._options.store,
            study=self._study(name),
            budget=budget,
            done=done,
        )
        self._say(f"chose {name}")

    def _test(self, name: str, tests: Sequence[Fold], final: FitData) -> None:
        chosen = self._chosen[name]
        tested = test_recommender(chosen, self._problem, tests, final)
        self._tested[name] = tested
        self._models[name] = TrainedModel(
            name=name,
            summary=chosen.recommender.summary,
            parameters=chosen.recommender.parameters,
            trials=[trial_record(record) for record in chosen.trials],
            validation=chosen.validation,
            test=tested.test,
            fit_seconds=tested.measured.seconds,
            peak_memory_mib=tested.measured.peak_memory_mib,
            model=tested.model,
        )
        self._say(f"tested {name}")

    def _learn_second_stage(self, run: Any, tests: Sequence[Fold], final: FitData, moment: float) -> None:
        problem = self._problem
        taking_part = {
            name: one for name, one in self._chosen.items() if not RECOMMENDERS[name].slow or self._explicit
        }
        stage = SecondStage(problem, taking_part, lambda text: self._say(text, step=False))
        stage.prepare()

        def done(record: StudyRecord) -> None:
            run.log_trial(trial_record(record))
            self._say(f"{RANKER}, trial {record.number}", step=False)

        settings, records, fitted, curve, calibration = stage.choose(
            store=self._options.store, study=self._study(RANKER), budget=self._budget(RANKER), done=done
        )
        validation = problem.evaluate(stage.validation_models(fitted, calibration), problem.validation, 5_000)
        self._say("learned the second stage")
        models, served, result, last = [], None, Measured(), fitted
        for fold in tests:
            scorers = self._scorers_on(fold.data, taking_part, tests)
            with measured() as fitting:
                last = stage.refit(settings, fold.cutoff)
                models.append(stage.model_on(fold.data, last, calibration, scorers))
            if fold.data is final:
                served, result = models[-1], fitting
        if served is None:
            with measured() as fitting:
                last = stage.refit(settings, moment)
                served = stage.model_on(final, last, calibration, self._scorers_on(final, taking_part, tests))
            result = fitting
        self._models[RANKER] = TrainedModel(
            name=RANKER,
            summary=RANKER_SUMMARY,
            parameters=settings.parameters | {"components": ",".join(one.name for one in stage.components)},
            trials=[trial_record(record) for record in records],
            validation=validation,
            test=problem.evaluate(models, tests, 100_000) if tests else None,
            fit_seconds=result.seconds,
            peak_memory_mib=result.peak_memory_mib,
            model=served,
            gains=last.gains,
            learning=curve,
        )
        self._say(f"tested {RANKER}")

    def _scorers_on(
        self, data: FitData, chosen: Mapping[str, Chosen], tests: Sequence[Fold]
    ) -> dict[str, Any]:
        """Return the scorers that are fitted on exactly this data already."""
        served = tests[-1].data if tests else None
        if data is not served and tests:
            return {}
        return {name: self._tested[name].model.scorer for name in chosen}

    def _best(self) -> str:
        metric = self._problem.metric
        return max(self._models, key=lambda name: self._models[name].validation.metrics[metric].value)

    def _measure_slices(self, tests: Sequence[Fold]) -> None:
        folds = tests or self._problem.validation
        for name in {COUNTING, "popularity", RANKER} & set(self._models):
            model = self._models[name]
            if model.test is None:
                continue
            slices = measure_slices(
                model.model,
                folds[-1],
                self._problem.ks,
                self._problem.purchases.members.table,
                seed=self._problem.seed,
            )
            self._models[name] = replace(model, slices=slices)

    def _judge_champion(self, recorder: OffersRecorder, tests: Sequence[Fold]) -> None:
        from training.champion import evaluate_champion

        found = evaluate_champion(
            self._options.store, self._options.programme, self._problem, tests or self._problem.validation
        )
        if found is not None:
            recorder.record_champion_cases(*found)

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

    def _info(self, tests: Sequence[Fold], moment: float) -> JobInfo:
        purchases, split = self._problem.purchases, self._problem.split
        judged = tests or self._problem.validation
        feature_time = (
            datetime.fromtimestamp(moment * 86_400, tz=UTC) if purchases.has_times else datetime.now(UTC)
        )
        return JobInfo(
            programme=self._options.programme,
            task=str(split.task),
            dataset=purchases.name,
            source=purchases.source,
            fingerprint=purchases.fingerprint,
            split=split.description,
            judged_on=f"{purchases.fingerprint[:16]} {'; '.join(fold.name for fold in judged)}"[:4000],
            notes=(*purchases.notes, *split.notes),
            metric=self._problem.metric,
            ks=self._problem.ks,
            seed=self._problem.seed,
            code_version=code_version(),
            feature_time=feature_time.isoformat().replace("+00:00", "Z"),
        )

    def _final_data(self) -> FitData:
        return fit_data(self._problem.purchases, self._problem.purchases.rows, self._last_moment())

    def _last_moment(self) -> float:
        if self._problem.split.now is not None:
            return self._problem.split.now
        return float(self._problem.purchases.rows.select(pl.col("time").max()).item())

    def _study(self, name: str) -> str:
        job = self._problem
        where = describe_day(job.validation[-1].cutoff)
        return "/".join(
            (
                self._options.programme,
                str(job.split.task),
                job.purchases.fingerprint[:16],
                where,
                job.metric,
                str(job.seed),
                name,
            )
        )

    def _budget(self, name: str) -> Budget:
        seconds = self._options.time_budget
        if name == RANKER:
            return Budget(max(RANKER_TRIALS, len(self._problem.first_trees)), seconds * _SECOND_STAGE_SHARE)
        slow = RECOMMENDERS[name].slow
        if not seconds:
            return Budget(SLOW_TRIALS if slow else QUICK_TRIALS)
        ahead = [one for one in self._names if one != RANKER and one not in self._chosen]
        left = seconds * _FIRST_STAGE_SHARE - (time.monotonic() - self._started)
        return Budget(1, max(left / max(len(ahead), 1), 0.001))

    @property
    def _started(self) -> float:
        if not hasattr(self, "_start"):
            self._start = time.monotonic()
        return self._start

    def _say(self, text: str, *, step: bool = True) -> None:
        self._done += step
        if self._progress is not None:
            self._progress(text, min(self._done, self._total), self._total)


def trial_record(record: StudyRecord) -> TrialRecord:
    """Return a trial as it is recorded."""
    return TrialRecord(
        record.number,
        {**record.parameters, **record.tried.fixed},
        record.tried.metrics,
        record.tried.fit_seconds,
        record.tried.score_seconds,
    )


def _check(options: JobOptions) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(options.models)) if options.models is not None else MODELS
    unknown = [name for name in names if name not in MODELS]
    if unknown or not names:
        asked = ", ".join(unknown) or "none"
        raise TrainingError(f"Unknown models: {asked}. Choose from {', '.join(MODELS)}.", models=asked)
    if not options.ks or min(options.ks) < 1:
        raise TrainingError("The lengths of lists must be 1 or more.")
    # Fails before anything is fitted.
    registered_model_name(options.programme, "replenish")
    return names


@contextlib.contextmanager
def _one_thread_of_algebra() -> Iterator[None]:
    """Keep BLAS at one thread: products for single members are too small to share, and round alike on every machine."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

    with threadpool_limits(1, "blas"):
        yield
