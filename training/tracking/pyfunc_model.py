"""The model as MLflow's own tools load it."""

from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from training.bundle.manifest import Parameter
from training.tracking.quiet import import_mlflow

BUNDLE_FOLDER = "bundle"
BUNDLE_PATH = f"artifacts/{BUNDLE_FOLDER}"
"""Where the bundle lies within a logged model; it is stored there and nowhere else."""

_CODE = Path(__file__).with_name("offers_pyfunc.py")
_OUTPUT = (("string", "member_id"), ("string", "offer_id"), ("long", "rank"), ("double", "score"))


def log_pyfunc(
    bundle: Path,
    *,
    run_id: str,
    name: str,
    members: tuple[str, ...],
    basket: tuple[str, ...],
    parameters: dict[str, Parameter],
) -> Any:
    """Log a bundle as a model of a run; what it returns has ``model_id`` and ``model_uri``.

    Args:
        bundle: Folder of the bundle, named ``bundle``.
        run_id: Run that made it; it need not be the active one.
        name: Name of the model.
        members: Members for the input example.
        basket: Products in the basket of the first of them.
        parameters: Settings of the model.
    """
    mlflow = import_mlflow()
    models, types = import_mlflow("mlflow.models"), import_mlflow("mlflow.types")
    schema, pandas = import_mlflow("mlflow.types.schema"), import_mlflow("pandas")
    products = schema.Array(types.DataType.string)
    signature = models.ModelSignature(
        inputs=types.Schema(
            [types.ColSpec("string", "member_id"), types.ColSpec(products, "basket", required=False)]
        ),
        outputs=types.Schema([types.ColSpec(kind, column) for kind, column in _OUTPUT]),
    )
    baskets = [list(basket), *([] for _ in members[1:])]
    # The function mlflow.pyfunc.log_model does the same for the active run only.
    return models.Model.log(
        artifact_path=None,
        name=name,
        flavor=mlflow.pyfunc,
        run_id=run_id,
        params=parameters,
        python_model=str(_CODE),
        artifacts={BUNDLE_FOLDER: bundle.as_uri()},
        signature=signature,
        input_example=pandas.DataFrame({"member_id": list(members), "basket": baskets}),
        # Given explicitly, or MLflow would import the model in another process to find out.
        pip_requirements=[
            f"{package}=={installed_version(package)}" for package in ("mlflow", "numpy", "pandas")
        ],
    )
