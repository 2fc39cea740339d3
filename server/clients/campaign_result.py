"""The result of a campaign: a Parquet file, made of parts that outlive a break."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC
from pathlib import Path
from typing import Any

import polars as pl

from experiments.errors import AnalysisError

SCHEMA = {
    "programme": pl.String(),
    "campaign_id": pl.String(),
    "member_id": pl.String(),
    "status": pl.String(),
    "decision_id": pl.String(),
    "decide_time": pl.Datetime("us", "UTC"),
    "placement_id": pl.String(),
    "standing_arm": pl.String(),
    "candidate_id": pl.String(),
    "channel_id": pl.String(),
    "rank": pl.Int32(),
    "score": pl.Float64(),
    "propensity": pl.Float64(),
    "title": pl.String(),
    "creative": pl.String(),
    "problem": pl.String(),
}
"""Columns of the result: one row for each offer or action that a member is given, and one for a member without any.
``status`` is ``given``, ``nothing`` (decided, but nothing could be given, or *no action* was best) or ``problem`` (not decided,
for the reason in ``problem``). What does not apply is null."""

GIVEN, NOTHING, PROBLEM = "given", "nothing", "problem"
NO_ACTION = "no_action"


def rows_of(campaign: Mapping[str, str], response: Any) -> list[dict[str, Any]]:
    """Return the rows of one ``DecideCampaignResponse``.

    Args:
        campaign: ``programme``, ``campaign_id`` and ``placement_id``.
        response: The answer for one member.
    """
    row: dict[str, Any] = {**campaign, "member_id": response.member_id}
    if response.WhichOneof("result") != "decision":
        return [{**row, "status": PROBLEM, "problem": response.problem}]
    decision = response.decision
    row |= {
        "decision_id": decision.decision_id,
        "decide_time": decision.decide_time.ToDatetime(UTC),
        "standing_arm": decision.standing_arm or None,
    }
    given = [_given(one.offer_id, decision.channel_id, one.rank, one) for one in decision.offers]
    if decision.HasField("action") and decision.action.action_id != NO_ACTION:
        given.append(_given(decision.action.action_id, decision.action.channel_id, 1, decision.action))
    return [{**row, "status": GIVEN, **one} for one in given] or [{**row, "status": NOTHING}]


def _given(candidate_id: str, channel_id: str, rank: int, one: Any) -> dict[str, Any]:
    return {
        "candidate_id": candidate_id,
        "channel_id": channel_id or None,
        "rank": rank,
        "score": one.score,
        "propensity": one.propensity,
        "title": one.title or None,
        "creative": one.creative or None,
    }


class ResultParts:
    """The finished parts of a result, in a folder beside it.

    Args:
        out: The result.
        asked: What the campaign asks for; parts of something else are not touched.

    Raises:
        AnalysisError: The folder has parts of something else, or cannot be written.
    """

    def __init__(self, out: Path, asked: Mapping[str, object]) -> None:
        self._out = out
        self.folder = out.with_name(f"{out.name}.parts")
        try:
            self._begin(asked)
        except OSError as error:
            raise _not_written(self.folder, error) from None

    def _begin(self, asked: Mapping[str, object]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        manifest = self.folder / "campaign.json"
        if not manifest.exists():
            _write_aside(manifest, lambda path: path.write_text(json.dumps(asked), encoding="utf-8"))
            return
        before: dict[str, object] = json.loads(manifest.read_text(encoding="utf-8"))
        differing = [name for name in asked if before.get(name) != asked[name]]
        if differing:
            was = ", ".join(f"{name} was {before.get(name)!r}" for name in differing)
            raise AnalysisError(
                f"{self.folder} holds parts of another run ({was}); finish that one first, delete the folder, or name"
                " another --out.",
                path=str(self.folder),
            )

    def has(self, number: int) -> bool:
        """Tell whether a part is finished."""
        return self._path(number).exists()

    def counts(self, number: int) -> dict[str, int]:
        """Return how many members of a finished part have which status."""
        table = pl.scan_parquet(self._path(number)).select("member_id", "status").unique()
        counted = table.group_by("status").len().collect()
        return {status: int(count) for status, count in counted.iter_rows()}

    def write(self, number: int, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep a part.

        Raises:
            AnalysisError: It cannot be written.
        """
        frame = pl.DataFrame(rows, schema=SCHEMA)
        try:
            _write_aside(self._path(number), frame.write_parquet)
        except OSError as error:
            raise _not_written(self.folder, error) from None

    def finish(self, count: int) -> None:
        """Make the result of all parts, in their order, and remove them.

        Raises:
            AnalysisError: It cannot be written.
        """
        paths = [self._path(number) for number in range(count)]
        try:
            _write_aside(self._out, lambda path: pl.scan_parquet(paths).sink_parquet(path))
        except OSError as error:
            raise _not_written(self._out, error) from None
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06}.parquet"


def _write_aside(path: Path, write: Any) -> None:
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(aside)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _not_written(path: Path, error: OSError) -> AnalysisError:
    return AnalysisError(f"{path} cannot be written: {error.strerror or error}.", path=str(path))
