"""`troth experiment analyze`, from files to a document, a report and an exit code."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from tests.cli.in_process import Ran, run
from tests.experiments.analysis import test_events as events
from tests.experiments.analysis.build import check_document, table

SHARED = Path(__file__).parents[2].resolve().parent / "shared" / "data"

RAW: dict[str, Any] = {
    "experiment_id": "e",
    "hypothesis": "More is more.",
    "variants": [{"variant_id": "control"}, {"variant_id": "new"}],
    "analysis": "fixed",
    "metrics": [
        {"metric_id": "revenue", "covariates": ["before"]},
        {"metric_id": "clicked", "kind": "proportion"},
    ],
}


class Troth:
    """The command, in this process, in a folder of its own."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.folder, self._monkeypatch, self._capsys = folder, monkeypatch, capsys
        monkeypatch.chdir(folder)

    def define(self, **changes: Any) -> str:
        """Write the definition; return its name."""
        (self.folder / "e.yaml").write_text(yaml.safe_dump(RAW | changes), encoding="utf-8")
        return "e.yaml"

    def run(self, *arguments: str) -> Ran:
        """Run `troth experiment analyze`."""
        return run(self._monkeypatch, self._capsys, "experiment", "analyze", *arguments)

    def document(self, *arguments: str) -> dict[str, Any]:
        """Run with `--json -`; return the one document that is all of stdout."""
        ran = self.run(*arguments, "--json", "-")
        assert (ran.code, ran.err) == (0, "")
        found: dict[str, Any] = json.loads(ran.out)
        check_document(found)
        return found


@pytest.fixture
def troth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Troth:
    """Return the command in an empty folder."""
    return Troth(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".csv.gz", ".tsv", ".ndjson", ".arrow"])
def test_tables_of_every_format_give_one_document(troth: Troth, ending: str) -> None:
    """All of stdout is one JSON document, and the figures (tea-tasting, scipy) do not depend on the format."""
    path = troth.folder / f"units{ending}"
    match ending:
        case ".parquet":
            table().write_parquet(path)
        case ".csv" | ".tsv":
            table().write_csv(path, separator="," if ending == ".csv" else "\t")
        case ".csv.gz":
            import gzip

            path.write_bytes(gzip.compress(table().write_csv().encode()))
        case ".ndjson":
            table().write_ndjson(path)
        case ".arrow":
            table().write_ipc(path)

    document = troth.document(troth.define(), "--data", path.name)

    revenue, clicked = document["results"]
    assert revenue["estimate"] == pytest.approx(-1.0218817564080211, rel=1e-9)
    assert revenue["p_value"] == pytest.approx(0.2813953744274723, rel=1e-9)
    assert clicked["p_value"] == pytest.approx(0.0010462084703123128, rel=1e-9)
    assert document["units"] == {"control": 200, "new": 200}


def test_people_get_sentences_and_files(troth: Troth) -> None:
    """Without `--json -` stdout has the verdict and the primary metric; JSON and report go to their files."""
    table().write_parquet("units.parquet")

    ran = troth.run(troth.define(), "--data", "units.parquet", "--json", "e.json", "--html", "e.html")

    document = json.loads((troth.folder / "e.json").read_text(encoding="utf-8"))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"{document['decision']['reason']}\n{document['summary']}\n"
    assert "<html" in (troth.folder / "e.html").read_text(encoding="utf-8")


def test_the_command_may_name_the_columns(troth: Troth) -> None:
    """`--unit-column` and `--variant-column` stand in for the definition's."""
    table().rename({"variant": "arm", "unit_id": "who"}).write_parquet("units.parquet")

    document = troth.document(
        troth.define(), "--data", "units.parquet", "--variant-column", "arm", "--unit-column", "who"
    )

    assert document["units"] == {"control": 200, "new": 200}


def test_event_tables_and_links(troth: Troth) -> None:
    """Exposures and outcomes with a day up to which they reach, and links of visitors to members."""
    exposures, outcomes = events.tables()
    exposures.with_columns(unit_id=pl.col("unit_id").replace({"t1": "cookie"})).collect().write_parquet(
        "x.parquet"
    )
    outcomes.collect().write_csv("o.csv")
    pl.DataFrame({"anonymous_id": ["cookie"], "member_id": ["t1"]}).write_csv("links.csv")
    name = troth.define(
        metrics=[{"metric_id": "spend", "numerator": events.SPEND}],
        window_days=7,
        overrides={"chosen": "new"},
    )

    document = troth.document(
        name,
        *(
            "--exposures",
            "x.parquet",
            "--outcomes",
            "o.csv",
            "--identities",
            "links.csv",
            "--as-of",
            "2025-03-10",
        ),
    )

    assert [figure["mean"] for figure in document["figures"]] == pytest.approx([17 / 3, 8])
    assert document["diagnostics"]["immature_units"] == 1


