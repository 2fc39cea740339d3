"""Which policy is evaluated: built in, or a table of probabilities."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from experiments.uplift.trial import Floats, Ints
from training.data.columns import open_frame, refuse, require
from training.errors import TrainingError

_TOLERANCE = 1e-6
_HELP = "write uniform, logging, always:ACTION or table:FILE"


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """A policy whose probabilities do not depend on the member.

    Attributes:
        name: In words.
        chances: float64[positions, actions], each row sums to 1; or none for the logging policy, which is whatever it was.
    """

    name: str
    chances: Floats | None

    def of(self, action: Ints, place: Ints, propensity: Floats) -> Floats:
        """Return float64[n], the probability of what was chosen.

        Args:
            action: int64[n], which action.
            place: int64[n], which position, from 0.
            propensity: float64[n], of the logging policy.
        """
        return propensity if self.chances is None else self.chances[place, action]


def parse_policy(text: str, actions: list[str], positions: list[int]) -> Policy:
    """Return the policy that a text means.

    ``uniform`` chooses each action of the log alike, ``logging`` is the logging policy itself, ``always:ACTION`` one action. ``table:FILE`` is a
    Parquet or CSV table with columns ``action``, ``probability`` and maybe ``position``.

    Args:
        text: The policy.
        actions: Those of the log.
        positions: Those of the log, ``[1]`` without any.

    Raises:
        TrainingError: The text is none, or the table's probabilities are none.
    """
    kind, _, rest = text.partition(":")
    if text == "uniform":
        return Policy("The uniform policy", np.full((len(positions), len(actions)), 1 / len(actions)))
    if text == "logging":
        return Policy("The logging policy", None)
    if kind == "always" and rest:
        if rest not in actions:
            listed = ", ".join(actions[:20]) + (" …" if len(actions) > 20 else "")
            raise TrainingError(f"The log never chose {rest!r}; it chose {listed}.")
        chances = np.zeros((len(positions), len(actions)))
        chances[:, actions.index(rest)] = 1.0
        return Policy(f"Always {rest}", chances)
    if kind == "table" and rest:
        return _table(Path(rest), actions, positions)
    raise TrainingError(f"There is no policy {text!r}; {_HELP}.")


def _table(path: Path, actions: list[str], positions: list[int]) -> Policy:
    frame = open_frame(path)
    for name in ("action", "probability"):
        require(frame, path, name, "policy")
    rows = frame.collect()
    if not rows["probability"].dtype.is_numeric():
        raise TrainingError(
            f"Column 'probability' of {path} is of type {rows['probability'].dtype}; it must be a number."
        )
    rows = rows.with_columns(pl.col("action").cast(pl.String), pl.col("probability").cast(pl.Float64))
    refuse(~rows["probability"].is_between(0, 1), path, "probability", "a probability outside [0, 1]")
    keys = ["position", "action"] if "position" in rows.columns else ["action"]
    refuse(rows.select(keys).is_duplicated(), path, "action", "an action that another row has too")
    chances = np.zeros((len(positions), len(actions)))
    for place, position in enumerate(positions):
        here = rows.filter(pl.col("position") == position) if "position" in rows.columns else rows
        total = float(here["probability"].sum())
        if abs(total - 1) > _TOLERANCE:
            at = f" at position {position}" if "position" in rows.columns else ""
            raise TrainingError(f"The probabilities of {path}{at} sum to {total:.6g}, not 1.")
        found = dict(zip(here["action"], here["probability"], strict=True))
        chances[place] = [found.get(action, 0.0) for action in actions]
    return Policy(f"The policy of {path.name}", chances)
