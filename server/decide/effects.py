"""Effects of actions on a member, by the action model: what doing an action earns more than not doing it."""

from collections.abc import Mapping

import numpy as np

from server.decide.table import Floats, Places, Table
from training.bundle import ActionBundle


def action_effects(
    bundle: ActionBundle | None, table: Table, places: Places, attributes: Mapping[str, object]
) -> Floats | None:
    """Return float64[n], the effect of each row's action; NaN where the model does not know it, nothing where it knows none.

    Args:
        bundle: The action model, if there is one; its arms are named as the actions.
        table: The candidates.
        places: Which of its rows.
        attributes: What is known of the member.
    """
    if bundle is None:
        return None
    arms = table.kept.get("arms")
    if not isinstance(arms, np.ndarray):
        index = bundle.arm_index
        arms = np.array([index.get(one.candidate_id, -1) for one in table.candidates], dtype=np.int64)
        table.kept["arms"] = arms
    here = arms[places]
    if not len(here) or here.max() < 0:
        return None
    effects = bundle.model.effects(attributes)
    return np.where(here >= 0, effects[here], np.nan)
