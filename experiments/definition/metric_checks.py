"""Rules between the fields of one metric."""

from collections.abc import Iterator, Mapping
from typing import Any

from experiments.errors import Problem

_ORIGINS = ("column", "terms", "event")


def metric_problems(index: int, metric: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong between the fields of a metric, as far as they can be read."""
    path = f"metrics[{index}]"
    kind = metric.get("kind", "mean")
    has_denominator = metric.get("denominator") is not None
    if kind == "ratio" and not has_denominator:
        yield Problem(f"{path}.denominator", "is missing; a ratio needs one")
    if kind != "ratio" and has_denominator:
        yield Problem(f"{path}.denominator", f"only a ratio has one; a {kind} is taken per member")
    for part in ("numerator", "denominator"):
        yield from _source_problems(f"{path}.{part}", metric.get(part), optional_type=kind == "retention")
    yield from _kind_problems(path, kind, metric)
    yield from _margin_problems(path, metric)
    yield from _winsorize_problems(path, kind, metric.get("winsorize"))
    yield from _covariate_problems(path, kind, metric)


def _source_problems(path: str, source: Any, *, optional_type: bool) -> Iterator[Problem]:
    if not isinstance(source, Mapping):
        return
    named = [origin for origin in _ORIGINS if source.get(origin)]
    if len(named) != 1:
        found = " and ".join(named) or "none"
        yield Problem(path, f"needs exactly one of column, terms and event; there is {found}")
    elif named == ["event"]:
        if source.get("event") == "outcomes" and not source.get("outcome_type") and not optional_type:
            yield Problem(f"{path}.outcome_type", "is missing; which outcomes are meant?")
        if source.get("event") == "exposures" and source.get("aggregate", "count") != "count":
            yield Problem(f"{path}.aggregate", "exposures have no value; they can be counted")
    elif source.get("outcome_type") or source.get("aggregate", "count") != "count":
        yield Problem(path, "outcome_type and aggregate belong to events, not to a table's columns")


def _kind_problems(path: str, kind: Any, metric: Mapping[str, Any]) -> Iterator[Problem]:
    if kind == "quantile" and metric.get("quantile") is None:
        yield Problem(f"{path}.quantile", "is missing; which one, for example 0.9?")
    if kind != "quantile" and metric.get("quantile") is not None:
        yield Problem(f"{path}.quantile", "only a metric of kind quantile has one")
    retention = metric.get("retention")
    if retention is not None and kind != "retention":
        yield Problem(f"{path}.retention", "only a metric of kind retention has it")
    if isinstance(retention, Mapping):
        first, last = retention.get("first_day"), retention.get("last_day")
        if isinstance(first, int) and isinstance(last, int) and last < first:
            yield Problem(f"{path}.retention.last_day", f"{last} is before first_day, {first}")


def _margin_problems(path: str, metric: Mapping[str, Any]) -> Iterator[Problem]:
    margin = metric.get("margin")
    if not isinstance(margin, Mapping):
        return
    if metric.get("role", "success") != "guardrail":
        yield Problem(
            f"{path}.margin", "only a guardrail has one: what it may lose and still count as not worse"
        )
    if (margin.get("relative") is None) == (margin.get("absolute") is None):
        yield Problem(f"{path}.margin", "needs exactly one of relative and absolute")


def _winsorize_problems(path: str, kind: Any, winsorize: Any) -> Iterator[Problem]:
    if not isinstance(winsorize, Mapping):
        return
    where = f"{path}.winsorize"
    if kind in {"proportion", "retention", "quantile"}:
        yield Problem(where, f"has no meaning for a {kind}")
    for end in ("lower", "upper"):
        if winsorize.get(end) is not None and winsorize.get(f"{end}_quantile") is not None:
            yield Problem(where, f"has two {end} bounds; name the bound or its quantile")
    if not any(value is not None for value in winsorize.values()):
        yield Problem(where, "names no bound")
    for low, high in (("lower", "upper"), ("lower_quantile", "upper_quantile")):
        below, above = winsorize.get(low), winsorize.get(high)
        if isinstance(below, int | float) and isinstance(above, int | float) and below >= above:
            yield Problem(f"{where}.{high}", f"must be above {low}, {below}")


def _covariate_problems(path: str, kind: Any, metric: Mapping[str, Any]) -> Iterator[Problem]:
    covariates = metric.get("covariates")
    if not isinstance(covariates, list | tuple) or not covariates:
        return
    if kind == "quantile":
        yield Problem(f"{path}.covariates", "cannot adjust a quantile")
    if metric.get("inference") == "bootstrap":
        yield Problem(f"{path}.covariates", "cannot be used with the bootstrap")
    numerator = metric.get("numerator")
    from_events = isinstance(numerator, Mapping) and bool(numerator.get("event"))
    for index, covariate in enumerate(covariates):
        if not isinstance(covariate, Mapping):
            continue
        where = f"{path}.covariates[{index}]"
        named = covariate.get("numerator") is not None
        if named == (covariate.get("pre_period_days") is not None):
            yield Problem(where, "needs either a column or pre_period_days")
        elif not named and not from_events:
            yield Problem(
                f"{where}.pre_period_days", "needs a metric from events; in a table name the column"
            )
        for part in ("numerator", "denominator"):
            yield from _source_problems(f"{where}.{part}", covariate.get(part), optional_type=False)
