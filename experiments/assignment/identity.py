"""One person under several ids: the id under which she was first seen decides her variants.

Before she logs in, a visitor is known by her device; afterwards by her member id. Links say that a later id is the same
person as an earlier one. Whoever keeps them resolves an id before asking for an assignment, so that logging in changes
no variant.
"""

from collections.abc import Mapping

from experiments.errors import DomainError


class LinkCycleError(DomainError):
    """Links lead in a circle, so nobody was first."""

    reason = "LINK_CYCLE"


def resolve(links: Mapping[str, str], unit_id: str) -> str:
    """Return the id under which the person was first seen.

    Args:
        links: From each later id to an earlier one of the same person.
        unit_id: Any of her ids; one without a link stands for itself.

    Raises:
        LinkCycleError: The links lead in a circle.
    """
    seen = {unit_id}
    while unit_id in links:
        unit_id = links[unit_id]
        if unit_id in seen:
            raise LinkCycleError(f"The links of {unit_id!r} lead in a circle.", unit_id=unit_id)
        seen.add(unit_id)
    return unit_id


def link(links: Mapping[str, str], earlier_id: str, later_id: str) -> dict[str, str]:
    """Return the links with one more: two ids belong to one person.

    The first link of a person is the one that counts: if the later id is linked already, for example because she
    logs in on a second device, that device's id joins the person, and nothing that she has seen as a member changes.

    Raises:
        LinkCycleError: The links lead in a circle.
    """
    earlier, later = resolve(links, earlier_id), resolve(links, later_id)
    if earlier == later:
        return dict(links)
    joining, first = (earlier, later) if later_id in links else (later, earlier)
    return {**links, joining: first}
