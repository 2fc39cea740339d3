"""How a budget's time passes: when its period began, and how much of it is let out by now."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from experiments.log.events import from_micros, to_micros

PeriodKind = Literal["total", "day", "week", "month"]

_HOUR = 3_600_000_000
_DAY = timedelta(days=1)
_NEVER, _ALWAYS = -(2**63), 2**63 - 1


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time in which nothing changes but what is spent. Times in microseconds since the Unix epoch.

    Attributes:
        period: When the period began; 0 for a total.
        from_micros: Its first moment.
        until_micros: The first moment after it.
        let_out: Of the budget, so many parts are let out ...
        whole: ... of so many.
    """

    period: int
    from_micros: int
    until_micros: int
    let_out: int = 1
    whole: int = 1

    def holds(self, micros: int) -> bool:
        """Tell whether a moment lies in it."""
        return self.from_micros <= micros < self.until_micros

    def allowed(self, limit: int) -> int:
        """Return how much of a limit is let out, rounded down."""
        return limit * self.let_out // self.whole


class Schedule:
    """The periods of some budgets, and their pacing. Safe to share between threads.

    Args:
        kind: How long a period lasts.
        zone: Where days begin and end.
        paced: Whether it is let out hour by hour.
        first_day: When a paced total begins.
        last_day: Its last day, included. A total is paced only between two days; without one of them all of it is let out.
    """

    def __init__(
        self,
        kind: PeriodKind,
        zone: ZoneInfo,
        *,
        paced: bool = False,
        first_day: date = date.min,
        last_day: date = date.max,
    ) -> None:
        self._kind = kind
        self._zone = zone
        self._paced = paced
        self._bounds: tuple[int, int] | None = None
        if kind == "total" and paced and first_day > date.min and last_day < date.max:
            self._bounds = self._midnight(first_day), self._midnight(last_day + _DAY)
        self._latest = Window(0, _NEVER, _NEVER)

    def at(self, micros: int) -> Window:
        """Return the window that a moment lies in, microseconds since the Unix epoch."""
        latest = self._latest
        if not latest.holds(micros):
            latest = self._latest = self._find(micros)
        return latest

    def _find(self, micros: int) -> Window:
        if self._kind != "total":
            begin, end = self._period(from_micros(micros).astimezone(self._zone).date())
            return _paced(begin, begin, end, micros) if self._paced else Window(begin, begin, end)
        if self._bounds is None:
            return Window(0, _NEVER, _ALWAYS)
        begin, end = self._bounds
        if micros < begin:
            return Window(0, _NEVER, begin, let_out=0)
        return _paced(0, begin, end, micros) if micros < end else Window(0, end, _ALWAYS)

    def _period(self, day: date) -> tuple[int, int]:
        if self._kind == "day":
            first, following = day, day + _DAY
        elif self._kind == "week":
            first = day - day.weekday() * _DAY
            following = first + 7 * _DAY
        else:
            first = day.replace(day=1)
            following = (first + 31 * _DAY).replace(day=1)
        return self._midnight(first), self._midnight(following)

    def _midnight(self, day: date) -> int:
        # Where the clock jumps over midnight or strikes it twice, this is the first moment of the day.
        return to_micros(datetime.combine(day, time(), self._zone))


def _paced(period: int, begin: int, end: int, micros: int) -> Window:
    """Return the hour that a moment lies in, counted from the beginning: real hours, of which a day may have 23 or 25."""
    hour = (micros - begin) // _HOUR
    start, following = begin + hour * _HOUR, min(begin + (hour + 1) * _HOUR, end)
    return Window(period, start, following, let_out=following - begin, whole=end - begin)
