"""The result of the job for actions, for a terminal."""

from experiments.number_format import count_of
from training.uplift.result import TrainActionsResult


def summary(result: TrainActionsResult) -> str:
    """Return the result in a few lines: effects by arm, whether they differ, what to be careful about, where it is kept."""
    trial, money = result.read.trial, result.money
    sizes = f"{count_of(len(trial), 'member')}, {count_of(len(trial.arms), 'arm')}"
    lines = [f"{sizes}; effects on {result.read.money} against {trial.arms[0]!r}, by {money.chosen.name}:"]
    arms = zip(trial.arms[1:], money.averages, money.chosen.calibrations, strict=True)
    for place, (arm, average, calibration) in enumerate(arms):
        ranking = result.evaluation[result.read.money].arms[place].rankings[0]
        lines.append(
            f"  {arm}: {average.estimate:+.4g} a member (95 % {average.lower:+.4g} to {average.upper:+.4g}),"
            f" slope {calibration.slope.estimate:.2f} ± {calibration.slope.error:.2f},"
            f" qini_raw {ranking.qini.estimate:.4g} ({ranking.qini.lower:.4g} to {ranking.qini.upper:.4g})"
        )
    lines += [f"  ! {warning}" for warning in result.warnings]
    kept = f"Version {result.version} of {result.registered_model}"
    lines.append(f"{kept} {'is champion now' if result.promoted else 'is registered, not champion'}.")
    lines.append(f"Compare runs: mlflow ui --backend-store-uri {result.tracking_uri}")
    return "\n".join(lines)
