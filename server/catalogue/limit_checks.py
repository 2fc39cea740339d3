"""Whether the budgets of a catalogue can be paced as they say."""

from collections.abc import Iterator
from datetime import date

from experiments.errors import Problem
from server.catalogue.candidates import Candidate, Limited
from server.catalogue.limits import Budget
from server.catalogue.model import Catalogue
from server.catalogue.walk import limited_parts


def limit_problems(catalogue: Catalogue) -> Iterator[Problem]:
    """Yield what is wrong with the budgets of groups, offers and actions."""
    for path, part in limited_parts(catalogue):
        for index, budget in enumerate(part.budgets):
            yield from _budget_problems(f"{path}.budgets[{index}]", budget, part)


def paced_days(budget: Budget, part: Limited) -> tuple[date | None, date | None]:
    """Return the first and last day over which a paced total is spread; none where nobody says.

    Args:
        budget: The budget.
        part: The group or candidate that has it; the validity of a candidate stands in.
    """
    first, last = budget.first_day, budget.last_day
    if isinstance(part, Candidate):
        if first is None and part.valid_from != date.min:
            first = part.valid_from
        if last is None and part.valid_until != date.max:
            last = part.valid_until
    return first, last


def _budget_problems(path: str, budget: Budget, part: Limited) -> Iterator[Problem]:
    if budget.pacing != "even" or budget.period != "total":
        for name in ("first_day", "last_day"):
            if getattr(budget, name) is not None:
                yield Problem(f"{path}.{name}", "counts for a total with even pacing only; leave it out")
        return
    first, last = paced_days(budget, part)
    for name, day, validity in (("first_day", first, "valid_from"), ("last_day", last, "valid_until")):
        if day is None:
            own = f", or {validity} beside the budget" if isinstance(part, Candidate) else ""
            yield Problem(
                f"{path}.{name}", f"even pacing of a total needs its first and last day; give this one{own}"
            )
    if first is not None and last is not None and first > last:
        yield Problem(
            f"{path}.pacing", f"the total would be spread from {first} to {last}, which is before it"
        )
