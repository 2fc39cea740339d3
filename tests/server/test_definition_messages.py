"""Definitions as messages: the same model, nothing lost either way, and what no definition could mean is a problem."""

import datetime as dt
from typing import Any

import pytest
from google.type.date_pb2 import Date
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from experiments.definition import ExperimentDefinition, parse_experiment
from experiments.definition.fields import DefinitionPart
from experiments.errors import DefinitionError
from server.api.checks import Checker
from server.api.definition import OUTPUT_FIELDS, definition_fields, enum_number, enum_word, experiment_message
from tests.experiments.definitions import raw_definition
from troth.v1 import experiment_pb2, metric_pb2

MESSAGES: dict[str, Any] = {
    "ExperimentDefinition": experiment_pb2.Experiment,
    "LayerSlots": experiment_pb2.ExperimentLayer,
    "Holdout": experiment_pb2.ExperimentHoldout,
    "Variant": experiment_pb2.ExperimentVariant,
    "Factor": experiment_pb2.ExperimentFactor,
    "Level": experiment_pb2.FactorLevel,
    "Allocation": experiment_pb2.ExperimentAllocation,
    "Analysis": experiment_pb2.ExperimentAnalysis,
    "Money": experiment_pb2.ExperimentMoney,
    "Prior": experiment_pb2.ExperimentPrior,
    "Metric": metric_pb2.Metric,
    "Source": metric_pb2.MetricSource,
    "Term": metric_pb2.MetricTerm,
    "Covariate": metric_pb2.MetricCovariate,
    "Winsorize": metric_pb2.MetricWinsorize,
    "Margin": metric_pb2.MetricMargin,
    "Retention": metric_pb2.MetricRetention,
}
ENUMS: list[Any] = [
    *experiment_pb2.DESCRIPTOR.enum_types_by_name.values(),
    *metric_pb2.DESCRIPTOR.enum_types_by_name.values(),
]

NAMES = st.text("abcxyz", min_size=1, max_size=6)
WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc", "Z")), min_size=1, max_size=12)
NUMBERS = st.one_of(st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False))
POSITIVE = st.one_of(
    st.integers(1, 10**6), st.floats(0, 10**9, exclude_min=True, allow_nan=False, allow_subnormal=False)
)
SHARES = st.floats(0.001, 0.999)
DAYS = st.dates(dt.date(1970, 1, 1), dt.date(2200, 1, 1))
PARAMETERS = st.dictionaries(
    WORDS,
    st.one_of(
        WORDS,
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
    ),
    max_size=3,
)


