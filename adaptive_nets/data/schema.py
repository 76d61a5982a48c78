"""`Schema`: what is known of the features, and the one way to read them."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from adaptive_nets._checks import check_choice, check_dict, check_list, check_text, or_none
from adaptive_nets._dtypes import whole_dtype
from adaptive_nets._shown import Shown
from adaptive_nets.data.columns.feature import Feature
from adaptive_nets.data.columns.matching import array_parts, parts_by_name, parts_by_position
from adaptive_nets.data.columns.naming import missing_error, safe_keys, some
from adaptive_nets.data.columns.tables import describe_table, learn_table, replaced, table_of
from adaptive_nets.data.containers import unpack
from adaptive_nets.data.specs import (
    FeatureSpec,
    Spec,
    check_values,
    parse_schema,
)
from adaptive_nets.data.values import as_array, check_lengths, join_columns, natural_dtype

_KINDS = {"f": "number", "i": "number", "u": "number", "b": "boolean", "O": "text"}


@dataclasses.dataclass(frozen=True)
class Schema(Shown):
    """Names, order, kinds, dtypes and shapes of features.

    `AdaNet.fit` learns it from its data, and everything that is read later is read through it:
    by name where there are names, in any order, without loss, or not at all.

    Args:
        features: The `Feature`s, in the order of the training data.
        layout: What the features came in: `"array"` (one without a name), `"columns"` (a table of
            numbers, read as one array `[rows, columns]`), `"dict"` or `"list"` (read as a dict of
            arrays).
        ignored: `Feature`s of columns that are left out. Defaults to none.
        target: Name of the column that is to be predicted, which is not read. Defaults to `None`.

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
    ignored: tuple[Feature, ...] = ()
    target: str | None = None

    def __post_init__(self) -> None:
        check_list("features", self.features, Feature, "a tuple of data.Feature objects", 1)
        check_list("ignored", self.ignored, Feature, "a tuple of data.Feature objects")
        or_none(check_text, "target", self.target)
        check_choice("layout", self.layout, ("array", "columns", "dict", "list"))

    @classmethod
    def infer(
        cls,
        x: Any,
        rows: int | None = None,
        separate: bool = False,
        only: Iterable[str] | None = None,
        target: str | None = None,
        kinds: Mapping[str, str] | None = None,
    ) -> "Schema":
        """Learns a schema from features.

        With `target` or `kinds`, `x` is a table, and each of its columns is taken for a number, a
        boolean, a category, a date, free text, or nothing that helps; `print(schema)` says which
        and why. `data.encoding.fit_encoding` makes a Keras model from such columns to numbers.

        Args:
            x: Array, tensor, DataFrame (of pandas or polars), Arrow table, structured array, dict
                or list of arrays, or list of rows (also dicts or named tuples).
            rows: Number of labels, if known: it tells a list of arrays from a list of rows.
            separate: Whether the columns of a table stay separate arrays, as in a dict. Defaults
                to `False`: they become one array, and must be numbers.
            only: Names of the features to keep. Defaults to `None`: all.
            target: Name of the table's column that is to be predicted. Defaults to `None`: none.
            kinds: What columns are to be taken for, by name: `"number"`, `"boolean"`,
                `"category"`, `"date"`, `"text"` or `"ignore"`. `{}` decides for all columns.
                Defaults to `None`.

        Raises:
            ValueError: The features are not arrays of numbers or strings; of a table, no column is
                of use, or one holds other values.
        """
        if target is not None or kinds is not None:
            features, ignored = learn_table(x, target, {} if kinds is None else kinds)
            return cls(features, "dict", ignored, target)
        given = unpack(x, rows)
        wanted = given.parts if only is None or given.layout == "array" else list(only)
        absent = [name for name in wanted if name not in given.parts]
        if absent:
            raise missing_error(wanted, absent, given.parts)
        layout = "dict" if separate and given.layout == "columns" else given.layout
        features = []
        for name, key in zip(wanted, safe_keys(wanted), strict=True):
            what = "features" if given.layout == "array" else f"feature '{name}'"
            array = as_array(given.parts[name], what)
            dtype, source = natural_dtype(array), given.source
            if given.layout == "columns":
                source = f"{source} ({_dtype_name(array)})"
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
    def is_table(self) -> bool:
        """Whether kinds of columns were learnt from a table."""
        return self.features[0].place is not None

    @property
    def columns(self) -> list[str]:
        """Names of all columns of the table but the target, also of those that are left out."""
        listed = [*self.features, *self.ignored]
        return [f.name for f in sorted(listed, key=lambda f: -1 if f.place is None else f.place)]

    def replace(self, kinds: Mapping[str, str] | None = None, /, **more: str) -> "Schema":
        """Returns a schema of a table with other kinds of columns.

        Args:
            kinds: New kinds by the columns' names. Defaults to `None`.
            **more: The same, for names that Python takes: `schema.replace(zip_code="category")`.

        Raises:
            ValueError: There is no such column or kind, or none is left.
        """
        features, ignored = replaced(self.features, self.ignored, {**(kinds or {}), **more})
        return dataclasses.replace(self, features=features, ignored=ignored)

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
        if self.is_table:
            x = table_of(x, self.columns)
        pairs = zip(self.features, self._match(x), strict=True)
        arrays = (feature.read(values) for feature, values in pairs)
        if self.layout == "columns":
            return join_columns(arrays, len(self.features), labels)
        found = {feature.key: array for feature, array in zip(self.features, arrays, strict=True)}
        check_lengths({len(array) for array in found.values()}, labels)
        return found if self.layout in ("dict", "list") else found[self.features[0].key]

    def _match(self, x):
        """Returns the raw values of each feature, in order."""
        if self.layout == "array":
            return array_parts(x, self.spec, lambda given: type(self).infer(given).spec)
        count = len(self.features)
        given = unpack(x, inputs=count if self.layout == "list" else None)
        if given.layout == "array":
            return parts_by_position(given.parts["features"], self.names, self.layout)
        if given.layout == "list":
            if self.layout != "list":
                raise ValueError(
                    f"The model expects features by name: {some(self.names)}. "
                    f"Received: a list of {len(given.parts)} arrays."
                )
            return list(given.parts.values())
        return parts_by_name(given.parts, self.features, [*self.columns, self.target])

    def to_json(self) -> str:
        """Returns the schema as JSON text."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Schema":
        """Restores a schema from the output of `to_json`."""
        return cls.from_dict(parse_schema(text))

    def to_dict(self) -> dict[str, Any]:
        """Returns the schema as JSON values."""
        found = {"layout": self.layout, "features": [f.to_dict() for f in self.features]}
        if self.ignored:
            found["ignored"] = [f.to_dict() for f in self.ignored]
        return found if self.target is None else {**found, "target": self.target}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Schema":
        """Restores a schema from the output of `to_dict`."""
        check_values(values, {field.name for field in dataclasses.fields(Feature)})
        features, ignored = (
            tuple(
                Feature(**{**each, "shape": tuple(each["shape"])}) for each in values.get(key, ())
            )
            for key in ("features", "ignored")
        )
        return cls(features, values["layout"], ignored, values.get("target"))

    def _text_options(self) -> dict[str, Any]:
        return {"justify": "left", "max_colwidth": 100} if self.is_table else {}

    def _parts(self) -> list[Any]:
        import pandas as pd

        if self.is_table:
            return [describe_table(self.features, self.ignored)]
        table = [{**f.to_dict(), "shape": str(list(f.shape)), "missing": f.missing or "no"}
                 for f in self.features]  # fmt: skip
        return [pd.DataFrame(table)]


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
