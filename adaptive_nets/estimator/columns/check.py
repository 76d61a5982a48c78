"""Descriptions of columns that come from a file: what may stand in one."""

from typing import Any

import tensorflow as tf

from adaptive_nets._checks import (
    check_bool,
    check_choice,
    check_dict,
    check_integer,
    check_list,
    check_number,
    check_text,
    or_none,
    show,
)
from adaptive_nets.estimator.columns.normalizers import check_normalizer

_CATEGORIES = ("bucketized", "cross", "hash", "identity", "vocabulary")
# What each kind says besides its name and kind.
_SAYS = {
    "numeric": ("key", "shape", "dtype"),
    "bucketized": ("of", "boundaries"),
    "hash": ("key", "buckets", "dtype"),
    "vocabulary": ("key", "words", "dtype", "default", "oov"),
    "identity": ("key", "buckets", "default"),
    "cross": ("of", "buckets", "hash_key"),
    "weighted": ("of", "weight", "dtype"),
    "indicator": ("of",),
    "embedding": (
        "of", "dimension", "combiner", "max_norm", "trainable", "table", "initializer"),
}  # fmt: skip
# What `of` may be.
_OF = {
    "bucketized": ("numeric",),
    "weighted": ("hash", "identity", "vocabulary"),
    "indicator": (*_CATEGORIES, "weighted"),
    "embedding": (*_CATEGORIES, "weighted"),
}


def check_description(found: Any, kinds: tuple[str, ...] = tuple(_SAYS)) -> dict[str, Any]:
    """Returns a column's description, checked at every depth.

    Args:
        found: What `describe_column` returned, perhaps by way of a file.
        kinds: The kinds of column that may stand here. Defaults to all.

    Raises:
        TypeError: It has another form.
        ValueError: It says something that no column can be.
    """
    check_dict("feature_columns", found, object, "descriptions of feature columns", 1)
    kind = check_choice("kind", found.get("kind"), kinds)
    wanted = {"name", "kind", *_SAYS[kind]}
    if not wanted <= found.keys() <= wanted | {"normalizer"}:
        raise ValueError(
            f"A description of a {kind} column must say {', '.join(sorted(wanted))}. "
            f"Received: {show(found)}."
        )
    for name in ("name", "key", "weight", "table"):
        if name in found:
            check_text(name, found[name])
    if "dtype" in found:
        dtype = tf.as_dtype(check_text("dtype", found["dtype"]))
        if kind not in ("numeric", "weighted") and not (dtype.is_integer or dtype == tf.string):
            raise ValueError(f"dtype must be a string or integer one. Received: {dtype.name}.")
    for name in ("buckets", "dimension"):
        if name in found:
            check_integer(name, found[name], 1)
    if "normalizer" in found:
        check_normalizer(found["normalizer"])
    if kind in _OF:
        check_description(found["of"], _OF[kind])
    if kind in _OWN:
        _OWN[kind](found)
    return found


def _numeric(found):
    for size in check_list("shape", found["shape"], int, "a list of sizes", 1):
        check_integer("shape", size, 1)


def _bucketized(found):
    boundaries = check_list("boundaries", found["boundaries"], int | float, "a list of numbers", 1)
    if sorted(boundaries) != boundaries:
        raise ValueError(f"boundaries must be ascending. Received: {show(boundaries)}.")


def _vocabulary(found):
    kind = str if found["dtype"] == "string" else int
    words = check_list("words", found["words"], kind, "a list of different words", 1)
    if len(set(words)) < len(words):
        raise ValueError(f"words must be different. Received: {show(words)}.")
    check_integer("default", found["default"], -1)
    check_integer("oov", found["oov"], 0)


def _identity(found):
    or_none(check_integer, "default", found["default"], 0)


def _cross(found):
    or_none(check_integer, "hash_key", found["hash_key"])
    for leaf in check_list("of", found["of"], str | dict, "a list of keys or columns", 2):
        if isinstance(leaf, dict):
            check_description(leaf, ("bucketized", "hash", "identity", "vocabulary"))


def _embedding(found):
    check_choice("combiner", found["combiner"], ("mean", "sqrtn", "sum"))
    if found["max_norm"] is not None:
        check_number("max_norm", found["max_norm"], 0, inclusive=False)
    check_bool("trainable", found["trainable"])


_OWN = {
    "numeric": _numeric,
    "bucketized": _bucketized,
    "vocabulary": _vocabulary,
    "identity": _identity,
    "cross": _cross,
    "embedding": _embedding,
}
