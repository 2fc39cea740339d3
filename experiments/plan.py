"""The compiled plan: what assignment needs to know, worked out once and never changed."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from experiments.assignment.plan import CompiledExperiment, compile_experiment
from experiments.definition import ExperimentDefinition
from experiments.errors import DomainError

__all__ = ["CompiledExperiment", "Plan", "UnknownExperimentError", "compile_plan"]


class UnknownExperimentError(DomainError):
    """The plan has no experiment of that id."""

    reason = "EXPERIMENT_NOT_FOUND"


@dataclass(frozen=True, slots=True)
class Plan:
    """All experiments of a programme, compiled.

    Attributes:
        programme: The loyalty programme.
        revision: ``plan-`` and 12 hexadecimal digits; equal exactly if the plans assign and say the same.
        experiments: By experiment id, in the order of ids; read-only.
        placed: The running experiments of each placement, in the order of ids; read-only.
    """

    programme: str
    revision: str
    experiments: Mapping[str, CompiledExperiment]
    placed: Mapping[str, tuple[CompiledExperiment, ...]]

    def experiment(self, experiment_id: str) -> CompiledExperiment:
        """Return an experiment.

        Raises:
            UnknownExperimentError: The plan has none of that id.
        """
        try:
            return self.experiments[experiment_id]
        except KeyError:
            message = f"There is no experiment {experiment_id!r} in programme {self.programme!r}."
            raise UnknownExperimentError(
                message, experiment_id=experiment_id, programme=self.programme
            ) from None


def compile_plan(definitions: Iterable[ExperimentDefinition], programme: str) -> Plan:
    """Compile the experiments of one programme; those of others are left out.

    Raises:
        DefinitionError: A targeting rule cannot be read.
    """
    own = sorted(
        (definition for definition in definitions if definition.programme == programme),
        key=lambda definition: definition.experiment_id,
    )
    revision = _revision(programme, own)
    experiments = {one.experiment_id: compile_experiment(one, revision) for one in own}
    placed: dict[str, list[CompiledExperiment]] = defaultdict(list)
    for experiment in experiments.values():
        for placement_id in experiment.placements if experiment.running else ():
            placed[placement_id].append(experiment)
    return Plan(
        programme=programme,
        revision=revision,
        experiments=MappingProxyType(experiments),
        placed=MappingProxyType({placement_id: tuple(found) for placement_id, found in placed.items()}),
    )


def _revision(programme: str, definitions: list[ExperimentDefinition]) -> str:
    content = {"programme": programme, "experiments": [_deciding(definition) for definition in definitions]}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"plan-{hashlib.sha256(canonical.encode()).hexdigest()[:12]}"


def _deciding(definition: ExperimentDefinition) -> dict[str, Any]:
    # Texts for people and the analysis are left out: they change no answer of the plan.
    layer, holdout = definition.layer, definition.holdout
    return {
        "experiment_id": definition.experiment_id,
        "revision": definition.revision,
        "unit": definition.unit,
        "state": definition.state,
        "placements": sorted(definition.placements),
        "salt": definition.salt,
        "holdout": holdout and [holdout.holdout_id, holdout.traffic_ppm],
        "layer": layer and [layer.layer_id, layer.ranges],
        "targeting": definition.targeting and [definition.targeting, definition.attributes],
        "traffic_ppm": definition.traffic_ppm,
        "overrides": definition.overrides,
        "sticky": definition.sticky,
        "allocation": [definition.allocation.kind, definition.allocation.uniform_ppm],
        "variants": [
            {"variant_id": variant.variant_id, "weight": variant.weight, "parameters": variant.parameters}
            for variant in definition.variants
        ],
    }