def test_saved_results_are_computed_again(troth: Troth) -> None:
    """`--saved` gives the same document without the data, and another one for another plan."""
    table().write_parquet("units.parquet")
    first = troth.document(troth.define(), "--data", "units.parquet")
    (troth.folder / "saved.json").write_text(json.dumps(first), encoding="utf-8")
    (troth.folder / "units.parquet").unlink()

    assert troth.document("e.yaml", "--saved", "saved.json") == first
    stricter = troth.document(troth.define(alpha=0.001), "--saved", "saved.json")
    assert stricter["results"][1]["ci_lower"] < 0 < first["results"][1]["ci_lower"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--data", "nowhere.parquet"], "There is no file nowhere.parquet."),
        (["--data", "units.xlsx"], "unknown ending"),
        (["--data", "torn.parquet"], "torn.parquet cannot be read"),
        (["--data", "units.parquet", "--variant-column", "arm"], "no column arm"),
        (["--data", "narrow.parquet"], "no column revenue"),
        (["--exposures", "x.parquet", "--outcomes", "o.parquet"], "names a column of a table"),
        (["--saved", "nowhere.json"], "nowhere.json cannot be read as JSON"),
        (["--saved", "e.yaml"], "cannot be read as JSON"),
        (["--saved", "list.json"], "holds no JSON object"),
        (["--saved", "empty.json"], "not a result of experiment 'e'"),
        (["--log", "nowhere.db"], "nowhere.db"),
        (["--log", "units.parquet"], "units.parquet"),
        ([], "troth.db"),
        (["--data", "units.parquet", "--json", "no/such/folder.json"], "cannot be written"),
        (["--data", "units.parquet", "--html", "no/such/folder.html"], "cannot be written"),
    ],
)
def test_what_fails_says_why_in_one_sentence(troth: Troth, arguments: list[str], said: str) -> None:
    """Exit code 1, nothing on stdout, one line on stderr that begins with the command's name."""
    table().write_parquet("units.parquet")
    table().select("variant", "unit_id").write_parquet("narrow.parquet")
    exposures, outcomes = events.tables()
    exposures.collect().write_parquet("x.parquet")
    outcomes.collect().write_parquet("o.parquet")
    for name, text in (
        ("torn.parquet", "PAR1"),
        ("units.xlsx", ""),
        ("list.json", "[]"),
        ("empty.json", "{}"),
    ):
        (troth.folder / name).write_text(text, encoding="utf-8")

    ran = troth.run(troth.define(), *arguments)

    assert ran.code == 1, ran
    assert ran.out == ""
    assert ran.err.startswith("troth: ")
    assert said in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metrics": [{"metric_id": "spend", "numerator": events.SPEND}]}, "is made of events"),
        ({"metrics": [{"metric_id": "revenue", "kind": "ratio"}]}, "denominator"),
        ({"variants": [{"variant_id": "control"}]}, "variants"),
        ({"segments": ["country"]}, "no column country"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_definitions_that_do_not_fit_the_table_are_refused(
    troth: Troth, changes: dict[str, Any], said: str
) -> None:
    """Events asked of a table, fields that do not exist and faults of the definition: exit code 1 and the name."""
    table().write_parquet("units.parquet")

    ran = troth.run(troth.define(**changes), "--data", "units.parquet", "--json", "-")

    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("troth: ")
    assert said in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--data", "units.parquet", "--exposures", "x.parquet", "--outcomes", "o.parquet"],
        ["--data", "units.parquet", "--log", "troth.db"],
        ["--data", "units.parquet", "--saved", "saved.json"],
        ["--data", "units.parquet", "--outcomes", "o.parquet"],
        ["--data", "units.parquet", "--identities", "links.csv"],
        ["--exposures", "x.parquet"],
        ["--data", "units.parquet", "--as-of", "tomorrow"],
        ["--table", "units.parquet"],
    ],
)
def test_sources_that_exclude_each_other_are_a_usage_error(troth: Troth, arguments: list[str]) -> None:
    """Exit code 2 before anything is read or written."""
    ran = troth.run(troth.define(), *arguments)

    assert (ran.code, ran.out) == (2, "")
    assert "Usage" in ran.err


