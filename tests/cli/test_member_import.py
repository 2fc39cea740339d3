"""``troth member import``: a table of members becomes what the server knows of them."""

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from experiments.errors import AnalysisError
from server.members import MemberProfile
from server.members.table import member_updates, read_member_table
from server.storage import SqliteEventLog
from tests.cli.in_process import run
from tests.server import scene
from tests.server.running import Running, running

TABLE = pl.DataFrame(
    {
        "member_id": ["anna", "bert"],
        "tier": ["gold", None],
        "points_balance": [120, 0],
        "points_expire_time": [datetime(2018, 1, 1, 12, tzinfo=UTC), None],
        "time_zone": ["Europe/Vienna", None],
        "consent:email:ads": [True, False],
        "consent::news": [None, True],
        "city": ["Zürich", None],
        "visits": pl.Series([3, None], dtype=pl.UInt16),
        "share": pl.Series([0.5, float("nan")], dtype=pl.Float32),
        "churned": [False, None],
        "joined": [date(2017, 3, 1), None],
        "likes": [["tea", "bread"], None],
    }
)
ANNA = MemberProfile(
    attributes={
        "city": "Zürich",
        "visits": 3,
        "share": 0.5,
        "churned": False,
        "joined": datetime(2017, 3, 1, tzinfo=UTC),
        "likes": ("tea", "bread"),
    },
    consents={("email", "ads"): True},
    tier="gold",
    points_balance=120,
    points_expire_time=datetime(2018, 1, 1, 12, tzinfo=UTC),
    time_zone="Europe/Vienna",
)
BERT = MemberProfile(consents={("email", "ads"): False, ("", "news"): True}, points_balance=0)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    """A server that knows nobody."""
    with running(scene.write_scene(tmp_path / "scene")) as started:
        yield started


def read(path: Path) -> list[MemberProfile]:
    """Return the profiles that a table makes of nothing."""
    return [update.applied_to(MemberProfile()) for update in member_updates(read_member_table(path))]


def test_parquet(tmp_path: Path) -> None:
    """Every column becomes its field, consent or attribute; an empty cell says nothing."""
    TABLE.write_parquet(tmp_path / "members.parquet")

    assert read(tmp_path / "members.parquet") == [ANNA, BERT]


def test_csv(tmp_path: Path) -> None:
    """A CSV says the same, except lists; ids that look like numbers stay as they are written."""
    path = tmp_path / "members.csv"
    TABLE.drop("likes").with_columns(member_id=pl.Series(["007", "08"])).write_csv(path)

    anna, bert = read(path)

    assert anna.attributes == {name: value for name, value in ANNA.attributes.items() if name != "likes"}
    assert (anna.consents, anna.points_expire_time, anna.tier) == (
        ANNA.consents,
        ANNA.points_expire_time,
        "gold",
    )
    assert bert == BERT
    assert read_member_table(path)["member_id"].to_list() == ["007", "08"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pl.DataFrame({"id": ["a"]}), "no column member_id"),
        (pl.DataFrame({"member_id": ["a", "a"]}), "a member in several rows"),
        (pl.DataFrame({"member_id": ["a", None]}), "a row without member_id"),
        (pl.DataFrame({"member_id": ["a"], "home": [{"x": 1}]}), "column home of type Struct"),
        (
            pl.DataFrame({"member_id": ["a"], "points_balance": ["many"]}),
            "column points_balance of type String",
        ),
        (pl.DataFrame({"member_id": ["a"], "consent:ads": [True]}), "column consent:ads of type Boolean"),
        (pl.DataFrame({"member_id": ["a"], "big": pl.Series([2**64 - 1], dtype=pl.UInt64)}), "column big"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_tables(tmp_path: Path, table: pl.DataFrame, message: str) -> None:
    """What no profile can hold is named with its column before anything is sent."""
    table.write_parquet(tmp_path / "members.parquet")

    with pytest.raises(AnalysisError, match=message):
        read_member_table(tmp_path / "members.parquet")


def test_unreadable_files(tmp_path: Path) -> None:
    """A file that is missing or is not a table is named."""
    (tmp_path / "members.parquet").write_text("no table")
    for name in ("members.parquet", "missing.parquet", "missing.csv"):
        with pytest.raises(AnalysisError, match=f"{name} cannot be read as a table of members"):
            read_member_table(tmp_path / name)


def test_import(
    server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command sends everything, tells how many changed, and changes nothing the second time."""
    path = tmp_path / "members.parquet"
    many = pl.DataFrame({"member_id": [f"m{number}" for number in range(1500)], "tier": ["blue"] * 1500})
    pl.concat([TABLE, many], how="diagonal").write_parquet(path)
    arguments = ("member", "import", str(path), "--server", f"127.0.0.1:{server.app.port}")

    first = run(monkeypatch, capsys, *arguments)
    again = run(monkeypatch, capsys, *arguments, "--json", "-")

    assert (first.code, first.out) == (0, "1502 members changed, 0 were known so already.\n")
    assert json.loads(again.out) == {"changed_count": 0, "unchanged_count": 1502}
    with closing(SqliteEventLog(server.log_path)) as log:
        assert log.member_state("default", "anna").profile == ANNA
        assert log.member_state("default", "bert").profile == BERT
        assert log.member_state("default", "m1499").profile.tier == "blue"
        change = log.last_profile_change("default", "anna")
    assert change is not None
    assert change.actor == "troth member import"


def test_import_that_breaks_off(
    server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A batch that is refused ends the command with the server's sentence and the count of those that were taken."""
    path = tmp_path / "members.parquet"
    zones = ["Asia/Tokyo"] * 1000 + ["Nowhere"]
    pl.DataFrame({"member_id": [f"m{number}" for number in range(1001)], "time_zone": zones}).write_parquet(
        path
    )

    ran = run(monkeypatch, capsys, "member", "import", str(path), "--server", f"127.0.0.1:{server.app.port}")

    assert ran.code == 1
    assert "took 1000 members and refused the next 1" in ran.err
    assert "updates[0].member.time_zone" in ran.err


def test_import_without_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where no server answers, one sentence says so and what to do."""
    path = tmp_path / "members.parquet"
    TABLE.write_parquet(path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ran = run(monkeypatch, capsys, "member", "import", str(path), "--server", address)

    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(f"troth: No server answers at {address}, after 0 members; start one")
