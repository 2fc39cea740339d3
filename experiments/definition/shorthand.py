"""Writes out what people may leave out or abbreviate in a definition.

Works on raw documents and is idempotent; what it does not understand it leaves for the checks to name.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from itertools import product
from typing import Any

_CELL_SEPARATOR = "."


def written_out(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return an experiment's fields with abbreviations written out and defaults that depend on other fields."""
    full = dict(data)
    if "experiment_id" in full:
        full.setdefault("salt", full["experiment_id"])
    if full.get("factors") and "variants" not in full:
        full["variants"] = list(_cells(full["factors"]))
    for name, write in _WRITERS.items():
        if name in full:
            full[name] = write(full[name])
    if isinstance(full.get("variants"), list):
        full["variants"] = _whole_weights(full["variants"])
    _default_control(full)
    return full


def _whole_weights(variants: list[Any]) -> list[Any]:
    """Return variants whose weights are shares such as 0.9 and 0.1 with weights in millionths."""
    weights = [variant.get("weight", 1) for variant in variants if isinstance(variant, Mapping)]
    numbers = [
        weight for weight in weights if isinstance(weight, int | float) and not isinstance(weight, bool)
    ]
    shares = any(isinstance(weight, float) for weight in numbers)
    if not shares or len(numbers) < len(variants) or not all(0 <= weight <= 1 for weight in numbers):
        return variants
    return [
        {**variant, "weight": round(weight * 1_000_000)}
        for variant, weight in zip(variants, numbers, strict=True)
    ]


def _default_control(full: dict[str, Any]) -> None:
    if "control" in full:
        return
    variants = full.get("variants")
    ids = (
        [v.get("variant_id") for v in variants if isinstance(v, Mapping)]
        if isinstance(variants, list)
        else []
    )
    if ids:
        full["control"] = "control" if "control" in ids else ids[0]


def _variant(variant: Mapping[str, Any]) -> dict[str, Any]:
    full = dict(variant)
    if "variant_id" in full:
        full["variant_id"] = _as_text(full["variant_id"])
    if "weight" in full:
        full["weight"] = _whole(full["weight"])
    return full


def _metric(metric: Mapping[str, Any]) -> dict[str, Any]:
    full = dict(metric)
    metric_id = full.get("metric_id")
    full.setdefault("name", metric_id)
    if full["name"] is None:
        del full["name"]
    if "column" in full and "numerator" not in full:
        full["numerator"] = full.pop("column")
    if "numerator" not in full and full.get("retention") is None and isinstance(metric_id, str):
        full["numerator"] = metric_id
    if full.get("retention") is not None and "numerator" not in full:
        full["numerator"] = {"event": "outcomes"}
    for part in ("numerator", "denominator"):
        full |= {part: _source(full[part])} if part in full else {}
    if "alternative" in full:
        full["alternative"] = _hyphenated(full["alternative"])
    full |= {"covariates": _listed(full["covariates"])} if "covariates" in full else {}
    if isinstance(full.get("covariates"), list | tuple):
        full["covariates"] = [_covariate(covariate) for covariate in full["covariates"]]
    return full


def _source(source: Any) -> Any:
    return {"column": source} if isinstance(source, str) else source


def _covariate(covariate: Any) -> Any:
    if isinstance(covariate, str):
        return {"numerator": {"column": covariate}}
    if not isinstance(covariate, Mapping):
        return covariate
    full = dict(covariate)
    if "column" in full and "numerator" not in full:
        full["numerator"] = full.pop("column")
    return {
        name: _source(value) if name in {"numerator", "denominator"} else value
        for name, value in full.items()
    }


def _cells(factors: Any) -> Iterator[dict[str, Any]]:
    """Yield the cells of a factorial design as variants; nothing if the factors cannot be read."""
    listed = [_readable_levels(factor) for factor in factors] if isinstance(factors, Sequence) else []
    if not listed or not all(listed):
        return
    for cell in product(*listed):
        weight = 1
        for level in cell:
            weight *= level.get("weight", 1) if isinstance(level.get("weight", 1), int) else 1
        yield {
            "variant_id": _CELL_SEPARATOR.join(level["level_id"] for level in cell),
            "weight": weight,
            "name": ", ".join(level.get("name") or level["level_id"] for level in cell),
            "parameters": {
                name: value
                for level in cell
                if isinstance(level.get("parameters", {}), Mapping)
                for name, value in level.get("parameters", {}).items()
            },
        }


def _readable_levels(factor: Any) -> list[Mapping[str, Any]]:
    levels = factor.get("levels") if isinstance(factor, Mapping) else None
    if not isinstance(levels, list | tuple):
        return []
    return [
        level for level in levels if isinstance(level, Mapping) and isinstance(level.get("level_id"), str)
    ]


def _as_text(value: Any) -> Any:
    """Return a number or truth value as the text that a table's column has for it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else value


def _day(value: Any) -> Any:
    """Return a day in quotes as a day; what is none stays for the checks."""
    try:
        return date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _hyphenated(value: Any) -> Any:
    return value.replace("_", "-") if isinstance(value, str) else value


def _correction(correction: Any) -> Any:
    name = _hyphenated(correction)
    return "benjamini-hochberg" if name == "bh" else name


def _listed(names: Any) -> Any:
    return [names] if isinstance(names, str) and names else names


def _whole(number: Any) -> Any:
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _analysis(analysis: Any) -> Any:
    settings = {"method": analysis} if isinstance(analysis, str) else analysis
    if not isinstance(settings, Mapping):
        return settings
    return {name: _hyphenated(value) for name, value in settings.items()}


def _layer(layer: Any) -> Any:
    if not isinstance(layer, Mapping) or not isinstance(layer.get("slots"), list | tuple):
        return layer
    return {**layer, "slots": [_as_text(slot) for slot in layer["slots"]]}


def _overrides(overrides: Any) -> Any:
    if not isinstance(overrides, Mapping):
        return overrides
    return {_as_text(unit_id): _as_text(variant_id) for unit_id, variant_id in overrides.items()}


def _each(key: str, write: Callable[[Mapping[str, Any]], dict[str, Any]]) -> Callable[[Any], Any]:
    def entries(listed: Any) -> Any:
        if not isinstance(listed, list | tuple):
            return listed
        named = [{key: entry} if isinstance(entry, str | int) else entry for entry in listed]
        return [write(entry) if isinstance(entry, Mapping) else entry for entry in named]

    return entries


_WRITERS: dict[str, Callable[[Any], Any]] = {
    "analysis": _analysis,
    "correction": _correction,
    "segments": _listed,
    "planned_units": _whole,
    "layer": _layer,
    "variants": _each("variant_id", _variant),
    "metrics": _each("metric_id", _metric),
    "control": _as_text,
    "start_date": _day,
    "end_date": _day,
    "overrides": _overrides,
}
