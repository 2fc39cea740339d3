"""Progress lines for logs, by a clock that the tests turn."""

import io
import threading

import pytest

from cli.output import Lines, progress_lines, spoken


class Clock:
    """A clock that stands still until it is turned."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_short_command_says_nothing(clock: Clock) -> None:
    """What ends within the quiet time leaves the log empty; what is reported right after it does not."""
    stream = io.StringIO()
    lines = Lines(stream, 10.0, clock)
    lines.report("reading", 0, 2)
    clock.now += 9.9
    lines.report("fitting", 1, 2)
    assert stream.getvalue() == ""
    clock.now += 0.1
    lines.report("ranking", 2, 2)
    assert stream.getvalue() == "      10 s  ranking (2 of 2)\n"


def test_each_new_text_is_a_line_and_a_count_is_none(clock: Clock) -> None:
    """The same text with a higher count writes nothing; the next text does."""
    stream = io.StringIO()
    lines = Lines(stream, 0.0, clock)
    lines.report("recommending", 1, 3)
    lines.report("recommending", 2, 3)
    lines.report("chose als", 3, 3)
    said = [line.split(maxsplit=2)[2] for line in stream.getvalue().splitlines()]
    assert said == ["recommending (1 of 3)", "chose als (3 of 3)"]


def test_what_runs_long_is_said_again(clock: Clock) -> None:
    """Silence is broken by what is running and for how long, with the count of now, and not before its time."""
    stream = io.StringIO()
    lines = Lines(stream, 10.0, clock)
    lines.report("recommending", 1, 3)
    clock.now += 10
    assert lines.say_alive(30.0) == 30.0
    clock.now += 20
    lines.report("recommending", 2, 3)
    assert lines.say_alive(30.0) == 10.0
    clock.now += 70
    lines.say_alive(30.0)
    assert stream.getvalue().splitlines() == [
        "      10 s  recommending (1 of 3), 10 s",
        "  1 m 40 s  recommending (2 of 3), 1 m 40 s",
    ]


def test_somebody_looks_while_the_command_works() -> None:
    """Lines are written although nothing is reported any more, by a thread that ends with the command."""
    twice = threading.Event()

    class Stream(io.StringIO):
        def flush(self) -> None:
            if self.getvalue().count("\n") > 1:
                twice.set()

    with progress_lines(Stream(), quiet=0.0, alive=0.0) as report:
        report("fitting", 1, 3)
        assert twice.wait(60)
    assert not [one for one in threading.enumerate() if one.name == "progress"]


def test_times_read_as_people_say_them() -> None:
    """Seconds, minutes and hours, the smaller unit of two digits."""
    assert [spoken(seconds) for seconds in (9.9, 80, 3_660)] == ["9 s", "1 m 20 s", "1 h 01 m"]
