"""Putting a ranker together."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from training.bundle.features import OfferTable, offer_table
from training.bundle.ranker import Calibration, Ranker
from training.bundle.scorers import AnyScorer
from training.bundle.trees import Trees
from training.data.fit_data import FitData
from training.second_stage.components import Component


def make_ranker(  # noqa: PLR0917  # the parts of one row, in their order
    components: Sequence[Component],
    scorers: Sequence[AnyScorer],
    trees: Trees,
    calibration: Calibration,
    data: FitData,
    categories: npt.NDArray[np.int32],
    attributes: npt.NDArray[np.float32],
    *,
    cold: bool = True,
) -> Ranker:
    """Return the second stage over scorers that were fitted on the same data.

    Args:
        components: What the scorers are.
        scorers: Fitted on ``data``.
        trees: The second stage.
        calibration: From tree scores to probabilities.
        data: Histories up to the moment of serving.
        categories: int32[offers], -1 for none.
        attributes: float32[members, attributes].
        cold: Whether the trees learned what members without a history do.
    """
    table: OfferTable = offer_table(data.history, data.covers, categories)
    return Ranker(
        names=tuple(component.name for component in components),
        components=tuple(scorers),
        quotas=tuple(component.quota for component in components),
        trees=trees,
        calibration=calibration,
        covers=data.covers,
        table=table,
        attributes=attributes,
        cold=cold,
    )
