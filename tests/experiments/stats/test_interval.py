import pytest

from experiments.stats import Alternative, Interval, no_interval


@pytest.mark.parametrize(
    ("lower", "upper", "excludes"),
    [
        (0.1, 0.2, True),
        (-0.2, -0.1, True),
        (-0.1, 0.1, False),
        (0.0, 0.1, False),
        (0.1, None, True),
        (None, -0.1, True),
        (None, 0.1, False),
        (None, None, False),
    ],
)
def test_an_interval_excludes_zero_beyond_either_end(
    lower: float | None, upper: float | None, excludes: bool
) -> None:
    """Zero is excluded by a lower end above it or an upper end below it; a missing end excludes nothing."""
    assert Interval(0.05, lower, upper).excludes_zero is excludes


def test_no_interval_has_a_reason_for_every_figure() -> None:
    """Where there is nothing to say, each figure is none and names the reason."""
    interval = no_interval(0.05, "why")

    for name, reason in interval.reasons.items():
        assert getattr(interval, name) is None
        assert reason == "why"
    assert len(interval.reasons) == 5


def test_alternatives_are_the_words_of_definitions() -> None:
    """The values are what a definition file says."""
    assert [str(a) for a in Alternative] == ["two-sided", "greater", "less"]
    assert [a.sides for a in Alternative] == [2, 1, 1]
