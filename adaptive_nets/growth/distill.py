"""Training a fused model towards its labels and its sources' mean logits at once."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from adaptive_nets._checks import (
    check_config,
    check_integer,
    check_list,
    check_number,
    check_text,
    show,
)
from adaptive_nets.graphs.read import check_inputs, check_model
from adaptive_nets.serialization import make_object


@keras.saving.register_keras_serializable(package="adaptive_nets")
class DistillationLoss(keras.losses.Loss):
    """A loss on labels, and the cross-entropy to the sources' softened mean logits.

    With labels y, teachers' logits t, logits z and temperature T it is

        (1 - weight) loss(y, z) + weight T² [ -Σ softmax(t / T) log softmax(z / T) ]

    and `y_true` holds the logits behind the labels, as `distillation_targets` joins them.

    Args:
        loss: The loss on the labels, which takes logits. Default: sparse categorical
            cross-entropy of integer labels.
        weight: The share of the sources, from 0 to 1. Default: 0.5.
        temperature: How much both distributions are softened. Default: 2.

    Raises:
        ValueError: If weight or temperature is out of range.

    Example:

    ```python
    import keras
    import numpy as np
    from adaptive_nets import growth

    def small():
        return keras.Sequential(
            [keras.Input((8,)), keras.layers.Dense(16, "relu"), keras.layers.Dense(3)]
        )

    sources = [small(), small()]
    x, y = np.random.rand(64, 8).astype("float32"), np.random.randint(0, 3, 64)
    fused = growth.fuse(sources)
    fused.compile("adam", growth.DistillationLoss(weight=0.5))
    fused.fit(x, growth.distillation_targets(sources, x, y), verbose=0)
    ```

    Reference: Hinton, Vinyals, Dean, arXiv 1503.02531, section 2.
    """

    def __init__(
        self,
        loss: Any = None,
        weight: float = 0.5,
        temperature: float = 2.0,
        name: str = "distillation",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=check_text("name", name), **kwargs)
        self.loss = _loss(loss) or keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, reduction="none"
        )
        self.weight = check_number("weight", weight, 0, 1)
        self.temperature = check_number("temperature", temperature, 0, inclusive=False)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        classes = y_pred.shape[-1]
        labels, teacher = y_true[..., :-classes], y_true[..., -classes:]
        if labels.shape[-1] == 1:
            labels = labels[..., 0]
        towards = soft_cross_entropy(teacher, y_pred, self.temperature)
        return (1 - self.weight) * self.loss(labels, y_pred) + self.weight * towards

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "loss": keras.saving.serialize_keras_object(self.loss),
            "weight": self.weight,
            "temperature": self.temperature,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "DistillationLoss":
        config = check_config(cls, config)
        known = cls().get_config().keys()
        if not config.keys() <= known:
            raise ValueError(
                f"config must be the output of DistillationLoss.get_config, a dict of "
                f"{', '.join(sorted(known))}. Received: config={show(config)}."
            )
        if "loss" in config:
            config["loss"] = make_object(config["loss"], "loss")
        return cls(**config)


def soft_cross_entropy(teacher: Any, logits: Any, temperature: float = 1.0) -> Any:
    """Returns T² [ -Σ softmax(t / T) log softmax(z / T) ] of each row.

    Args:
        teacher: Logits t, `[rows, classes]`.
        logits: Logits z, of the same shape.
        temperature: T. Defaults to `1.0`.
    """
    soft = keras.ops.softmax(teacher / temperature)
    log = keras.ops.log_softmax(logits / temperature)
    return -keras.ops.sum(soft * log, axis=-1) * temperature**2


def distillation_targets(
    sources: Sequence[keras.Model], x: Any, y: Any, batch_size: int = 256
) -> Any:
    """Labels with the sources' mean logits behind them, for `DistillationLoss`.

    The sources are run once, not in every epoch.

    Args:
        sources: Models that give logits [rows, classes].
        x: Inputs [rows, ...].
        y: Labels [rows] or [rows, targets].
        batch_size: Rows per call.

    Returns:
        An array [rows, targets + classes].

    Raises:
        ValueError: If rows differ, or a source's logits are not finite.
    """
    sources = check_list("sources", sources, keras.Model, "a list of models", 1)
    batch_size = check_integer("batch_size", batch_size, 1)
    for source in sources:
        check_model("sources", source)
        check_inputs("x", x, source)
    check_inputs("y", y)
    labels = np.asarray(y).reshape(len(y), -1)
    if labels.dtype.kind not in "biuf":
        raise ValueError(f"y must be numbers. Received: y of dtype {labels.dtype}.")
    if not len(labels):
        raise ValueError("x and y must have at least one row. Received: 0 rows.")
    logits = [np.asarray(source.predict(x, batch_size, verbose=0)) for source in sources]
    # Labels stand in one array with the logits, and half precision would round them.
    mean = np.mean([each.astype(np.result_type(each, "float32")) for each in logits], axis=0)
    if not np.isfinite(mean).all():
        raise ValueError("The sources' mean logits are not finite. Expected trained sources.")
    if len(labels) != len(mean):
        raise ValueError(f"Expected as many labels as rows. Received: {len(labels)}, {len(mean)}.")
    known = labels.astype(mean.dtype)
    if labels.dtype.kind in "iu" and (known.astype("float64") != labels).any():
        raise ValueError(
            f"y must be labels that {mean.dtype} holds exactly, as it does whole numbers up to "
            f"2**24. Received: y of dtype {labels.dtype} with values up to {labels.max()}."
        )
    return np.concatenate([known, mean], axis=1)


def _loss(given):
    """Returns a loss of Keras by its name or configuration, or `None`."""
    try:
        return keras.losses.get(given)
    except Exception as error:
        raise ValueError(
            "loss must be a keras.losses.Loss, the name of one, or a function. "
            f"Received: loss={show(given)}."
        ) from error
