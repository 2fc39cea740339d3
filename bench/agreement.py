"""Agreement with other libraries where they compute the same thing. `python -m bench.agreement [--data FOLDER]`.

Compares difference, standard error and interval with tea-tasting, statsmodels, scipy and spotify-confidence (each where it has
the method) on synthetic tables with nulls, on Complete Journey, and on the public data sets cookie-cats and Hillstrom if the
folder given holds them. Prints the largest relative distance of each peer.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from bench.peers import HINT, peer_python
from experiments.aggregates.tables import open_table
from experiments.analysis import analyze_table
from experiments.definition import parse_experiment

TOLERANCE = 2e-6
Case = dict[str, Any]


def synthetic() -> pl.DataFrame:
    """Return heavy-tailed revenue with orders, a conversion, covariates before, and nulls in a tenth of the rows."""
    random = np.random.default_rng(1)
    n = 40_000
    level = random.gamma(2, 1, n)
    orders = random.poisson(level * 1.1)
    before = random.poisson(level)
    treated = random.random(n) < 0.4
    frame = pl.DataFrame(
        {
            "variant": np.where(treated, "treatment", "control"),
            "revenue": orders * random.lognormal(3, 1, n) * (1 + 0.05 * treated),
            "orders": orders,
            "converted": random.random(n) < 0.02,
            "pre_revenue": before * random.lognormal(3, 1, n),
            "pre_orders": before,
        }
    )
    missing = pl.Series(random.random(n) < 0.1)
    return frame.with_columns(with_nulls=pl.when(~missing).then(pl.col("revenue")))


def complete_journey() -> pl.DataFrame:
    """Return households of Complete Journey, split at random, with what they bought before and after week 26."""
    from training.data import complete_journey as source

    purchases = source.load().purchases
    late = pl.col("week") > 26
    frame = purchases.group_by("member_id", maintain_order=True).agg(
        revenue=pl.col("value").filter(late).sum(),
        orders=pl.col("trip_id").filter(late).n_unique(),
        pre_revenue=pl.col("value").filter(~late).sum(),
        pre_orders=pl.col("trip_id").filter(~late).n_unique(),
    )
    treated = np.random.default_rng(2).random(frame.height) < 0.5
    return frame.with_columns(variant=pl.Series(np.where(treated, "treatment", "control")))


def tables(folder: Path) -> dict[str, tuple[pl.DataFrame, list[dict[str, str]]]]:
    """Return the tables that there are, each with its metrics."""
    shop = [
        {"value": "revenue"},
        {"value": "revenue", "covariate": "pre_revenue"},
        {"value": "revenue", "denominator": "orders"},
        {
            "value": "revenue",
            "denominator": "orders",
            "covariate": "pre_revenue",
            "covariate_denominator": "pre_orders",
        },
    ]
    found = {
        "synthetic": (synthetic(), [*shop, {"value": "converted"}, {"value": "with_nulls"}]),
        "complete-journey": (complete_journey(), shop),
    }
    cats, hillstrom = folder / "cookie-cats/cookie_cats.csv.gz", folder / "hillstrom/hillstrom.csv.gz"
    if cats.exists():
        frame = (
            open_table(cats)
            .collect()
            .with_columns(
                variant=pl.col("version").replace_strict({"gate_30": "control", "gate_40": "treatment"})
            )
        )
        names = ("retention_1", "retention_7", "sum_gamerounds")
        found["cookie-cats"] = (frame, [{"value": name} for name in names])
    if hillstrom.exists():
        arms = {"No E-Mail": "control", "Mens E-Mail": "treatment", "Womens E-Mail": "other"}
        frame = open_table(hillstrom).collect().with_columns(variant=pl.col("segment").replace_strict(arms))
        metrics: list[dict[str, str]] = []
        for name in ("visit", "conversion", "spend"):
            metrics += [{"value": name}, {"value": name, "covariate": "history"}]
        found["hillstrom"] = (frame, metrics)
    return found


def ours(table: pl.DataFrame, metric: dict[str, str]) -> dict[str, Any]:
    """Return our figures."""
    written: dict[str, Any] = {"metric_id": "m", "column": metric["value"]}
    if "denominator" in metric:
        written = {
            "metric_id": "m",
            "kind": "ratio",
            "numerator": metric["value"],
            "denominator": metric["denominator"],
        }
    if "covariate" in metric:
        covariate = {"numerator": metric["covariate"], "denominator": metric.get("covariate_denominator")}
        written["covariates"] = [{name: value for name, value in covariate.items() if value}]
    definition = parse_experiment(
        {
            "experiment_id": "agreement",
            "variant_column": "variant",
            "variants": [{"variant_id": "control"}, {"variant_id": "treatment"}],
            "analysis": "fixed",
            "metrics": [written],
        },
        "agreement",
    )
    found: dict[str, Any] = analyze_table(definition, table).to_json()["results"][0]
    return found


def distance(mine: dict[str, Any], theirs: dict[str, Any]) -> float:
    """Return the largest relative distance of difference, standard error and interval; ends relative to the width."""
    width: float = mine["ci_upper"] - mine["ci_lower"]
    found = [
        abs(mine[name] - theirs[name]) / abs(theirs[name])
        for name in ("estimate", "standard_error")
        if name in theirs
    ]
    ends = zip((mine["ci_lower"], mine["ci_upper"]), theirs["interval"], strict=True)
    return float(max(*found, *(abs(a - b) / width for a, b in ends)))


def main() -> int:
    """Print each peer's largest distance; exit with 1 if one is above the tolerance."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    folder = parser.parse_args().data
    python = peer_python()
    if python is None:
        print(HINT)
        return 0
    worst: dict[str, tuple[float, str]] = {}
    compared: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as held:
        place = Path(held)
        cases: list[Case] = []
        mine: dict[str, dict[str, Any]] = {}
        for name, (table, metrics) in tables(folder).items():
            table.write_parquet(place / f"{name}.parquet")
            for metric in metrics:
                case = f"{name}: {' / '.join(metric.values())}"
                cases.append({"name": case, "table": f"{name}.parquet", "metric": metric})
                mine[case] = ours(table, metric)
        (place / "cases.json").write_text(json.dumps(cases), encoding="utf-8")
        script = str(Path(__file__).with_name("agreement_peers.py"))
        done = subprocess.run([str(python), script, held], check=True, stdout=subprocess.PIPE, text=True)
        for case, said in json.loads(done.stdout).items():
            for peer, figures in said.items():
                far = distance(mine[case], figures)
                compared[peer] = compared.get(peer, 0) + 1
                worst[peer] = max(worst.get(peer, (0.0, "")), (far, case))
    for peer, (far, case) in worst.items():
        print(f"{peer:20} {compared[peer]:3} comparisons, largest relative distance {far:.1e} ({case})")
    return int(any(far > TOLERANCE for far, _ in worst.values()))


if __name__ == "__main__":
    sys.exit(main())
