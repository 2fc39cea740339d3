from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from experiments.definition import (
    ExperimentDefinition,
    MetricRole,
    State,
    load_experiments,
    parse_experiment,
)
from experiments.errors import DefinitionError
from tests.experiments.definitions import arms, definition, raw_definition


def problems_of(raw: Any) -> dict[str, str]:
    """Return the problems of a definition, by field path."""
    with pytest.raises(DefinitionError) as caught:
        parse_experiment(raw, "test.yaml")
    return {problem.path: problem.message for problem in caught.value.problems}


def write(folder: Path, name: str, content: Any) -> Path:
    """Write a YAML file."""
    path = folder / name
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    return path


def test_sound_definition_is_read_with_its_defaults() -> None:
    """What is not said has its documented default."""
    experiment = definition()

    assert experiment.programme == "default"
    assert experiment.salt == "offer-ranking"
    assert experiment.traffic_ppm == 1_000_000
    assert experiment.alpha == 0.05
    assert experiment.state is State.RUNNING
    assert experiment.primary_metric.metric_id == "offers-hit-per-trip"
    assert experiment.variant("personal").label == "Personal ranking"
    assert experiment.variants[0].parameters == {"ranking": "popular"}


def test_days_may_stand_in_quotes() -> None:
    """As programs write them: YAML has days of its own, but a quoted one means the same."""
    experiment = definition(start_date="2026-03-01", end_date=date(2026, 3, 31))

    assert (experiment.start_date, experiment.end_date) == (date(2026, 3, 1), date(2026, 3, 31))
    assert "a day such as" in problems_of(raw_definition(end_date="31.3.2026"))["end_date"]


def test_primary_is_the_first_success_metric() -> None:
    """Guardrails in front of it do not become the primary metric."""
    metrics = raw_definition()["metrics"]
    metrics[0]["role"] = "guardrail"

    experiment = definition(metrics=metrics)

    assert experiment.primary_metric.metric_id == "dollars-per-trip"
    assert experiment.metrics[0].role is MetricRole.GUARDRAIL


def test_a_definition_cannot_be_changed() -> None:
    """Definitions are values."""
    experiment = definition()

    with pytest.raises(ValueError, match="frozen"):
        setattr(experiment, "alpha", 0.1)  # noqa: B010 mypy would see it


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("experiment_id", "Offer Ranking", "letters, digits, dots, underscores and hyphens"),
        ("experiment_id", "-a", "start with a letter or digit"),
        ("experiment_id", "a" * 129, "at most 128 characters"),
        ("experiment_id", "a\n", "letters, digits"),
        ("experiment_id", 7, "must be text, not 7"),
        ("programme", "", "must not be empty"),
        ("revision", 0, "at least 1, not 0"),
        ("revision", "1", "whole number, not '1'"),
        ("revision", True, "whole number, not True"),
        ("revision", 1.0, "whole number, not 1.0"),
        ("hypothesis", "", "a running experiment says"),
        ("unit", "", "must not be empty"),
        ("state", "runing", "'draft', 'running', 'stopped' or 'archived', not 'runing'"),
        ("placements", [], "a running experiment names"),
        ("placements", "checkout", "must be a list"),
        ("traffic_ppm", 1_000_001, "at most 1000000"),
        ("traffic_ppm", -1, "at least 0"),
        ("traffic_ppm", 0.5, "whole number"),
        ("alpha", 0, "greater than 0"),
        ("alpha", 1, "less than 1"),
        ("alpha", "0.05", "must be a number, not '0.05'"),
        ("alpha", float("nan"), "must be"),
        ("control", "populr", "there is no variant 'populr'; the variants are popular, personal"),
        ("variants", [], "needs at least 2"),
        ("variants", None, "must be a list, not None"),
        ("metrics", {}, "must be a list"),
    ],
)
def test_wrong_value_is_named_with_its_rule(field: str, value: Any, expected: str) -> None:
    """Each field says what it wants and what it got; nothing is converted silently."""
    assert expected in problems_of(raw_definition(**{field: value}))[field]


@pytest.mark.parametrize("field", ["experiment_id", "hypothesis", "owner", "placements"])
def test_missing_field_is_named(field: str) -> None:
    """A required field that is not there is missing, by name."""
    raw = raw_definition()
    del raw[field]

    assert problems_of(raw)[field].startswith("is missing")


