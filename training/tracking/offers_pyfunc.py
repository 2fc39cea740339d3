"""The offer model as MLflow loads it: code that reads a bundle, nothing pickled.

MLflow stores this file with the model and runs it when the model is loaded. It needs Troth to be installed, because
the bundle is read, and scored, by the same code as in the server.
"""

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd

from training.bundle import open_bundle

TOP_OFFERS = 10


class OffersModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined]  # mlflow exports it lazily
    """Rank offers for members; members the model does not know get popular offers."""

    def load_context(self, context: Any) -> None:
        """Open the bundle that was stored with the model."""
        self._bundle = open_bundle(Path(context.artifacts["bundle"]))

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return the best 10 offers of each member that the task is about, whatever their validity.

        Members are seen as of the model's feature time, the basket as a trip at that moment.

        Args:
            context: Given by MLflow.
            model_input: A column ``member_id`` of strings and, if wanted, a column ``basket`` of lists of product ids;
                products the model does not know are left out.
            params: Not used.

        Returns:
            member_id, offer_id, rank (from 1), score, in the order of the input.
        """
        del context, params
        members = model_input["member_id"].astype(str)
        baskets = model_input["basket"] if "basket" in model_input else [None] * len(members)
        rows = [
            (member_id, *row)
            for member_id, basket in zip(members, baskets, strict=True)
            for row in self._best(member_id, basket)
        ]
        return pd.DataFrame(rows, columns=["member_id", "offer_id", "rank", "score"])

    def _best(self, member_id: str, basket: Any) -> list[tuple[str, int, float]]:
        bundle, model = self._bundle, self._bundle.model
        member = model.member_ids.index(member_id)
        products = (
            [str(product) for product in basket] if isinstance(basket, list | tuple | np.ndarray) else []
        )
        profile = model.profile_after(member, 0.0, [(0.0, products)])
        candidates = np.flatnonzero(model.applicable(profile))
        scores = model.scores(profile, member, candidates)
        # Ties go to the more popular offer, then to the lower position, as in the server.
        order = np.lexsort((candidates, -model.popular_scores[candidates], -scores))[:TOP_OFFERS]
        return [
            (bundle.offer_ids[candidates[place]], rank, float(scores[place]))
            for rank, place in enumerate(order, start=1)
        ]


mlflow.models.set_model(OffersModel())
