"""Experiments in Python: analysis, planning, assignment, A/A simulation and the server's log."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from experiments.aa_test import AATest
from experiments.aa_test import simulate as simulate_splits
from experiments.analysis import ExperimentResult
from experiments.analysis.sources import AnalysisSource
from experiments.assignment.table import assign_units
from experiments.errors import OptionError
from experiments.log.frames import EventFrames
from experiments.log.frames import read_log as read_frames
from experiments.pages import result_report
from experiments.planning import PowerReport, plan_experiment, relative_size, target_effect
from troth.tables import Definition, Table, definition_of, lazy, maybe

if TYPE_CHECKING:
    from training.uplift.responders import Responders

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True, repr=False)
class Analysis(ExperimentResult):
    """The analysis of one experiment: ``result["metric"]["treatment"].always_valid``, a verdict, a table, a report.

    Attributes:
        responders: Who responded, where that was asked for; it has ``sentence``, ``to_json()`` and ``table()``.
    """

    responders: "Responders | None" = None

    def to_html(self, path: str | Path | None = None) -> str:
        """Return the report for people as one HTML document that loads nothing, and write it to a file if one is named."""
        section = "" if self.responders is None else self.responders.section()
        page = result_report(self, datetime.now(UTC), section)
        if path is not None:
            Path(path).write_text(page, encoding="utf-8")
        return page

    def to_json(self) -> dict[str, Any]:
        """Return the result, and who responded, as a JSON object without NaN or infinity."""
        # Not super(): a dataclass with slots is another class than the one that this method was written in.
        document = ExperimentResult.to_json(self)
        told = {} if self.responders is None else {"who_responded": self.responders.to_json()}
        return {**document, **told}

    def save(self, path: str | Path) -> None:
        """Write the result with its statistics as JSON, from which ``analyze(…, saved=path)`` computes every figure again."""
        text = json.dumps(self.to_json(), indent=2, ensure_ascii=False, allow_nan=False)
        Path(path).write_text(text, encoding="utf-8")

    def _repr_html_(self) -> str:
        head, _, rest = self.summary().partition("\n")
        shown = (
            self.to_polars().filter(pl.col("method") == "decisive").drop("method", "control_id", "refusal")
        )
        return f"<p><b>{escape(head)}</b></p><p>{escape(rest)}</p>{shown._repr_html_()}"


def analyze(
    definition: Definition,
    data: Table | None = None,
    *,
    exposures: Table | None = None,
    outcomes: Table | None = None,
    identities: Table | None = None,
    log: str | Path | None = None,
    saved: str | Path | Mapping[str, Any] | None = None,
    unit_column: str = "",
    variant_column: str = "",
    config: str | Path | None = None,
    programme: str = "",
    period: str = "",
    as_of: date | None = None,
    who: bool = False,
    members: Table | None = None,
    features: Sequence[str] = (),
    trial: str | Path | None = None,
) -> Analysis:
    """Analyse an experiment: a table with one row per unit, event tables, the server's log, or a saved result.

    Args:
        definition: A YAML file with one experiment, its fields, or the definition; or ``standing-arms``, which the catalogue defines.
        data: A table with one row per unit.
        exposures: A long table with one row per exposure; together with ``outcomes``.
        outcomes: A long table with one row per outcome.
        identities: Columns ``anonymous_id`` and ``member_id``: who of the event tables is the same person.
        log: The server's event log.
        saved: What ``Analysis.save`` wrote, or what ``to_json`` gave.
        unit_column: The table's column with the unit; as in the definition if empty.
        variant_column: The table's column with the variant; as in the definition if empty.
        config: The server's configuration, for ``standing-arms``: it has the catalogue, and names the log.
        programme: The programme of ``standing-arms``, where the configuration has several.
        period: The period of ``standing-arms``, such as 2026-11, 2026-Q4 or 2026; the present one if empty.
        as_of: The day for which the end is judged; the last day of the data if not given.
        who: Tell who responded: effects by member on the primary metric.
        members: With ``who``: a table with ``member_id`` and what was known of each member before.
        features: With ``who``: columns that were known before; all that can be if empty.
        trial: With ``who``: write the units as a trial for ``plan`` and ``train_actions`` to this file.

    Returns:
        Every figure that the definition asks for, and a verdict.

    Raises:
        DefinitionError: The definition cannot be used; all problems are named.
        OptionError: There is not exactly one source, or options contradict each other.
        AnalysisError: The source cannot be read as the definition says.
    """
    source = AnalysisSource(
        data=maybe(data, "the table"),
        exposures=maybe(exposures, "the table of exposures"),
        outcomes=maybe(outcomes, "the table of outcomes"),
        identities=maybe(identities, "the table of identities"),
        log=None if log is None else Path(log),
        saved=Path(saved) if isinstance(saved, str) else saved,
        today=as_of,
    )
    if config is None and not programme and not period:
        experiment = definition_of(definition, unit_column=unit_column, variant_column=variant_column)
    else:
        from server.programme.configured import analysed_experiment

        if not isinstance(definition, str | Path):
            raise OptionError("Config, programme and period belong to standing-arms.", "--config")
        experiment, source = analysed_experiment(
            Path(definition),
            source,
            config=None if config is None else Path(config),
            programme=programme,
            period=period,
        )
    found = source.analyze(experiment)
    responders = None
    if who or members is not None or features or trial is not None:
        from training.uplift.responders import tell_responders

        responders = tell_responders(
            experiment,
            source,
            who=who,
            members=maybe(members, "the table of members"),
            features=features,
            trial=None if trial is None else Path(trial),
        )
    figures = {field.name: getattr(found, field.name) for field in fields(found)}
    return Analysis(**figures, responders=responders)


def power(
    definition: Definition,
    data: Table | None = None,
    *,
    baseline_mean: float | None = None,
    baseline_sd: float | None = None,
    metric: str = "",
    effect: str | float | None = None,
    relative: float | None = None,
    units_per_day: float | None = None,
) -> PowerReport:
    """Say how many units and days each method needs, and what the planned units can find.

    Args:
        definition: A YAML file with one experiment, its fields, or the definition.
        data: A table of the past with one row per unit, for mean and variance.
        baseline_mean: In place of the table: the metric's mean.
        baseline_sd: In place of the table: the metric's standard deviation by unit.
        metric: Which metric; the primary one if empty.
        effect: The effect to be found: ``"5%"`` of the control's figure, or a number in its unit.
        relative: The effect to be found, relative: 0.05 is 5 %.
        units_per_day: New units a day; from the table's days if not given.

    Returns:
        One plan for each method.

    Raises:
        DefinitionError: The definition cannot be used.
        OptionError: There is not exactly one of table and baseline, no such metric, or the effect cannot be read.
        AnalysisError: The table cannot be read as the definition says, or there is no effect to plan for.
    """
    if (baseline_mean is None) != (baseline_sd is None):
        raise OptionError("Give both baseline_mean and baseline_sd.")
    given = None if baseline_mean is None or baseline_sd is None else (baseline_mean, baseline_sd)
    return plan_experiment(
        definition_of(definition),
        table=None if data is None else lazy(data, "the table"),
        moments=given,
        metric_id=metric,
        effect=target_effect(effect, relative),
        units_per_day=units_per_day,
    )


def assign(
    definition: Definition,
    units: Table,
    *,
    unit_column: str = "",
    earlier_column: str = "",
    preview: bool = False,
) -> pl.DataFrame:
    """Assign all units of a table; the same variants as the server answers.

    Args:
        definition: A YAML file with one experiment, its fields, or the definition.
        units: One row per unit, with what targeting asks about as columns; or a series of ids.
        unit_column: Column with the units' ids; as in the definition if empty, else ``member_id``, or the only one.
        earlier_column: Column with the variant that a unit had before, for a sticky experiment.
        preview: Assign although the experiment does not run, as if it did.

    Returns:
        The unit column as text, ``variant_id``, ``reason``, ``experiment_revision`` and ``plan_revision``, in the order of the units.

    Raises:
        DefinitionError: The definition cannot be used.
        NotRunningError: The experiment does not run.
        AnalysisError: A column is missing or of a type that does not fit.
    """
    table = lazy(units, "the table of units")
    names = table.collect_schema().names()
    experiment = definition_of(definition)
    column = unit_column or experiment.unit_column or (names[0] if len(names) == 1 else "")
    return assign_units(
        experiment, table, unit_column=column, earlier_column=earlier_column, preview=preview
    ).collect()


def simulate(
    definition: Definition,
    data: Table,
    *,
    runs: int = 1_000,
    looks: int = 20,
    effect: str | float | None = None,
    seed: int = 1,
    progress: Progress | None = None,
) -> AATest:
    """Split a table at random again and again and count what each method finds, where there is nothing to find.

    Args:
        definition: A YAML file with one experiment, its fields, or the definition.
        data: One row per unit; its own variants are ignored.
        runs: Random splits of the table, at least 100.
        looks: Looks at each split, while its units arrive.
        effect: Relative effect put in, ``"5%"`` or 0.05: A/B instead of A/A.
        seed: Of the random numbers.
        progress: Told about the progress.

    Returns:
        How often each method found something, by metric.

    Raises:
        DefinitionError: The definition cannot be used.
        AnalysisError: The table cannot be read as the definition says, or there are too few runs.
    """
    return simulate_splits(
        definition_of(definition),
        lazy(data, "the table"),
        runs=runs,
        looks=looks,
        seed=seed,
        effect=relative_size(effect),
        report=progress or (lambda _what, _done, _total: None),
    )


def read_log(path: str | Path = "troth.db", *, programme: str = "default") -> EventFrames:
    """Read the server's log without disturbing a running server: ``decisions``, ``exposures``, ``outcomes``, ``identities``.

    Raises:
        AnalysisError: The file does not exist, is not a log, or has another schema version.
    """
    return read_frames(Path(path), programme)
