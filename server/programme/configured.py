"""One programme of a server's configuration, for commands that work beside the server."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

from experiments.analysis.sources import AnalysisSource
from experiments.definition import ExperimentDefinition, load_experiment
from experiments.errors import AnalysisError, OptionError
from experiments.standing_arms import named_period, standing_definition
from server.catalogue import Catalogue
from server.config import load_config
from server.programme.loading import configured_catalogue


@dataclass(frozen=True, slots=True)
class ProgrammeSource:
    """One programme of a configuration.

    Attributes:
        programme: Its id.
        catalogue: Its catalogue, as a server that starts now would serve it: with what was changed over gRPC.
        log: The server's event log.
    """

    programme: str
    catalogue: Catalogue
    log: Path


def read_programme(config: Path, programme: str = "") -> ProgrammeSource:
    """Return a programme of a configuration; without an id the only one.

    Raises:
        DefinitionError: The configuration or the catalogue cannot be used.
        OptionError: There is no such programme, or it must be named.
    """
    found = load_config(config)
    chosen = chosen_programme(config, found.programmes, programme)
    return ProgrammeSource(chosen, configured_catalogue(config, chosen), Path(found.store.path))


def chosen_programme(config: Path, programmes: Collection[str], programme: str) -> str:
    """Return the programme that is named, or the only one.

    Args:
        config: The configuration's file.
        programmes: The programmes in it.
        programme: The one that is wanted, or empty.

    Returns:
        The programme's id.

    Raises:
        OptionError: There is no such programme, or it must be named.
    """
    listed = ", ".join(sorted(programmes))
    if not programme and len(programmes) > 1:
        raise OptionError(f"{config} has the programmes {listed}; name one with --programme.")
    chosen = programme or next(iter(programmes))
    if chosen not in programmes:
        raise OptionError(f"{config} has no programme {chosen!r}; it has {listed}.")
    return chosen


def analysed_experiment(
    definition: Path,
    source: AnalysisSource,
    *,
    config: Path | None = None,
    programme: str = "",
    period: str = "",
    changes: Mapping[str, str] | None = None,
) -> tuple[ExperimentDefinition, AnalysisSource]:
    """Return the experiment that is to be analysed, and where its data are.

    Args:
        definition: A YAML file with one experiment; or ``standing-arms`` or ``standing-arms.PERIOD``, which the catalogue defines.
        source: The data; of standing arms without a log the configuration's.
        config: The server's configuration, for standing arms.
        programme: The programme of standing arms; the only one if empty.
        period: The period of standing arms; if empty the one that ``source.today`` is in, or the present one.
        changes: Fields of the definition to be replaced where they are not empty.

    Returns:
        The definition, and the source of its data.

    Raises:
        DefinitionError: Definition, configuration or catalogue cannot be used.
        AnalysisError: The period is none, or the catalogue has no standing arms.
        OptionError: The options contradict each other.
    """
    if asks_for_standing_arms(definition):
        if config is None or source.data is not None or source.exposures is not None:
            raise OptionError(
                "Standing arms are defined by the catalogue and read from the server's log: give --config."
            )
        found, log = standing_experiment(definition.name, config, programme, period, source.today)
        return found, replace(source, log=log) if source.is_empty else source
    if config is not None or programme or period:
        raise OptionError("--config, --programme and --period belong to standing-arms.")
    given = {name: value for name, value in (changes or {}).items() if value}
    return load_experiment(definition).model_copy(update=given), source


def asks_for_standing_arms(named: Path) -> bool:
    """Tell whether the name is ``standing-arms`` or ``standing-arms.PERIOD``, and no file."""
    return (
        named.parts == (named.name,)
        and named.name.partition(".")[0] == "standing-arms"
        and not named.exists()
    )


def standing_experiment(
    name: str, config: Path, programme: str = "", period: str = "", as_of: date | None = None
) -> tuple[ExperimentDefinition, Path]:
    """Return the experiment of the standing arms in a period, and the configuration's log.

    Args:
        name: ``standing-arms``, or with a period ``standing-arms.2026-11``.
        config: The server's configuration.
        programme: The programme; if empty the only one.
        period: The period, if the name has none; that of ``as_of``, else the present one, if there is none either.
        as_of: A day.

    Returns:
        The definition, and the file of the log.

    Raises:
        AnalysisError: The period is none, or the catalogue has no standing arms.
        DefinitionError: The configuration or the catalogue cannot be used.
        OptionError: Two periods are named, or the programme must be.
    """
    _, dot, named = name.partition(".")
    if dot and period and period != named:
        raise OptionError(f"{name!r} and --period {period} name two periods.")
    source = read_programme(config, programme)
    arms = source.catalogue.standing_arms
    if not arms.traffic_ppm:
        raise AnalysisError(
            f"The catalogue of programme {source.programme!r} has no standing arms; name their members as"
            " standing_arms.traffic_ppm.",
            programme=source.programme,
        )
    kind, day = arms.period, as_of or datetime.now(source.catalogue.zone).date()
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
