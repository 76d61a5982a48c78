"""What feature columns ask of an `input_fn` and a receiver: the features they read, and no more."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import keras

from adaptive_nets._checks import show
from adaptive_nets.data.datasets import is_dataset
from adaptive_nets.estimator import inputs
from adaptive_nets.estimator.columns.describe import keys_of
from adaptive_nets.estimator.config import RunConfig
from adaptive_nets.estimator.mode_keys import ModeKeys
from adaptive_nets.serving import ServingInputReceiver


@dataclasses.dataclass(frozen=True)
class ColumnDoor:
    """Chooses the features that columns read, in the dtypes that they have wherever they are read.

    Args:
        columns: Descriptions of feature columns.
        weight_column: Name of the feature that holds the weights of rows. Defaults to `None`.
        keeps_others: Whether other features are passed on. Defaults to `False`.
    """

    columns: list[dict[str, Any]]
    weight_column: str | None = None
    keeps_others: bool = False

    @property
    def dtypes(self) -> dict[str, str | None]:
        """Dtypes by the name of the feature; `None`: whole numbers or strings."""
        found: dict[str, str | None] = {}
        for column in self.columns:
            for key, dtype in _dtypes(column):
                found[key] = _common(found[key], dtype) if key in found else dtype
        return found

    def function(self, input_fn: Callable) -> Callable:
        """Returns an `input_fn` that gives what the columns read of what another gives."""

        def given(mode: str, config: RunConfig, params: Any) -> Any:
            found = inputs.call(input_fn, mode, config, params)
            labelled = mode != ModeKeys.PREDICT
            if is_dataset(found):
                spec = found.element_spec
                features = spec[0] if isinstance(spec, tuple) else spec
                self._check_names(features)
                if isinstance(spec, tuple):
                    return found.map(lambda *batch: self._batch(batch, labelled))
                return found.map(lambda features: self._batch((features,), False)[0])
            parts = tuple(found) if isinstance(found, tuple | list) else (found,)
            parts = (self._by_name(parts[0]), *parts[1:])
            self._check_names(parts[0])
            # Arrays, as tensors outside a dataset are taken for one batch of many.
            read = keras.tree.map_structure(_as_array, self._batch(parts, labelled))
            return read if isinstance(found, tuple | list) else read[0]

        return given

    def receiver(self, receiver_fn: Callable, shapes: Mapping[str, tuple]) -> Callable:
        """Returns a `serving_input_receiver_fn` whose features are those that the columns read.

        Args:
            receiver_fn: What the script passes.
            shapes: Shape of a row of each feature in training, by name.
        """

        def receive() -> Any:
            found = receiver_fn()
            features = getattr(found, "features", None)
            if not isinstance(features, dict):
                return found
            lacking = [key for key in self.dtypes if key not in features]
            if lacking:
                raise ValueError(
                    "serving_input_receiver_fn must give the features that the columns read: "
                    f"{', '.join(self.dtypes)}. Received: {', '.join(map(str, features))}, without "
                    f"{', '.join(lacking)}."
                )
            names = features if self.keeps_others else self.dtypes
            read = {
                key: self._as_read(key, features[key], _width(shapes.get(key))) for key in names
            }
            others = getattr(found, "receiver_tensors_alternatives", None)
            return ServingInputReceiver(read, found.receiver_tensors, others)

        return receive

    def _by_name(self, features):
        if hasattr(features, "columns") and hasattr(features, "__getitem__"):
            # A DataFrame.
            return {str(name): features[name].to_numpy() for name in features.columns}
        return features

    def _check_names(self, features):
        if not isinstance(features, dict):
            raise ValueError(
                "Feature columns read features by name: input_fn must return a dict of them. "
                f"Received: {show(features)}."
            )
        lacking = [key for key in self.dtypes if key not in features]
        if lacking:
            raise ValueError(
                f"The feature columns read {', '.join(self.dtypes)}. Received: features "
                f"{', '.join(map(str, features))}, without {', '.join(lacking)}."
            )

    def _batch(self, batch, labelled):
        """Returns features, labels and weights of one batch."""
        import tensorflow as tf

        features, rest = batch[0], tuple(batch[1:])
        names = features if self.keeps_others else self.dtypes
        read = {key: self._as_read(key, features[key]) for key in names if key != self.weight_column
                or key in self.dtypes}  # fmt: skip
        if not labelled or self.weight_column is None:
            return read, *rest
        if self.weight_column not in features:
            raise ValueError(
                f"weight_column '{self.weight_column}' must be a feature. "
                f"Received: features {', '.join(map(str, features))}."
            )
        if len(rest) > 1:
            raise ValueError(
                "Pass only one of weight_column and a third element of input_fn, which holds "
                f"weights too. Received: weight_column='{self.weight_column}' and weights."
            )
        weights = tf.cast(tf.convert_to_tensor(features[self.weight_column]), tf.float32)
        return read, *rest, tf.reshape(weights, [-1])

    def _as_read(self, key, values, width=None):
        import tensorflow as tf

        if isinstance(values, tf.RaggedTensor):
            values = values.to_sparse()
        if not isinstance(values, tf.SparseTensor):
            values = tf.convert_to_tensor(values)
        if values.dtype != tf.string:
            wanted = self.dtypes.get(key) or (
                "int64" if values.dtype.is_integer and key in self.dtypes else values.dtype
            )
            if wanted != "string" and not (wanted == "int64" and values.dtype.is_floating):
                values = tf.cast(values, wanted)
        if isinstance(values, tf.SparseTensor):
            values = _dense(key, values, width)
        return values


def _dense(key, sparse, width):
    """Returns a dense tensor in which missing values are those that categorical columns drop."""
    import tensorflow as tf

    missing = "" if sparse.dtype == tf.string else tf.cast(
        -1 if sparse.dtype.is_integer else 0, sparse.dtype
    )  # fmt: skip
    dense = tf.sparse.to_dense(sparse, missing)
    if width is None:
        return dense
    longest = tf.shape(dense)[1]
    fits = tf.debugging.Assert(
        longest <= width, [f"'{key}' must have at most {width} values a row. Received:", longest]
    )
    with tf.control_dependencies([] if fits is None else [fits]):
        dense = tf.pad(
            dense, [[0, 0], [0, tf.maximum(width - longest, 0)]], constant_values=missing
        )
    return tf.ensure_shape(dense[:, :width], [None, width])


def _common(one, other):
    """Returns the dtype in which two columns can read one feature."""
    if one == other:
        return one
    # What is a category somewhere must stay as it is; a cross takes whole numbers and strings.
    if one is None or other is None:
        known = one or other
        return known if known in ("string", "int64") else None
    for kind in ("string", "int64"):
        if kind in (one, other):
            return kind
    return "float64"


def _width(shape):
    if shape is None or len(shape) > 1:
        return None
    return shape[0] if shape else 1


def _dtypes(column):
    """Yields the features that a column reads, with their dtypes."""
    kind = column["kind"]
    if kind == "cross":
        for leaf in column["of"]:
            yield from [(leaf, None)] if isinstance(leaf, str) else _dtypes(leaf)
    elif kind == "weighted":
        yield from _dtypes(column["of"])
        yield column["weight"], "float32"
    elif "of" in column:
        yield from _dtypes(column["of"])
    elif kind == "numeric":
        yield column["key"], column["dtype"]
    else:
        dtype = column.get("dtype", "int64")
        for key in keys_of(column):
            yield key, "string" if dtype == "string" else "int64"


def shapes_of(schema: Any) -> dict[str, tuple]:
    """Returns the shape of a row of each feature of a schema, by name."""
    return {feature.name: tuple(feature.shape) for feature in schema.features}


def _as_array(values):
    return values.numpy() if keras.ops.is_tensor(values) else values
