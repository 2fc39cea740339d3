"""A simulation as one HTML page that loads nothing from anywhere."""

from functools import cache
from typing import Any

import altair as alt
import vl_convert
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from server.simulation.sections import sections
from server.whatif.page import MOST_ROWS, headline, losers, most_used, tone, worth
from server.whatif.simulate import Simulation
from server.whatif.summary import Budget

_COLOURS = {"today": "#8b95a5", "new": "#0d9488"}
_WIDTH, _HEIGHT = 680, 200
_MOST_LABELS = 10


def build_page(simulation: Simulation) -> str:
    """Return the page: what a terminal shows, and the burn-down of every budget."""
    page = (
        _environment()
        .get_template("whatif.html.j2")
        .render(
            title=f"Simulation of programme {simulation.programme}",
            headline=headline(simulation),
            losers=losers(simulation),
            worth=worth(simulation),
            tone=tone(simulation),
            sections=sections(simulation),
            charts=burn_downs(simulation),
        )
    )
    return page.lstrip()


def burn_downs(simulation: Simulation) -> list[tuple[str, Markup]]:
    """Return title and SVG of what is left of the accounts that are used most, today and with the revision."""
    today = {one.account_id: one for one in simulation.today.budgets}
    new = {one.account_id: one for one in simulation.new.budgets}
    charts = []
    used = most_used([*simulation.new.budgets, *simulation.today.budgets])
    for account_id in list(dict.fromkeys(one.account_id for one in used))[:MOST_ROWS]:
        points = [
            point
            for name, budgets in (("today", today), ("new", new))
            if account_id in budgets
            for point in _points(name, budgets[account_id])
        ]
        # Vega escapes texts on its way to SVG; what comes back is markup.
        charts.append((account_id, Markup(_chart(points))))  # noqa: S704 see above
    return charts


def _points(name: str, budget: Budget) -> list[dict[str, object]]:
    in_money = budget.money is not None
    return [
        {"run": name, "day": day.day.isoformat(), "left": day.left if in_money else day.left_units}
        for day in budget.days
    ]


def _chart(points: list[dict[str, object]]) -> str:
    days = len({point["day"] for point in points})
    # Left alone, Vega labels the hours between few days with the same day again and again.
    each = alt.TimeIntervalStep(interval="day", step=-(-days // _MOST_LABELS))
    axis = alt.Axis(format="%-d %b", tickCount=each, domain=False, ticks=False, grid=False)
    x = alt.X("day:T", title=None, axis=axis)
    y = alt.Y("left:Q", title="left", scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=4, domain=False))
    colour = alt.Color(
        "run:N", title=None, scale=alt.Scale(domain=list(_COLOURS), range=list(_COLOURS.values()))
    )
    base = alt.Chart(alt.InlineData(values=points)).encode(x=x, y=y, color=colour)
    chart = alt.layer(base.mark_line(strokeWidth=2), base.mark_point(size=30, filled=True, opacity=1))
    styled = chart.properties(width=_WIDTH, height=_HEIGHT).configure(
        background="transparent", font="sans-serif", padding=4
    )
    spec: dict[str, Any] = styled.configure_view(stroke=None).configure_axis(labelFontSize=12).to_dict()
    svg: str = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    return svg


@cache
def _environment() -> Environment:
    # The reports' style sheet, so that a marketer's pages look alike.
    loader = ChoiceLoader(
        [
            PackageLoader("server.whatif", "templates"),
            PackageLoader("experiments.pages", "templates"),
        ]
    )
    return Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
