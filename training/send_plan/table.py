"""The list as a table: one row per member, in the order of the members' table."""

import numpy as np
import polars as pl

from experiments.send_plan import SendPlan
from training.send_plan.audiences import Addressed
from training.send_plan.bands import gain_band
from training.send_plan.list_table import contributions, reasons
from training.uplift.learning import LearnedEffects


def plan_table(plan: SendPlan, learned: LearnedEffects, addressed: Addressed) -> pl.DataFrame:
    """Return the list.

    * the member's id, or ``row``, counted from 1
    * ``arm``: what she gets; the control's name where nothing is sent
    * ``propensity``: how likely she was to get it, chance included
    * ``random``: whether she is left to chance
    * ``expected_gain``, ``expected_gain_lower``, ``expected_gain_upper``: net of cost, calibrated, against the control; the band is
      that of members who are predicted alike, 95 %
    * ``cost``: expected, of the send
    * ``reason``: in two of her features, where the verdict is to personalise

    Args:
        plan: The plan.
        learned: The effects that it rests on.
        addressed: The list's members.
    """
    listed, audience = plan.list, plan.audience
    gain, lower, upper = gain_band(
        learned.chosen.calibrations, addressed.raw, audience.expected_gains, listed.arm, plan.problem.level
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
