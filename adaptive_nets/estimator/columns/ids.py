"""Categorical columns as the ids of their values, in sparse tensors, as TensorFlow has them.

A value that is missing (an empty string, or -1) has no id; one that is not in a vocabulary has the
column's default, which may be -1.
"""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from adaptive_nets.estimator.columns.describe import Description, width_of
from adaptive_nets.estimator.columns.normalizers import normalized

# What 64-bit hashes are taken of, so that words need no table.
_BUCKETS = 2**63 - 1


class Ids(NamedTuple):
    """Ids of the values in each row.

    Args:
        ids: int64 `tf.SparseTensor`.
        weights: Their weights, a float32 `tf.SparseTensor`, or `None`.
    """

    ids: tf.SparseTensor
    weights: tf.SparseTensor | None = None


def numbers_of(description: Description, features: dict[str, Any]) -> tf.Tensor:
    """Returns the float32 `[rows, ...]` values of a numeric column."""
    key = description["key"]
    values = _feature(features, key)
    if isinstance(values, tf.SparseTensor):
        raise ValueError(
            f"Numeric column '{key}' needs a dense tensor. Received: a SparseTensor. Use "
            "tf.io.FixedLenFeature or tf.sparse.to_dense."
        )
    if values.dtype == tf.string:
        raise ValueError(f"Numeric column '{key}' needs numbers. Received: strings.")
    shape = description["shape"]
    given = values.shape[1:]
    fits = given.is_compatible_with(shape) or (
        given.num_elements() == 1 and width_of(description) == 1
    )
    if not fits:
        raise ValueError(
            f"Numeric column '{key}' needs values of shape {[None, *shape]}. "
            f"Received: {[None, *given]}."
        )
    values = tf.reshape(values, [-1, *shape])
    if "normalizer" in description:
        values = normalized(description["normalizer"], values)
    return tf.cast(values, tf.float32)


def buckets_of(description: Description, features: dict[str, Any]) -> tf.Tensor:
    """Returns the int64 `[rows, numbers]` buckets of a bucketized column."""
    values = numbers_of(description["of"], features)
    boundaries = tf.constant(np.asarray(description["boundaries"], "float32"))
    places = tf.searchsorted(boundaries, tf.reshape(values, [-1]), side="right", out_type="int64")
    return tf.reshape(places, tf.shape(values))


def ids_of(description: Description, features: dict[str, Any]) -> Ids:
    """Returns the ids of a categorical column."""
    return _KINDS[description["kind"]](description, features)


def _feature(features, key):
    if key not in features:
        raise ValueError(
            f"A feature column reads the feature '{key}'. Received: features "
            f"{', '.join(sorted(features))}."
        )
    values = features[key]
    if isinstance(values, tf.RaggedTensor):
        values = values.to_sparse()
    if not isinstance(values, tf.SparseTensor):
        values = tf.convert_to_tensor(values)
        if values.shape.rank in (0, 1):
            values = tf.reshape(values, [-1, 1])
    return values


def _sparse(features, key, ignored=None):
    """Returns a feature without its missing values."""
    values = _feature(features, key)
    if isinstance(values, tf.SparseTensor):
        return values
    if ignored is None:
        ignored = "" if values.dtype == tf.string else -1 if values.dtype.is_integer else 0
    where = tf.where(tf.not_equal(values, tf.cast(ignored, values.dtype)
                                  if values.dtype != tf.string else ignored))  # fmt: skip
    found = tf.gather_nd(values, where)
    return tf.SparseTensor(where, found, tf.shape(values, out_type=tf.int64))


def _category(description, features):
    key, dtype = description["key"], description.get("dtype", "int64")
    found = _sparse(features, key)
    text = found.dtype == tf.string
    if text != (dtype == "string") or not (text or found.dtype.is_integer):
        wanted = "strings" if dtype == "string" else "whole numbers"
        raise ValueError(
            f"Categorical column '{key}' has dtype {dtype} and needs {wanted}. "
            f"Received: {found.dtype.name}."
        )
    return found


def _with(sparse, values):
    return tf.SparseTensor(sparse.indices, values, sparse.dense_shape)


def _text(values):
    return values if values.dtype == tf.string else tf.as_string(values)


def _hash(description, features):
    found = _category(description, features)
    values = tf.strings.to_hash_bucket_fast(_text(found.values), description["buckets"])
    return Ids(_with(found, values))


