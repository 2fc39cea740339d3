"""Reads experiment definitions from YAML and names everything that is wrong with them at once."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from experiments.definition.checks import cross_problems
from experiments.definition.model import IDENTIFIER_PATTERN, ExperimentDefinition
from experiments.definition.problems import problems_of
from experiments.definition.reading import definition_files, read_document
from experiments.errors import DefinitionError, Problem

_PATTERN_WORDS = {
    IDENTIFIER_PATTERN: (
        "must consist of lower-case letters, digits and hyphens, start with a letter or digit and have at most"
        " 63 characters"
    )
}


def load_experiments(path: Path) -> tuple[ExperimentDefinition, ...]:
    """Read all experiments of a file or folder.

    Args:
        path: A YAML file with one experiment or a list under ``experiments``, or a folder of ``*.yaml`` files.

    Returns:
        The experiments in the order of files (by name) and entries; none if the folder has no YAML file.

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
    if problems:
        raise DefinitionError(str(path), problems)
    return tuple(experiment for _, experiment in found)


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
    try:
        return ExperimentDefinition.model_validate(entry), []
    except ValidationError as error:
        return None, [*problems_of(error, ExperimentDefinition, _PATTERN_WORDS), *cross_problems(entry)]


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
