import pytest

from experiments.number_format import (
    count_of,
    interval_decimals,
    out_of_many,
    percent,
    plain,
    signed,
    within_sentence,
)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (plain(11756), "11,756"),
        (plain(0.187, 3), "0.187"),
        (plain(-2, 1), "−2.0"),
        (plain(-0.0004, 2), "0.00"),
        (signed(0.1, 2), "+0.10"),
        (signed(-0.02, 2), "−0.02"),
        (signed(0.0, 1), "0.0"),
        (signed(1234.5, 1), "+1,234.5"),
        (percent(1.18), "+118 %"),
        (percent(-0.0244), "−2.4 %"),
        (percent(0), "0.0 %"),
        (out_of_many(0.86), "about 86 of 100"),
        (out_of_many(0.0122), "about 12 of 1,000"),
        (out_of_many(0.0086), "about 86 of 10,000"),
        (out_of_many(1e-9), "fewer than 1 of 10,000"),
        (within_sentence("Popular offers"), "popular offers"),
        (within_sentence("VIP offers"), "VIP offers"),
        (within_sentence("A"), "A"),
        (count_of(1, "member"), "1 member"),
        (count_of(2469, "member"), "2,469 members"),
    ],
)
def test_figures_read_like_prose(written: str, expected: str) -> None:
    """Numbers have grouped thousands, a real minus sign and no more digits than they deserve."""
    assert written == expected


@pytest.mark.parametrize(
    ("lower", "upper", "expected"),
    [(0.09, 0.115, 2), (-5.0, 80.0, 0), (0.004, 1.9, 3), (-1.9, -0.0004, 4), (0.0, 0.0, 2)],
)
def test_an_end_beside_zero_is_not_written_as_zero(lower: float, upper: float, expected: int) -> None:
    """An interval that excludes zero also looks like it."""
    assert interval_decimals(lower, upper) == expected
