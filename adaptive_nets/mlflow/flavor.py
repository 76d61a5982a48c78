"""`save_model`, `log_model`, `load_model`: the MLflow flavour `adaptive_nets`."""

import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from adaptive_nets import automl
from adaptive_nets._checks import (
    check_choice,
    check_dict,
    check_list,
    check_path,
    check_text,
    or_none,
    show,
)
from adaptive_nets._version import __version__
from adaptive_nets.adanet import AdaNet
from adaptive_nets.automl.files import saved_folder
from adaptive_nets.files.models import load_model as read_keras_model
from adaptive_nets.mlflow import pyfunc
from adaptive_nets.mlflow.package import require_mlflow

if TYPE_CHECKING:
    from mlflow.models import Model, ModelSignature
    from mlflow.models.model import ModelInfo

FLAVOR_NAME = "adaptive_nets"
_NOT_IN_NAMES = "/:.%\"'"
_FRONTS = (automl.AutoClassifier, automl.AutoRegressor)


def save_model(
    model: "automl.AutoClassifier | automl.AutoRegressor | AdaNet",
    path: str | os.PathLike,
    *,
    mlflow_model: "Model | None" = None,
    pyfunc_predict_fn: str = "predict",
    signature: "ModelSignature | None" = None,
    input_example: Any = None,
    pip_requirements: Sequence[str] | None = None,
    metadata: dict[str, Any] | None = None,
) -> None:
    """Saves a model as a folder in MLflow's format.

    The folder has two flavours: `adaptive_nets` for `load_model`, and `python_function`, which
    predicts raw rows in any process where `requirements.txt` of the folder is installed.

    Args:
        model: A fitted `AutoClassifier`, `AutoRegressor` or `AdaNet`.
        path: Folder to write. It must not exist, or be empty.
        mlflow_model: The `mlflow.models.Model` to add to. Defaults to `None`: a new one.
        pyfunc_predict_fn: What `predict` of the loaded `python_function` returns: `"predict"`, or
            `"predict_proba"` of a classifier. An `AdaNet` returns a table of all outputs whichever
            it is. Defaults to `"predict"`.
        signature: The `mlflow.models.ModelSignature`. MLflow then refuses what it does not
            describe: columns of integers that may lack a value are declared as doubles. Defaults
            to `None`: that of `input_example`, or none.
        input_example: Rows to read the signature from. Defaults to `None`.
        pip_requirements: What is to be installed where the model is loaded. Defaults to `None`:
            the versions of this process.
        metadata: Values to keep with the model, as JSON. Defaults to `None`.

    Raises:
        ImportError: MLflow is not installed.
        TypeError: It is another kind of model.
        ValueError: The model is not fitted, or the folder is in use.
    """
    mlflow = require_mlflow("save_model")
    _check_model(model)
    choices = ("predict", *(["predict_proba"] if hasattr(model, "predict_proba") else []))
    wanted = check_choice("pyfunc_predict_fn", pyfunc_predict_fn, choices)
    folder = Path(check_path("path", path))
    metadata = or_none(check_dict, "metadata", metadata, object, "a dict of JSON values, or None")
    words = "a list of requirements as text, or None"
    required = or_none(check_list, "pip_requirements", pip_requirements, str, words)
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise ValueError(f"path must be a new or an empty folder. Received: path={show(path)}.")
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / pyfunc.DATA
    if isinstance(model, AdaNet):
        data.mkdir()
        model.export(data / pyfunc.SAVED_MODEL)
        model.model.save(data / pyfunc.KERAS_MODEL)
    else:
        model.save(data)
    described = mlflow.models.Model() if mlflow_model is None else mlflow_model
    if signature is None and input_example is not None:
        predicted = pyfunc.load(data, wanted).predict(input_example)
        signature = mlflow.models.infer_signature(input_example, predicted)
    if signature is not None:
        described.signature = signature
    if metadata is not None:
        described.metadata = metadata
    described.add_flavor(FLAVOR_NAME, kind=type(model).__name__, version=__version__)
    mlflow.pyfunc.add_to_model(
        described, loader_module=pyfunc.__name__, data=pyfunc.DATA, conda_env="conda.yaml",
        python_env="python_env.yaml", model_config={"predict_fn": wanted},
    )  # fmt: skip
    _write_environment(folder, required or _requirements(mlflow))
    described.save(str(folder / "MLmodel"))


