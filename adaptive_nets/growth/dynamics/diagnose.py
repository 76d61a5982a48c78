"""Backward error analysis: is now a good time to grow, and at what rate."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from adaptive_nets._checks import check_integer, check_number, or_none, show
from adaptive_nets._shown import Shown
from adaptive_nets.graphs.read import check_inputs
from adaptive_nets.growth.core.plan import GrowthPlan
from adaptive_nets.growth.dynamics.derivatives import Derivatives, OnBatch, loss_of
from adaptive_nets.growth.dynamics.growth_map import conflict_of_growth
from adaptive_nets.growth.dynamics.modified_flow import (
    conflict,
    dot,
    measure,
    norm,
    to_numpy,
)

# Where `readiness` is this high or higher, the advice is to grow.
READY = 0.5


@dataclasses.dataclass(frozen=True)
class GrowthAdvice(Shown):
    """What the gradients say of growing now; `str(advice)` is readable.

    All rates are those of plain gradient descent; an adaptive optimizer's are another scale.

    Args:
        loss: The mean loss over all batches.
        gradient_norm: The norm of the mean gradient.
        layer_norms: The same, layer by layer.
        learning_rate: The rate h that the terms are for.
        regularizer: (h/4) ||gradient||^2, which gradient descent adds to the loss by itself.
        signal_to_noise: The norm of the true gradient over the deviation of one batch's.
        curvature: The Hessian along the gradient, per unit of length squared.
        best_rate: The rate at which a step on one batch is expected to lower the loss most, if
            the loss were quadratic; None where it does not curve upwards.
        conflict_norm: ||H2 g1 - H1 g2|| of the loss before and the loss after.
        conflict: (h1 h2 / 2) ||H2 g1 - H1 g2||: how far two steps in a row, one on either loss,
            end from where the two losses together would lead.
        conflict_ratio: `conflict` over the length of the two steps.
        grown_loss: The loss of the grown model, or of the second batch.
        grown_gradient_norm: The norm of its gradient.
        grown_best_rate: As `best_rate`, for the grown model; None without a plan.
        readiness: From 0 to 1: the share of a batch's gradient that is noise, less the share of
            the two steps that conflict. Near 1, the model has learnt what its size allows.
        notes: What a person should know.
    """

    loss: float
    gradient_norm: float
    layer_norms: dict[str, float]
    learning_rate: float
    regularizer: float
    signal_to_noise: float
    curvature: float
    best_rate: float | None
    conflict_norm: float
    conflict: float
    conflict_ratio: float
    grown_loss: float
    grown_gradient_norm: float
    grown_best_rate: float | None
    readiness: float
    notes: tuple[str, ...] = ()

    @property
    def grow_now(self) -> bool:
        """Whether `readiness` is at least one half."""
        return self.readiness >= READY

    def _parts(self) -> list[str]:
        rate = (
            "none, the loss curves downwards" if self.best_rate is None else f"{self.best_rate:.3g}"
        )
        lines = [
            f"{'grow now' if self.grow_now else 'train on'}: readiness {self.readiness:.2f}",
            f"loss {self.loss:.4g}, gradient {self.gradient_norm:.3g}, "
            f"signal to noise {self.signal_to_noise:.3g}",
            f"at rate {self.learning_rate:.3g}: implied regularizer {self.regularizer:.3g}, "
            f"conflict {self.conflict:.3g} ({self.conflict_ratio:.1%} of the two steps)",
            f"best rate of gradient descent: {rate}",
        ]
        if self.grown_best_rate is not None:
            lines.append(f"after growth: {self.grown_best_rate:.3g}")
        largest = sorted(self.layer_norms.items(), key=lambda item: -item[1])[:5]
        lines.append("largest gradients: " + ", ".join(f"{k} {v:.3g}" for k, v in largest))
        return [*lines, *(f"note: {note}" for note in self.notes)]


def diagnose(
    model: keras.Model,
    x: Any,
    y: Any,
    learning_rate: float | None = None,
    loss: Any = None,
    batch_size: int = 32,
    batches: int | None = None,
    plan: GrowthPlan | None = None,
    second_rate: float | None = None,
) -> GrowthAdvice:
    """Measures gradients, their noise and their conflict with what comes after growth.

    Args:
        model: A built model. It is not changed.
        x: Inputs of at least two batches, as arrays.
        y: Targets.
        learning_rate: The rate h1 of the steps before growth. Default: the optimizer's.
        loss: A Keras loss, its name, or a function; default: the one the model was compiled with.
        batch_size: Rows per batch; the noise is that of batches of this size.
        batches: How many are read at most; default: all whole batches of `x`.
        plan: A growth of this model. The conflict is then that of a step of the sources with the
            step after growth; without one, that of one batch with the next.
        second_rate: The rate h2 after growth. Default: `learning_rate`.

    Returns:
        The measures, and the advice as numbers.

    Raises:
        ValueError: If the model is not built or has no loss, or there are fewer than two batches.

    Example:

    ```python
    import keras
    import numpy as np
    from adaptive_nets import growth

    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(8, "tanh"), keras.layers.Dense(1)]
    )
    x = np.random.default_rng(0).normal(size=(128, 4)).astype("float32")
    advice = growth.dynamics.diagnose(model, x, x[:, :1], learning_rate=0.1, loss="mse")
    print(advice)
    ```

    Reference: Barrett and Dherin, "Implicit Gradient Regularization", arXiv 2009.11162; McCandlish
    et al., "An Empirical Model of Large-Batch Training", arXiv 1812.06162, for the best rate.
    """
    derivatives = Derivatives(model, loss)
    check_inputs("x", x, model)
    check_inputs("y", y)
    if any(np.asarray(part).dtype.kind not in "biuf" for part in keras.tree.flatten(y)):
        raise ValueError("y must be numbers. Received: y of text.")
    batch_size = check_integer("batch_size", batch_size, 1)
    batches = or_none(check_integer, "batches", batches, 1)
    _check_loss(model, loss, x, y)
    rate = _rate(model, learning_rate)
    after = rate if second_rate is None else _rate(model, second_rate, "second_rate")
    parts = batches_of(derivatives, x, y, batch_size, batches)
    values = derivatives.values()
    here = measure(parts, values)
    notes, grown_rate = [], None
    if plan is None:
        first, second = parts[0], parts[1]
        bracket = conflict(first, second, values)
        one, two = to_numpy(first.gradient(values)), to_numpy(second.gradient(values))
        grown_loss = second.loss(values)
    else:
        make = functools.partial(batches_of, x=x, y=y, batch_size=batch_size, batches=batches)
        bracket, one, two, grown = conflict_of_growth(plan, loss, make)
        grown_loss, grown_rate = grown["loss"], grown["best_rate"]
        notes += list(plan.notes)
    size = norm(bracket)
    steps = norm([rate * a + after * b for a, b in zip(one, two, strict=True)])
    moved = rate * after / 2 * size
    ratio = moved / steps if steps else 0.0
    noise = here["noise"] / max(here["noise"] + here["signal"], np.finfo(float).tiny)
    return GrowthAdvice(
        loss=here["loss"],
        gradient_norm=norm(here["mean"]),
        layer_norms=_layer_norms(model, here["mean"]),
        learning_rate=rate,
        regularizer=rate / 4 * dot(here["mean"], here["mean"]),
        signal_to_noise=float(np.sqrt(here["signal"] / max(here["noise"], np.finfo(float).tiny))),
        curvature=here["curvature"],
        best_rate=here["best_rate"],
        conflict_norm=size,
        conflict=moved,
        conflict_ratio=ratio,
        grown_loss=grown_loss,
        grown_gradient_norm=norm(two),
        grown_best_rate=grown_rate,
        readiness=float(np.clip(noise - ratio, 0, 1)),
        notes=tuple(notes),
    )


def batches_of(
    derivatives: Derivatives, x: Any, y: Any, batch_size: int, batches: int | None
) -> list[OnBatch]:
    """The derivatives on each whole batch of the rows."""
    rows = len(keras.tree.flatten(y)[0])
    count = rows // batch_size
    count = count if batches is None else min(count, batches)
    if count < 2:
        raise ValueError(
            f"Cannot diagnose {derivatives.model.name!r}: noise is a difference between batches. "
            f"Expected at least two whole batches. Received: {rows} rows, batch_size="
            f"{batch_size}, batches={batches}. Pass more rows or a smaller batch_size."
        )
    found = []
    for i in range(count):
        rows = slice(i * batch_size, (i + 1) * batch_size)
        taken = keras.tree.map_structure(lambda a, rows=rows: np.asarray(a)[rows], (x, y))
        found.append(derivatives.on(*taken))
    return found


def _rate(model: keras.Model, rate: float | None, name: str = "learning_rate") -> float:
    if rate is None:
        optimizer = getattr(model, "optimizer", None)
        if optimizer is None:
            raise ValueError(
                f"Cannot diagnose {model.name!r}: it has no optimizer, so no learning rate. "
                "Expected a compiled model or a rate. Pass learning_rate. Received: "
                "learning_rate=None."
            )
        rate = float(ops.convert_to_numpy(optimizer.learning_rate))
    return check_number(name, rate, 0, inclusive=False)


def _layer_norms(model: keras.Model, gradient: list[np.ndarray]) -> Mapping[str, float]:
    squares: dict[str, float] = {}
    for variable, part in zip(model.trainable_variables, gradient, strict=True):
        layer = variable.path.rpartition("/")[0] or variable.path
        squares[layer] = squares.get(layer, 0.0) + float(np.vdot(part, part))
    return {layer: float(np.sqrt(square)) for layer, square in squares.items()}


def _check_loss(model, loss, x, y):
    """Refuses a loss that cannot be computed of the labels and the model's outputs."""
    if isinstance(x, list | tuple) or isinstance(y, list | tuple):
        return
    try:
        rows, labels = keras.tree.map_structure(lambda a: ops.convert_to_tensor(a[:2]), (x, y))
        loss_of(model, loss)(labels, model(rows, training=False))
    except Exception as error:
        shapes = keras.tree.map_structure(np.shape, y)
        raise ValueError(
            f"Cannot diagnose {model.name!r}: the loss cannot be computed of y and the model's "
            f"outputs of shape {model.output_shape}. Received: loss={show(loss)}, y of shape "
            f"{shapes}."
        ) from error
