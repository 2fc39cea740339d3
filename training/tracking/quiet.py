"""Importing mlflow so that it neither talks to the terminal nor to the network."""

import importlib
import logging
import os
from types import ModuleType

_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_RECORD_ENV_VARS_IN_MODEL_LOGGING": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    # MLflow asks GitPython for the commit; without a git program that import would print a paragraph.
    "GIT_PYTHON_REFRESH": "quiet",
}


def import_mlflow(name: str = "mlflow") -> ModuleType:
    """Return mlflow or one of its modules; settings the user made in the environment stay in force."""
    for variable, value in _SETTINGS.items():
        os.environ.setdefault(variable, value)
    module = importlib.import_module(name)
    for logger in ("mlflow", "alembic"):
        logging.getLogger(logger).setLevel(logging.ERROR)
    return module
