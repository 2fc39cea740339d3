"""The example of decisions in the quick start works as it is written."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format

from tests.cli.in_process import run
from tests.server.process import ROOT
from tests.server.running import RPC_TIMEOUT_S, Running, running
from troth.v1 import recommendation_service_pb2, recommendation_service_pb2_grpc

SECTION = (
    (ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8").split("\n## Rules, limits, budgets\n")[1]
)
SECTION = SECTION.split("\n## ")[0]


def block(language: str) -> str:
    """Return the only block of a language in the section."""
    (text,) = re.findall(rf"^```{language}\n(.*?)^```$", SECTION, flags=re.MULTILINE | re.DOTALL)
    return str(text)


COMMANDS = [shlex.split(line, comments=True) for line in block("sh").replace("\\\n", "").splitlines()]


def grpcurl(server: Running, command: list[str]) -> Any:
    """Make the call of a ``grpcurl`` command to a server instead, and return its answer as JSON."""
    _, _, _, document, _, method = command
    name = method.split("/")[1]
    request = getattr(recommendation_service_pb2, f"{name}Request")()
    json_format.ParseDict(json.loads(document), request)
    stub: Any = recommendation_service_pb2_grpc.RecommendationServiceStub(server.channel)
    return json_format.MessageToDict(getattr(stub, name)(request, timeout=RPC_TIMEOUT_S))


def test_the_commands_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each command succeeds on the files of the section, and Ann gets what the text says."""
    for name, language in (("catalogue.yaml", "yaml"), ("troth.toml", "toml"), ("members.csv", "csv")):
        assert f"`{name}`" in SECTION
        (tmp_path / name).write_text(block(language), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    validate, serve, load, offers, action, explain, replay = COMMANDS
    assert serve == ["troth", "serve", "--config", "troth.toml"]

    assert run(monkeypatch, capsys, *validate[1:]).code == 0
    with running(tmp_path / "troth.toml", port=0, metrics_port=0, drain_wait=0.0) as server:
        address = ("--server", f"127.0.0.1:{server.app.port}")
        assert run(monkeypatch, capsys, *load[1:], *address).out.startswith("2 members changed")
        shown = grpcurl(server, offers)["decision"]
        assert [one["offerId"] for one in shown["offers"]] in (["TOYS-5"], ["FREE-COFFEE"])
        assert [grpcurl(server, action)["decision"]["action"]["actionId"] for _ in range(2)] == [
            "hello",
            "no_action",
        ]
        explained = run(monkeypatch, capsys, *explain[1:-1], shown["decisionId"])
        replayed = run(monkeypatch, capsys, *replay[1:])

    assert explained.code == 0
    assert "TOYS-5" in explained.out
    assert "3 identical, 0 different, 0 impossible" in replayed.out
