"""The server's log with its outcomes credited to the decisions that they are due to."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from experiments.errors import AnalysisError, OptionError
from experiments.log.attribution import AttributionRules, Status, attribute, touches
from experiments.log.frames import read_log
from experiments.number_format import count_of
from server.programme.configured import read_programme


@dataclass(frozen=True, slots=True)
class AttributedLog:
    """The log with its credits.

    Attributes:
        touches: One row per decided candidate.
        credits: One row per outcome.
        counts: Candidates, outcomes, and outcomes by status.
    """

    touches: pl.DataFrame
    credits: pl.DataFrame
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
        counts = self.counts
        return (
            f"{count_of(counts['candidates'], 'decided candidate')}, {count_of(counts['outcomes'], 'outcome')}:"
            f" {counts['attributed']:,} attributed, {counts['late']:,} late, {counts['not_exposed']:,} of decisions that"
            f" were not exposed, {counts['other_member']:,} that name another member's decision,"
            f" {counts['no_decision']:,} without a decision."
        )


def attributed_log(
    config: Path | None,
    log: Path | None = None,
    programme: str = "",
    *,
    rule: str = "last_touch",
    windows: Mapping[str, float] | None = None,
    credit_unnamed: bool = True,
) -> AttributedLog:
    """Return the attribution of a log.

    Args:
        config: The server's configuration, whose catalogue has the windows.
        log: The log; the configuration's if not given.
        programme: The programme; if empty, the configuration's only one, without a configuration ``default``.
        rule: The attribution rule.
        windows: Days by placement, before those of the catalogue.
        credit_unnamed: Whether an outcome that names nothing is credited to the latest decision.

    Returns:
        The log's candidates and outcomes, each with its credit.

    Raises:
        AnalysisError: The rule or a window makes no sense, or the log cannot be read.
        DefinitionError: The configuration or the catalogue cannot be used.
        OptionError: Neither configuration nor log is given, or a window is of a placement that does not exist.
    """
    if config is None and log is None:
        raise OptionError("Give --config, or --log.")
    windows = windows or {}
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
            raise OptionError(f"The catalogue has no placement {placement_id!r}; it has {', '.join(known)}.")


def logged_choices(config: Path, programme: str = "", placement: str = "") -> pl.DataFrame:
    """Return the decided candidates of a server's log with what came of them, for an evaluation of policies.

    Args:
        config: The server's configuration.
        programme: The programme; the only one if empty.
        placement: The placement; the only one if empty.

    Returns:
        One row per decided candidate, with ``candidate_id``, ``propensity``, ``rank``, ``responded`` and ``value``.

    Raises:
        AnalysisError: The log cannot be read, or has no decisions of this placement.
        OptionError: Programme or placement must be named.
    """
    found = attributed_log(config, programme=programme).touches
    placements = found["placement_id"].unique().sort().to_list()
    if not placement and len(placements) > 1:
        raise OptionError(f"The log has decisions of {', '.join(placements)}; name one.", "--placement")
    if placement and placement not in placements:
        raise AnalysisError(
            f"The log has no decisions of placement {placement!r}; it has {', '.join(placements)}."
        )
    return found if not placement else found.filter(pl.col("placement_id") == placement)
