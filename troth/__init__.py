"""Troth in Python: analyse and plan experiments, assign units, train and serve models, plan sends, value policies, read the log.

Everything here is what the command ``troth`` calls, with the same options as keyword arguments, on tables in files or in memory (polars, pandas or
Arrow). Importing the package loads nothing else; each function loads what it needs when it is first asked for. ``troth.v1`` has the
generated messages and stubs of the server's API, which need none of it.

    >>> import troth
    >>> result = troth.analyze(
    ...     {
    ...         "experiment_id": "gate",
    ...         "variant_column": "version",
    ...         "control": "old",
    ...         "variants": [{"variant_id": "old"}, {"variant_id": "new"}],
    ...         "metrics": [{"metric_id": "bought", "kind": "proportion"}],
    ...     },
    ...     {"version": ["old", "new"] * 500, "bought": [0, 1, 0, 1, 1, 1, 0, 0, 0, 1] * 100},
    ... )
    >>> result.verdict.value
    'ship'
    >>> round(result["bought"]["new"].always_valid.ci_lower, 3) > 0
    True
"""

import importlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from experiments.definition import ExperimentDefinition
    from experiments.errors import AnalysisError, DefinitionError, OptionError
    from experiments.errors import DomainError as TrothError
    from training.errors import DatasetError, RegistryError, TrainingError
    from troth.experiment import Analysis, analyze, assign, power, read_log, simulate
    from troth.jobs import evaluate_policy, plan, train_actions, train_members, train_offers
    from troth.serving import pull_models, serve

__version__ = "0.1.0"

__all__ = [
    "Analysis",
    "AnalysisError",
    "DatasetError",
    "DefinitionError",
    "ExperimentDefinition",
    "OptionError",
    "RegistryError",
    "TrainingError",
    "TrothError",
    "analyze",
    "assign",
    "evaluate_policy",
    "plan",
    "power",
    "pull_models",
    "read_log",
    "serve",
    "simulate",
    "train_actions",
    "train_members",
    "train_offers",
]

_EXPERIMENT, _JOBS, _SERVING = "troth.experiment", "troth.jobs", "troth.serving"
_HOMES = {
    "Analysis": (_EXPERIMENT, "Analysis"),
    "AnalysisError": ("experiments.errors", "AnalysisError"),
    "DatasetError": ("training.errors", "DatasetError"),
    "DefinitionError": ("experiments.errors", "DefinitionError"),
    "ExperimentDefinition": ("experiments.definition", "ExperimentDefinition"),
    "OptionError": ("experiments.errors", "OptionError"),
    "RegistryError": ("training.errors", "RegistryError"),
    "TrainingError": ("training.errors", "TrainingError"),
    "TrothError": ("experiments.errors", "DomainError"),
    **{name: (_EXPERIMENT, name) for name in ("analyze", "assign", "power", "read_log", "simulate")},
    **{
        name: (_JOBS, name)
        for name in ("evaluate_policy", "plan", "train_actions", "train_members", "train_offers")
    },
    **{name: (_SERVING, name) for name in ("pull_models", "serve")},
}
_PACKAGES = ("experiments", "training", "server", "cli")


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'troth' has no attribute {name!r}")
    _refuse_shadows()
    module, attribute = _HOMES[name]
    found: object = getattr(importlib.import_module(module), attribute)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__", "v1"])


def _refuse_shadows() -> None:
    """Refuse to go on with somebody else's package in the place of one of ours, which Python finds first by its name.

    Raises:
        ImportError: A folder or file of the working directory, or another distribution, has the name of a package of Troth.
    """
    ours = Path(__file__).resolve().parent.parent
    for name in _PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is None:
            continue
        places = [*(spec.submodule_search_locations or ()), *([spec.origin] if spec.origin else [])]
        if not any(Path(place).resolve().is_relative_to(ours / name) for place in places):
            raise ImportError(
                f"{places[0] if places else name} hides Troth's own package {name!r}: Python finds it first."
                " Rename it, or start Python in another folder."
            )
