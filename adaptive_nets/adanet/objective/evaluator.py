"""`Evaluator`: judges candidate ensembles by a metric."""

from typing import Any

import keras

from adaptive_nets._checks import check_choice, check_dict, check_text, show
from adaptive_nets.configurable import Configurable
from adaptive_nets.data.containers import check_given, unpack
from adaptive_nets.data.datasets import is_batched
from adaptive_nets.heads import Head


@keras.saving.register_keras_serializable(package="adaptive_nets")
class Evaluator(Configurable):
    """Judges candidate ensembles by a metric on held-out data, instead of by the objective.

    Args:
        x: Features, or batches of features and labels. Defaults to `None`: the validation data of
            `fit`.
        y: Labels. Defaults to `None`.
        sample_weight: Row weights. Defaults to `None`.
        metric: `"loss"` or the name of one of the head's metrics. Defaults to `"loss"`.
        mode: `"min"`, `"max"` or `"auto"` (minimise the loss and errors, maximise other metrics).
            Defaults to `"auto"`.

    Example:

    ```python
    import adaptive_nets as an

    an.adanet.Evaluator(metric="accuracy", mode="max")
    ```
    """

    compared = ("x", "y", "sample_weight")

    def __init__(
        self,
        x: Any = None,
        y: Any = None,
        sample_weight: Any = None,
        metric: str = "loss",
        mode: str = "auto",
    ):
        check_choice("mode", mode, ("auto", "min", "max"))
        if (x is None) != (y is None) and not is_batched(x):
            raise ValueError("Pass both x and y to an Evaluator, or neither.")
        check_text("metric", metric)
        if x is not None and not is_batched(x):
            # Whether they suit the search is seen when it reads them.
            unpack(x)
            for name, given in (("x", x), ("y", y), ("sample_weight", sample_weight)):
                if given is not None:
                    check_given(name, given)
        self.x, self.y, self.sample_weight = x, y, sample_weight
        self.metric, self.mode = metric, mode
        self._better = None

    def value(self, measured: dict) -> float:
        """Returns the number to minimise, from one candidate ensemble's loss and metrics."""
        sign = -1.0 if self._maximise() else 1.0
        return sign * measured[self.metric]

    def check(self, head: Head) -> None:
        """Raises a `ValueError` if the head does not have the metric."""
        known = ["loss", *head.metrics()]
        if self.metric not in known:
            raise ValueError(
                f"Unknown metric for head '{head.name}': expected one of {', '.join(known)}. "
                f"Received: metric={show(self.metric)}."
            )
        name, better = head.main_metric
        self._better = better if self.metric == name else None

    def get_config(self) -> dict:
        return {"metric": self.metric, "mode": self.mode, "own_data": self.x is not None}

    @classmethod
    def from_config(cls, config: dict) -> "Evaluator":
        """Creates an evaluator without its own data, which a configuration does not hold."""
        given = check_dict("config", config, object, "the output of Evaluator.get_config", 1)
        if not given.keys() <= {"metric", "mode", "own_data"}:
            raise ValueError(
                "config must be the output of Evaluator.get_config, a dict of metric, mode and "
                f"own_data. Received: config={show(config)}."
            )
        return cls(**{name: given[name] for name in ("metric", "mode") if name in given})

    def _maximise(self):
        mode = (self._better or "auto") if self.mode == "auto" else self.mode
        metric = self.metric.rpartition("/")[2]
        falling = ("loss", "log_loss", "mse", "rmse", "mae")
        return mode == "max" or (mode == "auto" and metric not in falling)
