"""What is asked of a training job for offers, how its time is shared out, and what its trials are called."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from experiments.errors import OptionError
from training.errors import TrainingError
from training.evaluation import sample_note
from training.evaluation.folds import describe_day
from training.offers.job_data import MAX_TEST_CASES, JobData
from training.offers.result import TrialRecord
from training.offers.second_stage_trees import TreeSettings
from training.offers.tuning import StudyRecord, TuningBudget
from training.recommenders import RECOMMENDERS
from training.tracking import registered_model_name
from training.tracking.runs import JobInfo, code_version

DEFAULT_SEED = 20171204
DEFAULT_KS = (10, 20)
MIXTURE, RANKER = "mixture", "ranker"
MODELS = (*RECOMMENDERS, MIXTURE, RANKER)
SUMMARIES = {
    MIXTURE: "The other models' scores on one scale, added up with weights learned on validation.",
    RANKER: "Boosted trees over the other models' scores and what is known of member and offer, calibrated.",
}
QUICK_TRIALS, RANKER_TRIALS = 6, 2
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

    def check(self) -> tuple[str, ...]:
        """Return the names of the models.

        Raises:
            TrainingError: A model is not known, a length of a list is none, or the programme cannot name a model.
        """
        names = tuple(dict.fromkeys(self.models)) if self.models is not None else MODELS
        unknown = [name for name in names if name not in MODELS]
        if unknown or not names:
            asked = ", ".join(unknown) or "none"
            raise TrainingError(f"Unknown models: {asked}. Choose from {', '.join(MODELS)}.", models=asked)
        if not self.ks or min(self.ks) < 1:
            raise TrainingError("The lengths of lists must be 1 or more.")
        registered_model_name(self.programme, "replenish")
        return names

    def first_stage_budget(self, name: str, *, elapsed: float, still_to_choose: int) -> TuningBudget:
        """Share out the time that is left among recommenders without settings.

        Args:
            name: Of the recommender.
            elapsed: Seconds since the job began to choose.
            still_to_choose: Recommenders without settings, this one included.

        Returns:
            How many trials the recommender gets, and for how long.
        """
        if not self.time_budget:
            kind = RECOMMENDERS[name]
            return TuningBudget(len(kind.starts()) if kind.slow else QUICK_TRIALS)
        left = self.time_budget * _FIRST_STAGE_SHARE - elapsed
        return TuningBudget(1, max(left / max(still_to_choose, 1), 0.001))

    def is_spent(self, elapsed: float) -> bool:
        """Tell whether the time to choose recommenders is over, so many seconds after it began."""
        return bool(self.time_budget) and elapsed > self.time_budget * _FIRST_STAGE_SHARE

    def second_stage_budget(self, firsts: Sequence[TreeSettings]) -> TuningBudget:
        """Return what may be tried for the trees: at least the first settings, and no more where cases are few."""
        if firsts[0].ensembles > 1:
            return TuningBudget(len(firsts))
        return TuningBudget(max(RANKER_TRIALS, len(firsts)), self.time_budget * _SECOND_STAGE_SHARE)


MAX_LISTED = 3
"""Folds that are named one by one where people read what models were judged on."""


def job_info(job_data: JobData, options: JobOptions) -> JobInfo:
    """Return what all models of a job have in common."""
    purchases, split = job_data.purchases, job_data.split
    judged = job_data.judged
    moment = job_data.moments[-1][0]
    feature_time = (
        datetime.fromtimestamp(moment * 86_400, tz=UTC) if purchases.has_times else datetime.now(UTC)
    )
    return JobInfo(
        programme=options.programme,
        task=str(split.task),
        dataset=purchases.name,
        source=purchases.source,
        fingerprint=purchases.fingerprint,
        split=split.description,
        judged_on=f"{_listed([fold.name for fold in judged])}, of data {purchases.fingerprint[:16]}",
        notes=(
            *purchases.notes,
            *split.notes,
            *filter(None, [sample_note(job_data.tests, MAX_TEST_CASES)]),
        ),
        metric=job_data.metric,
        ks=job_data.ks,
        seed=job_data.seed,
        code_version=code_version(),
        feature_time=feature_time.isoformat().replace("+00:00", "Z"),
    )


def _listed(names: Sequence[str]) -> str:
    """Return a few names, or the first and the last of many."""
    if len(names) <= MAX_LISTED:
        return "; ".join(names)
    return f"{names[0]}; … {names[-1]} ({len(names)} in all)"


def study_name(options: JobOptions, job_data: JobData, name: str) -> str:
    """Name the study that keeps a model's trials, so that the same job goes on with them.

    Args:
        options: How the job runs.
        job_data: What the job works on.
        name: Of the model.

    Returns:
        The name, made of programme, task, data, last cutoff, metric, seed and model.
    """
    where = describe_day(job_data.validation[-1].cutoff)
    return "/".join(
        (
            options.programme,
            str(job_data.split.task),
            job_data.purchases.fingerprint[:16],
            where,
            job_data.metric,
            str(job_data.seed),
            name,
        )
    )


def trial_record(record: StudyRecord) -> TrialRecord:
    """Return a trial as it is recorded."""
    return TrialRecord(
        record.number,
        {**record.parameters, **record.tried.fixed},
        record.tried.metrics,
        record.tried.fit_seconds,
        record.tried.score_seconds,
    )


_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d)?")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def read_seconds(text: str, option: str, unit: str) -> float:
    """Return the seconds of a time such as ``90s``, ``10m``, ``1h`` or ``28d``.

    Args:
        text: The time.
        option: Which option it is of.
        unit: What a number alone counts: ``s``, ``m``, ``h`` or ``d``.

    Returns:
        Seconds, above 0.

    Raises:
        OptionError: It is not a time above 0.
    """
    found = _DURATION.fullmatch(text.strip())
    seconds = float(found[1]) * _SECONDS[found[2] or unit] if found else 0.0
    if seconds <= 0:
        raise OptionError(f"{text!r} is not a time such as 90s, 10m, 1h or 28d.", option)
    return seconds


def read_days(text: str, option: str) -> float:
    """Return the days of a time such as ``28d``; a number alone counts days.

    Raises:
        OptionError: It is not a time above 0.
    """
    return read_seconds(text, option, "d") / _SECONDS["d"]