def _vocabulary(description, features):
    found = _category(description, features)
    words, oov = description["words"], description["oov"]
    keys, values = found.values, found.values
    if keys.dtype == tf.string:
        known = tf.strings.to_hash_bucket_fast(tf.constant(words), _BUCKETS)
        keys = tf.strings.to_hash_bucket_fast(keys, _BUCKETS)
    else:
        known, keys = tf.constant(words, tf.int64), tf.cast(keys, tf.int64)
    order = tf.argsort(known)
    ordered = tf.gather(known, order)
    place = tf.minimum(tf.searchsorted(ordered, keys), len(words) - 1)
    inside = tf.equal(tf.gather(ordered, place), keys)
    unknown = tf.fill(tf.shape(keys), tf.constant(description["default"], tf.int64))
    if oov:
        text = _text(values if values.dtype == tf.string else tf.cast(values, tf.int64))
        unknown = len(words) + tf.strings.to_hash_bucket_fast(text, oov)
    ids = tf.where(inside, tf.cast(tf.gather(order, place), tf.int64), unknown)
    return Ids(_with(found, ids))


def _identity(description, features):
    found = _category(description, features)
    values, buckets = tf.cast(found.values, tf.int64), description["buckets"]
    outside = (values < 0) | (values >= buckets)
    if description["default"] is not None:
        values = tf.where(outside, tf.constant(description["default"], tf.int64), values)
        return Ids(_with(found, values))
    # Without a default, TensorFlow's columns fail too.
    fine = tf.debugging.Assert(
        ~tf.reduce_any(outside),
        [f"'{description['key']}' must be from 0 to {buckets - 1}, as its column has no "
         "default_value. Received:", tf.boolean_mask(values, outside)[:1]],
    )  # fmt: skip
    with tf.control_dependencies([] if fine is None else [fine]):
        return Ids(_with(found, tf.identity(values)))


def _bucketized(description, features):
    places = buckets_of(description, features)
    count = len(description["boundaries"]) + 1
    ids = places + count * tf.range(tf.shape(places)[1], dtype=tf.int64)
    where = tf.where(tf.ones_like(ids, tf.bool))
    return Ids(tf.SparseTensor(where, tf.reshape(ids, [-1]), tf.shape(ids, out_type=tf.int64)))


def _cross(description, features):
    crossed = []
    for leaf in description["of"]:
        if isinstance(leaf, str):
            # As TensorFlow has it, a cross takes a dense feature whole: missing is a value.
            found = _feature(features, leaf)
            if found.dtype.is_floating:
                raise ValueError(
                    f"Crossed feature '{leaf}' must be strings or whole numbers: cross a "
                    f"bucketized_column of it. Received: {found.dtype.name}."
                )
            if found.dtype != tf.string:
                found = tf.cast(found, tf.int64)
        else:
            found = ids_of(leaf, features).ids
        crossed.append(found)
    found = tf.sparse.cross_hashed(
        crossed, num_buckets=description["buckets"], hash_key=description["hash_key"]
    )
    return Ids(found)


def _weighted(description, features):
    found, key = ids_of(description["of"], features), description["weight"]
    weights = _sparse(features, key, 0)
    if weights.dtype == tf.string:
        raise ValueError(
            f"Weights '{key}' of a weighted column must be numbers. Received: strings."
        )
    here, there = found.ids.indices, weights.indices
    same = tf.cond(
        tf.shape(here)[0] == tf.shape(there)[0],
        lambda: tf.reduce_all(here == there),
        lambda: tf.constant(False),
    )
    message = (
        f"'{key}' must have a weight for each value of the weighted column, and none elsewhere; 0 "
        "is no weight. Received: weights at other places."
    )
    fine = tf.debugging.Assert(same, [message])
    with tf.control_dependencies([] if fine is None else [fine]):
        return Ids(found.ids, _with(weights, tf.cast(weights.values, tf.float32)))


_KINDS = {
    "hash": _hash,
    "vocabulary": _vocabulary,
    "identity": _identity,
    "bucketized": _bucketized,
    "cross": _cross,
    "weighted": _weighted,
}
CATEGORICAL = tuple(_KINDS)


def one_hot(ids: Ids, size: int) -> tf.Tensor:
    """Returns float32 `[rows, size]`: how often each id is in a row, or the sum of its weights."""
    rows = ids.ids.indices[:, 0]
    values, counted = ids.ids.values, None
    if ids.weights is not None:
        counted = ids.weights.values
    inside = (values >= 0) & (values < size)
    rows, values = tf.boolean_mask(rows, inside), tf.boolean_mask(values, inside)
    counted = (
        tf.ones_like(values, tf.float32) if counted is None else tf.boolean_mask(counted, inside)
    )
    shape = tf.stack([ids.ids.dense_shape[0], tf.constant(size, tf.int64)])
    return tf.scatter_nd(tf.stack([rows, values], axis=1), counted, shape)


def looked_up(
    table: tf.Tensor, ids: Ids, combiner: str, max_norm: float | None = None
) -> tf.Tensor:
    """Returns the combined rows of a table for the ids in each row; zeros where there are none."""
    found = tf.nn.safe_embedding_lookup_sparse(
        table, ids.ids, ids.weights, combiner=combiner, max_norm=max_norm
    )
    return tf.reshape(found, [-1, table.shape[-1]])
