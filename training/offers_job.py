"""The training job for offers: the models of one task, compared, recorded, and the best of them offered for service.

Settings are chosen on validation folds, the chosen ones are fitted again up to the test, and the test is looked at once.
What serves is the best on validation, if it passes the promotion gate.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import polars as pl

from training.bundle import OfferModel
from training.champion import evaluate_champion
from training.code_version import code_version
from training.data.fit_data import FitData
from training.errors import TrainingError
from training.evaluation import Estimate, Fold, paired_difference, sample_note
from training.evaluation.folds import describe_day, fit_data
from training.evaluation.splitting import MANY_ROWS
from training.first_stage import Chosen, Fitted, choose_settings, fit_chosen
from training.job_options import DEFAULT_SEED, MIXTURE, MODELS, RANKER, SUMMARIES, JobOptions
from training.measuring import measured
from training.mixing import MixtureStage
from training.offers_result import COUNTING, JobInfo, TrainedModel, TrainOffersResult, TrialRecord
from training.problem import MOST_TEST_CASES, MOST_VALIDATION_CASES, Problem, one_thread_of_algebra
from training.recipe import Kind, Known, Part, recipe_of
from training.recommendations import write_recommendations
from training.recommenders import RECOMMENDERS
from training.second_stage.stage import SecondStage
from training.slices import measure_slices
from training.sources import Source
from training.tracking import OffersRecorder, experiment_name, registered_model_name, tracking_uri
from training.tuning import StudyRecord

__all__ = ["DEFAULT_SEED", "MODELS", "JobOptions", "Progress", "train_offers"]

Progress = Callable[[str, int, int], None]

MOST_SLOW_FITS = 4
"""Folds that a recommender is fitted on although it learns by gradient descent, unless models were named."""
MIXED_SHARE = 0.05
"""A recommender takes part in the second stage from this weight in the mixture on, whatever its fits on earlier folds cost."""


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
        self._problem, self._options, self._names = problem, options, list(names)
        self._progress = progress
        self._done, self._total = 0, 3 * len(names) + 2
        self._left_out: dict[str, str] = {}
        self._chosen: dict[str, Chosen] = {}
        self._fitted: dict[str, Fitted] = {}
        self._models: dict[str, TrainedModel] = {}
        self._weights: dict[str, float] = {}
        self._tests: list[Fold] = []
        self._moments: list[FitData] = []

    def run(self) -> TrainOffersResult:
        problem, options = self._problem, self._options
        self._say("reading the folds")
        problem.validation  # noqa: B018  # fails before a store is made when the data cannot be used
        self._tests = [make() for make in problem.split.test]
        self._moments = [fold.data for fold in self._tests] or [self._final_data()]
        job = self._info()
        run_ids, versions = {}, {}
        with OffersRecorder(options.store, job, f"{job.task} {datetime.now(UTC):%Y-%m-%d %H:%M}") as recorder:
            runs = self._learn(recorder)
            best = self._best()
            self._measure_slices()
            for name, model in self._models.items():
                recorded = runs[name].finish(model, self._models)
                run_ids[name], versions[name] = recorded.run_id, recorded.version
                self._say(f"recorded {name}")
            result = self._result(job, best, recorder, run_ids, versions)
            found = evaluate_champion(
                options.store, options.programme, problem, self._tests or problem.validation
            )
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

    def _learn(self, recorder: OffersRecorder) -> dict[str, Any]:
        runs = {}
        recommenders = [name for name in self._names if name in RECOMMENDERS]
        began = time.monotonic()
        for place, name in enumerate(recommenders):
            elapsed = time.monotonic() - began
            self._say(f"choosing {name} (model {place + 1} of {len(recommenders)})", step=False)
            if reason := self._reason_against(name, elapsed):
                self._leave_out(name, reason)
                continue
            runs[name] = recorder.start_model(name)
            try:
                self._choose(name, runs[name], elapsed, len(recommenders) - place)
            except TrainingError as error:
                if self._options.models is not None:
                    raise
                runs.pop(name).close(failed=True)
                self._leave_out(name, error.message)
        for place, name in enumerate(self._chosen):
            self._say(f"fitting {name} (model {place + 1} of {len(self._chosen)})", step=False)
            self._fit(name)
        if MIXTURE in self._names and len(self._chosen) > 1:
            runs[MIXTURE] = recorder.start_model(MIXTURE)
            self._mix()
        if RANKER in self._names and self._problem.split.train and COUNTING in self._chosen:
            runs[RANKER] = recorder.start_model(RANKER)
            self._learn_second_stage(runs[RANKER])
        return runs

    def _choose(self, name: str, run: Any, elapsed: float, still_to_choose: int) -> None:
        def done(record: StudyRecord) -> None:
            run.log_trial(trial_record(record))
            value = record.tried.metrics[self._problem.metric].value
            self._say(f"{name}, trial {record.number}: {self._problem.metric} {value:.4f}", step=False)

        self._chosen[name] = choose_settings(
            RECOMMENDERS[name],
            self._problem,
            store=self._options.store,
            study=self._study(name),
            budget=self._options.first_stage_budget(name, elapsed=elapsed, still_to_choose=still_to_choose),
            done=done,
        )
        self._say(f"chose {name}")

    def _fit(self, name: str) -> None:
        chosen = self._chosen[name]
        fitted = fit_chosen(chosen.recommender, self._problem, self._moments)
        self._fitted[name] = fitted
        models = [
            self._problem.model(data, scorer)
            for data, scorer in zip(self._moments, fitted.scorers, strict=True)
        ]
        self._add(
            TrainedModel(
                name=name,
                summary=chosen.recommender.summary,
                parameters=chosen.recommender.parameters,
                trials=[trial_record(record) for record in chosen.trials],
                validation=chosen.validation,
                fit_seconds=fitted.measured.seconds,
                peak_memory_mib=fitted.measured.peak_memory_mib,
                model=models[-1],
                **self._recipe(Kind.SINGLE, [Part.of(name, chosen.recommender)]),
            ),
            models,
        )

    def _mix(self) -> None:
        self._say("mixing the models", step=False)
        with measured() as learning:
            stage = MixtureStage(self._problem, {name: one.scorers for name, one in self._chosen.items()})
            models = [
                stage.model_on(data, self._fitted_at(number)) for number, data in enumerate(self._moments)
            ]
        self._weights = stage.weights
        parts = [self._fitted[name].measured for name in stage.weights]
        self._add(
            TrainedModel(
                name=MIXTURE,
                summary=SUMMARIES[MIXTURE],
                parameters={f"weight_{name}": round(weight, 4) for name, weight in stage.weights.items()},
                trials=[],
                validation=stage.validate(),
                # Without its parts there would be nothing to mix.
                fit_seconds=learning.seconds + sum(part.seconds for part in parts),
                peak_memory_mib=max(learning.peak_memory_mib, *(part.peak_memory_mib for part in parts)),
                model=models[-1],
                **self._recipe(
                    Kind.MIXTURE,
                    [
                        Part.of(name, self._chosen[name].recommender, weight=weight)
                        for name, weight in stage.weights.items()
                    ],
                ),
            ),
            models,
        )

    def _learn_second_stage(self, run: Any) -> None:
        problem, options = self._problem, self._options
        stage = SecondStage(problem, self._taking_part(), lambda text: self._say(text, step=False))
        stage.prepare()

        def done(record: StudyRecord) -> None:
            run.log_trial(trial_record(record))
            self._say(f"{RANKER}, trial {record.number}", step=False)

        learned = stage.choose(
            store=options.store,
            study=self._study(RANKER),
            budget=options.second_stage_budget(problem.first_trees),
            done=done,
        )
        validation = problem.evaluate(
            stage.validation_models(learned.fitted, learned.calibration),
            problem.validation,
            MOST_VALIDATION_CASES,
        )
        self._say("learned the second stage", step=False)
        models, measures, gains = [], [], learned.fitted.gains
        cutoffs = [fold.cutoff for fold in self._tests] or [self._last_moment()]
        for number, (data, cutoff) in enumerate(zip(self._moments, cutoffs, strict=True)):
            with measured() as fitting:
                fitted = stage.refit(learned.settings, cutoff)
                models.append(stage.model_on(data, fitted, learned.calibration, self._fitted_at(number)))
            measures.append(fitting)
            gains = fitted.gains
        components = ",".join(component.name for component in stage.components)
        self._add(
            TrainedModel(
                name=RANKER,
                summary=SUMMARIES[RANKER],
                parameters=learned.settings.parameters | {"components": components},
                trials=[trial_record(record) for record in learned.trials],
                validation=validation,
                fit_seconds=measures[-1].seconds,
                peak_memory_mib=measures[-1].peak_memory_mib,
                model=models[-1],
                gains=gains,
                learning=learned.curve,
                **self._recipe(
                    Kind.RANKER,
                    [Part.of(part.name, part.recommender, quota=part.quota) for part in stage.components],
                    stage.names,
                ),
            ),
            models,
        )

    def _add(self, trained: TrainedModel, models: Sequence[OfferModel]) -> None:
        """Look at the test, where there is one, with the models of its folds, and keep the one that serves."""
        if self._tests:
            test = self._problem.evaluate(models, self._tests, MOST_TEST_CASES)
            trained = replace(trained, test=test)
        self._models[trained.name] = trained
        self._say(f"tested {trained.name}")

    def _recipe(self, kind: Kind, parts: Sequence[Part], features: Sequence[str] = ()) -> dict[str, Any]:
        """Return what it takes to fit a model again, as fields of it."""
        purchases = self._problem.purchases
        recipe = recipe_of(kind, parts, purchases, self._problem.seed, features)
        return {"recipe": recipe, "known": Known.of(purchases, recipe, self._moment())}

    def _reason_against(self, name: str, elapsed: float) -> str:
        """Say why a model that was not named is not even begun; nothing where it is."""
        if self._options.models is not None:
            return ""
        fits = len(self._problem.validation) + len(self._moments)
        if RECOMMENDERS[name].descent and fits > MOST_SLOW_FITS:
            return f"It learns slowly, and this split would fit it {fits} times; name it with --models."
        if COUNTING in self._chosen and self._options.is_spent(elapsed):
            return "The time budget was spent before its turn."
        return ""

    def _leave_out(self, name: str, reason: str) -> None:
        self._left_out[name] = reason
        self._say(f"{name} is left out: {reason}")

    def _taking_part(self) -> dict[str, Chosen]:
        """Return the recommenders that the second stage looks at: all that were named, else those that are worth their time."""
        named = self._options.models is not None
        many = len(self._problem.purchases.rows) > MANY_ROWS

        def takes_part(name: str) -> bool:
            kind = RECOMMENDERS[name]
            quick = not (kind.slow if many else kind.descent)
            return named or quick or self._weights.get(name, 0.0) >= MIXED_SHARE

        return {name: one for name, one in self._chosen.items() if takes_part(name)}

    def _fitted_at(self, moment: int) -> dict[str, Any]:
        return {name: fitted.scorers[moment] for name, fitted in self._fitted.items()}

    def _best(self) -> str:
        metric = self._problem.metric
        return max(self._models, key=lambda name: self._models[name].validation.metrics[metric].value)

    def _measure_slices(self) -> None:
        if not self._tests:
            return
        for name in {COUNTING, "popularity", MIXTURE, RANKER} & set(self._models):
            model = self._models[name]
            slices = measure_slices(
                model.model,
                self._tests[-1],
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
            left_out=dict(self._left_out),
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

    def _info(self) -> JobInfo:
        purchases, split = self._problem.purchases, self._problem.split
        judged = self._tests or self._problem.validation
        moment = self._moment()
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
            notes=(
                *purchases.notes,
                *split.notes,
                *filter(None, [sample_note(self._tests, MOST_TEST_CASES)]),
            ),
            metric=self._problem.metric,
            ks=self._problem.ks,
            seed=self._problem.seed,
            code_version=code_version(),
            feature_time=feature_time.isoformat().replace("+00:00", "Z"),
        )

    def _final_data(self) -> FitData:
        return fit_data(self._problem.purchases, self._problem.purchases.rows, self._last_moment())

    def _moment(self) -> float:
        """Return the moment that the histories of the served models reach to, in days since 1970."""
        return self._tests[-1].cutoff if self._tests else self._last_moment()

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
