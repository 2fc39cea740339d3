"""`troth campaign run`: from a list through a server to a Parquet file, and on after a break."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import UTC
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from experiments.errors import AnalysisError
from server.clients.campaign import read_members
from server.clients.campaign_result import SCHEMA
from tests.cli.deciding import Command, Deciding
from tests.cli.in_process import run
from tests.server import decision_scene as ds
from tests.server.decision_scene import Asking, Now
from tests.server.process import serving
from tests.server.running import running
from troth.v1 import recommendation_service_pb2_grpc


@pytest.fixture
def troth(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command, in this process."""
    return lambda *arguments: run(monkeypatch, capsys, *arguments)


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Deciding]:
    """A running server."""
    config, now = ds.write(tmp_path / "scene"), Now()
    with running(config, now) as server:
        yield Deciding(server, Asking(server), str(config), f"127.0.0.1:{server.app.port}", now)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of 7 members."""
    monkeypatch.setattr("server.clients.campaign.PART", 7)


def members(folder: Path, count: int) -> Path:
    """Write a list of members."""
    path = folder / "members.txt"
    path.write_text("".join(f"m{number:04}\n" for number in range(count)), encoding="utf-8")
    return path


def campaign(
    listed: Path, address: str, *more: str, placement: str = "till", name: str = "spring"
) -> tuple[str, ...]:
    """Return the arguments of a campaign whose result stands beside its list."""
    out = listed.with_name("result.parquet")
    return (
        "campaign", "run", name, "--members", str(listed), "--placement", placement, "--server", address,
        "--out", str(out), *more,
    )  # fmt: skip


@pytest.mark.usefixtures("small_parts")
def test_result(live: Deciding, tmp_path: Path, troth: Command) -> None:
    """One row for each offer of each member, in the order of list and ranks, as the log has it; the schema as stated."""
    listed = members(tmp_path, 20)

    ran = troth(*campaign(listed, live.address, "--offers", "2"))

    assert (ran.code, ran.err) == (0, "")
    assert re.fullmatch(
        r"20 members, [\d,]+ a second: 20 are given something, 0 nothing\. Result: .*result\.parquet\.\n",
        ran.out,
    )
    table = pl.read_parquet(tmp_path / "result.parquet")
    assert dict(table.schema) == SCHEMA
    assert table["member_id"].to_list() == [f"m{number:04}" for number in range(20) for _ in range(2)]
    assert table["rank"].to_list() == [1, 2] * 20
    first = table.row(0, named=True)
    logged = live.server.logged_decision(first["decision_id"])
    assert first == {
        "programme": "default", "campaign_id": "spring", "member_id": "m0000", "status": "given",
        "decision_id": logged["decision_id"], "decide_time": ds.NOON.astimezone(UTC), "placement_id": "till",
        "standing_arm": None, "candidate_id": "honey", "channel_id": "app", "rank": 1,
        "score": logged["offers"][0]["score"], "propensity": 1.0, "title": "Honey", "creative": None,
        "problem": None,
    }  # fmt: skip
    assert table["creative"][1] == "jam.png"
    assert live.server.row_counts()[0] == 20
    assert not list(tmp_path.glob("*.parts"))


def test_nothing_and_problem(live: Deciding, tmp_path: Path, troth: Command) -> None:
    """No action and an empty answer are one row of status nothing; who has another answer is a problem that says so."""
    listed = tmp_path / "members.csv"
    listed.write_text("member_id,city\n007,Bern\nbob,Bern\nbob,Basel\n", encoding="utf-8")
    live.ask.log("007", "purchase")

    ran = troth(*campaign(listed, live.address, "--json", "-", placement="next"))
    document = json.loads(ran.out)
    assert isinstance(document.pop("seconds"), float)
    assert document == {
        "member_count": 2, "given_count": 1, "nothing_count": 1, "problem_count": 0, "repeated_count": 1,
        "finished_before_count": 0,
    }  # fmt: skip
    table = pl.read_parquet(tmp_path / "result.parquet")
    assert table.select("member_id", "status", "candidate_id", "channel_id").rows() == [
        ("007", "nothing", None, None),
        ("bob", "given", "welcome", "app"),
    ]

    ran = troth(*campaign(listed, live.address))
    assert ran.code == 0
    assert "2 could not be decided for; column problem says why" in ran.out
    table = pl.read_parquet(tmp_path / "result.parquet")
    assert table["status"].to_list() == ["problem"] * 2
    assert "another" in table["problem"][0]


class _Broken:
    """A stub whose stream breaks after so many answers."""

    def __init__(self, stub: Any, answers: int) -> None:
        self._stub = stub
        self._answers = answers

    def DecideCampaign(self, request: Any, timeout: float) -> Iterator[Any]:  # noqa: N802 the proto's name
        call = self._stub.DecideCampaign(request, timeout=timeout)
        for answer in call:
            if not self._answers:
                # What the client sees of a server that is gone.
                call.cancel()
                continue
            self._answers -= 1
            yield answer


@pytest.mark.usefixtures("small_parts")
def test_goes_on_after_a_break(
    live: Deciding, tmp_path: Path, troth: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A break is one sentence with exit code 1; the same command goes on, asks for no finished part, decides nobody twice."""
    listed = members(tmp_path, 30)
    made: Any = recommendation_service_pb2_grpc.RecommendationServiceStub
    name = "RecommendationServiceStub"
    monkeypatch.setattr(recommendation_service_pb2_grpc, name, lambda channel: _Broken(made(channel), 17))

    ran = troth(*campaign(listed, live.address))

    assert (ran.code, ran.out) == (1, "")
    assert ran.err.count("\n") == 1
    assert f"The server at {live.address} stopped answering after 17 of 30 members" in ran.err
    assert "run the same command again" in ran.err
    parts = sorted(path.name for path in (tmp_path / "result.parquet.parts").iterdir())
    assert parts == ["000000.parquet", "000001.parquet", "campaign.json"]
    assert not (tmp_path / "result.parquet").exists()
    before = pl.read_parquet(tmp_path / "result.parquet.parts" / "*.parquet")
    monkeypatch.setattr(recommendation_service_pb2_grpc, name, made)

    ran = troth(*campaign(listed, live.address))

    assert ran.code == 0
    assert "14 were finished by an earlier run." in ran.out
    table = pl.read_parquet(tmp_path / "result.parquet")
    assert table["member_id"].unique(maintain_order=True).to_list() == [
        f"m{number:04}" for number in range(30)
    ]
    assert table.head(len(before)).equals(before)
    assert live.server.row_counts()[0] == 30
    assert not (tmp_path / "result.parquet.parts").exists()


