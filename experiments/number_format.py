"""How figures become text: numbers, percentages, money, units and intervals, in sentences, reports and terminals."""

import math
from collections.abc import Sequence

MINUS = "−"
MAX_DECIMALS = 9


def decimals_for(margin: float) -> int:
    """Return the decimals at which a margin of error shows its first digit: 0.012 needs 2, 35 needs 0.

    Args:
        margin: Half the width of an interval, in the figure's own unit.
    """
    if not margin > 0 or not math.isfinite(margin):
        return 2
    return min(max(0, math.ceil(-math.log10(margin))), MAX_DECIMALS)


def interval_decimals(lower: float, upper: float) -> int:
    """Return the decimals for an interval, enough that an end beside zero is not written as zero."""
    decimals = decimals_for((upper - lower) / 2)
    while decimals < MAX_DECIMALS and any(end != 0 and round(end, decimals) == 0 for end in (lower, upper)):
        decimals += 1
    return decimals


def plain(value: float, decimals: int = 0) -> str:
    """Return a number with grouped thousands: ``11,756``, ``0.187``, ``−2.0``."""
    text = f"{abs(value):,.{decimals}f}"
    return MINUS + text if value < 0 and float(text.replace(",", "")) != 0 else text


def signed(value: float, decimals: int = 0) -> str:
    """Return a number that always shows its sign: ``+0.10``, ``−0.02``; zero has none."""
    text = plain(value, decimals)
    return text if text.startswith(MINUS) or float(text.replace(",", "")) == 0 else f"+{text}"


def percent(share: float) -> str:
    """Return a signed percentage: ``+118 %``, ``+2.4 %``."""
    value = share * 100
    return f"{signed(value, 0 if abs(value) >= 10 else 1)} %"


def percentage(share: float, digits: int = 6) -> str:
    """Return a share without a sign, to a number of significant digits: ``5 %``, ``12.5 %``."""
    return f"{100 * share:.{digits}g} %"


def rounded_percentage(share: float) -> str:
    """Return a share from 0 to 1 with at least two digits: ``43 %``, ``4.3 %``."""
    return f"{plain(100 * share, 0 if share >= 0.1 else 1)} %"


def out_of_many(p_value: float) -> str:
    """Return a probability as cases: ``about 86 of 100``, ``about 9 of 1,000``, ``fewer than 1 of 10,000``."""
    if p_value < 0.0001:
        return "fewer than 1 of 10,000"
    cases = 100 if p_value >= 0.095 else 1_000 if p_value >= 0.0095 else 10_000
    return f"about {p_value * cases:.0f} of {cases:,}"


def confidence(alpha: float) -> str:
    """Return the confidence of an interval, to two digits of what is missing to certainty: ``95 %``, ``98.3 %``."""
    decimals = max(0, 1 - math.floor(math.log10(100 * alpha)))
    text = f"{100 * (1 - alpha):.{decimals}f}"
    return f"{text.rstrip('0').rstrip('.') if decimals else text} %"


def p_value_text(p_value: float) -> str:
    """Return a p-value: ``0.043``, ``below 0.001``."""
    return "below 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def precise(value: float | None) -> str:
    """Return a figure to six digits, or a long dash where it does not exist."""
    return "—" if value is None else f"{value:.6g}"


def plain_or_dash(value: float | None, decimals: int = 4) -> str:
    """Return a figure with a number of decimals, or a dash where it does not exist."""
    return "–" if value is None or not math.isfinite(value) else plain(value, decimals)


def between(lower: str | None, upper: str | None) -> str:
    """Return where a change lies, its ends as text: ``between −1.3 and −0.3``, ``at least 2``; empty without an end."""
    if lower is None or upper is None:
        return f"at least {lower}" if lower is not None else f"at most {upper}" if upper is not None else ""
    return f"between {lower} and {upper}"


def percent_between(lower: float | None, upper: float | None) -> str:
    """Return where a relative change lies: ``between −1.3 % and +2.0 %``; empty without an end."""
    return between(None if lower is None else percent(lower), None if upper is None else percent(upper))


def with_unit(text: str, unit: str) -> str:
    """Return a figure followed by its unit, if it has one."""
    return f"{text} {unit}" if unit else text


def money(amount: float) -> str:
    """Return an amount of money with as many decimals as its size asks for: ``1,250``, ``0.034``."""
    return plain(amount, max(0, decimals_for(abs(amount) / 10)) if amount else 0)


def money_change(amount: float, step: float, unit: str) -> str:
    """Return a change in money with its sign, rounded to a step: ``+312,000 EUR``, ``+1.24 EUR``.

    Args:
        amount: The change.
        step: What it is rounded to, a power of ten.
        unit: Currency code; may be empty.

    Returns:
        The change as text.
    """
    decimals = max(0, -round(math.log10(step)))
    return with_unit(signed(round(amount / step) * step, decimals), unit)


def money_step(*amounts: float | None) -> float:
    """Return the step to which amounts are rounded: two digits of the largest distance between them."""
    found = [amount for amount in amounts if amount is not None]
    spread = (
        max(found) - min(found) if len(found) > 1 else max((abs(amount) for amount in found), default=1.0)
    )
    return 10.0 ** (math.floor(math.log10(spread)) - 1) if spread > 0 and math.isfinite(spread) else 0.01


def money_decimals(lower: float, upper: float) -> int:
    """Return the decimals for an amount and its interval: at least cents, except for hundreds."""
    if not upper > lower:
        return 2
    return max(interval_decimals(lower, upper), 2 if max(abs(lower), abs(upper)) < 100 else 0)


def roughly(number: int) -> int:
    """Return a forecast rounded up to two digits, which is more than it knows: 14,295 becomes 15,000."""
    step = int(10 ** max(0, len(str(number)) - 2))
    return -(-number // step) * step


def sentence_case(text: str) -> str:
    """Return a text with its first letter capitalised and all others unchanged."""
    return text[:1].upper() + text[1:]


def within_sentence(label: str) -> str:
    """Return a label as it reads inside a sentence: ``Popular offers`` becomes ``popular offers``, ``A/B`` stays."""
    return label[0].lower() + label[1:] if label[1:2].islower() else label


def count_of(number: int, singular: str, plural: str = "") -> str:
    """Return a count with its noun: ``1 member``, ``2,469 members``.

    Args:
        number: The count.
        singular: The noun for one.
        plural: The noun for any other number; ``singular`` with an s if empty.

    Returns:
        The count as text.
    """
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def plural(noun: str) -> str:
    """Return the plural of a regular noun."""
    if noun.endswith("y") and noun[-2:-1] not in tuple("aeiou"):
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"


def joined(words: Sequence[str]) -> str:
    """Return words as a list within a sentence: ``tea, jam and honey``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
