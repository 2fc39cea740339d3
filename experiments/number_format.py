"""How figures are written for people, in sentences and reports."""

import math

MINUS = "−"
_MAX_DECIMALS = 9


def decimals_for(margin: float) -> int:
    """Return the decimals at which a margin of error shows its first digit: 0.012 needs 2, 35 needs 0.

    Args:
        margin: Half the width of an interval, in the figure's own unit.
    """
    if not margin > 0 or not math.isfinite(margin):
        return 2
    return min(max(0, math.ceil(-math.log10(margin))), _MAX_DECIMALS)


def interval_decimals(lower: float, upper: float) -> int:
    """Return the decimals for an interval, enough that an end beside zero is not written as zero."""
    decimals = decimals_for((upper - lower) / 2)
    while decimals < _MAX_DECIMALS and any(end != 0 and round(end, decimals) == 0 for end in (lower, upper)):
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


def within_sentence(label: str) -> str:
    """Return a label as it reads inside a sentence: ``Popular offers`` becomes ``popular offers``, ``A/B`` stays."""
    return label[0].lower() + label[1:] if label[1:2].islower() else label


def count_of(number: int, singular: str, plural: str = "") -> str:
    """Return a count with its noun: ``1 member``, ``2,469 members``."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"
