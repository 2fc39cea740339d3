"""Standing arms by name: the catalogue of the configuration defines the experiment."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cli.options import read_programme
from experiments.errors import AnalysisError

if TYPE_CHECKING:
    from experiments.definition import ExperimentDefinition


def asks_for_standing_arms(named: Path) -> bool:
    """Tell whether the name is ``standing-arms`` or ``standing-arms.PERIOD``, and no file."""
    return (
        named.parts == (named.name,)
        and named.name.partition(".")[0] == "standing-arms"
        and not named.exists()
    )


def standing_experiment(
    name: str, config: Path, programme: str, period: str, as_of: datetime | None
) -> tuple["ExperimentDefinition", Path]:
    """Return the experiment of the standing arms in a period, and the configuration's log.

    Args:
        name: ``standing-arms``, or with a period ``standing-arms.2026-11``.
        config: The server's configuration.
        programme: The programme; if empty the only one.
        period: The period, if the name has none; that of ``as_of``, else the present one, if there is none either.
        as_of: A day.

    Raises:
        AnalysisError: The period is none, or the catalogue has no standing arms.
        DefinitionError: The configuration or the catalogue cannot be used.
    """
    from experiments.standing_arms import named_period, standing_definition

    _, dot, named = name.partition(".")
    if dot and period and period != named:
        raise typer.BadParameter(f"{name!r} and --period {period} name two periods.")
    source = read_programme(config, programme)
    arms = source.catalogue.standing_arms
    if not arms.traffic_ppm:
        raise AnalysisError(
            f"The catalogue of programme {source.programme!r} has no standing arms; name their members as"
            " standing_arms.traffic_ppm.",
            programme=source.programme,
        )
    kind, day = arms.period, (as_of or datetime.now(source.catalogue.zone)).date()
    if dot or period:
        kind, day = named_period(named if dot else period)
    placements = [placement.placement_id for placement in source.catalogue.placements]
    definition = standing_definition(
        source.programme,
        {str(arm): weight for arm, weight in arms.traffic_ppm.items()},
        kind,
        day,
        placements,
    )
    return definition, source.log
