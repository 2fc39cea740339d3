"""The predicted value of a policy, kept as a promise, and its comparison with what an experiment measured later."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from scipy.special import ndtr

from experiments.errors import AnalysisError
from experiments.off_policy.evaluation import PolicyEvaluation, PolicyVerdict


@dataclass(frozen=True, slots=True)
class Promise:
    """The predicted value of a policy, kept with the catalogue revision that makes it the policy in force.

    Attributes:
        programme: The loyalty programme.
        revision: Of the catalogue.
        policy: In words.
        evaluate_time: When it was evaluated.
        estimator: Which estimator gave it.
        difference: What the policy earns more than the logged one, a row.
        standard_error: Of the difference.
        value: What it earns a row.
        verdict: What was made of it.
        fingerprint: SHA-256 of the log that it rests on.
    """

    programme: str
    revision: str
    policy: str
    evaluate_time: datetime
    estimator: str
    difference: float
    standard_error: float
    value: float
    verdict: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class MeasuredValue:
    """A difference that an experiment measured.

    Attributes:
        difference: Treatment minus control, a unit.
        standard_error: Of it.
        what: Metric and variant, in words.
    """

    difference: float
    standard_error: float
    what: str


@dataclass(frozen=True, slots=True)
class PromiseComparison:
    """A promise beside what was measured.

    Attributes:
        promised: The predicted difference.
        measured: The measured one.
        z: Measured minus promised difference, over its standard error.
        p_value: Chance of a distance that large if both are right.
        sentence: The same in words.
    """

    promised: float
    measured: float
    z: float
    p_value: float
    sentence: str


def promise_of(
    found: PolicyEvaluation, *, programme: str, revision: str, fingerprint: str, time: datetime
) -> Promise:
    """Return the promise that an evaluation makes.

    Args:
        found: The evaluation.
        programme: The loyalty programme.
        revision: The catalogue revision that puts the policy in force.
        fingerprint: SHA-256 of the log.
        time: When the policy was evaluated; aware.

    Returns:
        The promise, to be kept with the revision.

    Raises:
        AnalysisError: The evaluation was refused: there is nothing to promise.
    """
    if found.verdict is PolicyVerdict.REFUSED:
        raise AnalysisError(f"Nothing is kept with revision {revision}: {found.sentence}")
    return Promise(
        programme=programme,
        revision=revision,
        policy=found.policy,
        evaluate_time=time,
        estimator=found.chosen,
        difference=found.difference.value,
        standard_error=found.difference.standard_error,
        value=found.value.value,
        verdict=found.verdict.value,
        fingerprint=fingerprint,
    )


def compare_promise(promise: Promise, measured: MeasuredValue, *, alpha: float = 0.05) -> PromiseComparison:
    """Return a promise beside what was measured; both must be about the same unit, such as a decision.

    Args:
        promise: The predicted difference.
        measured: The difference that an experiment measured, per the same unit.
        alpha: Accepted error, below which the two are said to disagree.

    Returns:
        Both differences, and whether chance explains their distance.
    """
    spread = math.hypot(promise.standard_error, measured.standard_error)
    distance = measured.difference - promise.difference
    z = distance / spread if spread > 0 else math.copysign(math.inf, distance) if distance else 0.0
    p = 2 * float(ndtr(-abs(z)))
    agrees = (
        "agree within chance" if p >= alpha else "do not agree: the prediction was off by more than chance"
    )
    sentence = (
        f"Promised {promise.difference:+.4g} ± {promise.standard_error:.2g} by {promise.estimator}, measured {measured.difference:+.4g}"
        f" ± {measured.standard_error:.2g} ({measured.what}): they {agrees} (z {z:+.2f})."
    )
    return PromiseComparison(promise.difference, measured.difference, z, p, sentence)


def measured_in(
    document: Mapping[str, Any], source: str, metric: str = "", variant: str = ""
) -> MeasuredValue:
    """Return what the saved result of an experiment measured.

    Args:
        document: What ``ExperimentResult.to_json`` gave.
        source: Where it is from, for errors.
        metric: The metric; the first if empty.
        variant: The variant; the first that is compared if empty.

    Returns:
        The measured difference, its standard error, and the metric and variant in words.

    Raises:
        AnalysisError: It has no such result, or that has no estimate.
    """
    rows = [row for row in document.get("results", []) if isinstance(row, dict)]
    chosen = [
        row
        for row in rows
        if (not metric or row.get("metric_id") == metric)
        and (not variant or row.get("variant_id") == variant)
    ]
    if not chosen:
        listed = ", ".join(f"{row.get('metric_id')} of {row.get('variant_id')}" for row in rows) or "none"
        raise AnalysisError(f"{source} has no such result; it has {listed}.", path=source)
    row = chosen[0]
    if row.get("estimate") is None or row.get("standard_error") is None:
        raise AnalysisError(
            f"{source} has no estimate of {row.get('metric_id')} with its error.", path=source
        )
    return MeasuredValue(
        float(row["estimate"]), float(row["standard_error"]), f"{row['metric_id']} of {row['variant_id']}"
    )
