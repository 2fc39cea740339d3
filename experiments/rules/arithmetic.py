"""CEL's arithmetic on single Python numbers (https://github.com/google/cel-spec, langdef, "Numeric values").

Ints are signed 64-bit numbers that err (None) instead of wrapping round; division cuts towards zero, and the remainder has
the dividend's sign. Doubles follow IEEE 754: division by zero gives an infinity or NaN.
"""

import math
import operator
from collections.abc import Callable

from experiments.rules.attributes import HIGHEST_INT, LOWEST_INT
from experiments.rules.tree import Operation


def _within(value: int) -> int | None:
    return value if LOWEST_INT <= value <= HIGHEST_INT else None


def _quotient(dividend: int, divisor: int) -> int | None:
    if divisor == 0:
        return None
    size = abs(dividend) // abs(divisor)
    return _within(size if (dividend < 0) == (divisor < 0) else -size)


def _remainder(dividend: int, divisor: int) -> int | None:
    """Return the remainder; where the quotient is beyond 64 bits, the library errs on the remainder too."""
    if _quotient(dividend, divisor) is None:
        return None
    size = abs(dividend) % abs(divisor)
    return -size if dividend < 0 else size


def _ratio(dividend: float, divisor: float) -> float:
    if divisor != 0:
        return dividend / divisor
    if dividend == 0 or math.isnan(dividend):
        return math.nan
    return math.copysign(math.inf, dividend) * math.copysign(1, divisor)


INT_OPERATIONS: dict[Operation, Callable[[int, int], int | None]] = {
    Operation.PLUS: lambda left, right: _within(left + right),
    Operation.MINUS: lambda left, right: _within(left - right),
    Operation.TIMES: lambda left, right: _within(left * right),
    Operation.DIVIDED: _quotient,
    Operation.REMAINDER: _remainder,
}
DOUBLE_OPERATIONS: dict[Operation, Callable[[float, float], float]] = {
    Operation.PLUS: operator.add,
    Operation.MINUS: operator.sub,
    Operation.TIMES: operator.mul,
    Operation.DIVIDED: _ratio,
}
