"""The gates that a candidate passes before it can be chosen, in their order. The first that is closed is the reason."""

from enum import IntEnum


class Gate(IntEnum):
    """Why a candidate cannot be chosen; the names are the reason codes of the log and the API."""

    OPEN = 0
    """It can be chosen."""
    NOT_HERE = 1
    """Its placements or channels do not include this one."""
    NOT_VALID = 2
    """Today lies outside its days of validity."""
    FALLBACK_ONLY = 3
    """It fills answers here where too little is left, and takes no part otherwise."""
    NOT_ELIGIBLE = 4
    """Its rule of eligibility, or that of one of its groups, says no."""
    ELIGIBILITY_ERROR = 5
    """That rule cannot tell, for example because an attribute is missing."""
    NOT_APPLICABLE = 6
    """It makes no sense now."""
    APPLICABILITY_ERROR = 7
    """The rule that says so cannot tell."""
    NOT_SUITABLE = 8
    """It is not good for this member."""
    SUITABILITY_ERROR = 9
    """The rule that says so cannot tell."""
    NO_CONSENT = 10
    """The member did not consent to a purpose on this channel."""
    CONTACT_POLICY = 11
    """The member was contacted as often as the policy allows."""
    QUIET_HOURS = 12
    """The member is not to be disturbed at this hour."""
    COOL_DOWN = 13
    """The member said no lately."""
    CAP_REACHED = 14
    """The member had it, or others of its group, as often as the cap allows."""
    BUDGET_SPENT = 15
    """A budget or the inventory has not enough left for now."""
    NOT_OF_TASK = 16
    """The placement's task is not about it for this member."""
    NEW_TO_FEW = 17
    """It is without evidence, and this member is not among those for whom it comes into question yet."""
    BELOW_LEAST_SCORE = 18
    """Its score is below the least that the arbitration takes."""
    HELD_OUT = 19
    """The member is in the standing arm that gets nothing."""


QUESTIONS = (
    ("eligible", Gate.NOT_ELIGIBLE, Gate.ELIGIBILITY_ERROR),
    ("applicable", Gate.NOT_APPLICABLE, Gate.APPLICABILITY_ERROR),
    ("suitable", Gate.NOT_SUITABLE, Gate.SUITABILITY_ERROR),
)
"""The three questions in their order: field of the catalogue, gate where the answer is no, gate where there is none."""
