"""Raw values by feature: by name where there are names, by position where there are none."""

import re
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from adaptive_nets.data.columns.feature import Feature, MismatchError
from adaptive_nets.data.columns.naming import missing_error, some
from adaptive_nets.data.containers import unpack
from adaptive_nets.data.specs import FeatureSpec, Spec, describe_spec
from adaptive_nets.data.values import as_array


def array_parts(x: Any, spec: FeatureSpec, spec_of: Callable[[Any], Spec]) -> list[Any]:
    """Returns the one array of features, in a list.

    Args:
        x: What was given.
        spec: The features that are expected.
        spec_of: Function that returns the features of what was given.

    Raises:
        ValueError: It is not one array, nor a table of numbers alone or of text alone.
    """
    given = unpack(x)
    if given.layout == "columns":
        values = [as_array(v, f"feature '{n}'") for n, v in given.parts.items()]
        kinds = {v.dtype.kind for v in values}
        if "O" in kinds and len(kinds) > 1:
            raise ValueError(
                "The model expects one array of features. Received: a table of columns of numbers "
                "and text."
            )
        if not all(re.fullmatch(r"(?:x|column_)\d+", name) for name in given.parts):
            warnings.warn(
                "The training data had no names. The columns are read in their order: "
                f"{some(given.parts)}.",
                stacklevel=4,
            )
        return [np.stack(values, axis=1)]
    if list(given.parts) != ["features"]:
        raise MismatchError(str(spec), describe_spec(spec_of(x)))
    return list(given.parts.values())


def parts_by_name(
    parts: Mapping[str, Any], features: Sequence[Feature], known: Collection[str | None]
) -> list[Any]:
    """Returns the values of features by their names or keys, in their order.

    Args:
        parts: Values by name.
        features: The features.
        known: Names that may be there besides.

    Raises:
        ValueError: A feature is missing.
    """
    found, absent = [], []
    for feature in features:
        name = feature.name if feature.name in parts else feature.key
        if name in parts:
            found.append(parts[name])
        else:
            absent.append(feature.name)
    if absent:
        raise missing_error([f.name for f in features], absent, parts)
    extra = [n for n in parts if n not in {*known, *(f.key for f in features)}]
    if extra:
        warnings.warn(
            f"Features that were not in the training data are ignored: {some(extra)}.",
            stacklevel=4,
        )
    return found


def parts_by_position(values: Any, names: Sequence[str], layout: str) -> list[Any]:
    """Returns the columns of an array without names.

    Args:
        values: The array.
        names: Names of the features.
        layout: The schema's layout.

    Raises:
        ValueError: The features are not columns of one table, or of another number.
    """
    count = len(names)
    if count == 1:
        return [values]
    # A list of no rows has no names either.
    if isinstance(values, list | tuple) and not values:
        return [[]] * count
    array = as_array(values, "features")
    if layout != "columns" or array.ndim != 2 or array.shape[1] != count:
        raise ValueError(
            f"The model expects features by name: {some(names)}. "
            f"Received: an array of shape {array.shape}."
        )
    warnings.warn(
        "The features have no names, and are read in the order of the training data: "
        f"{some(names)}.",
        stacklevel=4,
    )
    return list(array.T)
