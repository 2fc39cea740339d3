"""Reads experiment definitions from YAML and names everything that is wrong with them at once."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from experiments.definition.checks import cross_problems
from experiments.definition.model import ExperimentDefinition
from experiments.definition.reading import definition_files, read_document
from experiments.errors import DefinitionError, Problem

_MESSAGES = {
    "missing": "is missing",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "finite_number": "must be a finite number",
    "dict_type": "must be a mapping of names to values",
    "model_type": "must be a mapping of names to values",
    "tuple_type": "must be a list",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": (
        "must consist of lower-case letters, digits and hyphens, start with a letter or digit and have at most"
        " 63 characters"
    ),
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "too_short": "needs at least {min_length}; there are {actual_length}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
}
_WITHOUT_VALUE = {"missing", "too_short", "string_too_short"}
_LONGEST_VALUE = 60


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
    crossing = list(cross_problems(entry))
    try:
        experiment = ExperimentDefinition.model_validate(entry)
    except ValidationError as error:
        found = (_problem(detail) for detail in error.errors(include_url=False) if not _is_echo(detail))
        return None, [*dict.fromkeys(found), *crossing]
    return experiment, []


def _is_echo(detail: ErrorDetails) -> bool:
    """Say whether a problem only repeats others: the cross checks, or a list that is short of faulty entries."""
    if detail["type"] == "too_short":
        return bool(len(detail["input"]) >= detail["ctx"]["min_length"])
    return detail["type"] == "cross_field"


def _problem(detail: ErrorDetails) -> Problem:
    kind, location = detail["type"], detail["loc"]
    if kind == "extra_forbidden":
        return Problem(_field_path(location), "there is no such field" + _hint(location))
    shown = _shown(detail["input"])
    if "parameters" in location[:-1]:
        # One problem per type that was tried; the caller drops the repetitions.
        location = location[: location.index("parameters") + 2]
        return Problem(_field_path(location), f"must be text, true, false or a finite number, not {shown}")
    template = _MESSAGES.get(kind)
    message = template.format(**detail.get("ctx", {})) if template else detail["msg"]
    if kind not in _WITHOUT_VALUE:
        message += f", not {shown}"
    return Problem(_field_path(location), message)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _hint(location: Sequence[int | str]) -> str:
    model: type[BaseModel] | None = ExperimentDefinition
    for step in location[:-1]:
        if model is not None and isinstance(step, str):
            model = _model_in(model.model_fields[step].annotation)
    if model is None:
        return ""
    close = get_close_matches(str(location[-1]).replace("-", "_"), model.model_fields, n=1)
    return f"; did you mean {close[0]}?" if close else f"; there are {', '.join(model.model_fields)}"


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _model_in(part))), None)


def _field_path(location: Sequence[int | str]) -> str:
    path = ""
    for step in location:
        path = f"{path}[{step}]" if isinstance(step, int) else _join(path, str(step))
    return path


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
