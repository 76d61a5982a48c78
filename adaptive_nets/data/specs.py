"""`FeatureSpec`: shape and dtype of one feature, as models take it; checks of a schema's parts."""

import dataclasses
import json
from typing import Any

import keras
import numpy as np

from adaptive_nets._checks import (
    check_bool,
    check_choice,
    check_instance,
    check_integer,
    check_list,
    check_text,
    or_none,
    show,
)
from adaptive_nets.data.columns.number_text import is_style

# How numbers may be written as text, without a unit; and dates.
_NUMBERS = ("1234.5", "1,234.5", "1.234,5", "1 234.5", "1 234,5", "h:m:s")
_DATES = ("ymd", "dmy", "mdy", "dby", "bdy", "ym", "my", "by")


@dataclasses.dataclass(frozen=True)
class FeatureSpec:
    """Shape (without the batch axis) and dtype of one feature."""

    shape: tuple
    dtype: str

    def __str__(self):
        return f"{self.dtype}{list(self.shape)}"


Spec = FeatureSpec | dict[str, FeatureSpec]


def spec_from_json(spec: dict) -> Spec:
    """Restores a feature spec, as version 0.1 stored it."""
    if set(spec) == {"shape", "dtype"} and isinstance(spec["dtype"], str):
        return FeatureSpec(tuple(spec["shape"]), spec["dtype"])
    return {name: spec_from_json(s) for name, s in spec.items()}


def describe_spec(spec: Spec) -> str:
    """Returns a readable form of a feature spec."""
    if isinstance(spec, dict):
        return "{" + ", ".join(f"{k}: {v}" for k, v in spec.items()) + "}"
    return str(spec)


def make_inputs(spec: Spec) -> keras.KerasTensor | dict[str, keras.KerasTensor]:
    """Creates symbolic inputs for a feature spec: one, or a dict of them."""
    if isinstance(spec, dict):
        return {name: keras.Input(s.shape, dtype=s.dtype, name=name) for name, s in spec.items()}
    return keras.Input(spec.shape, dtype=spec.dtype, name="features")


def called_by_name(model: keras.Layer, inputs: Any, by_name: bool = True) -> Any:
    """Returns symbolic features as a model with named inputs takes them.

    Keras goes by the order of the names where there are more features than the model takes, and so
    would mistake one for another.

    Args:
        model: A layer or model.
        inputs: KerasTensor, or dict of KerasTensors that are named as in serving signatures.
        by_name: Whether a model without named inputs is called on the dict as it is, rather than by
            the names of the tensors. Defaults to `True`.

    Raises:
        ValueError: The model takes a feature that is not there.
    """
    if not isinstance(inputs, dict):
        return inputs
    served = {tensor.name: tensor for tensor in inputs.values()}
    wanted = getattr(model, "input", None) if getattr(model, "inputs", None) else None
    if not isinstance(wanted, dict):
        names = {tensor.name for tensor in keras.tree.flatten(wanted)} if wanted is not None else ()
        if names:
            by_name = names <= set(inputs)
        return inputs if by_name else served
    given = inputs if set(wanted) <= set(inputs) else served
    lacking = [name for name in wanted if name not in given]
    if lacking:
        raise ValueError(
            f"The model takes features {', '.join(map(str, wanted))}. Received: features "
            f"{', '.join(map(str, inputs))}, without {', '.join(map(str, lacking))}."
        )
    return {name: given[name] for name in wanted}


def check_feature(feature: Any) -> None:
    """Checks the fields of a `Feature`.

    Raises:
        TypeError: One is of the wrong type.
        ValueError: One is not a possible value.
    """
    for name in ("name", "source"):
        check_instance(name, getattr(feature, name), str, "a string")
    for name in ("key", "kind", "dtype"):
        check_text(name, getattr(feature, name))
    for name in ("missing", "code"):
        check_bool(name, getattr(feature, name))
    style = feature.style
    if not (isinstance(style, str) and is_style(style)):
        or_none(check_choice, "style", style, (*_NUMBERS, *_DATES))
    check_instance("reason", feature.reason, str, "a string")
    share = check_instance("missing_share", feature.missing_share, int | float, "a share")
    if isinstance(share, bool) or not 0 <= share <= 1:
        raise ValueError(
            f"missing_share must be from 0 to 1. Received: missing_share={show(share)}."
        )
    for name in ("distinct", "place"):
        or_none(check_integer, name, getattr(feature, name), 0)
    shape = check_list("shape", feature.shape, int | np.integer | None, "a tuple of sizes or None")
    if any(isinstance(size, bool) or (size is not None and size < 0) for size in shape):
        raise ValueError(f"shape must be sizes >= 0 or None. Received: shape={show(shape)}.")
    if feature.dtype != "string":
        try:
            np.dtype(feature.dtype)
        except (TypeError, UnicodeError) as error:
            raise ValueError(
                f"dtype must be 'string' or the name of a numeric dtype. Received: "
                f"dtype={show(feature.dtype)}."
            ) from error


def parse_schema(text: Any) -> dict[str, Any]:
    """Returns the JSON values in a schema's text.

    Raises:
        TypeError: It is not text.
        ValueError: It is not JSON.
    """
    check_instance("text", text, str, "the output of Schema.to_json")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"text must be the output of Schema.to_json. Received: {show(text)} ({error})."
        ) from error


def check_values(values: Any, fields: set[str]) -> None:
    """Checks the JSON values of a schema.

    Args:
        values: The values.
        fields: Names of a feature's fields.

    Raises:
        ValueError: They are not the output of `Schema.to_dict`.
    """
    good = isinstance(values, dict) and values.keys() >= {"layout", "features"}
    lists = [values["features"], values.get("ignored", [])] if good else [None]
    whole = all(isinstance(each, list) for each in lists)
    listed = [feature for each in lists for feature in each] if whole else [None]
    if not all(isinstance(f, dict) and {"name", "shape"} <= f.keys() <= fields for f in listed):
        raise ValueError(
            "values must be the output of Schema.to_dict: 'layout' and a list of 'features'. "
            f"Received: values={show(values)}."
        )