@pytest.mark.usefixtures("small_parts")
def test_parts_of_another_run_are_not_mixed_in(
    live: Deciding, tmp_path: Path, troth: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts of another question, or of another list, are not taken: the sentence says what was different."""
    listed = members(tmp_path, 10)
    made: Any = recommendation_service_pb2_grpc.RecommendationServiceStub
    with monkeypatch.context() as broken:
        broken.setattr(
            recommendation_service_pb2_grpc,
            "RecommendationServiceStub",
            lambda channel: _Broken(made(channel), 8),
        )
        assert troth(*campaign(listed, live.address)).code == 1

    ran = troth(*campaign(listed, live.address, "--offers", "1"))
    assert ran.code == 1
    assert (
        "holds parts of another run (offer_count was 0); finish that one first, delete the folder" in ran.err
    )
    members(tmp_path, 11)
    ran = troth(*campaign(listed, live.address))
    assert "(members was" in ran.err


def test_server_dies_midway(tmp_path: Path, troth: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is killed ends the command with one sentence; a new one lets it go on, and nobody is decided twice."""
    listed = members(tmp_path, 1_200)
    config = ds.write(tmp_path / "scene")
    with serving(config) as server:

        def report(_: str, done: int, __: int) -> None:
            if done >= 200 and server.process.poll() is None:
                server.kill()

        with monkeypatch.context() as killing:
            killing.setattr("cli.campaign.progress_bar", lambda: nullcontext(report))
            ran = troth(*campaign(listed, server.address))
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.count("\n") == 1
    assert "stopped answering after" in ran.err

    with serving(config) as server:
        ran = troth(*campaign(listed, server.address))
        assert ran.code == 0
        frame = server.frames().decisions
    assert len(frame) == frame["member_id"].n_unique() == 1_200
    table = pl.read_parquet(tmp_path / "result.parquet")
    assert table["member_id"].n_unique() == 1_200
    assert set(table["decision_id"]) == set(frame["decision_id"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("--channel", "push"),
            "refuses the campaign: The request is invalid: channel_id: placement 'till' has app, email",
        ),
        (("--placement", "nowhere"), "refuses the campaign: Programme 'default' has no placement 'nowhere'"),
        (("--programme", "other"), "refuses the campaign: This server serves no programme 'other'"),
    ],
)
def test_refused_campaign(
    live: Deciding, tmp_path: Path, troth: Command, arguments: tuple[str, ...], sentence: str
) -> None:
    """What the server refuses is its own sentence, with exit code 1."""
    ran = troth(*campaign(members(tmp_path, 3), live.address, *arguments))

    assert (ran.code, ran.out) == (1, "")
    assert sentence in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.usefixtures("small_parts")
