"""The list as a table: one row per member with the arm, the expected gain and its band, and the reason in two features."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.special import ndtri

from experiments.number_format import plain
from experiments.send_plan import SendPlan, VerdictCode
from experiments.uplift.calibration import UpliftCalibration
from experiments.uplift.trial import Floats, Ints
from training.bundle.encoding import Encoding, NumberPart
from training.send_plan.audiences import Addressed
from training.uplift.learning import LearnedEffects

CHANCE = "left to chance"
_FEATURES = 2
_MAX_DECIMALS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Contributions:
    """What each feature adds to the gain of each arm over the average one's.

    Attributes:
        names: F features.
        values: float64[n, F, K], zero on average.
    """

    names: tuple[str, ...]
    values: Floats


def contributions(encoding: Encoding, matrix: Floats, gains: Floats) -> Contributions:
    """Explain gains by features, with the best straight line through them: exact where effects are weighted sums.

    Args:
        encoding: Says which numbers come from which feature.
        matrix: float64[n, width], encoded members.
        gains: float64[n, K].

    Returns:
        What each feature adds to each gain, relative to the mean.
    """
    centred = matrix - matrix.mean(axis=0)
    weights = np.linalg.lstsq(centred, gains - gains.mean(axis=0), rcond=None)[0] if matrix.size else None
    parts, at = [], 0
    for part in encoding.parts:
        rows = slice(at, at + part.width)
        at += part.width
        if weights is not None and part.width:
            parts.append(centred[:, rows] @ weights[rows])
    named = tuple(part.name for part in encoding.parts if part.width)
    values = np.stack(parts, axis=1) if parts else np.zeros((len(matrix), 0, gains.shape[1]))
    return Contributions(named, values)


def reasons(plan: SendPlan, features: pl.DataFrame, encoding: Encoding, found: Contributions) -> pl.Series:
    """Put the strongest features of each member into words.

    Args:
        plan: The plan.
        features: Of the list's members.
        encoding: Of the features.
        found: Of the same members.

    Returns:
        String[n], a phrase for each member of the list.
    """
    arms, listed = plan.problem.arms, plan.list
    personal = plan.verdict.code is VerdictCode.PERSONALISE
    if personal:
        said = _personal(arms, listed.arm, features, encoding, found)
    else:
        sent, kept = _alike(plan)
        said = np.where(listed.arm > 0, sent, kept).astype(object)
    said[listed.random.random] = CHANCE
    return pl.Series("reason", said.tolist(), dtype=pl.String)


def _alike(plan: SendPlan) -> tuple[str, str]:
    arm = plan.problem.arms[plan.verdict.arm]
    match plan.verdict.code:
        case VerdictCode.ONE_OFFER_FOR_ALL:
            return f"{arm} is the best offer for all", "not drawn: the limits do not reach everybody"
        case VerdictCode.SIMPLE_RULE if plan.verdict.rule == "rule":
            return "your own rule", "your own rule, or not drawn: the limits do not reach everybody"
        case VerdictCode.SIMPLE_RULE:
            return f"among the likeliest to respond to {arm}", f"less likely to respond to {arm}"
        case VerdictCode.SEND_NOTHING:
            return "", "nothing is shown to earn its cost"
        case VerdictCode.NOT_ENOUGH_DATA:
            return "", "not enough data"
        case _:
            return "", "the trial is not to be trusted"


def _personal(
    arms: Sequence[str],
    arm: Ints,
    features: pl.DataFrame,
    encoding: Encoding,
    found: Contributions,
) -> np.ndarray:
    """Name the two features that speak most for what a member gets: for nobody, those that speak most against all arms."""
    said = np.full(len(arm), "", dtype=object)
    texts = [_texts(features, encoding, name) for name in found.names]
    for place, name in enumerate(arms):
        own = np.flatnonzero(arm == place)
        if not len(own):
            continue
        speaks = found.values[own, :, place - 1] if place else -found.values[own].max(axis=2, initial=-np.inf)
        order = np.argsort(-speaks, axis=1)[:, :_FEATURES]
        for row, member in enumerate(own.tolist()):
            named = [texts[feature][member] for feature in order[row].tolist() if speaks[row, feature] > 0]
            said[member] = _phrase(named, name if place else "")
    return said


def _phrase(named: list[str], arm: str) -> str:
    if not named:
        return (
            f"{arm} is worth it for members like everybody" if arm else "no arm is worth it within the limits"
        )
    joined = " and ".join(named)
    verb = "speaks" if len(named) == 1 else "speak"
    return f"{joined} {verb} for {arm}" if arm else f"{joined} {verb} against every arm"


def _texts(features: pl.DataFrame, encoding: Encoding, name: str) -> list[str]:
    column = features[name]
    part = next(part for part in encoding.parts if part.name == name)
    if not isinstance(part, NumberPart):
        return [f"{name} {value}" if value else f"no {name}" for value in column.cast(pl.String).to_list()]
    if column.dtype == pl.Boolean:
        return [name if value else f"no {name}" for value in column.to_list()]
    if not column.dtype.is_numeric():
        return [f"{name} {value}" for value in column.cast(pl.String).to_list()]
    known = column.drop_nulls()
    whole = column.dtype.is_integer() or bool((known == known.round()).all())
    decimals = 0 if whole else _MAX_DECIMALS
    return [
        f"no {name}" if value is None else f"{name} {plain(value, decimals)}"
        for value in column.cast(pl.Float64).to_list()
    ]


def gain_band(
    calibrations: Sequence[UpliftCalibration], raw: Floats, expected: Floats, arm: Ints, alpha: float = 0.05
) -> tuple[Floats, Floats, Floats]:
    """Compute the expected gain of what each member gets, and the band around it.

    The band is that of the average gain of members who are predicted alike, not of the single member's. The average effect and the
    slope of a line through centred predictions are uncorrelated, so that their variances add (Draper & Smith 1998, section 1.4).

    Args:
        calibrations: One per arm but the control.
        raw: float64[n, K], gains as they were predicted.
        expected: float64[n, K], calibrated.
        arm: int64[n], what each member gets.
        alpha: Accepted error of the band.

    Returns:
        float64[n] each: the gain, and the band's lower and upper end; 0 for the control.
    """
    n = len(arm)
    gain, half = np.zeros(n), np.zeros(n)
    for place, calibration in enumerate(calibrations):
        own = np.flatnonzero(arm == place + 1)
        away = raw[own, place] - calibration.predicted_mean
        slope = calibration.slope.standard_error if calibration.passes else 0.0
        gain[own] = expected[own, place]
        half[own] = -ndtri(alpha / 2) * np.hypot(calibration.average.standard_error, away * slope)
    return gain, gain - half, gain + half


def plan_table(plan: SendPlan, learned: LearnedEffects, addressed: Addressed) -> pl.DataFrame:
    """Lay the list out as a table.

    * the member's id, or ``row``, counted from 1
    * ``arm``: what they get; the control's name where nothing is sent
    * ``propensity``: how likely they were to get it, chance included
    * ``random``: whether they are left to chance
    * ``expected_gain``, ``expected_gain_lower``, ``expected_gain_upper``: net of cost, calibrated, against the control; the band is
      that of members who are predicted alike, 95 %
    * ``cost``: expected, of the send
    * ``reason``: in two of their features, where the verdict is to personalise

    Args:
        plan: The plan.
        learned: The effects that it rests on.
        addressed: The list's members.

    Returns:
        One row per member of the list.
    """
    listed, audience = plan.list, plan.audience
    gain, lower, upper = gain_band(
        learned.chosen.calibrations, addressed.raw, audience.expected_gains, listed.arm, plan.problem.alpha
    )
    cost = np.zeros(len(audience))
    sent = np.flatnonzero(listed.arm)
    cost[sent] = audience.costs[sent, listed.arm[sent] - 1]
    encoding = learned.fitted.encoding
    found = contributions(encoding, addressed.matrix, audience.gains)
    return pl.DataFrame(
        {
            audience.members.name: audience.members,
            "arm": pl.Series([plan.problem.arms[arm] for arm in listed.arm.tolist()], dtype=pl.String),
            "propensity": listed.propensity,
            "random": listed.random.random,
            "expected_gain": gain,
            "expected_gain_lower": lower,
            "expected_gain_upper": upper,
            "cost": cost,
            "reason": reasons(plan, addressed.features, encoding, found),
        }
    )
