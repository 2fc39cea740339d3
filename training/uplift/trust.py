"""Whether a trial can be trusted: its sample ratio, the balance of its arms, and how much they overlap."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from experiments.uplift.trial import Floats, Trial
from training.errors import TrainingError
from training.uplift.features import encode, learn_encoding

ACCEPTED = 0.001
"""Accepted chance of stopping a sound trial, for each check, as for the sample ratio of an experiment."""
_LOWEST_PROPENSITY = 0.01
_FEWEST_EFFECTIVE = 0.02


@dataclass(frozen=True, slots=True)
class Finding:
    """One check of a trial.

    Attributes:
        name: ``sample_ratio``, ``balance`` or ``overlap``.
        passed: Whether it holds; ``None`` where it could not be checked.
        p_value: Chance of what was found if the trial is sound; none for overlap.
        sentence: What was found.
    """

    name: str
    passed: bool | None
    p_value: float | None
    sentence: str


@dataclass(frozen=True, slots=True)
class TrialTrust:
    """All checks of a trial.

    Attributes:
        findings: One per check.
    """

    findings: tuple[Finding, ...]

    @property
    def trusted(self) -> bool:
        """Whether no check failed."""
        return all(finding.passed is not False for finding in self.findings)

    @property
    def failures(self) -> tuple[str, ...]:
        """What is wrong, in sentences."""
        return tuple(finding.sentence for finding in self.findings if finding.passed is False)


def check_trial(trial: Trial, shares: Mapping[str, float] | None = None) -> TrialTrust:
    """Check a trial before anything is learned from it.

    Args:
        trial: The trial.
        shares: Planned share of members by arm, in any unit; without them the sample ratio is checked against the propensities if these
            were given, else it is not.

    Raises:
        TrainingError: The planned shares are not those of the arms.
    """
    return TrialTrust((_sample_ratio(trial, shares), _balance(trial), _overlap(trial)))


def _sample_ratio(trial: Trial, shares: Mapping[str, float] | None) -> Finding:
    if shares is None:
        return Finding(
            "sample_ratio",
            None,
            None,
            "The planned shares of the arms are not known, so they were not checked.",
        )
    if set(shares) != set(trial.arms) or not all(share > 0 for share in shares.values()):
        raise TrainingError(
            f"There are planned shares of {', '.join(shares)}, but the arms are {', '.join(trial.arms)}: each needs one above 0."
        )
    planned = np.array([shares[arm] for arm in trial.arms], dtype=np.float64)
    expected = planned / planned.sum() * len(trial)
    statistic = float(((trial.counts - expected) ** 2 / expected).sum())
    p = float(chdtrc(len(planned) - 1, statistic))
    counts = ", ".join(
        f"{arm} {count:,}" for arm, count in zip(trial.arms, trial.counts.tolist(), strict=True)
    )
    if p < ACCEPTED:
        return Finding(
            "sample_ratio",
            False,
            p,
            f"The arms do not have their planned sizes ({counts}; chance {p:.1g}): members were lost or given arms by something else.",
        )
    return Finding("sample_ratio", True, p, f"The arms have their planned sizes ({counts}).")


def _balance(trial: Trial) -> Finding:
    """Compare all features' means of each arm with the control's at once (Hansen & Bowers 2008, section 4), weighted by 1/p."""
    matrix = (
        encode(learn_encoding(trial.features), trial.features)
        if trial.features.width
        else np.zeros((len(trial), 0))
    )
    if not matrix.shape[1]:
        return Finding("balance", None, None, "There are no features, so the arms' balance was not checked.")
    means, spreads = [], []
    for arm in range(len(trial.arms)):
        own = trial.arm == arm
        mean, spread = _weighted_mean(matrix[own], 1 / trial.propensity[own])
        means.append(mean)
        spreads.append(spread)
    least, worst = 1.0, ""
    for arm in range(1, len(trial.arms)):
        difference = means[arm] - means[0]
        values, vectors = np.linalg.eigh(spreads[arm] + spreads[0])
        kept = values > values.max() * 1e-8
        along = vectors[:, kept].T @ difference
        p = float(chdtrc(int(kept.sum()), float((along**2 / values[kept]).sum())))
        if p < least or not worst:
            least, worst = p, trial.arms[arm]
    least = min(1.0, least * (len(trial.arms) - 1))
    if least < ACCEPTED:
        return Finding(
            "balance",
            False,
            least,
            f"Members of arm {worst!r} differ from the control's in what was known before (chance {least:.1g}): the arms were not drawn"
            " at random, or not with these probabilities, or a feature was measured afterwards.",
        )
    return Finding(
        "balance", True, least, f"The arms' members are alike before the trial (chance {least:.2g})."
    )


def _weighted_mean(rows: Floats, weights: Floats) -> tuple[Floats, Floats]:
    mean: Floats = np.average(rows, axis=0, weights=weights)
    centred = (rows - mean) * weights[:, None]
    spread: Floats = centred.T @ centred / weights.sum() ** 2
    return mean, spread


def _overlap(trial: Trial) -> Finding:
    lowest = float(trial.propensity.min())
    weights = 1 / trial.propensity
    worst = min(
        float(weights[own].sum() ** 2 / (weights[own] ** 2).sum() / own.sum())
        for own in (trial.arm == arm for arm in range(len(trial.arms)))
        if own.any()
    )
    if lowest < _LOWEST_PROPENSITY and worst < _FEWEST_EFFECTIVE:
        return Finding(
            "overlap",
            False,
            None,
            f"Some members got their arm with a probability of only {lowest:.2g}, and weighting by it leaves {worst:.1%} of an arm's"
            " members: the arms hardly overlap.",
        )
    return Finding(
        "overlap", True, None, f"Every member got their arm with a probability of at least {lowest:.2g}."
    )
