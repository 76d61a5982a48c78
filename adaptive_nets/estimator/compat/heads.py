"""Heads under the names, and with the order of arguments, of tf.estimator."""

from collections.abc import Mapping, Sequence
from typing import Any

from adaptive_nets._arguments import takes
from adaptive_nets._checks import check_integer
from adaptive_nets.heads import (
    BinaryClass,
    Head,
    Logistic,
    Multi,
    MultiClass,
    MultiLabel,
    Poisson,
    Regression,
)
from adaptive_nets.heads.compat.arguments import BINARY, LABELS, LINKED, MEANS, NUMBERS


@takes(BINARY)
def BinaryClassHead(  # noqa: N802 (tf.estimator's name)
    weight_column: Any = None,
    thresholds: Sequence[float] | None = None,
    label_vocabulary: Sequence[str] | None = None,
    loss_reduction: str | None = MEANS[0],
    loss_fn: Any = None,
    name: str | None = None,
) -> BinaryClass:
    """Returns `heads.BinaryClass`.

    Args:
        weight_column: Name of the feature with the weights of the rows. Defaults to `None`.
        thresholds: Probabilities at which accuracy, precision and recall are measured. Defaults
            to `None`.
        label_vocabulary: The two classes, if they are strings. Defaults to `None`.
        loss_reduction: The loss is the mean over rows; a sum gives a warning. Defaults to
            `"sum_over_batch_size"`.
        loss_fn: Function of `labels` and `logits` `[n, 1]` that returns the loss of each row.
            Defaults to `None`: the cross-entropy.
        name: The head's name. Defaults to `None`: that of its kind.
    """
    return BinaryClass(
        weight_column=weight_column, thresholds=thresholds, label_vocabulary=label_vocabulary,
        loss_reduction=loss_reduction, loss_fn=loss_fn, **_named(name),
    )  # fmt: skip


@takes(BINARY)
def MultiClassHead(  # noqa: N802 (tf.estimator's name)
    n_classes: int,
    weight_column: Any = None,
    label_vocabulary: Sequence[str] | None = None,
    loss_reduction: str | None = MEANS[0],
    loss_fn: Any = None,
    name: str | None = None,
) -> MultiClass:
    """Returns `heads.MultiClass`.

    Args:
        n_classes: Number of classes.
        weight_column: Name of the feature with the weights of the rows. Defaults to `None`.
        label_vocabulary: The classes, if they are strings. Defaults to `None`.
        loss_reduction: The loss is the mean over rows; a sum gives a warning. Defaults to
            `"sum_over_batch_size"`.
        loss_fn: Function of `labels` `[n, 1]` and `logits` `[n, n_classes]` that returns the loss
            of each row, `[n]` or `[n, 1]`. Defaults to `None`: the cross-entropy.
        name: The head's name. Defaults to `None`: that of its kind.
    """
    return MultiClass(
        n_classes, weight_column=weight_column, label_vocabulary=label_vocabulary,
        loss_reduction=loss_reduction, loss_fn=loss_fn, **_named(name),
    )  # fmt: skip


@takes(LABELS)
def MultiLabelHead(  # noqa: N802 (tf.estimator's name)
    n_classes: int,
    weight_column: Any = None,
    thresholds: Sequence[float] | None = None,
    label_vocabulary: Sequence[str] | None = None,
    loss_reduction: str | None = MEANS[0],
    loss_fn: Any = None,
    classes_for_class_based_metrics: Any = None,
    name: str | None = None,
) -> MultiLabel:
    """Returns `heads.MultiLabel`.

    Args:
        n_classes: Number of classes.
        weight_column: Name of the feature with the weights of the rows. Defaults to `None`.
        thresholds: Probabilities at which accuracy, precision and recall are measured. Defaults
            to `None`.
        label_vocabulary: The classes, if they are strings. Defaults to `None`.
        loss_reduction: The loss is the mean over rows; a sum gives a warning. Defaults to
            `"sum_over_batch_size"`.
        loss_fn: Function of `labels` and `logits` `[n, n_classes]` that returns the loss of each
            row. Defaults to `None`: the mean cross-entropy of the classes.
        classes_for_class_based_metrics: Not supported. Must be `None`.
        name: The head's name. Defaults to `None`: that of its kind.
    """
    return MultiLabel(
        n_classes, weight_column=weight_column, thresholds=thresholds,
        label_vocabulary=label_vocabulary, loss_reduction=loss_reduction, loss_fn=loss_fn,
        **_named(name),
    )  # fmt: skip