def test_a_folder_of_experiments_is_not_one(troth: Troth) -> None:
    """The definition is one experiment."""
    two = {"experiments": [RAW, RAW | {"experiment_id": "f"}]}
    (troth.folder / "two.yaml").write_text(yaml.safe_dump(two), encoding="utf-8")

    ran = troth.run("two.yaml", "--data", "units.parquet")

    assert ran.code == 2
    assert "2 experiments" in " ".join(ran.err.split())


def shared(name: str) -> Path:
    """Return a file of the shared data; skip where it is not there."""
    path = SHARED / name
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    return path


def test_cookie_cats(troth: Troth) -> None:
    """90,189 players: the sample ratio is suspicious (scipy: 0.0086); day-7 retention fell (scipy: 0.00156)."""
    data = shared("cookie-cats/cookie_cats.csv.gz")
    name = troth.define(
        unit_column="userid",
        variant_column="version",
        variants=[{"variant_id": "gate_30"}, {"variant_id": "gate_40"}],
        metrics=[
            {"metric_id": "retention_7", "kind": "proportion"},
            {"metric_id": "retention_1", "kind": "proportion"},
            {"metric_id": "sum_gamerounds"},
        ],
        correction="none",
    )

    document = troth.document(name, "--data", str(data))

    assert document["units"] == {"gate_30": 44_700, "gate_40": 45_489}
    assert document["srm"]["p_value"] == pytest.approx(0.008607987810836262, rel=1e-9)
    assert document["srm"]["warning"]
    assert not document["srm"]["alarm"]
    figures = [
        (one["estimate"], one["ci_lower"], one["ci_upper"], one["p_value"]) for one in document["results"]
    ]
    # scipy 1.16, ttest_ind with unequal variances.
    assert figures[0] == pytest.approx(
        (-0.008201298315205913, -0.013281677028690975, -0.00312091960172085, 0.001556530181006654), rel=1e-8
    )
    assert figures[1] == pytest.approx(
        (-0.005905169787341458, -0.012392598488234843, 0.0005822589135519281, 0.07441443713953834), rel=1e-8
    )
    assert figures[2] == pytest.approx(
        (-1.157488453953249, -3.7197051164946457, 1.4047282085881476, 0.37592438409326173), rel=1e-8
    )
    assert document["decision"]["verdict"] == "do_not_ship"


def test_hillstrom(troth: Troth) -> None:
    """64,000 customers in three arms, also with what they spent before: scipy's and tea-tasting's figures."""
    data = shared("hillstrom/hillstrom.csv.gz")
    name = troth.define(
        variant_column="segment",
        control="No E-Mail",
        variants=[{"variant_id": one} for one in ("No E-Mail", "Mens E-Mail", "Womens E-Mail")],
        metrics=[
            {"metric_id": "spend"},
            {"metric_id": "visit", "kind": "proportion"},
            {"metric_id": "spend-adjusted", "column": "spend", "covariates": ["history"]},
        ],
        correction="holm",
        segments=["channel"],
    )

    document = troth.document(name, "--data", str(data))

    figures = [(one["estimate"], one["p_value"]) for one in document["results"]]
    expected = [
        (0.7698271558945368, 1.163814968225482e-07),
        (0.4244122159365967, 0.0011293971023632495),
        (0.07658956365153125, 1.3644511962742905e-112),
        (0.045233106587052985, 2.4324477023127946e-44),
        # tea-tasting 1.14, Mean with a covariate, each pair of arms.
        (0.7674384994278021, 1.265314467251952e-07),
        (0.42270092315649777, 0.0011802047342596507),
    ]
    for found, other in zip(figures, expected, strict=True):
        assert found == pytest.approx(other, rel=1e-6)
    assert document["srm"]["p_value"] == pytest.approx(0.9036929575604196, rel=1e-9)
    assert document["results"][1]["adjusted_p_value"] == pytest.approx(2 * 0.0011293971023632495, rel=1e-6)
    assert (document["decision"]["verdict"], document["decision"]["variant_id"]) == ("ship", "Mens E-Mail")
    assert {one["value"] for one in document["segments"]} == {"Phone", "Web", "Multichannel"}
