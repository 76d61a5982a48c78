"""Keras layers for `tf.feature_column` objects: `DenseColumns` and `LinearColumns`."""

import copy
import re
from typing import Any

import keras
import tensorflow as tf

from adaptive_nets._checks import check_choice, check_dict, check_integer
from adaptive_nets.estimator.columns.check import check_description
from adaptive_nets.estimator.columns.describe import (
    Description,
    describe_columns,
    keys_of,
    size_of,
    width_of,
)
from adaptive_nets.estimator.columns.ids import (
    CATEGORICAL,
    buckets_of,
    ids_of,
    looked_up,
    numbers_of,
    one_hot,
)
from adaptive_nets.serialization import make_object


def _weight_name(name):
    """Returns a column's name as variables may have it."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name).lstrip("_-") or "column"


class _Columns(keras.layers.Layer):
    """What both layers share: descriptions of columns, and the features that they read."""

    def __init__(self, feature_columns: Any, **kwargs: Any) -> None:
        # Features are whole numbers and strings too, and numbers that half precision cannot hold.
        super().__init__(autocast=False, **kwargs)
        described = isinstance(feature_columns, list) and all(
            isinstance(each, dict) for each in feature_columns
        )
        if described and feature_columns:
            self.columns = [check_description(each) for each in copy.deepcopy(feature_columns)]
        else:
            self.columns = describe_columns(feature_columns)

    @property
    def keys(self) -> list[str]:
        """Names of the features that the columns read, in alphabetical order."""
        return sorted({key for each in self.columns for key in keys_of(each)})

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "feature_columns": copy.deepcopy(self.columns)}

    def _check(self, inputs):
        check_dict("inputs", inputs, object, "a dict of features by name", 1)
        lacking = [key for key in self.keys if key not in inputs]
        if lacking:
            raise ValueError(
                f"The feature columns read {', '.join(self.keys)}. "
                f"Received: features {', '.join(sorted(inputs))}, without {', '.join(lacking)}."
            )


@keras.saving.register_keras_serializable(package="adaptive_nets")
class DenseColumns(_Columns):
    """Encodes features as one tensor of numbers, as `tf.feature_column` objects say.

    It computes what `DenseFeatures` and `tf.compat.v1.feature_column.input_layer` did: the columns
    side by side, in the order of their names.

    Args:
        feature_columns: Dense columns: `numeric_column`, `bucketized_column`, `indicator_column`,
            `embedding_column`, `shared_embeddings`; or what `get_config` returned.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        TypeError: There is something else than feature columns.
        ValueError: A column is categorical or cannot be translated.

    Example:

    ```python
    import tensorflow as tf
    from adaptive_nets import estimator as est

    age = tf.feature_column.numeric_column("age")
    job = tf.feature_column.categorical_column_with_vocabulary_list("job", ["cook", "pilot"])
    encode = est.columns.DenseColumns([age, tf.feature_column.indicator_column(job)])
    encode({"age": tf.constant([30.0, 40.0]), "job": tf.constant(["pilot", "cook"])})
    ```
    """

    def __init__(self, feature_columns: Any, **kwargs: Any) -> None:
        super().__init__(feature_columns, **kwargs)
        for each in self.columns:
            if each["kind"] in CATEGORICAL and each["kind"] != "bucketized":
                raise ValueError(
                    "Dense columns are needed here: wrap a categorical column by "
                    "tf.feature_column.indicator_column or embedding_column. "
                    f"Received: '{each['name']}', a {each['kind']} column."
                )
        self._tables: dict[str, keras.Variable] = {}

    def build(self, input_shape: Any) -> None:
        for each in self.columns:
            if each["kind"] != "embedding" or each["table"] in self._tables:
                continue
            self._tables[each["table"]] = self.add_weight(
                shape=(size_of(each), each["dimension"]),
                initializer=make_object(copy.deepcopy(each["initializer"]), "initializer"),
                trainable=each["trainable"],
                name=_weight_name(each["table"]),
            )
        self.built = True

    def call(self, inputs: dict[str, Any]) -> Any:
        self._check(inputs)
        parts = [self._encoded(each, inputs) for each in self.columns]
        return tf.cast(tf.concat(parts, axis=1), self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, int]:
        return None, sum(width_of(each) for each in self.columns)

    def _encoded(self, each: Description, inputs):
        kind, width = each["kind"], width_of(each)
        if kind == "numeric":
            return tf.reshape(numbers_of(each, inputs), [-1, width])
        if kind == "bucketized":
            found = tf.one_hot(buckets_of(each, inputs), len(each["boundaries"]) + 1)
            return tf.reshape(found, [-1, width])
        ids = ids_of(each["of"], inputs)
        if kind == "indicator":
            return tf.reshape(one_hot(ids, width), [-1, width])
        table = tf.convert_to_tensor(self._tables[each["table"]].value)
        table = tf.cast(table, tf.float32)
        return looked_up(table, ids, each["combiner"], each["max_norm"])


@keras.saving.register_keras_serializable(package="adaptive_nets")
class LinearColumns(_Columns):
    """A linear model of features, as `tf.feature_column` objects say.

    It computes what `tf.estimator`'s linear models did: each value of a categorical column and
    each number of a dense column has a weight per output. All weights begin at 0.

    Args:
        units: Number of outputs.
        feature_columns: Categorical or dense columns.
        sparse_combiner: How the weights of several values in a row are combined: `"sum"`,
            `"mean"` or `"sqrtn"`. Defaults to `"sum"`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        TypeError: There is something else than feature columns.
        ValueError: A column cannot be translated, or a setting is out of range.

    Example:

    ```python
    import tensorflow as tf
    from adaptive_nets import estimator as est

    jobs = tf.feature_column.categorical_column_with_hash_bucket("job", 10)
    logits = est.columns.LinearColumns(1, [jobs])({"job": tf.constant([["cook"], ["pilot"]])})
    ```
    """

    def __init__(
        self, units: int, feature_columns: Any, sparse_combiner: str = "sum", **kwargs: Any
    ) -> None:
        super().__init__(feature_columns, **kwargs)
        self.units = check_integer("units", units, 1)
        combiners = ("sum", "mean", "sqrtn")
        self.sparse_combiner = check_choice("sparse_combiner", sparse_combiner, combiners)
        dense = [each for each in self.columns if each["kind"] not in CATEGORICAL]
        self._dense = DenseColumns(dense, dtype=self.dtype_policy) if dense else None
        self._weights: dict[str, keras.Variable] = {}

    def build(self, input_shape: Any) -> None:
        if self._dense is not None:
            self._dense.build(input_shape)
        for each in self.columns:
            size = size_of(each) if each["kind"] in CATEGORICAL else width_of(each)
            self._weights[each["name"]] = self.add_weight(
                shape=(size, self.units),
                initializer="zeros",
                name=_weight_name(each["name"]),
            )
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")
        self.built = True

    def call(self, inputs: dict[str, Any]) -> Any:
        self._check(inputs)
        total = tf.cast(tf.convert_to_tensor(self.bias.value), tf.float32)
        if self._dense is not None:
            dense = [w for each in self._dense.columns for w in [self._weights[each["name"]]]]
            kernel = tf.concat([tf.cast(w.value, tf.float32) for w in dense], axis=0)
            total = total + tf.matmul(tf.cast(self._dense(inputs), tf.float32), kernel)
        for each in self.columns:
            if each["kind"] in CATEGORICAL:
                weights = tf.convert_to_tensor(self._weights[each["name"]].value)
                weights = tf.cast(weights, tf.float32)
                found = looked_up(weights, ids_of(each, inputs), self.sparse_combiner)
                total = total + found
        return tf.cast(total, self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, int]:
        return None, self.units

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "sparse_combiner": self.sparse_combiner,
        }
