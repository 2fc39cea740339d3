"""How certain the expected gain of a send is: the band of the calibration line at the member's prediction."""

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri

from experiments.uplift.calibration import Calibration
from experiments.uplift.trial import Floats, Ints


def gain_band(
    calibrations: Sequence[Calibration], raw: Floats, expected: Floats, arm: Ints, level: float = 0.05
) -> tuple[Floats, Floats, Floats]:
    """Return float64[n] each: expected gain of what each member gets, and the ends of its band; 0 for the control.

    The band is that of the average gain of members who are predicted alike, not of the single member's. The average effect and the
    slope of a line through centred predictions are uncorrelated, so that their variances add (Draper & Smith 1998, section 1.4).

    Args:
        calibrations: One per arm but the control.
        raw: float64[n, K], gains as they were predicted.
        expected: float64[n, K], calibrated.
        arm: int64[n], what each member gets.
        level: The accepted error.
    """
    n = len(arm)
    gain, half = np.zeros(n), np.zeros(n)
    for place, calibration in enumerate(calibrations):
        own = np.flatnonzero(arm == place + 1)
        away = raw[own, place] - calibration.predicted_mean
        slope = calibration.slope.error if calibration.passes else 0.0
        gain[own] = expected[own, place]
        half[own] = -ndtri(level / 2) * np.hypot(calibration.average.error, away * slope)
    return gain, gain - half, gain + half
