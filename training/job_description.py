"""What a training job and its trials are called and described by."""

from collections.abc import Sequence
from datetime import UTC, datetime

from training.code_version import code_version
from training.evaluation import sample_note
from training.evaluation.folds import describe_day
from training.offers.options import JobOptions
from training.offers.problem import MOST_TEST_CASES, Problem
from training.offers.result import JobInfo, TrialRecord
from training.offers.tuning import StudyRecord

MOST_LISTED = 3
"""Folds that are named one by one where people read what models were judged on."""


def job_info(problem: Problem, options: JobOptions) -> JobInfo:
    """Return what all models of a job have in common."""
    purchases, split = problem.purchases, problem.split
    judged = problem.judged
    moment = problem.moments[-1][0]
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
            *filter(None, [sample_note(problem.tests, MOST_TEST_CASES)]),
        ),
        metric=problem.metric,
        ks=problem.ks,
        seed=problem.seed,
        code_version=code_version(),
        feature_time=feature_time.isoformat().replace("+00:00", "Z"),
    )


def _listed(names: Sequence[str]) -> str:
    """Return a few names, or the first and the last of many."""
    if len(names) <= MOST_LISTED:
        return "; ".join(names)
    return f"{names[0]}; … {names[-1]} ({len(names)} in all)"


def study_name(options: JobOptions, problem: Problem, name: str) -> str:
    """Return the name under which the trials of a model are kept, so that the same job goes on with them."""
    where = describe_day(problem.validation[-1].cutoff)
    return "/".join(
        (
            options.programme,
            str(problem.split.task),
            problem.purchases.fingerprint[:16],
            where,
            problem.metric,
            str(problem.seed),
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
