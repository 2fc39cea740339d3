"""Can the groups be compared? Traffic lights for the planned proportions and for what was known before."""

from dataclasses import dataclass

from experiments.analysis import ExperimentResult
from experiments.number_format import out_of_many
from experiments.pages.experiment_words import units


@dataclass(frozen=True, slots=True)
class Light:
    """A traffic light: ``green``, ``amber``, ``red`` or ``grey``, its name and what it means here."""

    colour: str
    title: str
    text: str


def lights(result: ExperimentResult) -> list[Light]:
    """Return the checks of the groups, the planned proportions first."""
    return [sample_ratio_light(result), *imbalance_light(result)]


def sample_ratio_light(result: ExperimentResult) -> Light:
    """Return whether the units arrived as planned, in plain words."""
    srm = result.srm
    found = "; ".join(
        f"{result.definition.variant(variant_id).label}: {units(result, number)}, {srm.expected[variant_id]:,.0f} expected"
        for variant_id, number in result.units.items()
    )
    if srm.alarm:
        return Light(
            "red",
            "Something is wrong",
            f"{found}. {_chance(result)}Somebody went missing or was counted twice in one of the groups, so they can no"
            " longer be compared. Find the cause before anybody acts on these figures.",
        )
    if srm.warning:
        return Light(
            "amber",
            "Unusual, but possible",
            f"{found}. {_chance(result)}Have the way into the experiment checked before you decide.",
        )
    if srm.p_value is None:
        return Light("grey", "Too early to tell", f"{found}. The check needs more ({srm.reason}).")
    return Light("green", "The groups have the planned sizes", f"{found}. {_chance(result)}")


def _chance(result: ExperimentResult) -> str:
    p_value = result.srm.p_value
    if p_value is None:
        return f"{result.srm.reason[:1].upper()}{result.srm.reason[1:]}. " if result.srm.reason else ""
    return f"Of healthy experiments, {out_of_many(p_value)} are at least this far off. "


def imbalance_light(result: ExperimentResult) -> list[Light]:
    """Return whether the groups were alike before the experiment; nothing without covariates."""
    check = result.imbalance
    if check is None:
        return []
    names = ", ".join(dict.fromkeys(one.covariate for one in check.differences))
    if check.p_value is None:
        reasons = "; ".join(dict.fromkeys(one.reason for one in check.differences if one.reason))
        return [Light("grey", "Before the experiment: cannot be told", f"{names}: {reasons}.")]
    if check.alarm:
        worst = min(
            (one for one in check.differences if one.adjusted_p_value is not None),
            key=lambda one: one.adjusted_p_value or 0.0,
        )
        label = result.definition.variant(worst.variant_id).label
        return [
            Light(
                "red",
                "The groups differed before the experiment",
                f"{label} differs in {worst.covariate} from the control, by more than chance explains. Whatever decided who"
                " got which variant was not chance alone.",
            )
        ]
    return [
        Light(
            "green",
            "The groups were alike before the experiment",
            f"Compared by {names}: no difference beyond chance.",
        )
    ]
