"""Arguments that canned estimators share: classes, weights, losses, and what has no effect."""

import warnings
from typing import Any

from adaptive_nets._arguments import Ignored
from adaptive_nets._checks import check_choice, check_integer, check_list, check_text, or_none, show
from adaptive_nets.heads import BinaryClass, Head, MultiClass, Regression

# Arguments of tf.estimator without an effect.
_WHOLE = Ignored("variables are not partitioned")
FLAT, DEEP = {"partitioner": _WHOLE}, {"input_layer_partitioner": _WHOLE}
_MEANS = ("sum_over_batch_size", "weighted_sum_over_batch_size", "auto")
_WEIGHED_MEANS = (
    "mean", "mean_with_sample_weight", "weighted_mean", "weighted_sum_by_nonzero_weights",
)  # fmt: skip
_SUMS = ("sum", "weighted_sum")


def class_head(n_classes: Any, label_vocabulary: Any) -> Head:
    """Returns the head of a classifier.

    Args:
        n_classes: Number of classes.
        label_vocabulary: The labels in their order, or `None` for the integers from 0.

    Raises:
        ValueError: They do not fit.
    """
    count = check_integer("n_classes", n_classes, 2)
    names = None
    if label_vocabulary is not None:
        words = "a list of the labels, or None"
        if hasattr(label_vocabulary, "tolist"):
            label_vocabulary = label_vocabulary.tolist()
        names = check_list("label_vocabulary", label_vocabulary, str | int, words)
        if len(set(names)) != count or len(names) != count:
            raise ValueError(
                f"label_vocabulary must have n_classes={count} different labels. "
                f"Received: label_vocabulary={show(label_vocabulary)}."
            )
    return BinaryClass(names) if count == 2 else MultiClass(count, names)


def number_head(label_dimension: Any) -> Head:
    """Returns the head of a regressor."""
    return Regression(check_integer("label_dimension", label_dimension, 1))


def weight_key(weight_column: Any) -> str | None:
    """Returns the name of the feature with the weights of rows.

    Args:
        weight_column: A name, a numeric column, or `None`.
    """
    if type(weight_column).__name__ == "NumericColumn":
        if weight_column.normalizer_fn is not None:
            raise ValueError(
                "weight_column must not have a normalizer_fn: compute the weights in input_fn. "
                f"Received: weight_column={show(weight_column)}."
            )
        return weight_column.key
    return or_none(check_text, "weight_column", weight_column)


def check_reduction(loss_reduction: Any) -> None:
    """Accepts a mean over the batch; warns of what another reduction is taken for."""
    if loss_reduction is None:
        return
    choices = (*_MEANS, *_WEIGHED_MEANS, *_SUMS)
    found = check_choice("loss_reduction", loss_reduction, choices)
    if found in _SUMS:
        warnings.warn(
            f"loss_reduction='{found}' is taken as the mean over the batch. With SGD, multiply the "
            "learning rate by the batch size; adaptive optimizers need no change.",
            stacklevel=4,
        )
    elif found in _WEIGHED_MEANS:
        warnings.warn(
            f"loss_reduction='{found}' is taken as the mean over the batch: weighted losses are "
            "divided by the number of rows, not by the sum of weights.",
            stacklevel=4,
        )
