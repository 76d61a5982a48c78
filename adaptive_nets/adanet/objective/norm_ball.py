"""The norm bounds of AdaNet's hypotheses (section 3) as a Keras constraint."""

import math
from typing import Any

import keras
from keras import ops

from adaptive_nets._checks import check_number
from adaptive_nets.adanet.objective.complexity import check_norm
from adaptive_nets.keras_internals import layers_in


@keras.saving.register_keras_serializable(package="adaptive_nets")
class NormBall(keras.constraints.Constraint):
    """Keeps the p-norm of each unit's incoming weights within a bound: `||u||_p <= Λ`.

    The Rademacher bound applies to these hypotheses (AdaNet, section 3 and lemma 2).
    Weights outside the ball are scaled back along their direction, which for p = 2 gives the
    nearest point, as in `keras.constraints.MaxNorm`. Weights inside are not changed. A unit's
    incoming weights are all axes except the last, as in a `Dense` or convolution kernel.

    Like every Keras constraint, it acts after each optimizer step, not on initial weights.
    For a model that must load without this package, remove it after training with
    `remove_norm_balls_in_place`.

    Args:
        p: Order of the norm, from 1 to infinity. Defaults to 2.
        max_norm: Λ > 0. Defaults to 1.

    Raises:
        ValueError: An argument is out of range.

    Example:

    ```python
    import keras
    from adaptive_nets.adanet.objective.norm_ball import NormBall

    layer = keras.layers.Dense(8, kernel_constraint=NormBall(p=1.5, max_norm=1.0))
    NormBall(p=1)([[3.0], [1.0]])  # [[0.75], [0.25]]
    ```
    """

    def __init__(self, p: float = 2.0, max_norm: float = 1.0):
        self.p = check_norm(p)
        self.max_norm = check_number("max_norm", max_norm, 0, inclusive=False)

    def __call__(self, w: Any) -> Any:
        w = ops.convert_to_tensor(w)
        norms = self._norms(ops.abs(w))
        # Inside the ball the ratio is exactly 1, and a norm of 0 divides nothing.
        scale = self.max_norm / ops.maximum(norms, self.max_norm)
        return w * ops.cast(scale, w.dtype)

    def _norms(self, magnitudes):
        axes = tuple(range(len(magnitudes.shape) - 1))
        largest = ops.max(magnitudes, axis=axes, keepdims=True)
        if math.isinf(self.p):
            return largest
        # Of ratios to the largest, high powers neither overflow nor all vanish.
        ratios = magnitudes / ops.where(largest > 0, largest, 1.0)
        return largest * ops.sum(ratios**self.p, axis=axes, keepdims=True) ** (1 / self.p)

    def get_config(self) -> dict[str, Any]:
        return {"p": self.p, "max_norm": self.max_norm}


def remove_norm_balls_in_place(model: keras.Model) -> None:
    """Removes every `NormBall` from a model, so that it saves and loads without this package.

    Weights and outputs do not change, but further training is no longer constrained. Layers
    in nested models and wrappers are included. Other constraints are kept.

    Args:
        model: A built model. It is changed in place.

    Example:

    ```python
    import keras
    from adaptive_nets.adanet.objective.norm_ball import NormBall, remove_norm_balls_in_place

    layers = [keras.Input((4,)), keras.layers.Dense(2, kernel_constraint=NormBall())]
    model = keras.Sequential(layers)
    remove_norm_balls_in_place(model)
    model.layers[0].kernel_constraint  # None
    ```
    """
    for layer in layers_in(model):
        for name, value in list(vars(layer).items()):
            if isinstance(value, NormBall):
                setattr(layer, name, None)
    for variable in model.variables:
        if isinstance(variable.constraint, NormBall):
            variable.constraint = None
