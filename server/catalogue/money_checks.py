"""Whether the money of a catalogue adds up: one currency, nothing negative, a value where value counts."""

from collections.abc import Iterator

from experiments.errors import Problem
from server.catalogue.base import Money
from server.catalogue.candidates import NO_ACTION, Candidate, Offer
from server.catalogue.model import Catalogue
from server.catalogue.policy import Arbitration, Placement
from server.catalogue.walk import candidates, limited_parts

_AMOUNTS = ("value", "cost", "response_cost", "points_liability")
_MOST_NAMED = 3


def currency_problems(catalogue: Catalogue) -> Iterator[Problem]:
    """Yield amounts below 0 and in other currencies than the catalogue's."""
    first = ""
    for path, money, counts in _money(catalogue):
        if money.amount < 0:
            yield Problem(f"{path}.amount", f"is {money.amount}; must be at least 0")
        if not counts:
            continue
        if not catalogue.currency_code:
            first = first or path
        elif money.currency_code != catalogue.currency_code:
            yield Problem(
                f"{path}.currency_code",
                f"is {money.currency_code}, but the catalogue counts in {catalogue.currency_code}",
            )
    if first:
        yield Problem(
            "currency_code", f"is missing, but {first} is money that counts; write the currency of all of it"
        )


def value_problems(catalogue: Catalogue) -> Iterator[Problem]:
    """Yield arbitrations that count value where candidates have none.

    One that a placement names is asked about the candidates of that placement. One that no placement names waits for
    experiments, which may use it at any placement.
    """
    used = {placement.arbitration for placement in catalogue.placements}
    for index, arbitration in enumerate(catalogue.arbitrations):
        named = arbitration.arbitration_id in used
        for placement in catalogue.placements:
            if named and placement.arbitration != arbitration.arbitration_id:
                continue
            missing = without_value(catalogue, arbitration, placement)
            if missing:
                yield Problem(
                    f"arbitrations[{index}].default_value",
                    f"is needed, because value counts and {_listed(missing)} at placement {placement.placement_id!r}"
                    f" {'has' if len(missing) == 1 else 'have'} none",
                )


def without_value(catalogue: Catalogue, arbitration: Arbitration, placement: Placement) -> list[str]:
    """Return the ids of the candidates that an arbitration could not weigh at a placement for want of a value."""
    if "value" not in arbitration.factors or arbitration.default_value is not None:
        return []
    decided: tuple[Candidate, ...] = catalogue.offers if placement.decides == "offers" else catalogue.actions
    return [
        one.candidate_id
        for one in decided
        if one.value is None
        and one.candidate_id != NO_ACTION
        and (not one.placements or placement.placement_id in one.placements)
    ]


def _money(catalogue: Catalogue) -> Iterator[tuple[str, Money, bool]]:
    """Yield all money with its path, and whether it counts: a discount does where it stands for the cost of a response."""
    for index, arbitration in enumerate(catalogue.arbitrations):
        if arbitration.default_value is not None:
            yield f"arbitrations[{index}].default_value", arbitration.default_value, True
    for path, part in limited_parts(catalogue):
        for index, budget in enumerate(part.budgets):
            if budget.money is not None:
                yield f"{path}.budgets[{index}].money", budget.money, True
    discounts_count = bool(catalogue.currency_code) or bool(catalogue.arbitrations)
    for path, candidate in candidates(catalogue):
        for name in _AMOUNTS:
            money = getattr(candidate, name)
            if money is not None:
                yield f"{path}.{name}", money, True
        if isinstance(candidate, Offer) and candidate.discount is not None:
            yield f"{path}.discount", candidate.discount, discounts_count and candidate.response_cost is None


def _listed(names: list[str]) -> str:
    listing = ", ".join(repr(name) for name in names[:_MOST_NAMED])
    more = len(names) - _MOST_NAMED
    return f"{listing} and {more:,} more" if more > 0 else listing
