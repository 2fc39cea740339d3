"""Reads experiment definitions from YAML and names everything that is wrong with them at once."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from experiments.definition.checks import cross_problems
from experiments.definition.fields import PATTERN_WORDS
from experiments.definition.model import ExperimentDefinition, State
from experiments.definition.shorthand import written_out
from experiments.definition.yaml_documents import definition_files, problems_of, read_document
from experiments.errors import DefinitionError, OptionError, Problem


def load_experiments(path: Path) -> tuple[ExperimentDefinition, ...]:
    """Read all experiments of a file or folder.

    Args:
        path: A YAML file with one experiment or a list under ``experiments``, or a folder of ``*.yaml`` files.

    Returns:
        The experiments in the order of files (by name) and entries; ``None`` if the folder has no YAML file.

    Raises:
        DefinitionError: Anything is wrong; every problem of every file is named.
    """
    found: list[tuple[str, ExperimentDefinition]] = []
    files, problems = definition_files(path)
    for file in files:
        entries, unusable = _entries(file, prefix=f"{file.name}: " if path.is_dir() else "")
        problems += unusable
        for where, entry in entries:
            experiment, wrong = _parse(entry)
            problems += [Problem(_join(where, problem.path), problem.message) for problem in wrong]
            if experiment is not None:
                found.append((where, experiment))
    problems += _duplicate_experiments(found)
    problems += [
        Problem(_join(found[index][0], problem.path), problem.message)
        for index, problem in together_problems([experiment for _, experiment in found])
    ]
    if problems:
        raise DefinitionError(str(path), problems)
    return tuple(experiment for _, experiment in found)


def load_experiment(path: Path) -> ExperimentDefinition:
    """Read the only experiment of a file.

    Raises:
        DefinitionError: Anything is wrong with it.
        OptionError: The file has several experiments, or a folder has none.
    """
    found = load_experiments(path)
    if len(found) != 1:
        raise OptionError(f"{path} holds {len(found)} experiments; name a file with one.")
    return found[0]


def parse_experiment(mapping: Mapping[str, Any], source: str) -> ExperimentDefinition:
    """Return the experiment that a mapping, for example a parsed YAML document, describes.

    Args:
        mapping: The fields of one experiment.
        source: Where it came from, for messages.

    Raises:
        DefinitionError: Anything is wrong; every problem is named.
    """
    experiment, problems = _parse(mapping)
    if experiment is None:
        raise DefinitionError(source, problems)
    return experiment


def _parse(entry: Any) -> tuple[ExperimentDefinition | None, list[Problem]]:
    if not isinstance(entry, Mapping):
        return None, [Problem("", "an experiment must be a mapping of names to values")]
    full = written_out(entry)
    try:
        return ExperimentDefinition.model_validate(full), []
    except ValidationError as error:
        return None, [*problems_of(error, ExperimentDefinition, PATTERN_WORDS), *cross_problems(full)]


def _join(where: str, path: str) -> str:
    separator = "." if where and path and not where.endswith(": ") else ""
    return f"{where}{separator}{path}" if path else where.removesuffix(": ")


def _entries(file: Path, prefix: str) -> tuple[list[tuple[str, Any]], list[Problem]]:
    document, unreadable = read_document(file)
    if unreadable:
        return [], [Problem(prefix.removesuffix(": "), unreadable)]
    if not isinstance(document, Mapping) or "experiments" not in document:
        return [(prefix, document)], []
    problems = [
        Problem(_join(prefix, str(key)), "beside a list of experiments there can be no other field")
        for key in document
        if key != "experiments"
    ]
    entries = document["experiments"]
    if not isinstance(entries, list) or not entries:
        return [], [*problems, Problem(_join(prefix, "experiments"), "must be a list of experiments")]
    return [(f"{prefix}experiments[{index}]", entry) for index, entry in enumerate(entries)], problems


def _duplicate_experiments(found: Sequence[tuple[str, ExperimentDefinition]]) -> list[Problem]:
    first: dict[tuple[str, str], str] = {}
    problems = []
    for where, experiment in found:
        key = (experiment.programme, experiment.experiment_id)
        if key in first:
            there = first[key].removesuffix(": ")
            problems.append(
                Problem(
                    _join(where, "experiment_id"),
                    f"{experiment.experiment_id!r} is there already, in {there}",
                )
            )
        first.setdefault(key, where)
    return problems


def together_problems(experiments: Sequence[ExperimentDefinition]) -> list[tuple[int, Problem]]:
    """Return what is wrong between experiments, each with the index of the later one.

    Running experiments in one layer may not share a slot; a holdout has one size, and once one running experiment of a
    programme keeps it, all do; an attribute has one type.
    """
    problems: list[tuple[int, Problem]] = []
    for index, later in enumerate(experiments):
        for earlier in experiments[:index]:
            if earlier.programme == later.programme:
                problems += [(index, problem) for problem in _pair_problems(earlier, later)]
    return problems


def _pair_problems(earlier: ExperimentDefinition, later: ExperimentDefinition) -> Iterator[Problem]:
    for name in sorted(earlier.attributes.keys() & later.attributes.keys()):
        if earlier.attributes[name] != later.attributes[name]:
            there = f"{earlier.attributes[name]} in {earlier.experiment_id}"
            yield Problem(f"attributes.{name}", f"is {later.attributes[name]} here and {there}")
    if not earlier.state is later.state is State.RUNNING:
        return
    if earlier.layer and later.layer and earlier.layer.layer_id == later.layer.layer_id:
        for lower, upper in earlier.layer.ranges:
            for low, up in later.layer.ranges:
                if max(lower, low) < min(upper, up):
                    shared = f"{max(lower, low)}-{min(upper, up) - 1}"
                    yield Problem("layer.slots", f"{shared} are lent to {earlier.experiment_id} already")
    if earlier.holdout != later.holdout:
        other = earlier.holdout
        kept = f"keeps {other.traffic_ppm} ppm as {other.holdout_id}" if other else "keeps none"
        yield Problem(
            "holdout", f"must be the same in all running experiments; {earlier.experiment_id} {kept}"
        )
