"""The report's small print: how it was measured, what was left out, and the figures at full precision."""

from experiments.analysis import ExperimentResult
from experiments.definition import Metric, MetricKind
from experiments.wording import count_of

_CAUSES = {
    "no_decision": "named no decision",
    "decision_not_exposed": "named a decision that this experiment did not show",
    "other_member": "named another member's decision",
    "excluded_member": "belong to members that are left out",
}


def variant_rows(result: ExperimentResult) -> list[dict[str, str]]:
    """Return the table of variants: name, what members got, planned share and members."""
    total = sum(variant.weight for variant in result.definition.variants)
    return [
        {
            "name": variant.label,
            "role": "control" if variant.variant_id == result.definition.control else "treatment",
            "description": variant.description,
            "share": f"{100 * variant.weight / total:.3g} %",
            "members": f"{result.units[variant.variant_id]:,}",
        }
        for variant in result.definition.variants
    ]


def measured_as(result: ExperimentResult) -> list[tuple[str, str]]:
    """Return each metric's name with its definition in words."""
    return [(metric.name, _definition_in_words(metric)) for metric in result.definition.metrics]


def _definition_in_words(metric: Metric) -> str:
    kind = metric.numerator.outcome_type
    if metric.numerator.aggregate == "count":
        what = f"Offers that were followed by the outcome “{kind}”, each once per decision"
    else:
        unit = f" in {metric.unit_label}" if metric.unit_label else ""
        what = f"Money{unit} of the outcomes “{kind}” that followed a decision"
    if metric.kind is MetricKind.RATIO:
        return f"{what}, added up per member, divided by how often the member was shown offers."
    return f"{what}, added up per member; members without any count with zero."


def exclusions(result: ExperimentResult) -> list[str]:
    """Return what was left out or counts once only, in words; empty if nothing was."""
    found = result.diagnostics
    sentences = []
    if found.members_in_several_variants:
        members = count_of(found.members_in_several_variants, "member")
        sentences.append(f"{members} met more than one variant and count for none.")
    if found.exposures_to_unknown_variants:
        exposures = count_of(found.exposures_to_unknown_variants, "exposure")
        sentences.append(f"{exposures} to variants that the definition does not have were left out.")
    if found.duplicate_exposures or found.duplicate_outcomes:
        sentences.append(
            f"{count_of(found.duplicate_exposures, 'repeated exposure')} and"
            f" {count_of(found.duplicate_outcomes, 'repeated outcome')} were counted once."
        )
    sentences += [
        f"{count_of(count, 'outcome')} {_CAUSES[cause]} and count for nobody."
        for cause, count in found.unattributed_outcomes.items()
    ]
    if found.outcomes_without_value:
        outcomes = count_of(found.outcomes_without_value, "outcome")
        sentences.append(f"{outcomes} had no value and add no money.")
    return sentences


def technical_rows(result: ExperimentResult) -> list[dict[str, str]]:
    """Return the figures at full precision for the appendix."""
    rows = []
    for one in result.results:
        effect = one.effect
        figures = {
            name: "—" if getattr(effect, name, None) is None else f"{getattr(effect, name):.6g}"
            for name in ("estimate", "standard_error", "ci_lower", "ci_upper", "p_value")
        }
        rows.append(
            {
                "metric_id": one.metric_id,
                "variant_id": one.variant_id,
                **figures,
                "method": one.method,
                "ingredients": "; ".join(one.ingredients) or one.refusal,
            }
        )
    return rows
