"""`tf.feature_column` objects as JSON values, by what their attributes say."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from adaptive_nets._checks import check_list, show
from adaptive_nets.estimator.columns.normalizers import describe_normalizer
from adaptive_nets.files.names import for_tensorflow
from adaptive_nets.keras_internals import shared_embedding_of

Description = dict[str, Any]


def describe_columns(columns: Any, name: str = "feature_columns") -> list[Description]:
    """Returns the descriptions of feature columns, in the order of their names.

    Args:
        columns: A column of `tf.feature_column`, or a list, tuple or set of them.
        name: Name of the argument, for errors.

    Raises:
        TypeError: There is something else than columns.
        ValueError: A column cannot be translated, or two have the same name.
    """
    words = "a list of tf.feature_column objects"
    if type(columns).__name__ in _KINDS or not isinstance(columns, Sequence | set | frozenset):
        # An iterator can be read only once, and so is not a list of columns either.
        columns = [columns] if type(columns).__name__ in _KINDS else columns
    columns = list(columns) if isinstance(columns, set | frozenset) else columns
    listed = check_list(name, columns, object, words, 1)
    found = [describe_column(each) for each in listed]
    names = [each["name"] for each in found]
    twice = sorted({each for each in names if names.count(each) > 1})
    if twice:
        raise ValueError(
            f"{name} must have different names. Received: two columns that are named "
            f"{', '.join(twice)}."
        )
    return sorted(found, key=lambda each: each["name"])


def describe_column(column: Any) -> Description:
    """Returns the description of one feature column.

    Raises:
        TypeError: It is not a feature column.
        ValueError: It cannot be translated.
    """
    kind = type(column).__name__
    if kind not in _KINDS:
        if kind.startswith("Sequence"):
            raise ValueError(
                "Sequence columns are not supported: use a Keras model with an Embedding and a "
                f"recurrent layer. Received: {kind} '{getattr(column, 'name', '')}'."
            )
        raise TypeError(
            "feature_columns must hold objects of tf.feature_column. "
            f"Received: {show(column)} of type {kind}."
        )
    return {"name": column.name, **_KINDS[kind](column)}


def keys_of(description: Description) -> list[str]:
    """Returns the names of the features that a column reads."""
    if description["kind"] == "cross":
        each = [[k] if isinstance(k, str) else keys_of(k) for k in description["of"]]
        return [key for keys in each for key in keys]
    if description["kind"] == "weighted":
        return [*keys_of(description["of"]), description["weight"]]
    return [description["key"]] if "key" in description else keys_of(description["of"])


def size_of(description: Description) -> int:
    """Returns how many ids a categorical column has."""
    kind = description["kind"]
    if kind in ("weighted", "indicator", "embedding"):
        return size_of(description["of"])
    if kind == "bucketized":
        return (len(description["boundaries"]) + 1) * width_of(description["of"])
    if kind == "vocabulary":
        return len(description["words"]) + description["oov"]
    return description["buckets"]


def width_of(description: Description) -> int:
    """Returns how many numbers a dense column gives for each row."""
    if description["kind"] == "numeric":
        width = 1
        for size in description["shape"]:
            width *= size
        return width
    return description["dimension"] if description["kind"] == "embedding" else size_of(description)


def _numeric(column):
    shape, function = list(column.shape), column.normalizer_fn
    dtype = column.dtype.name
    found = {"kind": "numeric", "key": column.key, "shape": shape, "dtype": dtype}
    if function is not None:
        found["normalizer"] = describe_normalizer(function, column.key, tuple(shape), dtype)
    return found


def _bucketized(column):
    boundaries = [float(each) for each in column.boundaries]
    return {
        "kind": "bucketized",
        "of": describe_column(column.source_column),
        "boundaries": boundaries,
    }


def _hashed(column):
    return {
        "kind": "hash",
        "key": column.key,
        "buckets": int(column.hash_bucket_size),
        "dtype": column.dtype.name,
    }


def _vocabulary_list(column):
    return _vocabulary(column, list(column.vocabulary_list))


def _vocabulary_file(column):
    path, size = column.vocabulary_file, column.vocabulary_size
    if getattr(column, "file_format", None) not in (None, "text"):
        raise ValueError(
            f"The vocabulary file of column '{column.key}' must be text with a word in each line. "
            f"Received: file_format={show(column.file_format)}."
        )
    with tf.io.gfile.GFile(for_tensorflow(path), "rb") as file:
        words = file.read().split(b"\n")
    if words and not words[-1]:
        words.pop()
    words = [word.removesuffix(b"\r").decode("utf-8") for word in words]
    if size is not None and size > len(words):
        raise ValueError(
            f"vocabulary_size of column '{column.key}' must be at most the number of lines in "
            f"'{path}', {len(words)}. Received: vocabulary_size={size}."
        )
    return _vocabulary(column, words if size is None else words[:size])


def _vocabulary(column, words):
    whole = column.dtype.is_integer
    try:
        words = [int(w) if whole else w.decode() if isinstance(w, bytes) else str(w) for w in words]
    except ValueError as error:
        raise ValueError(
            f"The vocabulary of column '{column.key}' must be whole numbers, as its dtype is "
            f"{column.dtype.name}. Received: {error}."
        ) from error
    if len(set(words)) < len(words) or not words:
        raise ValueError(
            f"The vocabulary of column '{column.key}' must be different words. Received: "
            f"{len(words)} words, {len(set(words))} different ones."
        )
    default = column.default_value
    return {
        "kind": "vocabulary", "key": column.key, "words": words, "dtype": column.dtype.name,
        "default": -1 if default is None else int(default), "oov": int(column.num_oov_buckets or 0),
    }  # fmt: skip


def _identity(column):
    default = column.default_value
    return {
        "kind": "identity", "key": column.key, "buckets": int(column.number_buckets),
        "default": None if default is None else int(default),
    }  # fmt: skip


def _crossed(column):
    leaves: list[Any] = []
    for key in column.keys:
        if isinstance(key, str):
            leaves.append(key)
            continue
        found = describe_column(key)
        # A cross of a cross is one of all their keys.
        leaves += found["of"] if found["kind"] == "cross" else [found]
    for leaf in leaves:
        if isinstance(leaf, dict) and leaf["kind"] == "weighted":
            raise ValueError(
                f"crossed_column '{column.name}' must not cross a weighted column. "
                f"Received: '{leaf['name']}'."
            )
    hash_key = None if column.hash_key is None else int(column.hash_key)
    return {
        "kind": "cross", "of": leaves, "buckets": int(column.hash_bucket_size),
        "hash_key": hash_key,
    }  # fmt: skip


def _weighted(column):
    return {
        "kind": "weighted",
        "of": describe_column(column.categorical_column),
        "weight": column.weight_feature_key,
        "dtype": column.dtype.name,
    }


def _indicator(column):
    return {"kind": "indicator", "of": describe_column(column.categorical_column)}


def _embedding(column):
    shared = getattr(column, "shared_embedding_collection_name", None)
    source, table = column, shared
    if type(column).__name__ == "SharedEmbeddingColumn":
        source = shared_embedding_of(column.shared_embedding_column_creator)
        table = source.name
    if source.ckpt_to_load_from is not None:
        raise ValueError(
            f"ckpt_to_load_from of column '{column.name}' is not supported: use warm_start_from. "
            f"Received: {show(source.ckpt_to_load_from)}."
        )
    return {
        "kind": "embedding", "of": describe_column(column.categorical_column),
        "dimension": int(source.dimension), "combiner": column.combiner,
        "max_norm": None if column.max_norm is None else float(column.max_norm),
        "trainable": bool(source.trainable), "table": table or column.name,
        "initializer": _initializer(source.initializer, column.name),
    }  # fmt: skip


_KINDS: dict[str, Callable[[Any], Description]] = {
    "NumericColumn": _numeric,
    "BucketizedColumn": _bucketized,
    "HashedCategoricalColumn": _hashed,
    "VocabularyListCategoricalColumn": _vocabulary_list,
    "VocabularyFileCategoricalColumn": _vocabulary_file,
    "IdentityCategoricalColumn": _identity,
    "CrossedColumn": _crossed,
    "WeightedCategoricalColumn": _weighted,
    "IndicatorColumn": _indicator,
    "EmbeddingColumn": _embedding,
    "SharedEmbeddingColumn": _embedding,
    "_SharedEmbeddingColumn": _embedding,
}

# TensorFlow's initializers by the name of their class, and which of their settings Keras has.
_INITIALIZERS = {
    "TruncatedNormal": (keras.initializers.TruncatedNormal, ("mean", "stddev", "seed")),
    "RandomNormal": (keras.initializers.RandomNormal, ("mean", "stddev", "seed")),
    "RandomUniform": (keras.initializers.RandomUniform, ("minval", "maxval", "seed")),
    "Constant": (keras.initializers.Constant, ("value",)),
    "Zeros": (keras.initializers.Zeros, ()),
    "Ones": (keras.initializers.Ones, ()),
    "VarianceScaling": (
        keras.initializers.VarianceScaling, ("scale", "mode", "distribution", "seed")),
    "GlorotUniform": (keras.initializers.GlorotUniform, ("seed",)),
    "GlorotNormal": (keras.initializers.GlorotNormal, ("seed",)),
}  # fmt: skip


def _initializer(given, name):
    """Returns the description of Keras' initializer for TensorFlow's."""
    if isinstance(given, keras.initializers.Initializer):
        return keras.initializers.serialize(given)
    if isinstance(given, type):
        given = given()
    kind, names = _INITIALIZERS.get(type(given).__name__, (None, ()))
    if kind is None or not hasattr(given, "get_config"):
        raise ValueError(
            f"The initializer of column '{name}' must be one of keras.initializers. "
            f"Received: {show(given)}."
        )
    config = given.get_config()
    return keras.initializers.serialize(kind(**{k: config[k] for k in names if k in config}))
