"""How a model does where little is known: members without a history, after a first basket, and offers that are new."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from training.bundle import OfferModel
from training.bundle.history import empty_profile
from training.errors import DatasetError
from training.evaluation import Estimate, Fold, evaluate
from training.offers.second_stage_rows import first_basket

Candidates = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]

MOST_CASES = 5_000
NEW_OFFER_BUYERS = 20
"""An offer bought by fewer members is new: what is known of it rests on its category and on little else."""


def measure_slices(
    model: OfferModel, fold: Fold, ks: Sequence[int], attributes: Scores, *, seed: int
) -> dict[str, dict[str, Estimate]]:
    """Measure a model as if it did not know the members, and on offers that hardly anybody has bought.

    Args:
        model: Fitted on the fold's data.
        fold: Whose members stand in for new ones: same cases, same candidates, same truths.
        ks: Lengths of lists.
        attributes: float32[members, attributes].
        seed: Of the sample when there are many cases.

    Returns:
        For ``no_history`` (nothing but attributes), ``first_basket`` (the last trip alone) and ``new_offers`` (truths and
        candidates bought by 1 to 19 members so far), the metrics; a slice without cases is absent.
    """
    rows, codes = attributes, model.attributes

    def known(member: int) -> dict[str, object]:
        return codes.decode(rows[member])

    def attributes_only(model: OfferModel, member: int, candidates: Candidates) -> Scores:
        return model.scores(empty_profile(), None, candidates, known(member))

    def last_trip(model: OfferModel, member: int, candidates: Candidates) -> Scores:
        return model.scores(first_basket(model.profile(member)), None, candidates, known(member))

    slices = {}
    for name, score in (("no_history", attributes_only), ("first_basket", last_trip)):
        found = evaluate([model], [fold], ks, most_cases=MOST_CASES, seed=seed, score=score)
        slices[name] = dict(found.metrics)
    buyers = fold.data.history.product_sums(np.ones(len(fold.data.history.indices), np.float32))
    of_offer = np.asarray(fold.data.onto_offers(buyers[:, None]))[:, 0]
    new = replace(fold, open_offers=fold.open_offers & (of_offer > 0) & (of_offer < NEW_OFFER_BUYERS))
    try:
        slices["new_offers"] = dict(evaluate([model], [new], ks, most_cases=MOST_CASES, seed=seed).metrics)
    except DatasetError:
        return slices
    return slices
