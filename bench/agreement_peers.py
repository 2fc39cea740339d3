"""What the peers say about the tables of `bench.agreement`; runs in the peers' environment and prints JSON."""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import polars as pl
import spotify_confidence
import tea_tasting as tt
from scipy import stats
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

Figures = dict[str, float | list[float]]


def by_tea_tasting(table: pl.DataFrame, metric: dict[str, str]) -> Figures:
    """Return tea-tasting's difference, standard error (from its t interval) and interval."""
    if "denominator" in metric:
        covariates = (metric.get("covariate"), metric.get("covariate_denominator"))
        one = tt.RatioOfMeans(metric["value"], metric["denominator"], *covariates)
    else:
        one = tt.Mean(metric["value"], covariate=metric.get("covariate"))
    found = tt.Experiment({"m": one}, variant="variant").analyze(table, control="control")["m"]
    return {
        "estimate": found.effect_size,
        "standard_error": found.effect_size / found.statistic,
        "interval": [found.effect_size_ci_lower, found.effect_size_ci_upper],
    }


def by_statsmodels(control: np.ndarray, treatment: np.ndarray) -> Figures:
    """Return the Welch comparison of statsmodels."""
    pair = CompareMeans(DescrStatsW(treatment), DescrStatsW(control))
    return {
        "estimate": float(treatment.mean() - control.mean()),
        "standard_error": float(pair.std_meandiff_separatevar),
        "interval": [float(end) for end in pair.tconfint_diff(usevar="unequal")],
    }


def by_scipy(control: np.ndarray, treatment: np.ndarray) -> Figures:
    """Return Welch's test of scipy."""
    found = stats.ttest_ind(treatment, control, equal_var=False)
    interval = found.confidence_interval()
    return {
        "estimate": float(treatment.mean() - control.mean()),
        "standard_error": float((treatment.mean() - control.mean()) / found.statistic),
        "interval": [float(interval.low), float(interval.high)],
    }


def by_spotify_confidence(control: np.ndarray, treatment: np.ndarray) -> Figures:
    """Return the difference of spotify-confidence's Welch test from sums."""
    import pandas as pd

    rows = [
        (name, len(values), float(values.sum()), float((values**2).sum()))
        for name, values in (("control", control), ("treatment", treatment))
    ]
    frame = pd.DataFrame(rows, columns=["variant", "n", "sum", "squares"])
    test = spotify_confidence.StudentsTTest(
        frame,
        numerator_column="sum",
        numerator_sum_squares_column="squares",
        denominator_column="n",
        categorical_group_columns="variant",
        interval_size=0.95,
    )
    found = test.difference("control", "treatment").iloc[0]
    return {
        "estimate": float(found["difference"]),
        "interval": [float(found["ci_lower"]), float(found["ci_upper"])],
    }


def main(folder: Path) -> None:
    """Print what each peer says about each case of the folder."""
    found: dict[str, dict[str, Figures]] = {}
    for case in json.loads((folder / "cases.json").read_text(encoding="utf-8")):
        metric = case["metric"]
        columns = ["variant", *metric.values()]
        table = pl.read_parquet(folder / case["table"]).select(list(dict.fromkeys(columns))).drop_nulls()
        table = table.with_columns(pl.exclude("variant").cast(pl.Float64))
        table = table.filter(pl.col("variant").is_in(["control", "treatment"]))
        said = {"tea-tasting": by_tea_tasting(table, metric)}
        if set(metric) == {"value"}:
            arms = [
                table.filter(pl.col("variant") == name)[metric["value"]].to_numpy()
                for name in ("control", "treatment")
            ]
            said["statsmodels"] = by_statsmodels(*arms)
            said["scipy"] = by_scipy(*arms)
            # Of zeros and ones it takes the population's variance, p (1 - p), which is another figure.
            if not set(np.unique(np.concatenate(arms))) <= {0.0, 1.0}:
                said["spotify-confidence"] = by_spotify_confidence(*arms)
        found[case["name"]] = said
    print(json.dumps(found))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(Path(sys.argv[1]))
