"""Progress lines for logs."""

import io
import time

from cli.progress import progress_lines, spoken


def test_a_short_command_says_nothing() -> None:
    """What ends within the quiet time leaves the log empty."""
    stream = io.StringIO()
    with progress_lines(stream) as report:
        report("reading", 0, 2)
        report("fitting", 1, 2)
    assert stream.getvalue() == ""


def test_each_new_text_is_a_line_and_a_count_is_none() -> None:
    """The same text with a higher count writes nothing; the next text does."""
    stream = io.StringIO()
    with progress_lines(stream, quiet=0.0, alive=60.0) as report:
        report("recommending", 1, 3)
        report("recommending", 2, 3)
        report("chose als", 3, 3)
    said = [line.split(maxsplit=2)[2] for line in stream.getvalue().splitlines()]
    assert said == ["recommending (1 of 3)", "chose als (3 of 3)"]


def test_what_runs_long_is_said_again() -> None:
    """Silence is broken by what is running and for how long, with the count of now."""
    stream = io.StringIO()
    with progress_lines(stream, quiet=0.01, alive=0.02) as report:
        report("recommending", 1, 3)
        report("recommending", 2, 3)
        deadline = time.monotonic() + 30
        while stream.getvalue().count("\n") < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert all(line.endswith("recommending (2 of 3), 0 s") for line in stream.getvalue().splitlines())
    assert stream.getvalue().count("\n") >= 2


def test_times_read_as_people_say_them() -> None:
    """Seconds, minutes and hours, the smaller unit of two digits."""
    assert [spoken(seconds) for seconds in (9.9, 80, 3_660)] == ["9 s", "1 m 20 s", "1 h 01 m"]