@takes(NUMBERS)
def RegressionHead(  # noqa: N802 (tf.estimator's name)
    label_dimension: int = 1,
    weight_column: Any = None,
    loss_reduction: str | None = MEANS[0],
    loss_fn: Any = None,
    inverse_link_fn: Any = None,
    name: str | None = None,
) -> Regression:
    """Returns `heads.Regression`.

    Args:
        label_dimension: Number of targets. Defaults to `1`.
        weight_column: Name of the feature with the weights of the rows. Defaults to `None`.
        loss_reduction: The loss is the mean over rows; a sum gives a warning. Defaults to
            `"sum_over_batch_size"`.
        loss_fn: Function of `labels` and `logits` `[n, dim]` that returns the loss of each.
            Defaults to `None`: squared errors.
        inverse_link_fn: Not supported. Must be `None`.
        name: The head's name. Defaults to `None`: that of its kind.
    """
    return Regression(
        label_dimension=check_integer("label_dimension", label_dimension, 1),
        weight_column=weight_column,
        loss_reduction=loss_reduction, loss_fn=loss_fn, inverse_link_fn=inverse_link_fn,
        **_named(name),
    )  # fmt: skip


@takes(LINKED)
def PoissonRegressionHead(  # noqa: N802 (tf.estimator's name)
    label_dimension: int = 1,
    weight_column: Any = None,
    loss_reduction: str | None = MEANS[0],
    compute_full_loss: bool = True,
    name: str | None = None,
) -> Poisson:
    """Returns `heads.Poisson`, whose loss is half the deviance.

    Args:
        label_dimension: Number of targets. Defaults to `1`.
        weight_column: Name of the feature with the weights of the rows. Defaults to `None`.
        loss_reduction: The loss is the mean over rows; a sum gives a warning. Defaults to
            `"sum_over_batch_size"`.
        compute_full_loss: `True` or `False`, which make the same model: the reported loss is half
            the deviance either way. Defaults to `True`.
        name: The head's name. Defaults to `None`: that of its kind.
    """
    return Poisson(
        label_dimension=check_integer("label_dimension", label_dimension, 1),
        weight_column=weight_column,
        loss_reduction=loss_reduction, compute_full_loss=compute_full_loss, **_named(name),
    )  # fmt: skip


@takes(LINKED)
def LogisticRegressionHead(  # noqa: N802 (tf.estimator's name)
    weight_column: Any = None,
    loss_reduction: str | None = MEANS[0],
    name: str | None = None,
) -> Logistic:
    """Returns `heads.Logistic`, for labels from 0 to 1.

    Args:
        weight_column: Name of the feature with the weights of the rows. Defaults to `None`.
        loss_reduction: The loss is the mean over rows; a sum gives a warning. Defaults to
            `"sum_over_batch_size"`.
        name: The head's name. Defaults to `None`: that of its kind.
    """
    return Logistic(1, weight_column=weight_column, loss_reduction=loss_reduction, **_named(name))


@takes({})
def MultiHead(  # noqa: N802 (tf.estimator's name)
    heads: Mapping[str, Head] | Sequence[Head],
    head_weights: Mapping[str, float] | Sequence[float] | None = None,
) -> Multi:
    """Returns `heads.Multi`.

    Args:
        heads: Heads by name, or a list of heads with different names.
        head_weights: Weights of their losses. Defaults to `None`: all are 1.
    """
    return Multi(heads, head_weights)


def _named(name):
    return {} if name is None else {"name": name}
