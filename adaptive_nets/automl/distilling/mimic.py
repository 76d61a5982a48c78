"""`Mimic`: a head whose labels are what another model says."""

from typing import Any

import keras
import numpy as np
from keras import ops

from adaptive_nets._checks import check_config, check_instance
from adaptive_nets.growth.distill import soft_cross_entropy
from adaptive_nets.heads import Distribution, Head
from adaptive_nets.heads.numbers.link import Link
from adaptive_nets.serialization import describe_object, restore_object


@keras.saving.register_keras_serializable(package="adaptive_nets")
class Mimic(Head):
    """Trains on a teacher's logits; its loss is lowest where a network's logits are the same.

    - Classes: the cross-entropy to the teacher's probabilities.
    - Numbers through a log link: half the deviance from the teacher's mean.
    - Distributions: the expected negative log likelihood under the teacher's normal distribution,
      which depends on its mean and deviation only.
    - Other numbers, and quantiles: the squared error.

    Args:
        head: The head that both models' logits belong to.
    """

    def __init__(self, head: Head):
        self.head = check_instance("head", head, Head, "a heads.Head")
        super().__init__(head.name)

    @property
    def units(self) -> int:
        return self.head.units

    @property
    def main_metric(self) -> tuple[str, str]:
        return "loss", "min"

    @property
    def default_output(self) -> str:
        return self.head.default_output

    def encode(self, y: Any) -> np.ndarray:
        return np.asarray(y, "float32").reshape(len(y), self.units)

    def loss(self, labels: Any, logits: Any) -> Any:
        logits = ops.convert_to_tensor(logits)
        labels = ops.cast(labels, logits.dtype)
        if self.head.class_labels is not None:
            return soft_cross_entropy(_of_all_classes(labels), _of_all_classes(logits))
        if isinstance(self.head, Link):
            return self.head.loss(self.head.predictions(labels)["predictions"], logits)
        if isinstance(self.head, Distribution):
            known = self.head.predictions(labels)
            mean, deviation = known["mean"], known["deviation"]
            # The loss is quadratic in the target: two values stand for the whole distribution.
            ends = [self.head.loss(mean + sign * deviation, logits) for sign in (-1.0, 1.0)]
            return (ends[0] + ends[1]) / 2.0
        return ops.mean(ops.square(labels - logits), axis=-1)

    def metrics(self) -> dict[str, keras.metrics.Metric]:
        return {}

    def predictions(self, logits: Any) -> dict[str, Any]:
        return self.head.predictions(logits)

    def mean_of(self, outputs: Any, mean: Any = None) -> Any:
        return self.head.mean_of(outputs, mean)

    def output_range(
        self, labels: np.ndarray, base: np.ndarray | None = None
    ) -> tuple[list[float], list[float]] | None:
        """Returns mean and deviation of the teacher's logits; `None` for classes."""
        if self.head.class_labels is not None:
            return None
        rest = np.asarray(labels, "float64") - (0.0 if base is None else base)
        spread = rest.std(axis=0)
        return rest.mean(axis=0).tolist(), np.where(spread > 0, spread, 1.0).tolist()

    def get_config(self) -> dict[str, Any]:
        return {"head": describe_object(self.head)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Mimic":
        config = check_config(cls, config)
        return cls(restore_object(config["head"], "head"))


def _of_all_classes(logits):
    """Returns one logit for each class: of two classes, a head has that of the second one."""
    if logits.shape[-1] > 1:
        return logits
    return ops.concatenate([ops.zeros_like(logits), logits], axis=-1)
