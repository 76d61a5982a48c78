"""A constraint that shrinks weights until they are zero."""

from typing import Any

import keras
from keras import ops


class SoftThreshold(keras.constraints.Constraint):
    """Applied after each step: `sign(w) max(|w| - rate · l1, 0)`, at the optimizer's rate.

    Args:
        model: Has `optimizer` and `l1`.
    """

    def __init__(self, model: Any) -> None:
        self.model = model

    def __call__(self, w: Any) -> Any:
        limit = ops.cast(self.model.optimizer.learning_rate, w.dtype) * self.model.l1
        return ops.sign(w) * ops.maximum(ops.abs(w) - limit, 0)

    def get_config(self) -> dict[str, Any]:
        """Returns an empty dict: the model creates its own constraint."""
        return {}
