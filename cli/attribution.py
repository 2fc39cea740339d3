"""Attribution of a log, from what the command line names to files and a sentence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cli.options import read_programme
from experiments.errors import AnalysisError

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class AttributedLog:
    """The log with its credits.

    Attributes:
        touches: One row per decided candidate.
        credits: One row per outcome.
        counts: Candidates, outcomes, and outcomes by status.
    """

    touches: "pl.DataFrame"
    credits: "pl.DataFrame"
    counts: Mapping[str, int]

    def write(self, touches_path: Path, credits_path: Path | None) -> None:
        """Write the tables as Parquet.

        Raises:
            AnalysisError: One cannot be written.
        """
        for table, path in ((self.touches, touches_path), (self.credits, credits_path)):
            if path is None:
                continue
            try:
                table.write_parquet(path)
            except OSError as error:
                raise AnalysisError(f"{path} cannot be written: {error}.", path=str(path)) from None

    def sentence(self) -> str:
        """Return the counts in words."""
        from experiments.number_format import count_of

        counts = self.counts
        return (
            f"{count_of(counts['candidates'], 'decided candidate')}, {count_of(counts['outcomes'], 'outcome')}:"
            f" {counts['attributed']:,} attributed, {counts['late']:,} late, {counts['not_exposed']:,} of decisions that"
            f" were not exposed, {counts['other_member']:,} that name another member's decision,"
            f" {counts['no_decision']:,} without a decision."
        )


def read_windows(written: Sequence[str]) -> dict[str, float]:
    """Return the days by placement of texts such as ``home=7``.

    Raises:
        BadParameter: A text is none.
    """
    windows = {}
    for text in written:
        placement_id, equals, days = text.rpartition("=")
        try:
            windows[placement_id] = float(days)
        except ValueError:
            equals = ""
        if not (equals and placement_id):
            raise typer.BadParameter(f"{text!r} is no window; write PLACEMENT=DAYS, such as home=7.")
    return windows


def attributed_log(
    config: Path | None,
    log: Path | None,
    programme: str,
    *,
    rule: str,
    windows: Mapping[str, float],
    credit_unnamed: bool,
) -> AttributedLog:
    """Return the attribution of a log.

    Args:
        config: The server's configuration, whose catalogue has the windows.
        log: The log; the configuration's if not given.
        programme: The programme; if empty, the configuration's only one, without a configuration ``default``.
        rule: The attribution rule.
        windows: Days by placement, before those of the catalogue.
        credit_unnamed: Whether an outcome that names nothing is credited to the latest decision.

    Raises:
        AnalysisError: The rule or a window makes no sense, or the log cannot be read.
        DefinitionError: The configuration or the catalogue cannot be used.
    """
    from experiments.log.attribution import AttributionRules, Status, attribute, touches
    from experiments.log.frames import read_log

    of_catalogue: dict[str, float] = {}
    if config is not None:
        source = read_programme(config, programme)
        programme, log = source.programme, log or source.log
        of_catalogue = {one.placement_id: one.attribution_window_days for one in source.catalogue.placements}
        _refuse_unknown(windows, of_catalogue)
    assert log is not None
    rules = AttributionRules({**of_catalogue, **windows}, rule, credit_unnamed=credit_unnamed)  # type: ignore[arg-type]  # checked there
    frames = read_log(log, programme or "default")
    credited = attribute(frames, rules)
    touched = touches(frames, rules, credited)
    by_status = dict(credited["status"].value_counts().iter_rows())
    return AttributedLog(
        touched,
        credited,
        {
            "candidates": touched.height,
            "outcomes": credited.height,
            **{status.value: by_status.get(status.value, 0) for status in Status},
        },
    )


def _refuse_unknown(windows: Mapping[str, float], known: Mapping[str, float]) -> None:
    for placement_id in windows:
        if placement_id not in known:
            raise typer.BadParameter(
                f"The catalogue has no placement {placement_id!r}; it has {', '.join(known)}."
            )
