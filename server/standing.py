"""The standing arms of a catalogue among the experiments in force."""

from collections.abc import Mapping
from datetime import date

from experiments.definition import ExperimentDefinition
from experiments.standing_arms import STANDING, standing_definition
from server.catalogue import Catalogue

PREFIX = f"{STANDING}."
"""Ids that begin so belong to standing arms."""


def standing_experiment(catalogue: Catalogue, day: date) -> ExperimentDefinition | None:
    """Return the experiment of a catalogue's standing arms in the period of a day; none if it has no arms."""
    arms: Mapping[str, int] = {str(arm): ppm for arm, ppm in catalogue.standing_arms.traffic_ppm.items()}
    if not arms:
        return None
    placements = [placement.placement_id for placement in catalogue.placements]
    return standing_definition(catalogue.programme, arms, catalogue.standing_arms.period, day, placements)
