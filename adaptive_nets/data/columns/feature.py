"""`Feature`: what is known of one feature, and how its values are read."""

import dataclasses
from typing import Any

import numpy as np

from adaptive_nets.data.columns.reading import read_column
from adaptive_nets.data.columns.values import MISSING_INTEGER
from adaptive_nets.data.specs import FeatureSpec, check_feature
from adaptive_nets.data.values import as_array, cast_exactly, check_finite, natural_dtype


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
        kind: `"number"`, `"boolean"` or `"text"`; of a column of a table also `"category"`,
            `"date"` or `"ignore"`.
        dtype: Dtype that values are read as; `"string"` for text.
        shape: Shape without rows; `()` for one value per row.
        missing: Whether values may be missing: NaN, `None`, and what pandas and Arrow have for
            them. They are NaN among floating-point numbers, `""` among strings, and the least
            int64 among whole numbers and times. Defaults to `False`.
        source: Where it came from. Defaults to `"array"`.
        code: Whether a number also stands as a category. Defaults to `False`.
        style: How numbers and dates are written as text: `"1234.5"`, `"1,234.5"`, `"1.234,5"`,
            `"1 234.5"`, `"1 234,5"`, `"h:m:s"`, `"ymd"`, `"dmy"`, `"mdy"`, or `"dby"` or `"bdy"`
            with months by name. Also `"ymd"` for dates as whole numbers, such as 20141013, and
            `"h:m:s"` for seconds that came as durations or times of day.
            Defaults to `None`: they are not text.
        reason: Why the column was taken for its kind. Defaults to `""`.
        missing_share: Share of missing values in the training data. Defaults to 0.
        distinct: Number of different values in the training data. Defaults to `None`: not counted.
        place: Number of the column in the table that it was learnt from. Defaults to `None`.
    """

    name: str
    key: str
    kind: str
    dtype: str
    shape: tuple[int, ...]
    missing: bool = False
    source: str = "array"
    code: bool = False
    style: str | None = None
    reason: str = ""
    missing_share: float = 0.0
    distinct: int | None = None
    place: int | None = None

    def __post_init__(self) -> None:
        check_feature(self)

    @property
    def spec(self) -> FeatureSpec:
        """The spec for models, which take one value per row as shape `(1,)`."""
        return FeatureSpec(self.shape or (1,), self.dtype)

    @property
    def missing_value(self) -> float | int | str:
        """What stands for a missing value, in a feature that may have them."""
        if self.dtype == "string":
            return ""
        return float("nan") if np.dtype(self.dtype).kind == "f" else MISSING_INTEGER

    def read(self, values: Any) -> np.ndarray:
        """Returns values as an array `[rows, ...]` of this feature's dtype, or raises."""
        what = "features" if self.source == "array" else f"feature '{self.name}'"
        if self.missing and self.shape == ():
            found = read_column(values, self.kind, self.dtype, self.style, what, self.missing_share)
            check_finite(found, self.name, True)
            return found.reshape(-1, 1)
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

    def to_dict(self) -> dict[str, Any]:
        """Returns the feature as JSON values, without what columns of tables have alone."""
        plain = {"name", "key", "kind", "dtype", "shape", "missing", "source"}
        fields = dataclasses.asdict(self) | {"shape": list(self.shape)}
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        return {n: v for n, v in fields.items() if n in plain or v != defaults[n]}
