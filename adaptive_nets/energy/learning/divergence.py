"""Detects that a machine's samples have left its data, and restores the last good weights."""

import math
import warnings
from typing import Any

import keras
import numpy as np


class Watch(keras.callbacks.Callback):
    """Stops `fit` when training diverges, and restores the weights of the last good epoch.

    Training diverges if a weight is not finite, or if the mean free energies of data and samples
    differ by more than two nats per visible unit: samples are then nowhere near the data.
    """

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._good = _copied(self.model)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        model = self.model
        gap = float((logs or {}).get("loss", 0.0))
        limit = 2.0 * len(model.visible_bias)
        norm = float(np.linalg.norm(model.kernel))
        if math.isfinite(gap) and abs(gap) <= limit and math.isfinite(norm):
            self._good = _copied(model)
            return
        step = int(keras.ops.convert_to_numpy(model.optimizer.iterations))
        if [value.shape for value in self._good] == [tuple(v.shape) for v in model.weights]:
            model.set_weights(self._good)
            kept = "The weights of the previous epoch are restored."
        else:
            kept = (
                "Capacity has grown since the previous epoch, so the weights are kept as they are."
            )
        model.stop_training = True
        warnings.warn(
            f"Training of {model.name!r} diverged at step {step}: the free-energy gap is {gap:.3g} "
            f"nats (limit {limit:.3g}), the kernel norm {norm:.3g}. {kept} Lower the learning "
            "rate, raise gibbs_steps, or raise beta.",
            stacklevel=2,
        )


def _copied(model: Any) -> list[np.ndarray]:
    return [np.array(keras.ops.convert_to_numpy(v)) for v in model.weights]
