"""The examples and tables of docs/experiments.md are those of the code."""

import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from experiments.analysis import analyze_table
from experiments.definition import (
    Allocation,
    Analysis,
    ExperimentDefinition,
    Factor,
    Holdout,
    LayerSlots,
    Level,
    Metric,
    Money,
    Prior,
    Source,
    Variant,
    parse_experiment,
)

PAGE = Path(__file__).parents[2] / "docs" / "experiments.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)
TABLES: dict[str, tuple[type[BaseModel], ...]] = {
    "Experiment": (ExperimentDefinition,),
    "Variants and factors": (Variant, Factor, Level),
    "Metrics": (Metric,),
    "Sources": (Source,),
    "Analysis": (Analysis,),
    "Allocation": (Allocation,),
    "Layer and holdout": (LayerSlots, Holdout),
    "Money": (Money,),
    "Prior": (Prior,),
}
ABBREVIATIONS = {"Metrics": {"column"}}
WITHOUT_DEFAULTS = {"Layer and holdout"}


def complete(block: str) -> dict[str, Any]:
    """Return the definition of a block: its own, or the first one with the block's fields laid over it."""
    fields: dict[str, Any] = yaml.safe_load(block)
    return fields if "experiment_id" in fields else {**yaml.safe_load(BLOCKS[0]), **fields}


def field_rows(heading: str) -> Iterator[tuple[str, str]]:
    """Yield the names and defaults of the tables below a heading of the chapter "Every field"."""
    chapter = TEXT.split("\n## Every field\n")[1].split("\n## ")[0]
    section = chapter.split(f"\n### {heading}\n")[1].split("\n### ")[0]
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("| `"):
            for name in re.findall(r"`(\w+)`", cells[0]):
                yield name, cells[2]


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_every_example_is_a_sound_definition(number: int) -> None:
    """Each YAML block is read by the same code as a file, alone or laid over the first one."""
    parse_experiment(complete(BLOCKS[number]), f"block {number}")


@pytest.mark.parametrize("heading", TABLES)
def test_every_field_stands_in_its_table(heading: str) -> None:
    """The tables name exactly the fields that the model has."""
    fields = {name for model in TABLES[heading] for name in model.model_fields}

    assert {name for name, _ in field_rows(heading)} == fields | ABBREVIATIONS.get(heading, set())


@pytest.mark.parametrize("heading", TABLES)
def test_defaults_are_those_of_the_model(heading: str) -> None:
    """A default that is a number, a word or a truth value is written as the model has it."""
    compared = 0
    for name, written in field_rows(heading):
        defaults = {
            model.model_fields[name].default for model in TABLES[heading] if name in model.model_fields
        }
        plain = {
            value.value if isinstance(value, Enum) else value
            for value in defaults
            if value is not PydanticUndefined and isinstance(value, int | float | str) and value != ""
        }
        if plain:
            compared += 1
            assert yaml.safe_load(written.strip("`")) in plain, name
    assert (compared > 0) == (heading not in WITHOUT_DEFAULTS)


def test_every_nested_field_is_named() -> None:
    """Fields of the parts within metrics are on the page, as code."""
    parts = set()
    for model in (Metric, ExperimentDefinition):
        for field in model.model_fields.values():
            for part in re.findall(r"experiments\.definition\.\w+\.(\w+)", str(field.annotation)):
                found = getattr(__import__("experiments.definition", fromlist=[part]), part, None)
                if isinstance(found, type) and issubclass(found, BaseModel):
                    parts.add(part)
                    for name in found.model_fields:
                        assert re.search(rf"`[^`\n]*\b{name}\b[^`\n]*`", TEXT), f"{part}.{name}"
    assert parts >= {"Source", "Margin", "Retention", "Winsorize", "Covariate"}


def test_links_within_the_page_lead_somewhere() -> None:
    """Each anchor is that of a heading, as code hosts make them."""
    seen: dict[str, int] = {}
    anchors = set()
    for heading in re.findall(r"^#+ (.+)$", TEXT, flags=re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        anchors.add(slug if slug not in seen else f"{slug}-{seen[slug]}")
        seen[slug] = seen.get(slug, 0) + 1

    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT.replace("\n", ""))) <= anchors


def players(number: int = 2_000) -> pl.DataFrame:
    """Return a table such as the page's first example reads, with a day and a column from before."""
    random = np.random.default_rng(30)
    return pl.DataFrame(
        {
            "userid": np.arange(number),
            "version": random.choice(["gate_30", "gate_40"], number),
            "sum_gamerounds": random.geometric(0.02, number),
            "retention_1": random.random(number) < 0.45,
            "retention_7": random.random(number) < 0.19,
            "before": random.gamma(2, 2, number),
            "country": random.choice(["DE", "FR"], number),
            "day": pl.date_range(pl.date(2026, 1, 1), pl.date(2026, 1, 5), eager=True).sample(
                number, with_replacement=True, seed=1
            ),
        }
    )


def test_the_first_example_runs() -> None:
    """The table and the definition of the first example give a verdict and figures for each metric."""
    found = analyze_table(parse_experiment(complete(BLOCKS[0]), "first block"), players()).to_json()

    assert found["decision"]["verdict"] in {"ship", "do_not_ship"}
    assert [one["metric_id"] for one in found["results"]] == ["retention_7", "retention_1", "sum_gamerounds"]
    assert all(one["estimate"] is not None for one in found["results"])


FREE_KEYS = {"units", "expected", "reasons", "statistics", "computed", "diagnostics", "peeking"}
PREFIX = re.compile(r"^(adjusted_|always_valid_|decision_)(relative_)?(?=ci_|p_value)")


def keys_of(found: Any) -> Iterator[str]:
    """Yield the names of all fields of a document but those whose names are data."""
    if isinstance(found, list):
        for one in found:
            yield from keys_of(one)
    elif isinstance(found, dict):
        for name, value in found.items():
            yield PREFIX.sub("", name)
            if name not in FREE_KEYS:
                yield from keys_of(value)


def test_every_field_of_the_result_is_on_the_page() -> None:
    """Whatever the JSON document holds is explained under "The result"."""
    changes = {
        "analysis": {"method": "group-sequential"},
        "planned_units": 4_000,
        "segments": ["country"],
        "time_column": "day",
        "metrics": [
            {"metric_id": "sum_gamerounds", "covariates": ["before"]},
            {
                "metric_id": "retention_1",
                "role": "guardrail",
                "kind": "proportion",
                "margin": {"relative": 0.1},
            },
        ],
        "money": {"metric_id": "sum_gamerounds", "units_per_month": 1_000},
    }
    raw = complete(BLOCKS[0]) | changes
    found = analyze_table(parse_experiment(raw, "test"), players()).to_json()
    chapter = TEXT.split("\n## The result\n")[1]

    for name in sorted(set(keys_of(found))):
        suffix = re.sub(r"^(per_unit|per_month)(?=_)", "", name)
        assert re.search(rf"`[^`\n]*{suffix}\b[^`\n]*`", chapter), name
