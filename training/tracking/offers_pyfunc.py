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
        """Return the best 10 offers of each member, whatever their validity.

        Args:
            context: Given by MLflow.
            model_input: A column ``member_id`` of strings.
            params: Not used.

        Returns:
            member_id, offer_id, rank (from 1), score, in the order of the input.
        """
        del context, params
        bundle = self._bundle
        rows: list[tuple[str, str, int, float]] = []
        for member_id in model_input["member_id"].astype(str):
            index = bundle.member_index(member_id)
            scores = bundle.popular_scores if index is None else bundle.scores(index)
            best = np.argsort(-scores, kind="stable")[:TOP_OFFERS]
            rows += [
                (member_id, bundle.offer_ids[offer], rank, float(scores[offer]))
                for rank, offer in enumerate(best, start=1)
            ]
        return pd.DataFrame(rows, columns=["member_id", "offer_id", "rank", "score"])


mlflow.models.set_model(OffersModel())
