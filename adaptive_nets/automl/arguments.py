"""The arguments of an estimator as JSON values, and back."""

import math
import numbers
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adaptive_nets._checks import show
from adaptive_nets.automl.files import saved_folder
from adaptive_nets.data.schema import Schema
from adaptive_nets.serialization import describe_object, make_object

# It is where an estimator is loaded from, and not where it was fitted.
_FOLDER = "model_dir"


def describe_arguments(estimator: Any) -> dict[str, Any]:
    """Returns the arguments that an estimator was made with, except for its `model_dir`.

    What no file can hold, such as a generator whose class is not registered, is left out, with a
    warning.

    Args:
        estimator: An `AutoClassifier` or `AutoRegressor`.
    """
    found = {}
    for name, value in estimator.get_params(deep=False).items():
        if name == _FOLDER:
            continue
        try:
            found[name] = _described(value)
            restored(found[name], name)
        except (TypeError, ValueError) as error:
            found.pop(name, None)
            reason = " ".join(str(error).split())
            warnings.warn(
                f"{name}={show(value)} is not saved, because no file can hold it ({reason}). The "
                f"estimator that automl.load returns predicts the same; call its set_params({name}="
                "...) before it is fitted again.",
                stacklevel=4,
            )
    return found


def restore_arguments(
    kind: type, values: Mapping[str, Any], path: str | os.PathLike
) -> dict[str, Any]:
    """Returns the arguments that `describe_arguments` has described.

    Args:
        kind: Class of the estimator.
        values: The descriptions.
        path: What the estimator is loaded from. It becomes the `model_dir` if it is one.

    Raises:
        ValueError: A description has an argument that there is not.
    """
    known = set(kind().get_params(deep=False))
    if not isinstance(values, Mapping) or not values.keys() <= known:
        raise ValueError(
            f"'{path}' cannot be loaded: it holds arguments that {kind.__name__} does not have, as "
            f"those of a newer version. Received: {show(values)}."
        )
    found = {}
    for name, value in values.items():
        try:
            found[name] = restored(value, name)
        except (TypeError, ValueError, KeyError) as error:
            reason = " ".join(str(error).split()).removesuffix(".")
            warnings.warn(
                f"{name} of the saved estimator cannot be restored ({reason}) and has its default. "
                f"The estimator predicts the same; call its set_params({name}=...) before it is "
                "fitted again.",
                stacklevel=4,
            )
    folder = saved_folder(path)
    if folder is not None and folder != Path(path):
        found[_FOLDER] = os.fspath(path)
    return found


def _described(value: Any) -> Any:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, np.generic):
        return _described(value.item())
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        number = float(value)
        return number if math.isfinite(number) else {"number": str(number)}
    if isinstance(value, Schema):
        return {"schema": value.to_dict()}
    if isinstance(value, pd.DataFrame):
        parts = {"index": value.index, "columns": value.columns, "data": value.to_numpy()}
        return {"frame": {name: _described(part.tolist()) for name, part in parts.items()}}
    if isinstance(value, pd.Series):
        value = value.to_dict()
    if isinstance(value, Mapping):
        return {"pairs": [[_described(key), _described(each)] for key, each in value.items()]}
    if isinstance(value, tuple):
        return {"tuple": [_described(each) for each in value]}
    if isinstance(value, list | np.ndarray):
        return [_described(each) for each in (value.tolist() if hasattr(value, "dtype") else value)]
    described = describe_object(value)
    if not isinstance(described, dict) or described.get("config") is None:
        raise ValueError(f"{type(value).__name__} has no configuration")
    return {"object": described}


def restored(value: Any, name: str) -> Any:
    """Returns the value of a description; plain values, as of earlier versions, as they are.

    Args:
        value: The description.
        name: The argument that it is of.

    Raises:
        ValueError: An object cannot be made of its description.
    """
    if isinstance(value, list):
        return [restored(each, name) for each in value]
    if not isinstance(value, dict):
        return value
    if len(value) != 1:
        raise ValueError("it is of an unknown form")
    (form, inner), *_ = value.items()
    if form == "number":
        return float(inner)
    if form == "schema":
        return Schema.from_dict(inner)
    if form == "pairs":
        return {restored(key, name): restored(each, name) for key, each in inner}
    if form == "tuple":
        return tuple(restored(each, name) for each in inner)
    if form == "frame":
        return pd.DataFrame(**{part: restored(each, name) for part, each in inner.items()})
    if form == "object":
        return make_object(inner, name)
    raise ValueError("it is of an unknown form")
