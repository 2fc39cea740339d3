"""Learning the models of a training job for offers: choose, fit, mix, rank, and look at the test once."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

from training.bundle import OfferModel
from training.errors import TrainingError
from training.evaluation.evaluation import COUNTING
from training.evaluation.folds import MANY_ROWS
from training.offers.job_data import MAX_TEST_CASES, MAX_VALIDATION_CASES, JobData
from training.offers.mixture import MixtureStage
from training.offers.options import MIXTURE, RANKER, SUMMARIES, JobOptions, study_name, trial_record
from training.offers.recipe import Kind, Known, RecipePart, recipe_of
from training.offers.recording import OffersRecorder
from training.offers.result import TrainedModel
from training.offers.second_stage import SecondStage
from training.offers.tuning import Chosen, FittedTrial, StudyRecord, choose_settings, fit_chosen, measured
from training.recommenders import RECOMMENDERS

MAX_SLOW_FITS = 4
"""Folds that a recommender is fitted on although it learns by gradient descent, unless models were named."""
MIXED_SHARE = 0.05
"""A recommender takes part in the second stage from this weight in the mixture on, whatever its fits on earlier folds cost."""


class Say(Protocol):
    """Says what is being done."""

    def __call__(self, text: str, *, step: bool = True) -> None:
        """Say it; a step is counted when it is over."""


class Learning:
    """The models of a job.

    Attributes:
        models: Those that were learned, by name.
        runs: Their MLflow runs, by name; still open.
        left_out: Why others were left out, by name.
    """

    def __init__(self, job_data: JobData, options: JobOptions, names: Sequence[str], say: Say) -> None:
        """Prepare.

        Args:
            job_data: What the job works on.
            options: What was asked.
            names: Of the models.
            say: Called with what is being done.
        """
        self.models: dict[str, TrainedModel] = {}
        self.runs: dict[str, Any] = {}
        self.left_out: dict[str, str] = {}
        self._job_data, self._options, self._names, self._say = job_data, options, tuple(names), say
        self._chosen: dict[str, Chosen] = {}
        self._fitted: dict[str, FittedTrial] = {}
        self._weights: dict[str, float] = {}

    def run(self, recorder: OffersRecorder) -> None:
        """Choose, fit and test the models, with a run for each."""
        runs = self.runs
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
                runs.pop(name).leave_out(error.message)
                self._leave_out(name, error.message)
        for place, name in enumerate(self._chosen):
            self._say(f"fitting {name} (model {place + 1} of {len(self._chosen)})", step=False)
            self._fit(name)
        if MIXTURE in self._names and len(self._chosen) > 1:
            runs[MIXTURE] = recorder.start_model(MIXTURE)
            self._mix()
        if RANKER in self._names and self._job_data.split.train and COUNTING in self._chosen:
            runs[RANKER] = recorder.start_model(RANKER)
            self._learn_second_stage(runs[RANKER])

    def _choose(self, name: str, run: Any, elapsed: float, still_to_choose: int) -> None:
        def done(record: StudyRecord) -> None:
            run.log_trial(trial_record(record))
            value = record.tried.metrics[self._job_data.metric].value
            self._say(f"{name}, trial {record.number}: {self._job_data.metric} {value:.4f}", step=False)

        self._chosen[name] = choose_settings(
            RECOMMENDERS[name],
            self._job_data,
            store=self._options.store,
            study=study_name(self._options, self._job_data, name),
            budget=self._options.first_stage_budget(name, elapsed=elapsed, still_to_choose=still_to_choose),
            done=done,
        )
        self._say(f"chose {name}")

    def _fit(self, name: str) -> None:
        chosen = self._chosen[name]
        fitted = fit_chosen(chosen.recommender, self._job_data, [data for _, data in self._job_data.moments])
        self._fitted[name] = fitted
        models = [
            self._job_data.model(data, scorer)
            for (_, data), scorer in zip(self._job_data.moments, fitted.scorers, strict=True)
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
                **self._recipe(Kind.SINGLE, [RecipePart.of(name, chosen.recommender)]),
            ),
            models,
        )

    def _mix(self) -> None:
        self._say("mixing the models", step=False)
        with measured() as learning:
            stage = MixtureStage(self._job_data, {name: one.scorers for name, one in self._chosen.items()})
            models = [
                stage.model_on(data, self._fitted_at(number))
                for number, (_, data) in enumerate(self._job_data.moments)
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
                        RecipePart.of(name, self._chosen[name].recommender, weight=weight)
                        for name, weight in stage.weights.items()
                    ],
                ),
            ),
            models,
        )

    def _learn_second_stage(self, run: Any) -> None:
        job_data, options = self._job_data, self._options
        stage = SecondStage(job_data, self._taking_part(), lambda text: self._say(text, step=False))
        stage.prepare()

        def done(record: StudyRecord) -> None:
            run.log_trial(trial_record(record))
            self._say(f"{RANKER}, trial {record.number}", step=False)

        learned = stage.choose(
            store=options.store,
            study=study_name(options, job_data, RANKER),
            budget=options.second_stage_budget(job_data.first_trees),
            done=done,
        )
        validation = job_data.evaluate(
            stage.validation_models(learned.fitted, learned.calibration),
            job_data.validation,
            MAX_VALIDATION_CASES,
        )
        self._say("learned the second stage", step=False)
        models, measures, gains = [], [], learned.fitted.gains
        for number, (cutoff, data) in enumerate(job_data.moments):
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
                    [
                        RecipePart.of(part.name, part.recommender, quota=part.quota)
                        for part in stage.components
                    ],
                    stage.names,
                ),
            ),
            models,
        )

    def _add(self, trained: TrainedModel, models: Sequence[OfferModel]) -> None:
        """Look at the test, where there is one, with the models of its folds, and keep the one that serves."""
        if self._job_data.tests:
            test = self._job_data.evaluate(models, self._job_data.tests, MAX_TEST_CASES)
            trained = replace(trained, test=test)
        self.models[trained.name] = trained
        self._say(f"tested {trained.name}")

    def _recipe(
        self, kind: Kind, parts: Sequence[RecipePart], features: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Return what it takes to fit a model again, as fields of it."""
        purchases = self._job_data.purchases
        recipe = recipe_of(kind, parts, purchases, self._job_data.seed, features)
        return {"recipe": recipe, "known": Known.of(purchases, recipe, self._job_data.moments[-1][0])}

    def _reason_against(self, name: str, elapsed: float) -> str:
        """Say why a model that was not named is not even begun; nothing where it is."""
        if self._options.models is not None:
            return ""
        fits = len(self._job_data.validation) + len(self._job_data.moments)
        if RECOMMENDERS[name].descent and fits > MAX_SLOW_FITS:
            return f"It learns slowly, and this split would fit it {fits} times; name it with --models."
        if COUNTING in self._chosen and self._options.is_spent(elapsed):
            return "The time budget was spent before its turn."
        return ""

    def _leave_out(self, name: str, reason: str) -> None:
        self.left_out[name] = reason
        self._say(f"{name} is left out: {reason}")

    def _taking_part(self) -> dict[str, Chosen]:
        """Return the recommenders that the second stage looks at: all that were named, else those that are worth their time."""
        named = self._options.models is not None
        many = len(self._job_data.purchases.rows) > MANY_ROWS

        def takes_part(name: str) -> bool:
            kind = RECOMMENDERS[name]
            quick = not (kind.slow if many else kind.descent)
            return named or quick or self._weights.get(name, 0.0) >= MIXED_SHARE

        return {name: one for name, one in self._chosen.items() if takes_part(name)}

    def _fitted_at(self, moment: int) -> dict[str, Any]:
        return {name: fitted.scorers[moment] for name, fitted in self._fitted.items()}
