"""Experiments that run side by side do not see each other: 40 of them on 200,000 ids."""

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from scipy import stats

from experiments.assignment.assign import assign_frame
from experiments.assignment.hashing import POINTS, Purpose, point
from experiments.assignment.plan import compile_plan
from tests.experiments.definitions import definition

EXPERIMENTS = 40
UNITS = 200_000


@pytest.fixture(scope="module")
def treated() -> npt.NDArray[np.float32]:
    """Return, for each unit, in which experiments it has the treatment. Their ids differ in one number only."""
    names = [f"exp-{number}" for number in range(EXPERIMENTS)]
    plan = compile_plan([definition(experiment_id=name) for name in names], "default")
    frame = pl.DataFrame({"unit": pl.int_range(UNITS, eager=True).cast(pl.String)})
    variants = frame.lazy().select(
        (assign_frame(plan, name, pl.col("unit")).struct.field("variant_id") == "personal").alias(name)
        for name in names
    )
    return variants.collect().to_numpy().astype(np.float32)


def test_each_experiment_splits_evenly(treated: npt.NDArray[np.float32]) -> None:
    """The shares of all experiments look like fair coins: p-values neither small nor piled up."""
    z = (treated.sum(axis=0) - UNITS / 2) / np.sqrt(UNITS / 4)

    p_values = 2 * stats.norm.sf(np.abs(z))

    assert p_values.min() > 0.001 / EXPERIMENTS
    assert stats.kstest(p_values, "uniform").pvalue > 0.001


def test_pairs_of_experiments_are_independent(treated: npt.NDArray[np.float32]) -> None:
    """Of 780 pairs, none has p < 1e-6 and 3 to 7 % have p < 0.05 (chi-squared on the 2 x 2 table)."""
    correlation = np.asarray(np.corrcoef(treated, rowvar=False))
    above = correlation[np.triu_indices(EXPERIMENTS, 1)]

    p_values = stats.chi2.sf(UNITS * above**2, 1)

    assert len(p_values) == 780
    assert p_values.min() > 1e-6
    assert 0.03 < (p_values < 0.05).mean() < 0.07


def test_the_points_of_all_purposes_are_uniform_and_independent() -> None:
    """With one salt for all, the decisions about one unit look like separate random numbers."""
    purposes = [Purpose.HOLDOUT, Purpose.LAYER, Purpose.ENROLMENT, Purpose.UNIFORM, Purpose.ARM]
    shares = np.array(
        [
            [point(purpose, "default", "one-salt", f"member-{number}") / POINTS for purpose in purposes]
            for number in range(20_000)
        ]
    )

    for column in shares.T:
        assert stats.kstest(column, "uniform").pvalue > 0.001
    correlation = np.asarray(np.corrcoef(shares, rowvar=False))[np.triu_indices(len(purposes), 1)]
    assert (stats.chi2.sf(len(shares) * correlation**2, 1) > 0.001 / len(correlation)).all()
