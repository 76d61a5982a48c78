"""Reads `class_weight`, which names classes as the labels do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from adaptive_nets._checks import check_number, show
from adaptive_nets.data.weights import ClassWeight, read_weights
from adaptive_nets.heads.base import Head
from adaptive_nets.heads.labels import abridge
from adaptive_nets.heads.multi import Multi

_FORMS = "'balanced', a dict from class to weight, or a list with one weight per class"


def read_class_weight(
    head: Head, given: Any, labels: np.ndarray | None, sample_weight: Any = None
) -> ClassWeight | None:
    """Reads class weights in any form.

    Args:
        head: Adapted head.
        given: `None`; `"balanced"`, which gives all classes the same total weight; a dict from
            class, as in the raw labels, to a number >= 0, in which missing classes have weight 1;
            or a list or array of such numbers in the order of the classes. For `heads.Multi`, a
            dict of such lists or dicts by head.
        labels: Training labels as encoded by the head, or `None` if not all of them are known.
        sample_weight: The rows' weights, which `"balanced"` takes into account. Defaults to
            `None`: all are equal.

    Returns:
        Weights by encoded class, for `heads.Multi` by head, or `None` if none are given.

    Raises:
        ValueError: The weights are invalid, a class is unknown, or the head has no classes.
    """
    if given is None:
        return None
    if not isinstance(head, Multi):
        return _read(head, given, labels, sample_weight, "class_weight") or None
    if not isinstance(given, Mapping) or not set(given) <= set(head.heads):
        raise ValueError(
            f"class_weight must be a dict by the heads {abridge(list(head.heads))} of head "
            f"'{head.name}', each with {_FORMS}. Received: class_weight={show(given)}."
        )
    found = {}
    for name, own in given.items():
        part = None if labels is None else head.labels_of(labels, name)
        weight = sample_weight.get(name) if isinstance(sample_weight, Mapping) else sample_weight
        found[name] = _read(head.heads[name], own, part, weight, f"class_weight[{name!r}]")
    return {name: own for name, own in found.items() if own} or None


def _read(head, given, labels, sample_weight, name):
    classes = head.class_labels
    if classes is None:
        raise ValueError(
            f"{name} requires one class per row, as with heads.BinaryClass and heads.MultiClass. "
            f"Use sample_weight instead. Received: {name}={show(given)} for the "
            f"{type(head).__name__} head '{head.name}'."
        )
    if isinstance(given, str) and given == "balanced":
        return _balanced(labels, sample_weight, name)
    if hasattr(given, "to_dict"):
        # The index of a pandas Series names the classes.
        given = given.to_dict()
    if isinstance(given, Mapping):
        return _by_class(head, given, name)
    if isinstance(given, np.ndarray) or (
        isinstance(given, Sequence) and not isinstance(given, str | bytes)
    ):
        if np.ndim(given) != 1 or len(given) != len(classes):
            raise ValueError(
                f"{name} must have one weight for each of the {len(classes)} classes "
                f"{abridge(classes)}. Received: {name}={show(given)}."
            )
        return {k: check_number(f"{name}[{k}]", w, 0) for k, w in enumerate(given)}
    raise ValueError(f"{name} must be {_FORMS}. Received: {name}={show(given)}.")


def _balanced(labels, sample_weight, name):
    if labels is None:
        raise ValueError(
            f"{name}='balanced' requires finite data, whose classes can be counted. For an endless "
            f"dataset pass a dict from class to weight. Received: {name}='balanced'."
        )
    codes = labels.reshape(len(labels)).astype("int64")
    w = None if sample_weight is None else read_weights(sample_weight, len(codes))
    total = np.bincount(codes, w)
    present = np.flatnonzero(total)
    return {int(k): float(total.sum() / (len(present) * total[k])) for k in present}


def _by_class(head, given, name):
    encoded = {}
    for label, weight in given.items():
        weight = check_number(f"{name}[{label!r}]", weight, 0)
        try:
            if np.ndim(label) != 0:
                raise ValueError("a class is one label")
            code = int(np.ravel(head.encode([label]))[0])
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name} names an unknown class {label!r}: {error}") from error
        if code in encoded:
            raise ValueError(f"{name} must name each class once. Received: {name}={show(given)}.")
        encoded[code] = weight
    return encoded
