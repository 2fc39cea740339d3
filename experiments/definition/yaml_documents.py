"""Turns what pydantic finds wrong with a document into problems in the words of the document."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, get_args

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
