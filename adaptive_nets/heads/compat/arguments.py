"""What becomes of the arguments of tf.estimator's heads."""

from collections.abc import Iterable
from typing import Any

from adaptive_nets._arguments import Ignored, Mapped, Refused
from adaptive_nets._checks import check_choice, check_number, check_text, show
from adaptive_nets._values import elements
from adaptive_nets.heads.compat.loss_functions import check_loss_fn

MEANS = (
    "sum_over_batch_size", "auto", "mean", "mean_with_sample_weight", "weighted_mean",
    "weighted_sum_over_batch_size", "weighted_sum_by_nonzero_weights", None,
)  # fmt: skip

SUMS = ("sum", "weighted_sum")
REDUCTION = Ignored(
    "the loss is the mean over rows, by weight. With plain gradient descent, multiply the learning "
    "rate by the rows of a batch; adaptive optimizers need no change",
    MEANS,
    lambda given: check_choice("loss_reduction", given, (*MEANS, *SUMS)),
)
VOCABULARY = Mapped("class_names")
BINARY = {"label_vocabulary": VOCABULARY, "loss_reduction": REDUCTION}
CLASSES = BINARY | {
    "thresholds": Refused(
        "thresholds are of heads with one logit per class: BinaryClass, MultiLabel."
    )
}
LABELS = BINARY | {
    "classes_for_class_based_metrics": Refused("write them as metric_fn of the estimator.")
}


def _loss(function: Any) -> Any:
    """Returns a `loss_fn` of tf.estimator as a loss of labels and predictions."""
    return "mean_squared_error" if function is None else check_loss_fn(function)


NUMBERS = {
    "label_dimension": Mapped("dim"),
    "loss_fn": Mapped("loss", _loss),
    "loss_reduction": REDUCTION,
    "inverse_link_fn": Refused(
        "predictions are the logits. Derive from heads.Head, whose docstring has an example with "
        "a link, and override `loss` and `predictions`."
    ),
}
LINKED = {
    "label_dimension": Mapped("dim"),
    "loss_reduction": REDUCTION,
    "compute_full_loss": Refused(
        "the loss is half the deviance, which differs from the full negative log-likelihood by a "
        "constant of the labels alone: gradients and models are the same. Leave it out.",
        (None, True, False),
    ),
}
SEVERAL = {"head_weights": Mapped("weights")}


def check_column(given: Any) -> str | None:
    """Returns the name of the column of weights: text, or a numeric feature column's key."""
    if getattr(given, "normalizer_fn", None) is not None:
        raise ValueError(
            "weight_column must be a name, or a numeric column without normalizer_fn: apply it in "
            f"input_fn. Received: weight_column={show(given)}."
        )
    key = getattr(given, "key", given)
    return None if key is None else check_text("weight_column", key)


def check_thresholds(given: Iterable[float] | None) -> list[float]:
    """Returns thresholds of a probability as a list of different numbers between 0 and 1."""
    rule = "thresholds must be a list of numbers between 0 and 1"
    if given is None:
        return []
    found = elements(given) if isinstance(given, Iterable) and not isinstance(given, str) else None
    if found is None:
        raise ValueError(f"{rule}. Received: thresholds={show(given)}.")
    return list(dict.fromkeys(check_number("thresholds", t, 0, 1, False) for t in found))
