"""Hillstrom's e-mail trial as tests read it."""

from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from experiments.uplift.trial import Bools, Floats, Trial, arm_positions

DATA = Path(__file__).parents[3].resolve().parent / "shared" / "data" / "hillstrom" / "hillstrom.csv.gz"
ARMS = ("No E-Mail", "Mens E-Mail", "Womens E-Mail")
FEATURES = ("recency", "history", "mens", "womens", "zip_code", "newbie", "channel")


@cache
def hillstrom(*arms: str) -> Trial:
    """Return the trial of some arms, the control first; skip where the data is not there."""
    if not DATA.is_file():
        pytest.skip("the Hillstrom data is not beside the repository")
    table = pl.read_csv(DATA, infer_schema_length=None).with_row_index("member")
    table = table.filter(pl.col("segment").is_in(arms))
    outcomes = {name: table[name].to_numpy().astype(np.float64) for name in ("visit", "conversion", "spend")}
    arm = arm_positions(arms, table["segment"])
    share = np.full(len(arm), 1 / len(arms))
    return Trial(table["member"], arms, arm, share, outcomes, table.select(FEATURES))


def womens_visit() -> tuple[Trial, Bools, Floats]:
    """Return the trial of the women's e-mail against none, who got it, and who visited."""
    trial = hillstrom("No E-Mail", "Womens E-Mail")
    return trial, trial.arm == 1, trial.outcomes["visit"]


def rule(trial: Trial) -> Floats:
    """Return what a marketer would try: buyers of women's things first, then by past spend."""
    one = trial.features
    return one.select(pl.col("womens") * 1e5 + pl.col("history")).to_series().to_numpy()


def formula(trial: Trial) -> Floats:
    """Return a fixed formula of the features, as scores that anybody can make again."""
    score = 0.02 + 0.05 * pl.col("womens") - 0.001 * pl.col("recency") + 0.00002 * pl.col("history")
    return trial.features.select(score + 0.003 * pl.col("newbie")).to_series().to_numpy()


def encoded(trial: Trial) -> Floats:
    """Return the features as standardised numbers, text as indicators: float64[n, columns]."""
    table = trial.features.to_dummies(["zip_code", "channel"], drop_first=True).to_numpy().astype(np.float64)
    standard: Floats = (table - table.mean(axis=0)) / table.std(axis=0)
    return standard
