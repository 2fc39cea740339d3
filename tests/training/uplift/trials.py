"""Trials with known effects."""

import numpy as np
import polars as pl

from experiments.uplift.trial import Floats, Trial


def simulated(
    n: int = 4_000,
    *,
    effect: float = 0.0,
    interaction: float = 0.0,
    arms: int = 2,
    seed: int = 0,
    binary: bool = False,
    skewed: bool = False,
) -> tuple[Trial, Floats]:
    """Return a trial and its true effects, float64[n, arms - 1]: ``effect + interaction · x1`` of the first arm, half of it of the others.

    Args:
        n: Members.
        effect: Average effect.
        interaction: How much it grows with ``x1``.
        arms: How many.
        seed: Of the draw.
        binary: Whether outcomes are 0 or 1.
        skewed: Whether arms are drawn with probabilities that depend on ``x1``, which are known.
    """
    random = np.random.default_rng(seed)
    x1, x2 = random.normal(size=n), random.normal(size=n)
    group = random.choice(["a", "b", "c"], size=n)
    chances = np.full((n, arms), 1 / arms)
    if skewed:
        lean = 1 / (1 + np.exp(-x1))
        chances = np.column_stack([lean, *[(1 - lean) / (arms - 1)] * (arms - 1)]) * 0.8 + 0.2 / arms
    arm = (random.random(n)[:, None] > chances.cumsum(axis=1)).sum(axis=1).clip(max=arms - 1)
    truth = np.column_stack(
        [(effect + interaction * x1) / (1 if place == 0 else 2) for place in range(arms - 1)]
    )
    base = x2 + (group == "b")
    mean = base + np.where(arm > 0, truth[np.arange(n), np.maximum(arm - 1, 0)], 0.0)
    if binary:
        before, after = (1 / (1 + np.exp(-level)) for level in (base[:, None], base[:, None] + truth))
        outcome = (random.random(n) < 1 / (1 + np.exp(-mean))).astype(np.float64)
        truth = after - before
    else:
        outcome = mean + random.normal(size=n)
    features = pl.DataFrame({"x1": x1, "x2": x2, "group": group})
    names = ("none", "mail", *(f"mail {place}" for place in range(2, arms)))
    return (
        Trial(
            pl.int_range(n, eager=True).alias("member"),
            names,
            arm.astype(np.int64),
            chances[np.arange(n), arm],
            {"spend": outcome},
            features,
        ),
        truth,
    )


def table_of(trial: Trial) -> pl.DataFrame:
    """Return a trial as the table that somebody would bring."""
    return pl.DataFrame(
        {"member": trial.members, "arm": [trial.arms[place] for place in trial.arm.tolist()]}
    ).with_columns(*(pl.Series(name, values) for name, values in trial.outcomes.items()), *trial.features)
