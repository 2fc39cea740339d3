"""Turns what pydantic finds wrong with a document into problems in the words of the document.

Reads the YAML documents of definition files.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from experiments.errors import Problem

_MESSAGES = {
    "missing": "is missing",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "finite_number": "must be a finite number",
    "date_type": "must be a day such as 2017-12-31",
    "date_from_datetime_parsing": "must be a day such as 2017-12-31",
    "date_parsing": "must be a day such as 2017-12-31",
    "date_from_datetime_inexact": "must be a day such as 2017-12-31",
    "decimal_max_digits": "must have at most {max_digits} digits",
    "decimal_whole_digits": "must have at most {whole_digits} digits before the point",
    "decimal_max_places": "must have at most {decimal_places} digits after the point",
    "decimal_parsing": 'must be an amount such as "1.50"',
    "decimal_type": 'must be an amount such as "1.50"',
    "dict_type": "must be a mapping of names to values",
    "model_type": "must be a mapping of names to values",
    "tuple_type": "must be a list",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length:,} characters",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "too_short": "needs at least {min_length}; there are {actual_length}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
}
_WITHOUT_VALUE = {"missing", "too_short", "string_too_short", "value_error"}
_LONGEST_VALUE = 60


def problems_of(
    error: ValidationError, model: type[BaseModel], pattern_words: Mapping[str, str]
) -> list[Problem]:
    """Return every problem once, with field paths.

    Args:
        error: What pydantic raised.
        model: The model of the whole document; its fields are offered where one is misspelt.
        pattern_words: For each pattern of the model, what it asks for in words.
    """
    details = error.errors(include_url=False)
    found = (_problem(detail, model, pattern_words) for detail in details if not _is_echo(detail))
    return list(dict.fromkeys(found))


def field_path(location: Sequence[int | str]) -> str:
    """Return a location as people write it: ``variants[1].weight``."""
    path = ""
    for step in location:
        separator = "." if path else ""
        path += f"[{step}]" if isinstance(step, int) else f"{separator}{step}"
    return path


def _is_echo(detail: ErrorDetails) -> bool:
    """Say whether a problem only repeats others: the cross checks, or a list that is short of faulty entries."""
    if detail["type"] == "too_short":
        return bool(len(detail["input"]) >= detail["ctx"]["min_length"])
    return detail["type"] == "cross_field"


def _problem(detail: ErrorDetails, model: type[BaseModel], pattern_words: Mapping[str, str]) -> Problem:
    kind, location = detail["type"], detail["loc"]
    if kind == "extra_forbidden":
        return Problem(field_path(location), "there is no such field" + _hint(location, model))
    shown = _shown(detail["input"])
    if location[-1:] == ("[key]",):
        return Problem(field_path(location[:-1]), _message(detail, shown, pattern_words))
    for free_form in ("parameters", "attributes"):
        if free_form in location[:-1] and kind != "literal_error":
            # One problem per type that was tried; the caller drops the repetitions.
            location = location[: location.index(free_form) + 2]
            return Problem(field_path(location), f"must be text, true, false or a finite number, not {shown}")
    return Problem(field_path(location), _message(detail, shown, pattern_words))


def _message(detail: ErrorDetails, shown: str, pattern_words: Mapping[str, str]) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "string_pattern_mismatch":
        message = pattern_words.get(context["pattern"], f"must match {context['pattern']}")
    else:
        message = _MESSAGES[kind].format(**context) if kind in _MESSAGES else detail["msg"]
    return message if kind in _WITHOUT_VALUE else f"{message}, not {shown}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _hint(location: Sequence[int | str], model: type[BaseModel]) -> str:
    inner: type[BaseModel] | None = model
    for step in location[:-1]:
        if inner is not None and isinstance(step, str):
            field = inner.model_fields.get(step)
            inner = None if field is None else _model_in(field.annotation)
    if inner is None:
        return ""
    close = get_close_matches(str(location[-1]).replace("-", "_"), inner.model_fields, n=1)
    return f"; did you mean {close[0]}?" if close else f"; there are {', '.join(inner.model_fields)}"


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _model_in(part))), None)


def definition_files(path: Path) -> tuple[list[Path], list[Problem]]:
    """Return the YAML files that a path stands for, ordered by name, and what is wrong with the path.

    Args:
        path: A file, or a folder of ``*.yaml`` files.
    """
    if not path.exists():
        return [], [Problem("", "there is no such file or folder")]
    if not path.is_dir():
        return [path], []
    unread = [Problem(file.name, "must end in .yaml to be read") for file in sorted(path.glob("*.yml"))]
    return sorted(path.glob("*.yaml")), unread


def read_document(file: Path) -> tuple[Any, str]:
    """Return the one document of a YAML file and what is wrong with it, which is empty if nothing is."""
    try:
        document = yaml.load(file.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 a SafeLoader
    except yaml.MarkedYAMLError as error:
        return None, _syntax_message(error)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        return None, f"is not a UTF-8 text file in YAML: {' '.join(str(error).split())}"
    except RecursionError:
        return None, "is nested too deeply"
    except OSError as error:
        return None, f"cannot be read: {error.strerror}"
    return document, "" if document is not None else "the file is empty"


def _syntax_message(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    said = ", ".join(part for part in (error.context, error.problem) if part)
    return f"is not valid YAML{where}: {' '.join(said.split())}"


class _Loader(yaml.SafeLoader):
    """The safe loader, except that a key may be there only once, and that ``22:00`` is text and not the number 1320."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key in _written_keys(node):
            if key.value in seen:
                problem = f"the key {key.value!r} is there twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _marked(construct: Callable[[Any, yaml.ScalarNode], Any]) -> Callable[[_Loader, yaml.ScalarNode], Any]:
    """Return the constructor with the place of the value in its complaints."""

    def constructed(loader: _Loader, node: yaml.ScalarNode) -> Any:
        try:
            return construct(loader, node)
        except ValueError as error:
            raise yaml.constructor.ConstructorError(None, None, str(error), node.start_mark) from None

    return constructed


def _decimal(construct: Callable[[Any, yaml.ScalarNode], Any]) -> Callable[[Any, yaml.ScalarNode], Any]:
    """Return the constructor of numbers without those that YAML 1.1 counts by sixties."""
    return lambda loader, node: node.value if ":" in node.value else construct(loader, node)


_Loader.add_constructor("tag:yaml.org,2002:int", _marked(_decimal(_Loader.construct_yaml_int)))
_Loader.add_constructor("tag:yaml.org,2002:float", _marked(_decimal(_Loader.construct_yaml_float)))
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _marked(_Loader.construct_yaml_timestamp))


def _written_keys(node: yaml.MappingNode) -> Iterator[yaml.ScalarNode]:
    # A merge key (<<) may bring keys that the mapping then overrides: that is its purpose.
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
            yield key
