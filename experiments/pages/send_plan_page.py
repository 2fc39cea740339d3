"""The page of a send plan, built from its JSON document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from experiments.number_format import (
    confidence,
    money,
    money_decimals,
    plain,
    rounded_percentage,
    sentence_case,
    signed,
)
from experiments.pages.charts import (
    HIGHER_COLOUR,
    LOWER_COLOUR,
    UNDECIDED_COLOUR,
    IntervalRow,
    ValuedPoint,
    budget_chart,
    differences_chart,
)
from experiments.pages.environment import environment
from experiments.send_plan.plan import VerdictCode

_TONES = {
    VerdictCode.PERSONALISE: "good",
    VerdictCode.ONE_OFFER_FOR_ALL: "good",
    VerdictCode.SIMPLE_RULE: "good",
    VerdictCode.NOT_ENOUGH_DATA: "open",
    VerdictCode.SEND_NOTHING: "bad",
    VerdictCode.TRIAL_NOT_TRUSTED: "alarm",
}
_MIN_POINTS = 3


@dataclass(frozen=True, slots=True)
class Receivers:
    """Who gets an arm.

    Attributes:
        arm: Its name.
        members: How many get it.
        who: What sets them apart, in words; empty where nothing does.
    """

    arm: str
    members: int
    who: str


def build_page(
    document: Mapping[str, Any],
    *,
    title: str = "Send plan",
    subtitle: str = "",
    receivers: Sequence[Receivers] = (),
    fragments: Sequence[tuple[str, str]] = (),
) -> str:
    """Return the page, which loads nothing from anywhere.

    Args:
        document: Of ``plan_document``.
        title: Heading.
        subtitle: One line below it.
        receivers: Who gets what.
        fragments: Further sections: heading, and HTML that was rendered with escaping.

    Returns:
        The HTML document.
    """
    page = (
        environment()
        .get_template("send_plan.html.j2")
        .render(
            title=title,
            subtitle=subtitle,
            document=document,
            tone=_TONES[VerdictCode(document["verdict"])],
            comparisons=[_compared(one["alternative"], one) for one in _valued_alternatives(document)],
            refusal=next((one["refused"] for one in document["value"].values() if one["refused"]), None),
            candidates=[_compared(_reached(one), one) for one in document["candidates"]],
            differences=_differences(document),
            curve=_curve(document),
            budget=_budget(document),
            valued=_valued(document),
            sends=_sends(document),
            receivers=receivers,
            sure=confidence(document["level"]),
            fragments=[(heading, Markup(html)) for heading, html in fragments],  # noqa: S704 see above
        )
    )
    return page.lstrip()


def _valued_alternatives(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [one for one in document["value"].values() if not one["refused"]]


def _reached(candidate: Mapping[str, Any]) -> str:
    reach = candidate["reach"]
    whom = "for all" if reach >= 1 else f"for {rounded_percentage(reach)} of members"
    name = candidate["name"]
    return sentence_case(name) if name == "the plan" else f"{name} {whom}"


def _compared(label: str, figure: Mapping[str, Any]) -> dict[str, str]:
    estimate, lower, upper = figure["estimate"], figure["ci_lower"], figure["ci_upper"]
    if lower is None or upper is None:
        return {
            "label": label,
            "figure": signed(estimate, 2),
            "interval": "",
            "reading": "no interval",
            "tone": "open",
        }
    decimals = money_decimals(lower, upper)
    tone, reading = (
        ("good", "more") if lower > 0 else ("bad", "less") if upper < 0 else ("open", "may be chance")
    )
    if upper == lower:
        tone, reading = "plain", "the same"
    return {
        "label": label,
        "figure": signed(estimate, decimals),
        "interval": f"{signed(lower, decimals)} to {signed(upper, decimals)}",
        "reading": reading,
        "tone": tone,
    }


def _differences(document: Mapping[str, Any]) -> Markup | None:
    rows = []
    for one in _valued_alternatives(document):
        words = _compared(one["alternative"], one)
        colour = {"good": HIGHER_COLOUR, "bad": LOWER_COLOUR}.get(words["tone"], UNDECIDED_COLOUR)
        if words["interval"]:
            label = f"against {words['label']}"
            rows.append(
                IntervalRow(label, one["estimate"], one["ci_lower"], one["ci_upper"], words["figure"], colour)
            )
    return differences_chart(rows) if rows else None


def _curve(document: Mapping[str, Any]) -> Markup | None:
    budget = document["budget"]
    if len(budget.get("curve", ())) < _MIN_POINTS:
        return None
    points = [(point["cost"], point["net_gain"]) for point in budget["curve"]]
    here = budget["chosen"]
    members = document["list"]["members"]
    valued = [
        ValuedPoint(
            one["cost"], *(members * one["nobody"][part] for part in ("estimate", "ci_lower", "ci_upper"))
        )
        for one in budget["valued"]
        if one["nobody"]["ci_lower"] is not None
    ]
    return budget_chart(points, (here["cost"], here["net_gain"]), valued)


def _budget(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    budget = document["budget"]
    if not budget:
        return []
    limits = [
        ("Money", "no limit" if budget["amount"] is None else money(budget["amount"])),
        *([("Sends", f"{budget['sends']:,} at most")] if budget["sends"] is not None else []),
        *((f"Sends of {arm}", f"{cap:,} at most") for arm, cap in budget["caps"].items()),
        *(
            [("Net gain per 1 spent", f"at least {budget['min_roi']:g}")]
            if budget["min_roi"] is not None
            else []
        ),
    ]
    price = budget["shadow_price"]
    worth = f"brings {money(price)} net" if price else "would bring nothing more"
    return [
        *limits,
        ("The personalised list costs", money(budget["personalised_cost"])),
        ("The last 1 of budget", worth),
    ]


def _valued(document: Mapping[str, Any]) -> list[tuple[str, str, str, str, str]]:
    return [
        (money(one["cost"]), f"{one['sends']:,}", nobody["figure"], best["figure"], best["interval"])
        for one in document["budget"].get("valued", ())
        for nobody, best in [(_compared("", one["nobody"]), _compared("", one["best_arm"]))]
    ]


def _sends(document: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    listed = document["list"]
    everybody = max(listed["members"], 1)
    return [
        (arm, f"{count:,}", f"{plain(100 * count / everybody, 1)} %")
        for arm, count in listed["sends"].items()
    ]
