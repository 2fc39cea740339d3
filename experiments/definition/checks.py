"""Rules between the fields of an experiment definition."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import product
from typing import Any

from experiments.definition.fields import share_bounds
from experiments.definition.metric import metric_problems
from experiments.definition.settings import slot_ranges
from experiments.errors import Problem

_MAX_CELLS = 64
_RUNNING_NEEDS = {
    "hypothesis": "is missing; a running experiment says what is believed and why",
    "owner": "is missing; a running experiment names whom to ask",
    "placements": "is missing; a running experiment names where its answers are shown",
}


def cross_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong between fields, as far as the fields can be read.

    Works on the raw mapping, with abbreviations written out, so that these problems are named together with those of
    single fields.
    """
    variants = _mappings(data.get("variants"))
    metrics = _mappings(data.get("metrics"))
    yield from _duplicates("variants", "variant_id", variants)
    yield from _duplicates("metrics", "metric_id", metrics)
    for name in ("placements", "segments"):
        yield from _duplicates(name, "", list(enumerate(_sequence(data.get(name)))))
    if data.get("state") == "running":
        for name, message in _RUNNING_NEEDS.items():
            if not data.get(name):
                yield Problem(name, message)
    yield from _variant_problems(data, variants)
    yield from _factor_problems(data, variants)
    for index, metric in metrics:
        yield from metric_problems(index, metric)
    if metrics and all(metric.get("role", "success") in {"guardrail", "quality"} for _, metric in metrics):
        yield Problem(
            "metrics", "one metric must have the role success; the first of them is the primary one"
        )
    yield from _plan_problems(data)
    yield from _reference_problems(data, [metric.get("metric_id") for _, metric in metrics])
    yield from _money_problems(data, metrics)
    yield from _attribution_problems(data, metrics)


def _variant_problems(
    data: Mapping[str, Any], variants: Sequence[tuple[int, Mapping[str, Any]]]
) -> Iterator[Problem]:
    variant_ids = [variant.get("variant_id") for _, variant in variants]
    known = ", ".join(str(variant_id) for variant_id in variant_ids)
    control = data.get("control")
    if isinstance(control, str) and variant_ids and control not in variant_ids:
        yield Problem("control", f"there is no variant {control!r}; the variants are {known}")
    overrides = data.get("overrides")
    for unit_id, variant_id in overrides.items() if isinstance(overrides, Mapping) else ():
        if isinstance(variant_id, str) and variant_id not in variant_ids:
            yield Problem(
                f"overrides.{unit_id}", f"there is no variant {variant_id!r}; the variants are {known}"
            )
    yield from _empty_shares(variants)


def _factor_problems(
    data: Mapping[str, Any], variants: Sequence[tuple[int, Mapping[str, Any]]]
) -> Iterator[Problem]:
    factors = _mappings(data.get("factors"))
    yield from _duplicates("factors", "factor_id", factors)
    levels = []
    for index, factor in factors:
        own = _mappings(factor.get("levels"))
        yield from _duplicates(f"factors[{index}].levels", "level_id", own)
        levels.append([str(level.get("level_id")) for _, level in own])
    if not factors or not all(levels):
        return
    if len(factors) == 1:
        yield Problem("factors", "one factor alone is not a factorial design; write its levels as variants")
    cells = {".".join(cell) for cell in product(*levels)}
    if len(cells) > _MAX_CELLS:
        yield Problem("factors", f"make {len(cells)} cells; at most {_MAX_CELLS} can be told apart")
    elif {variant.get("variant_id") for _, variant in variants} != cells:
        yield Problem("variants", "must be left out, or be exactly the cells of the factors")
    allocation = data.get("allocation")
    if isinstance(allocation, Mapping) and allocation.get("kind") == "thompson":
        yield Problem(
            "allocation.kind", "a factorial design keeps its weights; thompson needs plain variants"
        )


def _plan_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    alpha = data.get("alpha")
    if isinstance(alpha, float) and 0.5 <= alpha < 1:
        for index, metric in _mappings(data.get("metrics")):
            if metric.get("alternative", "two-sided") != "two-sided" or metric.get("margin") is not None:
                yield Problem("alpha", f"must be below 0.5, because metrics[{index}] is tested on one side")
                break
    analysis = data.get("analysis")
    if (
        isinstance(analysis, Mapping)
        and analysis.get("method") == "group-sequential"
        and not data.get("planned_units")
    ):
        yield Problem("planned_units", "is missing; looks of a group-sequential analysis are shares of it")
    start, end = data.get("start_date"), data.get("end_date")
    if isinstance(start, date) and isinstance(end, date) and end < start:
        yield Problem("end_date", f"{end} is before the start, {start}")
    layer = data.get("layer")
    if isinstance(layer, Mapping):
        slots = _sequence(layer.get("slots"))
        if slots and all(isinstance(slot, str) for slot in slots):
            try:
                slot_ranges(tuple(slots))
            except ValueError as error:
                yield Problem("layer.slots", str(error))
    if data.get("targeting") and not data.get("attributes"):
        yield Problem(
            "attributes", "is missing; it declares what the targeting rule may read, by name and type"
        )


def _reference_problems(data: Mapping[str, Any], metric_ids: Sequence[Any]) -> Iterator[Problem]:
    known = ", ".join(str(metric_id) for metric_id in metric_ids)
    for name in ("money", "allocation"):
        part = data.get(name)
        metric_id = part.get("metric_id") if isinstance(part, Mapping) else None
        if isinstance(metric_id, str) and metric_id and metric_ids and metric_id not in metric_ids:
            yield Problem(f"{name}.metric_id", f"there is no metric {metric_id!r}; the metrics are {known}")


def _money_problems(
    data: Mapping[str, Any], metrics: Sequence[tuple[int, Mapping[str, Any]]]
) -> Iterator[Problem]:
    money = data.get("money")
    metric_id = money.get("metric_id") if isinstance(money, Mapping) else None
    for _, metric in metrics:
        if metric.get("metric_id") == metric_id and metric.get("kind", "mean") != "mean":
            yield Problem(
                "money.metric_id", f"needs a metric of kind mean; {metric_id!r} is a {metric['kind']}"
            )


def _attribution_problems(
    data: Mapping[str, Any], metrics: Sequence[tuple[int, Mapping[str, Any]]]
) -> Iterator[Problem]:
    if data.get("attribution", "member") != "decision":
        return
    message = "has no meaning with attribution: decision; an outcome counts if it names an exposed decision"
    if data.get("window_days") is not None:
        yield Problem("window_days", message)
    for index, metric in metrics:
        for name in ("window_days", "retention"):
            if metric.get(name) is not None:
                yield Problem(f"metrics[{index}].{name}", message)


def _empty_shares(variants: Sequence[tuple[int, Mapping[str, Any]]]) -> Iterator[Problem]:
    weights = tuple(variant.get("weight", 1) for _, variant in variants)
    whole = tuple(weight for weight in weights if type(weight) is int and weight >= 0)
    if len(whole) < len(weights) or not whole:
        return
    if not any(whole):
        yield Problem("variants", "at least one weight must be above 0")
        return
    lower = 0
    for (index, _), weight, upper in zip(variants, whole, share_bounds(whole), strict=True):
        if upper == lower and weight > 0:
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