def some(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return mappings that have all required fields and some of the optional ones."""
    return st.fixed_dictionaries(required, optional=optional)


COLUMNS = st.one_of(
    some({"column": WORDS}, {}),
    some({"terms": st.lists(some({"column": WORDS}, {"factor": NUMBERS}), min_size=1, max_size=3)}, {}),
)
EVENTS = st.one_of(
    some(
        {"event": st.just("outcomes"), "outcome_type": NAMES},
        {"aggregate": st.sampled_from(["count", "value"])},
    ),
    some({"event": st.just("exposures")}, {}),
)
ANY_METRIC = {
    "name": WORDS,
    "direction": st.sampled_from(["increase", "decrease"]),
    "alternative": st.sampled_from(["two-sided", "greater", "less"]),
    "window_days": st.integers(1, 3650),
    "unit_label": WORDS,
}
WINSORIZE = st.one_of(
    some({"lower": st.integers(-5, 0)}, {"upper": st.floats(1, 9)}),
    some({"lower_quantile": st.floats(0.01, 0.4)}, {"upper_quantile": st.floats(0.5, 0.99)}),
)
COVARIATES = st.lists(
    some({"numerator": st.one_of(WORDS, COLUMNS)}, {"denominator": COLUMNS}), min_size=1, max_size=2
)
METRICS = st.one_of(
    some({}, {**ANY_METRIC, "numerator": COLUMNS, "winsorize": WINSORIZE, "covariates": COVARIATES}),
    some(
        {"numerator": EVENTS, "covariates": st.just([{"pre_period_days": 28}])},
        {**ANY_METRIC, "kind": st.sampled_from(["mean", "count"])},
    ),
    some({"kind": st.just("ratio"), "numerator": COLUMNS, "denominator": COLUMNS}, ANY_METRIC),
    some({"kind": st.just("quantile"), "quantile": SHARES, "column": WORDS}, ANY_METRIC),
    some(
        {"kind": st.just("proportion")},
        {**ANY_METRIC, "inference": st.sampled_from(["formula", "bootstrap"])},
    ),
    some(
        {
            "kind": st.just("retention"),
            "retention": some(
                {"first_day": st.integers(0, 7), "last_day": st.integers(7, 30)}, {"outcome_type": NAMES}
            ),
        },
        ANY_METRIC,
    ),
    some(
        {
            "role": st.just("guardrail"),
            "margin": st.one_of(some({"relative": POSITIVE}, {}), some({"absolute": POSITIVE}, {})),
        },
        ANY_METRIC,
    ),
)
VARIANTS = st.lists(
    some({}, {"weight": st.integers(1, 1000), "name": WORDS, "description": WORDS, "parameters": PARAMETERS}),
    min_size=2,
    max_size=4,
)
FACTORS = st.lists(
    some(
        {
            "levels": st.lists(
                some({}, {"weight": st.integers(1, 9), "parameters": PARAMETERS}), min_size=2, max_size=3
            )
        },
        {"name": WORDS},
    ),
    min_size=2,
    max_size=3,
)
FIELDS = {
    "revision": st.integers(1, 2**31 - 1),
    "hypothesis": WORDS,
    "owner": WORDS,
    "unit": WORDS,
    "placements": st.lists(NAMES, unique=True, max_size=3),
    "salt": WORDS,
    "traffic_ppm": st.integers(0, 1_000_000),
    "layer": some({"layer_id": NAMES, "slots": st.just([7, "100-199"])}, {}),
    "holdout": some({"holdout_id": NAMES, "traffic_ppm": st.integers(0, 1_000_000)}, {}),
    "attributes": st.dictionaries(
        NAMES,
        st.sampled_from(["string", "int", "double", "bool", "timestamp", "list<string>"]),
        min_size=1,
        max_size=4,
    ),
    "sticky": st.booleans(),
    "alpha": SHARES,
    "power": SHARES,
    "correction": st.sampled_from(["holm", "benjamini-hochberg", "none"]),
    "analysis": st.one_of(
        st.sampled_from(["always-valid", "fixed"]),
        some(
            {"method": st.sampled_from(["always-valid", "fixed"])},
            {
                "spending": st.sampled_from(["obrien-fleming", "pocock", "power"]),
                "phi": st.floats(0.1, 10),
                "looks": st.integers(1, 200),
            },
        ),
    ),
    "planned_units": st.integers(2, 2**62),
    "start_date": DAYS,
    "window_days": st.integers(1, 3650),
    "attribution": st.sampled_from(["member", "decision"]),
    "segments": st.lists(WORDS, unique=True, max_size=3),
    "unit_column": WORDS,
    "variant_column": WORDS,
    "time_column": WORDS,
    "cluster_column": WORDS,
    "trigger_column": WORDS,
    "money": some(
        {"metric_id": st.just("m0")},
        {
            "units_per_month": POSITIVE,
            "cost_per_unit": NUMBERS,
            "cost_per_month": NUMBERS,
            "currency_code": st.just("USD"),
        },
    ),
    "prior": some({}, {"prior_mean": NUMBERS, "prior_sd": POSITIVE}),
}


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Draw sound YAML documents of an experiment, with every field now and then."""
    fields: dict[str, Any] = draw(some({"experiment_id": NAMES}, FIELDS))
    fields["metrics"] = [
        {"metric_id": "m0"},
        *(
            {"metric_id": f"m{index + 1}"} | one
            for index, one in enumerate(draw(st.lists(METRICS, max_size=4)))
        ),
    ]
    if draw(st.booleans()):
        fields["factors"] = [
            {
                **factor,
                "factor_id": f"f{index}",
                "levels": [
                    {**level, "level_id": f"l{place}"} for place, level in enumerate(factor["levels"])
                ],
            }
            for index, factor in enumerate(draw(FACTORS))
        ]
    else:
        variants = [{**one, "variant_id": f"v{index}"} for index, one in enumerate(draw(VARIANTS))]
        fields["variants"] = variants
        fields["overrides"] = draw(st.dictionaries(WORDS, st.sampled_from(["v0", "v1"]), max_size=3))
        fields["allocation"] = {"kind": draw(st.sampled_from(["fixed", "thompson"])), "uniform_ppm": 0}
    if fields.get("attribution") == "decision":
        fields.pop("window_days", None)
        for metric in fields["metrics"]:
            metric.pop("window_days", None)
    if "attributes" in fields and draw(st.booleans()):
        fields["targeting"] = draw(WORDS)
    return fields


def there_and_back(definition: ExperimentDefinition) -> ExperimentDefinition:
    """Return what is left of a definition after it was a message on the wire."""
    sent = experiment_pb2.Experiment.FromString(experiment_message(definition).SerializeToString())
    check = Checker()
    fields = definition_fields(check, "experiment", sent)
    assert not check.problems
    return parse_experiment({**fields, "state": definition.state.value}, "message")


@settings(max_examples=60)
@given(documents())
def test_nothing_is_lost(document: dict[str, Any]) -> None:
    """A YAML document, read, sent as a message and read again, is the same definition in every field."""
    try:
        definition = parse_experiment(document, "document")
    except DefinitionError:
        # The strategy knows most rules between fields, not all.
        reject()

    assert there_and_back(definition) == definition


@pytest.mark.parametrize("state", ["draft", "running", "stopped", "archived"])
def test_state_is_told(state: str) -> None:
    """Clients see the state, although they cannot set it."""
    definition = parse_experiment(raw_definition(state=state), "test")
    message = experiment_message(definition)

    assert experiment_pb2.ExperimentState.Name(message.state) == f"EXPERIMENT_STATE_{state.upper()}"
    assert "state" not in definition_fields(Checker(), "", message)


def _parts(part: type[DefinitionPart]) -> set[type[DefinitionPart]]:
    return {part}.union(*(_parts(one) for one in part.__subclasses__()))


def test_model_and_messages_have_the_same_fields() -> None:
    """Each part of the definition model has its message with the same field names; a field added to one alone is noticed."""
    parts = {
        one.__name__: one
        for one in _parts(DefinitionPart)
        if one.__module__.startswith("experiments.definition")
    }
    parts.pop("DefinitionPart")

    assert parts.keys() == MESSAGES.keys()
    for name, message in MESSAGES.items():
        told = set(message.DESCRIPTOR.fields_by_name) - (
            OUTPUT_FIELDS - {"state"} if name == "ExperimentDefinition" else set()
        )
        assert told == set(parts[name].model_fields), name


@pytest.mark.parametrize("enum", ENUMS, ids=lambda enum: enum.name)
def test_words_of_enums(enum: Any) -> None:
    """Each value of an enum has a word of its own, which leads back to it."""
    words = [enum_word(enum, number) for number in enum.values_by_number]

    assert len(set(words)) == len(words)
    assert [enum_number(enum, word or "") for word in words] == list(enum.values_by_number)


def _problems(message: experiment_pb2.Experiment) -> list[str]:
    check = Checker()
    definition_fields(check, "experiment", message)
    return [problem.path for problem in check.problems]


def test_what_no_definition_could_mean() -> None:
    """Unknown values of enums, days that are none and parameters without a value are named with their paths."""
    message = experiment_pb2.Experiment(
        correction=99,  # type: ignore[arg-type]  # what a newer client may send
        start_date=Date(year=2026, month=2, day=30),
        end_date=Date(year=2026),
        metrics=[metric_pb2.Metric(), metric_pb2.Metric(role=7)],  # type: ignore[arg-type]
    )
    message.variants.add().parameters["size"].Clear()
    message.attributes["age"] = 0  # type: ignore[assignment]

    assert sorted(_problems(message)) == [
        "experiment.attributes.age",
        "experiment.correction",
        "experiment.end_date",
        "experiment.metrics[1].role",
        "experiment.start_date",
        "experiment.variants[0].parameters.size",
    ]
