"""`Schema`: what is known of the features, and the one way to read them."""

import dataclasses
import difflib
import json
import keyword
import re
import unicodedata
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from adaptive_nets._checks import check_choice, check_dict, check_list
from adaptive_nets._dtypes import whole_dtype
from adaptive_nets.data.containers import unpack
from adaptive_nets.data.specs import (
    FeatureSpec,
    Spec,
    check_feature,
    check_values,
    describe_spec,
    parse_schema,
)
from adaptive_nets.data.values import (
    as_array,
    cast_exactly,
    check_finite,
    check_lengths,
    join_columns,
    natural_dtype,
)

_KINDS = {"f": "number", "i": "number", "u": "number", "b": "boolean", "O": "text"}


class MismatchError(ValueError):
    """Features have other shapes or names than those of the training data.

    Args:
        expected: The features of the training data.
        received: The given features.
        message: The error's text. Defaults to `None`: made of both.
    """

    def __init__(self, expected: str, received: str, message: str | None = None):
        super().__init__(message or f"The model expects features {expected}. Received: {received}.")
        self.expected, self.received = expected, received


@dataclasses.dataclass(frozen=True)
class Feature:
    """One feature.

    Args:
        name: Its name in the data.
        key: Its name in models and serving signatures: letters, digits and underscores.
        kind: `"number"`, `"boolean"` or `"text"`.
        dtype: Dtype that values are read as; `"string"` for text.
        shape: Shape without rows; `()` for one value per row.
        missing: Whether NaN is allowed. Defaults to `False`.
        source: Where it came from. Defaults to `"array"`.
    """

    name: str
    key: str
    kind: str
    dtype: str
    shape: tuple[int, ...]
    missing: bool = False
    source: str = "array"

    def __post_init__(self) -> None:
        check_feature(self)

    @property
    def spec(self) -> FeatureSpec:
        """The spec for models, which take one value per row as shape `(1,)`."""
        return FeatureSpec(self.shape or (1,), self.dtype)

    def read(self, values: Any) -> np.ndarray:
        """Returns values as an array `[rows, ...]` of this feature's dtype, or raises."""
        what = "features" if self.source == "array" else f"feature '{self.name}'"
        array = as_array(values, what)
        if len(array) == 0 and array.shape[1:] in ((), self.shape, self.spec.shape):
            empty = object if self.dtype == "string" else self.dtype
            return np.zeros((0, *self.spec.shape), empty)
        if array.shape[1:] != self.shape and {array.shape[1:], self.shape} != {(), (1,)}:
            given = FeatureSpec(array.shape[1:] or (1,), natural_dtype(array))
            plain = self.source == "array"
            raise MismatchError(
                str(self.spec) if plain else f"{{{self.name}: {self.spec}}}",
                str(given) if plain else f"{{{self.name}: {given}}}",
            )
        found = cast_exactly(array, self.dtype, what)
        check_finite(found, self.name, self.missing)
        return found.reshape(len(found), *(self.shape or (1,)))


