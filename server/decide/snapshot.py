"""A catalogue made ready for decisions: its rules, limits and accounts, compiled once for as long as it is in force."""

from dataclasses import dataclass

from server.budgets import Accounts
from server.catalogue import Catalogue
from server.decide.limits import MemberLimits
from server.decide.rules import RuleBook


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """What decisions read of a catalogue beside its candidates.

    Attributes:
        book: Its rules.
        limits: Its limits.
        accounts: Its budgets and inventories.
    """

    book: RuleBook
    limits: MemberLimits
    accounts: Accounts


def compile_catalogue(catalogue: Catalogue) -> Compiled:
    """Compile a checked catalogue.

    Raises:
        RuleError: A rule is no rule over the catalogue's attributes.
    """
    return Compiled(RuleBook(catalogue), MemberLimits(catalogue), Accounts(catalogue))
