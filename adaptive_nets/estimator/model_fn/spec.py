"""`EstimatorSpec`: what a `model_fn` returns."""

import dataclasses
from collections.abc import Callable
from numbers import Real
from typing import Any

import keras
import numpy as np

from adaptive_nets._arguments import Ignored, Refused, takes
from adaptive_nets._checks import check_choice, check_dict, show
from adaptive_nets.estimator.mode_keys import ModeKeys

_MODES = (ModeKeys.TRAIN, ModeKeys.EVAL, ModeKeys.PREDICT)
_TRAINS, _NO_SESSION = Refused("pass hooks to train."), Refused("there is no session.")
_RULES = {
    "export_outputs": Ignored("exports have the predictions"),
    "training_chief_hooks": _TRAINS,
    "training_hooks": _TRAINS,
    "evaluation_hooks": _NO_SESSION,
    "prediction_hooks": _NO_SESSION,
    "scaffold": _NO_SESSION,
}


@takes(_RULES)
@dataclasses.dataclass(frozen=True)
class EstimatorSpec:
    """What a `model_fn` returns for a mode.

    Args:
        mode: One of `ModeKeys`.
        predictions: Tensor, or dict of tensors by name. Needed to predict. Defaults to `None`.
        loss: Scalar tensor. Needed to train and to evaluate. Defaults to `None`.
        train_op: A Keras optimizer, which minimizes the loss; or a function of gradients and
            variables that updates the variables, whose own state is not stored. Needed to train.
            Defaults to `None`.
        eval_metric_ops: Dict by name of Keras metrics, which `model_fn` has updated. Defaults to
            `None`.
        export_outputs: Accepted but ignored: exports have the predictions. Defaults to `None`.
        training_chief_hooks: Not supported. Must be `None`.
        training_hooks: Not supported. Must be `None`.
        scaffold: Not supported. Must be `None`.
        evaluation_hooks: Not supported. Must be `None`.
        prediction_hooks: Not supported. Must be `None`.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: Something is missing that the mode needs.
    """

    mode: str
    predictions: Any = None
    loss: Any = None
    train_op: keras.optimizers.Optimizer | Callable | None = None
    eval_metric_ops: dict[str, keras.metrics.Metric] | None = None
    export_outputs: Any = None
    training_chief_hooks: Any = None
    training_hooks: Any = None
    scaffold: Any = None
    evaluation_hooks: Any = None
    prediction_hooks: Any = None

    def __post_init__(self) -> None:
        # A text of a class of its own, which a candidate of a pool is called with, counts too.
        given = str(self.mode) if isinstance(self.mode, str) else self.mode
        mode = check_choice("mode", given, _MODES)
        needed = {
            ModeKeys.TRAIN: ("loss", "train_op"),
            ModeKeys.EVAL: ("loss",),
            ModeKeys.PREDICT: ("predictions",),
        }[mode]
        for name in needed:
            if getattr(self, name) is None:
                raise ValueError(
                    f"EstimatorSpec of mode '{mode}' must have {name}. Received: {name}=None."
                )
        if self.loss is not None and not _is_scalar(self.loss):
            raise TypeError(f"loss must be a scalar tensor. Received: loss={show(self.loss)}.")
        if self.predictions is not None and not _are_rows(self.predictions):
            raise TypeError(
                "predictions must be a tensor with a row for each example, or a dict of such "
                f"tensors by name. Received: predictions={show(self.predictions)}."
            )
        train = self.train_op
        if train is not None and not isinstance(train, keras.optimizers.Optimizer | Callable):
            raise TypeError(
                "train_op must be a Keras optimizer, such as keras.optimizers.Adam(1e-3), or a "
                "function of gradients and variables: there are no operations of a graph. "
                f"Received: train_op={show(train)}."
            )
        if self.eval_metric_ops is not None:
            words = "a dict by name of keras.metrics, each updated by update_state in model_fn"
            check_dict("eval_metric_ops", self.eval_metric_ops, object, words)
            for name, metric in self.eval_metric_ops.items():
                if not isinstance(metric, keras.metrics.Metric):
                    raise TypeError(
                        f"eval_metric_ops must be {words}. Received: '{name}': {show(metric)}."
                    )


def _is_scalar(value):
    if isinstance(value, Real):
        return not isinstance(value, bool)
    return _is_array(value) and not _rank(value)


def _are_rows(predictions):
    named = isinstance(predictions, dict)
    if named and not all(isinstance(name, str) for name in predictions):
        return False
    values = predictions.values() if named else [predictions]
    return all(_is_array(value) and _rank(value) != 0 for value in values)


def _is_array(value):
    return keras.ops.is_tensor(value) or isinstance(value, keras.KerasTensor | np.ndarray)


def _rank(value):
    """Returns the number of axes, `None` if it is unknown."""
    shape = value.shape
    return getattr(shape, "rank", None) if hasattr(shape, "rank") else len(shape)