def test_unknown_fields_get_a_hint_at_every_level() -> None:
    """A typo in a key is an error that suggests the key which was probably meant."""
    raw = raw_definition(revison=1, trafic_ppm=10, zzz=1)
    raw["variants"][0]["wieght"] = 3
    raw["metrics"][1]["numerator"]["agregate"] = "count"

    problems = problems_of(raw)

    assert problems["revison"] == "there is no such field; did you mean revision?"
    assert problems["trafic_ppm"].endswith("did you mean traffic_ppm?")
    assert problems["zzz"].startswith("there is no such field; there are experiment_id, programme")
    assert problems["variants[0].wieght"].endswith("did you mean weight?")
    assert problems["metrics[1].numerator.agregate"].endswith("did you mean aggregate?")


def test_all_problems_are_named_at_once() -> None:
    """Problems of fields and problems between fields come in one error, each with its path, none twice."""
    raw = raw_definition(control="nobody", alpha=2, state="on", placements=["checkout", "checkout"])
    raw["variants"][1]["variant_id"] = "popular"
    raw["variants"][0]["parameters"] = {"list": [1], "nan": float("nan"), "none": None}
    raw["metrics"][0] |= {"role": "guardrail", "denominator": None}
    raw["metrics"][1] |= {"role": "quality", "kind": "mean", "metric_id": "offers-hit-per-trip"}

    with pytest.raises(DefinitionError) as caught:
        parse_experiment(raw, "x.yaml")

    paths = [problem.path for problem in caught.value.problems]
    assert sorted(paths) == [
        "alpha",
        "control",
        "metrics",
        "metrics[0].denominator",
        "metrics[1].denominator",
        "metrics[1].metric_id",
        "placements[1]",
        "state",
        "variants[0].parameters.list",
        "variants[0].parameters.nan",
        "variants[0].parameters.none",
        "variants[1].variant_id",
    ]
    assert caught.value.message.startswith("x.yaml: ")
    assert all(path in caught.value.message for path in paths)


def test_parameters_keep_their_types() -> None:
    """Text, whole numbers, numbers and truth values stay what they are."""
    raw = raw_definition()
    raw["variants"][0]["parameters"] = {"a": "1", "b": 1, "c": 1.0, "d": True}

    parameters = parse_experiment(raw, "test").variants[0].parameters

    assert [(value, type(value)) for value in parameters.values()] == [
        ("1", str),
        (1, int),
        (1.0, float),
        (True, bool),
    ]


def test_a_weight_must_be_worth_a_millionth() -> None:
    """An arm whose range of points would be empty is refused instead of staying empty for ever."""
    problems = problems_of(raw_definition(variants=arms(1, 1_000_000, 1_000_000), control="v0"))

    assert problems == {"variants[0].weight": "is less than one millionth of the sum of all weights"}


def test_cross_rules_hold_without_yaml() -> None:
    """A model built in Python obeys the rules between fields too."""
    with pytest.raises(ValueError, match="there is no variant 'nobody'"):
        ExperimentDefinition.model_validate(raw_definition(control="nobody"))


def test_things_that_are_no_experiment_are_refused() -> None:
    """A list, a text or nothing is not an experiment."""
    things: tuple[Any, ...] = ([], "text", None, 5)
    for raw in things:
        assert problems_of(raw) == {"": "an experiment must be a mapping of names to values"}


def test_file_with_one_experiment(tmp_path: Path) -> None:
    """A file may be one experiment."""
    path = write(tmp_path, "one.yaml", raw_definition())

    assert load_experiments(path) == (definition(),)


def test_file_with_a_list(tmp_path: Path) -> None:
    """A file may hold a list; problems carry the place in it."""
    path = write(tmp_path, "all.yaml", {"experiments": [raw_definition(), raw_definition(experiment_id="b")]})
    assert [experiment.experiment_id for experiment in load_experiments(path)] == ["offer-ranking", "b"]
    wrong = write(tmp_path, "wrong.yaml", {"experiments": [raw_definition(alpha=2), 3], "extra": 1})

    with pytest.raises(DefinitionError) as caught:
        load_experiments(wrong)

    assert [problem.path for problem in caught.value.problems] == [
        "extra",
        "experiments[0].alpha",
        "experiments[1]",
    ]


