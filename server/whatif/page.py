"""A simulation in words: sentences and tables for a terminal, and the same as one HTML page that loads nothing.

Each row has today's figure beside that of the revision.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from markupsafe import Markup

from experiments.number_format import percent, plain, signed, with_unit
from experiments.pages.charts import BudgetPoint, burn_down_chart
from experiments.pages.environment import environment
from server.decide.gates import Gate
from server.whatif.run import BudgetDay
from server.whatif.simulate import EVERYBODY, Simulation
from server.whatif.summary import OUTRANKED, BudgetUse, Summary

Rows = list[tuple[str, ...]]
MAX_ROWS = 20
"""So many rows of a long list are shown; the tables have them all."""


def headline(simulation: Simulation) -> str:
    """Return in one sentence what was simulated."""
    first, last = simulation.first_day, simulation.last_day
    days = f"{first} to {last}" if last > first else f"on {first}"
    how = "assumed responses" if simulation.assumed else "the log's outcomes"
    return (
        f"{simulation.requests:,} requests of {simulation.new.members:,} members, {days}, with {how}: revision"
        f" {simulation.new.revision} against {simulation.today.revision} of today."
    )


def losers(simulation: Simulation) -> str:
    """Return in one sentence who loses."""
    everybody = next(one for one in simulation.groups if one.kind == EVERYBODY)
    return (
        f"{everybody.losing:,} members who get something today would get nothing; {everybody.gaining:,} who get nothing"
        " today would get something."
    )


def worth(simulation: Simulation) -> str:
    """Return in one sentence what the revision is worth beside today; empty if nothing could be valued."""
    today, new = simulation.today, simulation.new
    if not (today.valued_decisions or new.valued_decisions):
        return ""
    change = f" ({percent(new.value / today.value - 1)})" if today.value > 0 else ""
    return (
        f"Expected value: {_money(today.value, today.currency)} today, {_money(new.value, new.currency)} with the revision"
        f"{change}."
    )


def tone(simulation: Simulation) -> str:
    """Return ``bad`` if anybody loses or the expected value falls, ``good`` if either rises, else ``plain``."""
    everybody = next(one for one in simulation.groups if one.kind == EVERYBODY)
    gained = round(simulation.new.value - simulation.today.value, 2)
    if everybody.losing or gained < 0:
        return "bad"
    return "good" if everybody.gaining or gained > 0 else "plain"


def overview(simulation: Simulation) -> Rows:
    """Return figure, today, new."""
    everybody = next(one for one in simulation.groups if one.kind == EVERYBODY)
    lines: list[tuple[str, Callable[[Summary], str]]] = [
        (
            "answers with a fallback",
            lambda one: _share(sum(at.fallback for at in one.placements), one.decisions),
        ),
        ("empty answers", lambda one: _share(sum(at.empty for at in one.placements), one.decisions)),
        ("expected value", lambda one: _money(one.value, one.currency)),
        ("expected value per decision", lambda one: _money(one.value_per_decision, one.currency)),
        ("expected cost", lambda one: _money(one.cost, one.currency)),
    ]
    return [
        ("decisions", f"{simulation.today.decisions:,}", f"{simulation.new.decisions:,}"),
        ("members reached", f"{everybody.reached_today:,}", f"{everybody.reached_new:,}"),
        *((name, of(simulation.today), of(simulation.new)) for name, of in lines),
    ]


def reach(summary: Summary) -> Rows:
    """Return candidate, members, share, decisions, first and last day."""
    return [
        (
            one.candidate_id,
            f"{one.members:,}",
            f"{one.member_share:.1%}",
            f"{one.decisions:,}",
            str(one.first_day),
            str(one.last_day),
        )
        for one in summary.reached
    ]


def unreached(summary: Summary) -> Rows:
    """Return candidate, why, how often."""
    return [
        (one.candidate_id, gate_words(one.gate), f"{one.decisions:,}" if one.gate else "")
        for one in summary.unreached
    ]


def gate_words(gate: str) -> str:
    """Return what kept a candidate, in plain words."""
    if gate == OUTRANKED:
        return "others were better"
    if gate == Gate.BUDGET_SPENT.name:
        return "budget spent for now"
    return gate.lower().replace("_", " ") or "no decision came near it"


def budgets(summary: Summary) -> Rows:
    """Return account, limit, reserved, committed, released and left at the end, and the day it ran out; as ``most_used``."""
    rows: Rows = []
    for one in most_used(summary.budgets):
        end = one.days[-1]
        if one.units is not None:
            amounts = (end.reserved_units, end.committed_units, end.released_units, end.left_units)
            rows.append(
                (one.account_id, f"{one.units:,}", *(f"{amount:,}" for amount in amounts), _day(one.ran_out))
            )
        if one.money is not None:
            money = (one.money, end.reserved, end.committed, end.released, end.left)
            rows.append(
                (one.account_id, *(_money(amount, summary.currency) for amount in money), _day(one.ran_out))
            )
    return rows


def most_used(accounts: Iterable[BudgetUse]) -> list[BudgetUse]:
    """Return the accounts of which anything was taken: those that ran out first, then those with the least share left."""
    used = [one for one in accounts if any(_was_drawn(day) for day in one.days)]
    return sorted(used, key=lambda one: (one.ran_out or date.max, _share_left(one)))


def contacts(summary: Summary) -> Rows:
    """Return channel, contacts, mean, p50, p95 and most for each member."""
    return [
        (
            one.channel_id,
            f"{one.contacts:,}",
            plain(one.mean, 2),
            f"{one.p50:g}",
            f"{one.p95:g}",
            f"{one.most:,}",
        )
        for one in summary.contacts
    ]


def policies(today: Summary, new: Summary) -> Rows:
    """Return contact policy, members contacted as often as it allows today and with the revision."""
    names = {**today.policy_members, **new.policy_members}
    return [
        (
            name,
            *(f"{one.policy_members[name]:,}" if name in one.policy_members else "–" for one in (today, new)),
        )
        for name in names
    ]


def removed(today: Summary, new: Summary) -> Rows:
    """Return gate, candidates removed today and with the revision."""
    return [
        (gate_words(gate), f"{today.removed.get(gate, 0):,}", f"{new.removed.get(gate, 0):,}")
        for gate in {**today.removed, **new.removed}
    ]


def placements(summary: Summary) -> Rows:
    """Return placement, decisions, share with a fallback, with no action, empty; refused requests."""
    return [
        (
            one.placement_id,
            f"{one.decisions:,}",
            _share(one.fallback, one.decisions),
            _share(one.no_action, one.decisions),
            _share(one.empty, one.decisions),
            f"{one.unanswered:,}",
        )
        for one in summary.placements
    ]


def groups(simulation: Simulation) -> Rows:
    """Return group, members, reached today and new, change of expected value, losing, gaining."""
    currency = simulation.new.currency
    return [
        (
            f"{one.kind} {one.name}".strip(),
            f"{one.members:,}",
            f"{one.reached_today:,}",
            f"{one.reached_new:,}",
            with_unit(signed(one.value_new - one.value_today, 2), currency),
            f"{one.losing:,}",
            f"{one.gaining:,}",
        )
        for one in simulation.groups
    ]


def candidates(simulation: Simulation) -> Rows:
    """Return candidate, members today and new, decisions today and new; those that lose most first."""
    return [
        (
            one.candidate_id,
            f"{one.members_today:,}",
            f"{one.members_new:,}",
            f"{one.decisions_today:,}",
            f"{one.decisions_new:,}",
        )
        for one in simulation.candidates
    ]


def shortened(rows: Sequence[tuple[str, ...]]) -> tuple[Rows, int]:
    """Return the first rows, and how many are left out."""
    return list(rows[:MAX_ROWS]), max(len(rows) - MAX_ROWS, 0)


def _was_drawn(day: BudgetDay) -> bool:
    return bool(day.reserved_units or day.committed_units or day.released_units)


def _share_left(budget: BudgetUse) -> float:
    end = budget.days[-1]
    units = 1.0 if budget.units is None or end.left_units is None else end.left_units / max(budget.units, 1)
    money = 1.0 if budget.money is None or end.left is None else end.left / budget.money
    return min(units, money)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "–"


def _money(amount: float | None, currency: str) -> str:
    return "–" if amount is None else with_unit(plain(amount, 2), currency)


def _day(day: object) -> str:
    return "lasted" if day is None else str(day)


@dataclass(frozen=True, slots=True)
class Section:
    """A table with its heading.

    Attributes:
        title: The heading.
        header: Of each column.
        rows: Cells as text.
        left_out: Rows that are too many to show.
    """

    title: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]
    left_out: int


def sections(simulation: Simulation) -> list[Section]:
    """Return the tables that have rows."""
    new, today = simulation.new, simulation.today
    listed: list[tuple[str, tuple[str, ...], Rows]] = [
        ("At a glance", ("", "today", "new"), overview(simulation)),
        (
            "Who loses against today",
            ("group", "members", "reached today", "reached new", "expected value", "losing", "gaining"),
            groups(simulation),
        ),
        (
            "Offers and actions whose reach changes",
            ("candidate", "members today", "members new", "decisions today", "decisions new"),
            candidates(simulation),
        ),
        (
            "Reach of the revision",
            ("candidate", "members", "share", "decisions", "first day", "last day"),
            reach(new),
        ),
        ("Never given by the revision", ("candidate", "kept by", "times"), unreached(new)),
        (
            "Budgets of the revision, at the end",
            ("account", "limit", "reserved", "committed", "released", "left", "ran out"),
            budgets(new),
        ),
        (
            "Contacts per member with the revision",
            ("channel", "contacts", "mean", "p50", "p95", "most"),
            contacts(new),
        ),
        (
            "Members contacted as often as a policy allows",
            ("policy", "today", "new"),
            policies(today, new),
        ),
        (
            "Answers of the revision",
            ("placement", "decisions", "with fallback", "no action", "empty", "refused requests"),
            placements(new),
        ),
        ("Candidates removed", ("gate", "today", "new"), removed(today, new)),
    ]
    return [Section(title, header, *shortened(rows)) for title, header, rows in listed if rows]


def build_page(simulation: Simulation) -> str:
    """Return the page: what a terminal shows, and the burn-down of every budget."""
    page = (
        environment("server.whatif")
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
    for account_id in list(dict.fromkeys(one.account_id for one in used))[:MAX_ROWS]:
        points = [
            point
            for name, budgets in (("today", today), ("new", new))
            if account_id in budgets
            for point in _points(name, budgets[account_id])
        ]
        charts.append((account_id, burn_down_chart(points)))
    return charts


def _points(run: str, budget: BudgetUse) -> list[BudgetPoint]:
    in_money = budget.money is not None
    return [BudgetPoint(run, day.day, day.left if in_money else day.left_units) for day in budget.days]
