"""`Unseen`: training rows, with what is predicted for them by networks that have not seen them."""

import dataclasses

import numpy as np
import pandas as pd

from adaptive_nets.automl.judging.temperature import Temperature
from adaptive_nets.automl.labelled import Labelled


@dataclasses.dataclass(frozen=True)
class Unseen:
    """Rows with predictions of models that were not trained on them.

    Args:
        rows: The rows.
        outputs: Probabilities `[rows, classes]`, predicted numbers, or quantiles of them.
    """

    rows: Labelled
    outputs: np.ndarray

    def cooled(self, temperature: Temperature | None) -> "Unseen":
        """Returns the same with the logits of its probabilities divided by a temperature."""
        if temperature is None or temperature.value == 1:
            return self
        p = np.asarray(self.outputs, "float64")
        scaled = np.maximum(p, np.finfo("float64").tiny) ** (1.0 / temperature.value)
        return Unseen(self.rows, scaled / scaled.sum(axis=1, keepdims=True))

    def joined(self, other: "Unseen | None") -> "Unseen":
        """Returns these rows, and those of another one after them."""
        if other is None:
            return self
        a, b = self.rows, other.rows
        w = None
        if a.w is not None or b.w is not None:
            w = np.concatenate([np.ones(len(r.y)) if r.w is None else r.w for r in (a, b)])
        x = pd.concat([a.x, b.x[list(a.x.columns)]], ignore_index=True)
        rows = Labelled(x, np.concatenate([a.y, b.y]), w)
        return Unseen(rows, np.concatenate([self.outputs, other.outputs]))
