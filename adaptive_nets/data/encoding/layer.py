"""`TableEncoding`: the layer from raw columns to numbers, categories and tokens."""

from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf

from adaptive_nets._checks import check_choice, check_dict, check_integer, check_list, check_nesting
from adaptive_nets.data.columns.number_text import MISSING_CATEGORIES, missing_pattern
from adaptive_nets.data.columns.values import MISSING_INTEGER
from adaptive_nets.data.encoding import dates, keys
from adaptive_nets.data.encoding.number_text import parse_numbers
from adaptive_nets.data.encoding.plan import Plan, places_of
from adaptive_nets.data.encoding.tokens import token_ids
from adaptive_nets.data.schema import Schema

_NAN = float("nan")
_LARGEST = float(np.finfo("float32").max)


@keras.saving.register_keras_serializable(package="adaptive_nets")
class TableEncoding(keras.Layer):
    """Encodes the columns of a table. `fit_encoding` makes a model of it.

    Args:
        schema: The schema of the table, as `Schema.to_dict` returns it.
        parts: For each date, by its key, the parts that repeat: `"month"`, `"day"`, `"weekday"`,
            `"hour"` and `"minute"`.
        gaps: Keys of the numbers and dates that had missing values in the training data.
        known: Number of values that are known of all categories. Defaults to 0.
        length: Number of tokens of a text. Defaults to 0.
        **kwargs: Arguments of `keras.Layer`.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        check_nesting(args, kwargs)
        return super().__new__(cls, *args, **kwargs)

    def __init__(
        self,
        schema: dict[str, Any],
        parts: dict[str, list[str]],
        gaps: list[str],
        known: int = 0,
        length: int = 0,
        **kwargs: Any,
    ):
        kwargs = {"dtype": "float32", "trainable": False, **kwargs}
        super().__init__(autocast=False, **kwargs)
        self.supports_jit = False
        self.schema = Schema.from_dict(schema)
        named = [feature.key for feature in self.schema.features]
        self.parts = check_dict("parts", parts, list, "a dict of lists of names by key")
        for name in [part for found in self.parts.values() for part in found]:
            check_choice("parts", name, dates.PARTS)
        self.gaps = check_list("gaps", gaps, str, "a list of keys")
        for name in [*self.gaps, *self.parts]:
            check_choice("key", name, named)
        self.known = check_integer("known", known, 0)
        self.length = check_integer("length", length, 0)
        self.plan = Plan.of(self.schema, self.parts, self.gaps)

    def build(self, input_shape: Any) -> None:
        """Creates what is learnt from training rows, all of it constant later."""
        count = len(self.plan.numbers)
        whole = len(self.plan.whole_numbers)
        sizes = {
            "center": (count, "float64"), "scale": (count, "float64"), "zero": (whole, "int64"),
            "keys": (self.known, "int64"), "codes": (self.known, "int32"),
        }  # fmt: skip
        self.learnt = {
            name: self.add_weight(
                shape=(size,), dtype=dtype, initializer="zeros", trainable=False, name=name
            )
            for name, (size, dtype) in sizes.items()
            if size
        }
        self.built = True

    def call(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns what is in the columns, as tensors by `"numbers"`, `"categories"` and so on."""
        read = RawColumns(self.plan, inputs)
        found = {}
        if self.plan.numbers:
            values = read.numbers(self._learnt("zero"))
            missing = tf.math.is_nan(values)
            scaled = (values - self._learnt("center")) / self._learnt("scale")
            scaled = tf.where(missing, tf.zeros_like(scaled), scaled)
            scaled = tf.clip_by_value(scaled, -_LARGEST, _LARGEST)
            if self.plan.waves:
                scaled = tf.concat([scaled, dates.waves(read.seconds, self.plan.waves)], axis=1)
            found["numbers"] = tf.cast(scaled, "float32")
            if self.plan.gaps:
                chosen = tf.gather(missing, self.plan.gaps, axis=1)
                found["missing"] = tf.cast(chosen, "float32")
        width = len(self.plan.categories)
        if width or self.plan.codes:
            raw, absent = read.keys()
            codes = keys.find_codes(
                keys.salted(raw), absent, self._learnt("keys"), self._learnt("codes")
            )
            if width:
                found["categories"] = codes[:, :width]
            if self.plan.codes:
                found["codes"] = codes[:, width:]
        if self.plan.texts:
            texts = tf.reshape(read.stacked(self.plan.texts), [-1])
            ids = token_ids(texts, self.length)
            found["tokens"] = tf.reshape(ids, [-1, len(self.plan.texts), self.length])
        return found

    def _learnt(self, name):
        return tf.convert_to_tensor(self.learnt[name]) if name in self.learnt else None

    def compute_output_spec(self, inputs: Any) -> dict[str, keras.KerasTensor]:
        """Returns shapes and dtypes of what `call` returns."""
        plan = self.plan
        sizes = {
            "numbers": ((len(plan.numbers) + 2 * len(plan.waves),), "float32"),
            "missing": ((len(plan.gaps),), "float32"),
            "categories": ((len(plan.categories),), "int32"),
            "codes": ((len(plan.codes),), "int32"),
            "tokens": ((len(plan.texts), self.length), "int32"),
        }
        return {
            name: keras.KerasTensor((None, *shape), dtype)
            for name, (shape, dtype) in sizes.items()
            if shape[0]
        }

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments as JSON values."""
        return {
            **super().get_config(),
            "schema": self.schema.to_dict(),
            "parts": {key: list(names) for key, names in self.parts.items()},
            "gaps": list(self.gaps),
            "known": self.known,
            "length": self.length,
        }


class RawColumns:
    """The columns of a table as tensors of the same kind side by side.

    Args:
        plan: Which columns there are.
        inputs: Tensors `[rows, 1]` by key.
    """

    def __init__(self, plan: Plan, inputs: dict[str, tf.Tensor]):
        self.plan = plan
        self.inputs = {
            key: tensor if tensor.shape.rank == 2 else tf.reshape(tensor, [-1, 1])
            for key, tensor in inputs.items()
        }
        self.seconds = self._seconds()

    def stacked(self, names: list[str]) -> tf.Tensor:
        """Returns columns of one dtype side by side."""
        return tf.concat([self.inputs[name] for name in names], axis=1)

    def _seconds(self):
        """Returns float64 `[rows, dates]`, or `None`."""
        found = []
        if self.plan.times:
            found.append(dates.seconds_of_times(self.stacked(self.plan.times)))
        if self.plan.days:
            found.append(dates.seconds_of_days(self.stacked(self.plan.days)))
        for style, names in self.plan.date_texts.items():
            found.append(dates.seconds_of_text(self.stacked(names), style))
        return tf.concat(found, axis=1) if found else None

    def numbers(self, zero: tf.Tensor | None) -> tf.Tensor:
        """Returns float64 `[rows, numbers]`, NaN where values are missing.

        Args:
            zero: What whole numbers that need 64 bits are counted from, or `None`.
        """
        found = [self.plain_numbers] if self.plan.plain_numbers else []
        if self.plan.whole_numbers:
            found.append(_distance(self.stacked(self.plan.whole_numbers), zero))
        found += self.text_numbers
        if self.seconds is not None:
            found.append(self.seconds)
        return _chosen(tf.concat(found, axis=1), self.plan.numbers, self.plan.parsed_numbers)

    @property
    def plain_numbers(self) -> tf.Tensor:
        """float64 `[rows, numbers]` that are numbers in the table too."""
        return tf.cast(self.stacked(self.plan.plain_numbers), "float64")

    @property
    def text_numbers(self) -> list[tf.Tensor]:
        """float64 `[rows, numbers]` of numbers that are text, for each way to write them."""
        return [
            parse_numbers(self.stacked(names), style)
            for style, names in self.plan.number_texts.items()
        ]

    def keys(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the keys of categories, then of codes, and which of them are missing.

        Both are `[rows, categories + codes]`, in the order of the table.
        """
        found = []
        if self.plan.words:
            words = self.stacked(self.plan.words)
            gone = tf.strings.regex_full_match(words, missing_pattern(MISSING_CATEGORIES))
            found.append((keys.text_keys(words), gone))
        for names in (self.plan.float_categories, self.plan.float_codes):
            if names:
                found.append(_of_floats(tf.cast(self.stacked(names), "float64")))
            if names is self.plan.float_categories:
                found += self._whole(self.plan.whole_categories)
        for style, names in self.plan.text_codes.items():
            found.append(_of_floats(parse_numbers(self.stacked(names), style)))
        found += self._whole(self.plan.whole_codes)
        raw, absent = zip(*found, strict=True)
        wanted = [*self.plan.categories, *self.plan.codes]
        return tuple(
            _chosen(tf.concat(kind, axis=1), wanted, self.plan.parsed_keys)
            for kind in (raw, absent)
        )

    def _whole(self, names):
        if not names:
            return []
        values = self.stacked(names)
        return [(values, tf.equal(values, MISSING_INTEGER))]


def _chosen(tensor, names, among):
    places = places_of(names, among)
    return tensor if places is None else tf.gather(tensor, places, axis=1)


def _of_floats(values):
    return keys.float_keys(values), tf.math.is_nan(values)


def _distance(values, zero):
    """Returns whole numbers less a number, exact where that fits in 53 bits; or NaN."""
    # A difference that needs more than 64 bits would wrap.
    far = tf.constant(2**62, "int64")
    least = tf.maximum(zero, -far) - far
    most = tf.minimum(zero, far - 1) + far
    near = tf.cast(tf.clip_by_value(values, least, most) - zero, "float64")
    return tf.where(tf.equal(values, MISSING_INTEGER), tf.constant(_NAN, "float64"), near)
