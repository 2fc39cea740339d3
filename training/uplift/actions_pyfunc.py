"""The action model as MLflow loads it: code that reads a bundle, nothing pickled.

MLflow stores this file with the model and runs it when the model is loaded. It needs Troth to be installed, because
the bundle is read by the same code as in the server.
"""

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd

from training.bundle import open_action_bundle


class ActionsModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined]  # mlflow exports it lazily
    """Tell what each arm changes for each member."""

    def load_context(self, context: Any) -> None:
        """Open the bundle that was stored with the model."""
        self._bundle = open_action_bundle(Path(context.artifacts["bundle"]))

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Predict the calibrated effects of all arms.

        Args:
            context: Given by MLflow.
            model_input: One row per member with the trial's features; what is missing counts as the mean.
            params: Not used.

        Returns:
            One column per arm, in the order of the input.
        """
        del context, params
        model = self._bundle.model
        rows = model_input.to_dict(orient="records")
        effects = [model.effects({str(name): value for name, value in row.items()}) for row in rows]
        return pd.DataFrame(effects, columns=list(model.arms))


mlflow.models.set_model(ActionsModel())
