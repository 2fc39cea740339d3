"""The parts of a simulation's account, in their order: the same on a terminal and on a page."""

from dataclasses import dataclass

from server.simulation import words
from server.simulation.simulate import Simulation


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
    listed: list[tuple[str, tuple[str, ...], words.Rows]] = [
        ("At a glance", ("", "today", "new"), words.overview(simulation)),
        (
            "Who loses against today",
            ("group", "members", "reached today", "reached new", "expected value", "losing", "gaining"),
            words.groups(simulation),
        ),
        (
            "Offers and actions whose reach changes",
            ("candidate", "members today", "members new", "decisions today", "decisions new"),
            words.candidates(simulation),
        ),
        (
            "Reach of the revision",
            ("candidate", "members", "share", "decisions", "first day", "last day"),
            words.reach(new),
        ),
        ("Never given by the revision", ("candidate", "kept by", "times"), words.unreached(new)),
        (
            "Budgets of the revision, at the end",
            ("account", "limit", "reserved", "committed", "released", "left", "ran out"),
            words.budgets(new),
        ),
        (
            "Contacts per member with the revision",
            ("channel", "contacts", "mean", "p50", "p95", "most"),
            words.contacts(new),
        ),
        (
            "Members contacted as often as a policy allows",
            ("policy", "today", "new"),
            words.policies(today, new),
        ),
        (
            "Answers of the revision",
            ("placement", "decisions", "with fallback", "no action", "empty", "refused requests"),
            words.placements(new),
        ),
        ("Candidates removed", ("gate", "today", "new"), words.removed(today, new)),
    ]
    return [Section(title, header, *words.shortened(rows)) for title, header, rows in listed if rows]