def log_model(
    model: "automl.AutoClassifier | automl.AutoRegressor | AdaNet",
    name: str = "model",
    *,
    registered_model_name: str | None = None,
    **options: Any,
) -> "ModelInfo":
    """Logs a model to the active MLflow run, or to a new one.

    Args:
        model: A fitted `AutoClassifier`, `AutoRegressor` or `AdaNet`.
        name: Name of the model in the run. Defaults to `"model"`.
        registered_model_name: Name under which it is registered. Defaults to `None`: it is not.
        **options: Further arguments of `save_model`, and those of `mlflow.models.Model.log`, such
            as `params`, `tags` and `step`.

    Returns:
        The `mlflow.models.model.ModelInfo`, whose `model_uri` the loaders take.

    Raises:
        ImportError: MLflow is not installed.
        TypeError: It is another kind of model.
        ValueError: The model is not fitted.

    Example:

    ```python
    import os

    import mlflow
    from sklearn.datasets import load_wine

    import adaptive_nets as an

    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"  # a server or a database needs no such word
    mlflow.set_tracking_uri(os.path.abspath("mlruns"))

    table = load_wine(as_frame=True).frame
    model = an.AutoClassifier(time_limit=0.1, seed=0, verbose=0).fit(table, "target")
    with mlflow.start_run():
        info = an.mlflow.log_model(model)
    mlflow.pyfunc.load_model(info.model_uri).predict(table[:3])
    ```
    """
    mlflow = require_mlflow("log_model")
    _check_model(model)
    check_text("name", name)
    if any(sign in _NOT_IN_NAMES for sign in name):
        # MLflow would say so once it has begun to write.
        raise ValueError(
            f"name must not contain {' '.join(_NOT_IN_NAMES)}, which MLflow does not allow in a "
            f"model's name. Received: name={show(name)}."
        )
    flavor = sys.modules["adaptive_nets.mlflow"]
    try:
        return mlflow.models.Model.log(
            None, flavor, registered_model_name, name=name, model=model, **options
        )
    except mlflow.exceptions.MlflowException as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"MLflow cannot log the model: {reason} Received: name={show(name)}, "
            f"registered_model_name={show(registered_model_name)}."
        ) from error


def load_model(model_uri: str | os.PathLike) -> Any:
    """Loads a model that `log_model` or `save_model` has written.

    The files are read as `automl.load` and a `.keras` file are: no class or module is imported
    because a file names it. `mlflow.pyfunc.load_model` makes no such promise: it imports the
    module that the file `MLmodel` names, and a SavedModel is a program.

    Args:
        model_uri: What MLflow calls the model, such as `"models:/name/1"` or
            `"runs:/RUN_ID/model"`, or the path of a folder.

    Returns:
        The `AutoClassifier` or `AutoRegressor`; of an `AdaNet` its `keras.Model`, from raw features
        to logits, or to predictions of a regression.

    Raises:
        ImportError: MLflow is not installed.
        ValueError: The model was written by another flavour, or is damaged.
    """
    mlflow = require_mlflow("load_model")
    if not isinstance(model_uri, str) or "://" not in model_uri:
        uri = check_path("model_uri", model_uri)
        model_uri = str(model_uri) if ":/" in str(model_uri) else uri
    try:
        folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=model_uri))
        flavors = mlflow.models.Model.load(str(folder)).flavors
    except (mlflow.exceptions.MlflowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            "model_uri must name a model that log_model or save_model has written. Received: "
            f"model_uri={show(model_uri)} ({reason})."
        ) from error
    if FLAVOR_NAME not in flavors:
        raise ValueError(
            f"model_uri must name a model of the flavour {FLAVOR_NAME}. Received: "
            f"model_uri={show(model_uri)}, of {', '.join(sorted(flavors)) or 'none'}. Load it with "
            "the module of its own flavour, such as mlflow.sklearn."
        )
    # Always this folder, whatever the file says.
    data = folder / pyfunc.DATA
    if saved_folder(data) is None:
        return read_keras_model(data / pyfunc.KERAS_MODEL)
    return automl.load(data)


def _check_model(model: Any) -> None:
    if isinstance(model, keras.Model):
        raise TypeError(
            "model must be a fitted AutoClassifier, AutoRegressor or AdaNet. Received: a Keras "
            f"model ({model.name}). Networks that are grown, fused or collapsed are plain Keras "
            "models: log them with mlflow.keras.log_model."
        )
    if not isinstance(model, (*_FRONTS, AdaNet)):
        raise TypeError(
            "model must be a fitted AutoClassifier, AutoRegressor or AdaNet. "
            f"Received: model={show(model)}."
        )
    fitted = (
        model.state.current.ensemble is not None
        if isinstance(model, AdaNet)
        else model.__sklearn_is_fitted__()
    )
    if not fitted:
        raise ValueError(
            f"model must be fitted before it is saved. Received: {type(model).__name__}, whose fit "
            "has not been called."
        )


def _requirements(mlflow: Any) -> list[str]:
    pinned = {name: importlib.metadata.version(name) for name in ("keras", "tensorflow")}
    pinned |= {"adaptive-nets": __version__, "mlflow": mlflow.__version__}
    return [f"{name}=={version}" for name, version in sorted(pinned.items())]


def _write_environment(folder: Path, requirements: list[str]) -> None:
    """Writes what is to be installed, in the three forms that MLflow reads. JSON is YAML too."""
    (folder / "requirements.txt").write_text("\n".join(requirements) + "\n", encoding="utf-8")
    python = platform.python_version()
    own = {
        "python": python,
        "build_dependencies": ["pip", "setuptools", "wheel"],
        "dependencies": ["-r requirements.txt"],
    }
    conda = {
        "name": "mlflow-env",
        "channels": ["conda-forge"],
        "dependencies": [f"python={python}", "pip", {"pip": requirements}],
    }
    for name, values in (("python_env.yaml", own), ("conda.yaml", conda)):
        (folder / name).write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