@dataclasses.dataclass(frozen=True)
class Schema:
    """Names, order, kinds, dtypes and shapes of features.

    `AdaNet.fit` learns it from its data, and everything that is read later is read through it:
    by name where there are names, in any order, without loss, or not at all.

    Args:
        features: The `Feature`s, in the order of the training data.
        layout: What the features came in: `"array"` (one without a name), `"columns"` (a table of
            numbers, read as one array `[rows, columns]`), `"dict"` or `"list"` (read as a dict of
            arrays).

    Example:

    ```python
    import pandas as pd
    import adaptive_nets as an

    schema = an.data.Schema.infer(pd.DataFrame({"age": [31, 52], "height": [1.7, 1.6]}))
    schema.read(pd.DataFrame({"height": [1.8], "age": [40]}))  # array([[40. ,  1.8]])
    ```
    """

    features: tuple[Feature, ...]
    layout: str

    def __post_init__(self) -> None:
        check_list("features", self.features, Feature, "a tuple of data.Feature objects", 1)
        check_choice("layout", self.layout, ("array", "columns", "dict", "list"))

    @classmethod
    def infer(
        cls,
        x: Any,
        rows: int | None = None,
        separate: bool = False,
        only: Iterable[str] | None = None,
    ) -> "Schema":
        """Learns a schema from features.

        Args:
            x: Array, tensor, DataFrame (of pandas or polars), Arrow table, structured array, dict
                or list of arrays, or list of rows (also dicts or named tuples).
            rows: Number of labels, if known: it tells a list of arrays from a list of rows.
            separate: Whether the columns of a table stay separate arrays, as in a dict. Defaults
                to `False`: they become one array, and must be numbers.
            only: Names of the features to keep. Defaults to `None`: all.

        Raises:
            ValueError: The features are not arrays of numbers or strings.
        """
        given = unpack(x, rows)
        wanted = given.parts if only is None or given.layout == "array" else list(only)
        absent = [name for name in wanted if name not in given.parts]
        if absent:
            raise _missing_error(wanted, absent, given.parts)
        layout = "dict" if separate and given.layout == "columns" else given.layout
        features, keys = [], set()
        for name in wanted:
            what = "features" if given.layout == "array" else f"feature '{name}'"
            array = as_array(given.parts[name], what)
            dtype, source = natural_dtype(array), given.source
            if given.layout == "columns":
                source = f"{source} ({_dtype_name(array)})"
            key = _safe_key(name, keys)
            keys.add(key)
            features.append(
                Feature(name, key, _KINDS[array.dtype.kind], dtype, array.shape[1:], False, source)
            )
        if layout == "columns":
            features = [_as_number(feature) for feature in features]
        return cls(tuple(features), layout)

    @classmethod
    def from_spec(cls, spec: Spec) -> "Schema":
        """Returns the schema of a feature spec, as stored by version 0.1."""
        words = "a FeatureSpec, or a dict of them by name"
        named = spec if isinstance(spec, dict) else {"features": spec}
        check_dict("spec", named, FeatureSpec, words, 1)
        features = tuple(
            Feature(
                name, name, "text" if s.dtype == "string" else "number", s.dtype, tuple(s.shape),
                False, "dict entry" if isinstance(spec, dict) else "array",
            )
            for name, s in named.items()
        )  # fmt: skip
        return cls(features, "dict" if isinstance(spec, dict) else "array")

    @property
    def names(self) -> list[str]:
        """Names of the features in the data."""
        return [feature.name for feature in self.features]

    @property
    def spec(self) -> Spec:
        """The `FeatureSpec` that models take: one, or a dict by key."""
        if self.layout == "array":
            return self.features[0].spec
        if self.layout == "columns":
            return FeatureSpec((len(self.features),), self.features[0].dtype)
        return {feature.key: feature.spec for feature in self.features}

    @property
    def renamed(self) -> dict[str, str]:
        """Keys of the features whose names cannot be names of served inputs, by name."""
        if self.layout == "array":
            return {}
        return {f.name: f.key for f in self.features if f.key != f.name}

    def read(self, x: Any, labels: int | None = None) -> np.ndarray | dict[str, np.ndarray]:
        """Reads features: by name where they have names, without loss, or not at all.

        Args:
            x: Features in any form that `infer` takes, with any number of rows.
            labels: Number of labels, which must be that of the rows. Defaults to `None`.

        Returns:
            Array `[rows, ...]`, or a dict of them by key.

        Raises:
            ValueError: A feature is missing, or has a value that its dtype cannot hold, another
                shape, or NaN or infinity where that is not allowed.
        """
        pairs = zip(self.features, self._match(x), strict=True)
        arrays = (feature.read(values) for feature, values in pairs)
        if self.layout == "columns":
            return join_columns(arrays, len(self.features), labels)
        found = {feature.key: array for feature, array in zip(self.features, arrays, strict=True)}
        check_lengths({len(array) for array in found.values()}, labels)
        return found if self.layout in ("dict", "list") else found[self.features[0].key]

    def _match(self, x):
        """Returns the raw values of each feature, in order."""
        count = len(self.features)
        if self.layout == "array":
            given = unpack(x)
            if given.layout == "columns":
                values = [as_array(v, f"feature '{n}'") for n, v in given.parts.items()]
                wide = {v.dtype.kind for v in values}
                if "O" in wide and len(wide) > 1:
                    raise ValueError(
                        "The model expects one array of features. Received: a table of columns "
                        "of numbers and text."
                    )
                if any(not name.removeprefix("column_").isdigit() for name in given.parts):
                    warnings.warn(
                        "The training data had no names. The columns are read in their order: "
                        f"{_some(given.parts)}.",
                        stacklevel=2,
                    )
                return [np.stack(values, axis=1)]
            if list(given.parts) != ["features"]:
                raise MismatchError(str(self.spec), describe_spec(type(self).infer(x).spec))
            return list(given.parts.values())
        given = unpack(x, inputs=count if self.layout == "list" else None)
        if given.layout == "array":
            return self._by_position(given.parts["features"])
        if given.layout == "list":
            if self.layout != "list":
                raise ValueError(
                    f"The model expects features by name: {_some(self.names)}. "
                    f"Received: a list of {len(given.parts)} arrays."
                )
            return list(given.parts.values())
        return self._by_name(given.parts)

    def _by_name(self, parts):
        found, absent = [], []
        for feature in self.features:
            name = feature.name if feature.name in parts else feature.key
            if name in parts:
                found.append(parts[name])
            else:
                absent.append(feature.name)
        if absent:
            raise _missing_error(self.names, absent, parts)
        extra = [n for n in parts if n not in {*self.names, *(f.key for f in self.features)}]
        if extra:
            warnings.warn(
                f"Features that were not in the training data are ignored: {_some(extra)}.",
                stacklevel=2,
            )
        return found

    def _by_position(self, values):
        """Returns the columns of an array without names."""
        count = len(self.features)
        if count == 1:
            return [values]
        # A list of no rows has no names either.
        if isinstance(values, list | tuple) and not values:
            return [[]] * count
        array = as_array(values, "features")
        if self.layout != "columns" or array.ndim != 2 or array.shape[1] != count:
            raise ValueError(
                f"The model expects features by name: {_some(self.names)}. "
                f"Received: an array of shape {array.shape}."
            )
        warnings.warn(
            "The features have no names, and are read in the order of the training data: "
            f"{_some(self.names)}.",
            stacklevel=2,
        )
        return list(array.T)

    def to_json(self) -> str:
        """Returns the schema as JSON text."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Schema":
        """Restores a schema from the output of `to_json`."""
        return cls.from_dict(parse_schema(text))

    def to_dict(self) -> dict[str, Any]:
        """Returns the schema as JSON values."""
        return {
            "layout": self.layout,
            "features": [{**dataclasses.asdict(f), "shape": list(f.shape)} for f in self.features],
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Schema":
        """Restores a schema from the output of `to_dict`."""
        check_values(values, {field.name for field in dataclasses.fields(Feature)})
        features = tuple(
            Feature(**{**fields, "shape": tuple(fields["shape"])}) for fields in values["features"]
        )
        return cls(features, values["layout"])

    def __str__(self) -> str:
        import pandas as pd

        table = [
            {**dataclasses.asdict(f), "shape": str(list(f.shape)), "missing": f.missing or "no"}
            for f in self.features
        ]
        return pd.DataFrame(table).to_string(index=False)


def _as_number(feature):
    if feature.kind == "text" or feature.shape not in ((), (1,)):
        raise ValueError(
            "DataFrame columns must be numeric to be used as features. Encode the others "
            "(keras.utils.FeatureSpace), or pass a dict of arrays and a generator that reads "
            f"it. Received: {feature.name}, which is not numeric."
        )
    return dataclasses.replace(feature, dtype=whole_dtype(), shape=())


def _dtype_name(array):
    return "string" if array.dtype == object else array.dtype.name


def _safe_key(name, taken):
    """Returns a name that Keras and SavedModel signatures take, unlike all that are taken."""
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss")).encode("ascii", "ignore")
    key = re.sub(r"\W+", "_", plain.decode()).strip("_")
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        key = name
    if not key or not key[0].isalpha():
        key = f"feature_{key}".rstrip("_")
    if keyword.iskeyword(key) or key == "self":
        key += "_"
    number, unique = 1, key
    while unique in taken:
        number += 1
        unique = f"{key}_{number}"
    return unique


def _missing_error(wanted, absent, given):
    near = {
        name: difflib.get_close_matches(name, list(map(str, given)), n=1, cutoff=0.6)
        for name in absent
    }
    hints = [f"'{name}' (is it '{found[0]}'?)" if found else f"'{name}'"
             for name, found in near.items()]  # fmt: skip
    text = (
        f"Features of the training data are missing: {', '.join(hints[:8])}. "
        f"Received: {_some(given)}."
    )
    return MismatchError(_some(wanted), _some(given), text)


def _some(names, most=8):
    names = list(map(str, names))
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
