"""Checks of what a schema is made of."""

import json
from typing import Any

import numpy as np

from adaptive_nets._checks import check_bool, check_instance, check_list, check_text, show

_KEYS = ("layout", "features")


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
    check_bool("missing", feature.missing)
    shape = check_list("shape", feature.shape, int | np.integer | None, "a tuple of sizes or None")
    if any(isinstance(size, bool) or (size is not None and size < 0) for size in shape):
        raise ValueError(f"shape must be sizes >= 0 or None. Received: shape={show(shape)}.")
    if feature.dtype != "string":
        try:
            np.dtype(feature.dtype)
        except TypeError as error:
            raise ValueError(
                f"dtype must be 'string' or the name of a numeric dtype. Received: "
                f"dtype={feature.dtype!r}."
            ) from error


def parse_schema(text: Any) -> dict[str, Any]:
    """Returns the JSON values in a schema's text.

    Raises:
        TypeError: It is no text.
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
    good = isinstance(values, dict) and values.keys() >= set(_KEYS)
    listed = values["features"] if good and isinstance(values["features"], list) else [None]
    if not all(isinstance(f, dict) and {"name", "shape"} <= f.keys() <= fields for f in listed):
        raise ValueError(
            "values must be the output of Schema.to_dict: 'layout' and a list of 'features'. "
            f"Received: values={show(values)}."
        )
