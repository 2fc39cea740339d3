"""Rules between the fields of an experiment definition."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from experiments.errors import Problem
from experiments.hashing import share_bounds


def cross_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong between fields, as far as the fields can be read.

    Works on the raw mapping, so that these problems are named together with those of single fields.
    """
    variants = _mappings(data.get("variants"))
    metrics = _mappings(data.get("metrics"))
    yield from _duplicates("variants", "variant_id", variants)
    yield from _duplicates("metrics", "metric_id", metrics)
    yield from _duplicates("placements", "", list(enumerate(_sequence(data.get("placements")))))
    variant_ids = [variant.get("variant_id") for _, variant in variants]
    control = data.get("control")
    if isinstance(control, str) and variant_ids and control not in variant_ids:
        known = ", ".join(str(variant_id) for variant_id in variant_ids)
        yield Problem("control", f"there is no variant {control!r}; the variants are {known}")
    yield from _empty_shares(variants)
    for index, metric in metrics:
        yield from _metric_problems(index, metric)
    if metrics and all(metric.get("role") in {"guardrail", "quality"} for _, metric in metrics):
        yield Problem(
            "metrics", "one metric must have the role success; the first of them is the primary one"
        )


def _metric_problems(index: int, metric: Mapping[str, Any]) -> Iterator[Problem]:
    has_denominator = metric.get("denominator") is not None
    if metric.get("kind") == "ratio" and not has_denominator:
        yield Problem(f"metrics[{index}].denominator", "is missing; a ratio needs one")
    if metric.get("kind") == "mean" and has_denominator:
        yield Problem(f"metrics[{index}].denominator", "only a ratio has one; a mean is taken per member")


def _empty_shares(variants: Sequence[tuple[int, Mapping[str, Any]]]) -> Iterator[Problem]:
    weights = tuple(variant.get("weight") for _, variant in variants)
    whole = tuple(weight for weight in weights if type(weight) is int and weight > 0)
    if len(whole) < len(weights):
        return
    lower = 0
    for (index, _), upper in zip(variants, share_bounds(whole), strict=True):
        if upper == lower:
            yield Problem(f"variants[{index}].weight", "is less than one millionth of the sum of all weights")
        lower = upper


def _duplicates(field: str, key: str, items: Sequence[tuple[int, Any]]) -> Iterator[Problem]:
    values = [(index, item.get(key) if key else item) for index, item in items]
    counts = Counter(value for _, value in values if isinstance(value, str))
    seen: set[str] = set()
    for index, value in values:
        if isinstance(value, str) and counts[value] > 1:
            if value in seen:
                path = f"{field}[{index}].{key}" if key else f"{field}[{index}]"
                yield Problem(path, f"{value!r} is there already")
            seen.add(value)


def _sequence(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _mappings(value: Any) -> list[tuple[int, Mapping[str, Any]]]:
    return [(index, item) for index, item in enumerate(_sequence(value)) if isinstance(item, Mapping)]
