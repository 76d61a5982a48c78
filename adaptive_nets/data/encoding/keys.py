"""Categories of many columns as numbers, and their codes, found in one sorted array.

A value's key is a 64-bit number: the FarmHash of a text, the bits of a float64, or a whole number
itself. Keys are multiplied by an odd number, which loses nothing, and moved by a number for each
column, so that the keys of all columns lie in one array. Two values of a column share a key only
if their texts share a 64-bit hash.
"""

from typing import Any

import numpy as np
import tensorflow as tf

# Codes that are no known value's.
MISSING, UNSEEN, RARE, FIRST = 0, 1, 2, 3
# The odd factor of splitmix64, and the step between the columns, as signed numbers.
_FACTOR, _STEP = 0xBF58476D1CE4E5B9 - 2**64, 0x9E3779B97F4A7C15 - 2**64
_BUCKETS = 2**63 - 1


def text_keys(texts: tf.Tensor) -> tf.Tensor:
    """Returns the keys of strings, of the same shape."""
    return tf.strings.to_hash_bucket_fast(texts, _BUCKETS)


def float_keys(values: tf.Tensor) -> tf.Tensor:
    """Returns the keys of float64 numbers, of the same shape; 0 and -0 have the same."""
    return tf.bitcast(values + tf.zeros((), values.dtype), "int64")


def keys_of(values: np.ndarray) -> np.ndarray:
    """Returns the keys of strings, float64 or int64 numbers, of the same shape."""
    if values.dtype == object:
        return text_keys(tf.constant(values.tolist(), "string")).numpy()
    return values if values.dtype.kind == "i" else (values + 0.0).view("int64")


def salted(keys: Any, column: int | None = None) -> Any:
    """Returns keys that are each column's own.

    Args:
        keys: int64 `[n]` array of one column, or tensor `[rows, columns]` of all.
        column: Number of the column. Defaults to `None`: all.
    """
    if column is None:
        salts = np.arange(1, keys.shape[1] + 1, dtype="int64") * np.int64(_STEP)
        return keys * tf.constant(_FACTOR, "int64") + salts
    return keys * np.int64(_FACTOR) + np.arange(1, column + 2, dtype="int64")[-1:] * np.int64(_STEP)


def find_codes(keys: tf.Tensor, absent: tf.Tensor, known: tf.Tensor, codes: tf.Tensor) -> tf.Tensor:
    """Returns int32 codes `[rows, columns]` of keys.

    Args:
        keys: int64 `[rows, columns]`, as `salted` returns them.
        absent: Booleans of the same shape: which values are missing.
        known: int64 `[n]`, ascending.
        codes: int32 `[n]`, their codes.
    """
    flat = tf.reshape(keys, [-1])
    place = tf.minimum(tf.searchsorted(known, flat), tf.shape(known)[0] - 1)
    same = tf.equal(tf.gather(known, place), flat)
    found = tf.where(same, tf.gather(codes, place), tf.constant(UNSEEN, "int32"))
    return tf.where(absent, tf.constant(MISSING, "int32"), tf.reshape(found, tf.shape(keys)))