def test_folder_is_read_by_name_and_all_files_report(tmp_path: Path) -> None:
    """A folder is all its *.yaml files; the problems of all of them come at once, with the file's name."""
    write(tmp_path, "b.yaml", raw_definition(experiment_id="b"))
    write(tmp_path, "a.yaml", raw_definition(experiment_id="a"))
    assert [experiment.experiment_id for experiment in load_experiments(tmp_path)] == ["a", "b"]
    write(tmp_path, "c.yaml", raw_definition(alpha=2))
    write(tmp_path, "d.yaml", "a: [")
    write(tmp_path, "e.yaml", "")
    write(tmp_path, "f.yml", raw_definition(experiment_id="f"))

    with pytest.raises(DefinitionError) as caught:
        load_experiments(tmp_path)

    assert [problem.path for problem in caught.value.problems] == [
        "f.yml",
        "c.yaml: alpha",
        "d.yaml",
        "e.yaml",
    ]


def test_folder_without_files_has_no_experiments(tmp_path: Path) -> None:
    """A programme may have no experiment."""
    assert load_experiments(tmp_path) == ()


def test_duplicate_experiments_are_refused_across_files(tmp_path: Path) -> None:
    """An id may be there once in a programme; another programme may use it too."""
    write(tmp_path, "a.yaml", raw_definition())
    write(tmp_path, "b.yaml", raw_definition(programme="other"))
    assert len(load_experiments(tmp_path)) == 2
    write(tmp_path, "c.yaml", raw_definition())

    with pytest.raises(
        DefinitionError, match=r"c\.yaml: experiment_id: 'offer-ranking' is there already, in a\.yaml"
    ):
        load_experiments(tmp_path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a: 1\nb: [1,\nc: 2", "is not valid YAML in line 3, column 5: while parsing a flow sequence"),
        (
            "experiment_id: a\nexperiment_id: b\n",
            "in line 2, column 1: the key 'experiment_id' is there twice",
        ),
        ("variants:\n  - {weight: 1, weight: 2}\n", "in line 2, column 17: the key 'weight' is there twice"),
        ("a: !!python/object/apply:os.system [ls]", "is not valid YAML in line 1"),
        ("a: 1\n---\nb: 2\n", "is not valid YAML in line 2"),
        ("? [a]\n: b\n", "is not valid YAML in line 1"),
        ("\x01", "is not a UTF-8 text file in YAML"),
        ("# nothing\n", "the file is empty"),
        ("experiments: []", "must be a list of experiments"),
        ("a: 0000-00-00", "is not valid YAML in line 1, column 4: year 0 is out of range"),
    ],
)
def test_bad_yaml_is_one_clear_sentence(tmp_path: Path, content: str, expected: str) -> None:
    """Syntax errors say line and column; there is never a traceback."""
    path = write(tmp_path, "bad.yaml", content)

    with pytest.raises(DefinitionError) as caught:
        load_experiments(path)

    assert expected in caught.value.message
    assert "\n" not in caught.value.message


def test_unreadable_paths_are_named(tmp_path: Path) -> None:
    """A missing file and a file in another encoding are problems, not crashes."""
    with pytest.raises(DefinitionError, match="there is no such file or folder"):
        load_experiments(tmp_path / "nowhere.yaml")
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("owner: J\xf6rg".encode("latin-1"))
    with pytest.raises(DefinitionError, match="is not a UTF-8 text file"):
        load_experiments(latin)


def test_merge_keys_may_be_overridden(tmp_path: Path) -> None:
    """YAML's merge key shares fields between experiments; what stands beside it wins."""
    text = yaml.safe_dump({"experiments": [raw_definition()]}).replace("- alpha", "- &base\n  alpha")
    text = text.replace("experiments:\n- ", "experiments:\n- &base\n  ", 1)
    path = write(tmp_path, "merge.yaml", text + "- <<: *base\n  experiment_id: second\n")

    assert [experiment.experiment_id for experiment in load_experiments(path)] == ["offer-ranking", "second"]
