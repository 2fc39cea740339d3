"""Features that were not known before the arm was drawn: they differ between arms, or give the outcome away."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.special import ndtr

from experiments.uplift.trial import Floats, Trial
from training.actions.encoding import as_numbers, is_text

_CHANCE = 1e-6
"""Accepted chance, per column, that a sound feature looks like a leak."""
_MOST_LEVELS = 20
_MANY = 0.5
_NEARLY_ALL = 0.9
_FEWEST_KNOWN = 20


@dataclass(frozen=True, slots=True)
class Leak:
    """Why a feature is none.

    Attributes:
        sentence: What follows its name.
    """

    sentence: str


def find_leaks(features: pl.DataFrame, trial: Trial) -> dict[str, Leak]:
    """Return the columns that cannot have been known before, by name.

    A column leaks if its mean, or the share of one of its levels, differs between an arm and the control by more than chance (each
    member weighted by 1 / propensity, normal approximation), or if one of its values stands for at least half of all members with
    some outcome and within it the outcome never varies, where it would if the column told nothing; both at a chance of one in a
    million, shared among the comparisons of the column. It also leaks if it explains nine tenths of the variance of an outcome or of
    its ranks: what was known before hardly does, and predictions from such a copy would hide the arm's effect.

    Args:
        features: What may be features.
        trial: Arms, propensities and outcomes of the same rows.
    """
    found = {}
    for column in features:
        if _differs(column, trial):
            found[column.name] = Leak("differs between the arms")
        else:
            outcome = _gives_away(column, trial)
            if outcome:
                found[column.name] = Leak(f"gives {outcome!r} away for most members")
    return found


def _levels(column: pl.Series) -> list[tuple[Floats, bool]]:
    """Return numbers that describe the column, each with whether it is an indicator."""
    if is_text(column):
        texts = column.cast(pl.String).fill_null("").alias("level")
        frequent = (
            texts.value_counts().sort("count", "level", descending=[True, False]).head(_MOST_LEVELS)["level"]
        )
        return [((texts == level).to_numpy().astype(np.float64), True) for level in frequent]
    values = as_numbers(column)
    missing = ~np.isfinite(values)
    zero = (values == 0).astype(np.float64)
    plain = [(np.where(missing, np.nanmean(values) if not missing.all() else 0.0, values), False)]
    return [
        *plain,
        *(
            (one, True)
            for one in (zero, 1.0 - zero - missing, missing.astype(np.float64))
            if 0 < one.sum() < len(one)
        ),
    ]


def _differs(column: pl.Series, trial: Trial) -> bool:
    levels = _levels(column)
    comparisons = len(levels) * (len(trial.arms) - 1)
    weights = 1 / trial.propensity
    for values, _ in levels:
        means = []
        for arm in range(len(trial.arms)):
            own = trial.arm == arm
            weight, value = weights[own], values[own]
            mean = float(np.average(value, weights=weight))
            means.append((mean, float((weight**2 * (value - mean) ** 2).sum() / weight.sum() ** 2)))
        for mean, variance in means[1:]:
            spread = np.sqrt(variance + means[0][1])
            if spread == 0:
                if mean != means[0][0]:
                    return True
            elif 2 * ndtr(-abs(mean - means[0][0]) / spread) * comparisons < _CHANCE:
                return True
    return False


def _gives_away(column: pl.Series, trial: Trial) -> str:
    for name, outcome in trial.outcomes.items():
        if _decides(column, outcome) or _follows(column, outcome):
            return name
    return ""


def _decides(column: pl.Series, outcome: Floats) -> bool:
    indicators = [values > 0 for values, is_level in _levels(column) if is_level]
    for inside in indicators:
        own = outcome[inside]
        if np.ptp(own):
            continue
        same = float((outcome == own[0]).mean())
        if inside.mean() < _MANY * same:
            # A feature that was known before may well name a few members who never buy.
            continue
        if len(own) * np.log(max(same, 1e-12)) < np.log(_CHANCE / len(indicators)):
            return True
    return False


def _follows(column: pl.Series, outcome: Floats) -> bool:
    """Tell whether the column is nearly a multiple of the outcome, or puts members nearly in its order."""
    if is_text(column):
        return False
    values = as_numbers(column)
    known = np.isfinite(values)
    if known.sum() < _FEWEST_KNOWN:
        return False
    pair = pl.DataFrame({"column": values[known], "outcome": outcome[known]})
    ranks = pair.select(pl.all().rank())
    return any(_correlation(one) ** 2 > _NEARLY_ALL for one in (pair, ranks))


def _correlation(pair: pl.DataFrame) -> float:
    first, second = (one.to_numpy() - one.mean() for one in pair.cast(pl.Float64))
    norm = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / norm if norm else 0.0
