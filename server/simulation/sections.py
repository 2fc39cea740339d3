"""The parts of a simulation's account, in their order: the same on a terminal and on a page."""

from dataclasses import dataclass

from server.whatif import page
from server.whatif.simulate import Simulation


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
    listed: list[tuple[str, tuple[str, ...], page.Rows]] = [
        ("At a glance", ("", "today", "new"), page.overview(simulation)),
        (
            "Who loses against today",
            ("group", "members", "reached today", "reached new", "expected value", "losing", "gaining"),
            page.groups(simulation),
        ),
        (
            "Offers and actions whose reach changes",
            ("candidate", "members today", "members new", "decisions today", "decisions new"),
            page.candidates(simulation),
        ),
        (
            "Reach of the revision",
            ("candidate", "members", "share", "decisions", "first day", "last day"),
            page.reach(new),
        ),
        ("Never given by the revision", ("candidate", "kept by", "times"), page.unreached(new)),
        (
            "Budgets of the revision, at the end",
            ("account", "limit", "reserved", "committed", "released", "left", "ran out"),
            page.budgets(new),
        ),
        (
            "Contacts per member with the revision",
            ("channel", "contacts", "mean", "p50", "p95", "most"),
            page.contacts(new),
        ),
        (
            "Members contacted as often as a policy allows",
            ("policy", "today", "new"),
            page.policies(today, new),
        ),
        (
            "Answers of the revision",
            ("placement", "decisions", "with fallback", "no action", "empty", "refused requests"),
            page.placements(new),
        ),
        ("Candidates removed", ("gate", "today", "new"), page.removed(today, new)),
    ]
    return [Section(title, header, *page.shortened(rows)) for title, header, rows in listed if rows]
