"""The formulas of an evaluation's figures, printed beside them."""

from experiments.number_format import confidence
from experiments.uplift.calibration import TOO_FAR_APART


def definitions(*, level: float, draws: int, seed: int) -> tuple[tuple[str, str], ...]:
    """Return each figure's name and its definition.

    Args:
        level: The accepted error of intervals.
        draws: Of the bootstrap; 0 for influence functions.
        seed: Of the bootstrap.
    """
    error = (
        f"the standard deviation of {draws:,} draws of members with replacement (seed {seed}; differences use the same draws for both)"
        if draws
        else "the standard error of the influence function (of the difference of both for a difference)"
    )
    return (
        (
            "qini_raw",
            (
                "Mean over the depth k/n of [g(k) - (k/n) g(n)] / N_t with g(k) = Y_t - Y_c n_t / n_c (Radcliffe 2007): incremental outcome"
                " per treated member above a random order. Members of equal rank are one step. With unequal propensities p a member"
                " counts (1/p) / (mean of 1/p in her arm) times in every n, Y and k; with one propensity per arm that is once."
            ),
        ),
        (
            "qini_per_effect",
            "qini_raw / |average effect from outcomes|; what causalml calls the normalised Qini.",
        ),
        (
            "auuc_raw",
            (
                "Mean over the depth of u(k)/n with u(k) = (Y_t/n_t - Y_c/n_c) k (Gutierrez & Gérardy 2016), as incremental outcome per"
                " member; a random order has half the average effect."
            ),
        ),
        (
            "robust_qini",
            (
                "The same area of (d_1 + … + d_k)/n over all members, where d is the doubly robust score of the arm minus that of the"
                " control; its standard error is that of its influence function."
            ),
        ),
        (
            "band",
            (
                f"{confidence(level)}, normal, with {error}. Rankings are held fixed: whether a learned one finds anything at all is"
                " the gate's question."
            ),
        ),
        (
            "calibration slope",
            (
                "Least squares of d on the predicted effect, error HC3: 1 where predictions have the right scale; a warning below"
                f" {TOO_FAR_APART}."
            ),
        ),
        (
            "gate",
            (
                "Passes if the slope's one-sided lower bound is above zero, at the level shared among the arms, with twice the variance for"
                " cross-fitting."
            ),
        ),
        (
            "calibrated effect",
            "Average effect + s (predicted - mean predicted), s the slope within [0, 1] and 0 where the gate fails.",
        ),
        (
            "policy qini",
            (
                "The area of (d_1 + … + d_k)/n above its diagonal, members in the order of what their best arm is predicted to bring"
                " by calibrated effects, d the doubly robust score of that arm minus the control's; net of cost: less the arm's cost."
            ),
        ),
        (
            "groups",
            (
                "Members are put into a group by prediction; it is claimed only if the actual effect among them is beyond the cost (or"
                " zero) with its interval, the level shared among four groups and all arms."
            ),
        ),
        (
            "scikit-uplift",
            (
                "qini_auc_score and uplift_auc_score of 0.5.1: the area above the diagonal over that of a perfect order. Binary outcomes"
                " only."
            ),
        ),
        (
            "causalml",
            (
                "qini_score and auuc_score of 0.18: mean height over k = 0 … n, above the diagonal for the Qini, over its absolute end if"
                " normalised; ties are not one step."
            ),
        ),
    )