def test_wrong_member_is_found_in_the_list(live: Deciding, tmp_path: Path, troth: Command) -> None:
    """A member id that breaks the rules is named with its place, and where counting begins."""
    listed = members(tmp_path, 20)
    lines = listed.read_text(encoding="utf-8").splitlines()
    lines[9] = "x" * 257
    listed.write_text("\n".join(lines), encoding="utf-8")

    ran = troth(*campaign(listed, live.address))

    assert ran.code == 1
    assert "member_ids[2]: has 257 characters; at most 256 are allowed" in ran.err
    assert f"(member_ids counts from member 8 of {listed}, up to 14)" in ran.err


def test_no_server(tmp_path: Path, troth: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody at the address is one sentence that says what to do."""
    monkeypatch.setattr("server.clients.campaign.CONNECT_S", 0.3)

    ran = troth(*campaign(members(tmp_path, 3), "127.0.0.1:9"))

    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("troth: No server answers at 127.0.0.1:9; start one with `troth serve`")


def _text(path: Path) -> None:
    path.write_text("\ufeffanna\n\n bob\nanna\nZoë\n", encoding="utf-8")


def _csv(path: Path) -> None:
    path.write_text('age,member_id\n1,anna\n2," bob"\n3,anna\n4,Zoë\n', encoding="utf-8")


def _parquet(path: Path) -> None:
    pl.DataFrame({"member_id": ["anna", " bob", "anna", "Zoë"], "x": [1, 2, 3, 4]}).write_parquet(path)


@pytest.mark.parametrize(("name", "write"), [("m.txt", _text), ("m.csv", _csv), ("m.parquet", _parquet)])
def test_lists(tmp_path: Path, name: str, write: Callable[[Path], None]) -> None:
    """All three kinds of lists give the same members, each once, in their order and exactly as they are written."""
    write(tmp_path / name)

    found = read_members(tmp_path / name)

    assert found.member_ids.to_list() == ["anna", " bob", "Zoë"]
    assert found.repeated_count == 1


def test_numbers_are_ids(tmp_path: Path) -> None:
    """Ids that look like numbers keep their zeros in CSV, and whole numbers of Parquet are their digits."""
    (tmp_path / "m.csv").write_text("member_id\n0042\n1e5\n", encoding="utf-8")
    pl.DataFrame({"member_id": [42, 7]}).write_parquet(tmp_path / "m.parquet")

    assert read_members(tmp_path / "m.csv").member_ids.to_list() == ["0042", "1e5"]
    assert read_members(tmp_path / "m.parquet").member_ids.to_list() == ["42", "7"]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("m.txt", b"\n\n", "names no members"),
        ("m.csv", b"member_id\n", "names no members"),
        ("m.csv", b"id,x\n1,2\n", "has no column member_id; it has id, x"),
        ("m.csv", b"member_id,x\na,1\n,2\n", "has 1 rows without a member_id"),
        ("m.csv", b"", "cannot be read as a list of members"),
        ("m.parquet", b"no parquet", "cannot be read as a list of members"),
        ("m.txt", b"\xff\xfe", "cannot be read as a list of members"),
        ("m.xlsx", b"", "must end with .parquet, .csv or .txt"),
    ],
)
def test_wrong_lists(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    """A list that is not a list is one sentence that names the file."""
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(AnalysisError) as caught:
        read_members(path)
    assert caught.value.message.startswith(str(path))
    assert sentence in caught.value.message
    with pytest.raises(AnalysisError, match="There is no file"):
        read_members(tmp_path / "missing.csv")


def test_usage(tmp_path: Path, troth: Command) -> None:
    """A result that is not a Parquet file, or that is the list itself, is wrong usage."""
    listed = tmp_path / "list.parquet"
    pl.DataFrame({"member_id": ["anna"]}).write_parquet(listed)
    plain = (
        "campaign",
        "run",
        "c",
        "--members",
        str(listed),
        "--placement",
        "till",
        "--server",
        "127.0.0.1:9",
        "--out",
    )

    assert troth(*plain, str(tmp_path / "out.csv")).code == 2
    assert troth(*plain, str(listed)).code == 2
