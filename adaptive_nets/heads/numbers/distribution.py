"""`Distribution`: a head that predicts the distribution of a number."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from keras import ops

from adaptive_nets._arguments import takes
from adaptive_nets._checks import (
    check_array,
    check_choice,
    check_config,
    check_number,
    or_none,
    show,
)
from adaptive_nets._dtypes import whole_dtype
from adaptive_nets.heads.base import Head
from adaptive_nets.heads.numbers.families import FAMILIES, Family, distributions
from adaptive_nets.heads.numbers.numeric import Numeric
from adaptive_nets.heads.numbers.quantile import check_levels

LEVELS = (0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975)
# The least ρ: no deviation is predicted that is more than 100 times that of the training targets.
LEAST_RHO = 0.01
# exp of more is no float32.
_LARGEST_LOGARITHM = 88.0
_USUAL_DF, _MOST_DF = 4.0, 1e6


@takes({})
@keras.saving.register_keras_serializable(package="adaptive_nets")
class Distribution(Numeric):
    """The distribution of one target: the loss is the negative logarithm of its density.

    With the standardised target z = (y - location) / scale, the two logits of a row are γ = μ / σ
    and ρ = 1 / σ, where μ and σ are the location and scale of the distribution of z. The loss is

        -log f(ρ z - γ) - log ρ + log scale

    for the standard density f. It is convex in both logits for `"normal"`, `"lognormal"` and
    `"logistic"`, whose log f is concave (Burridge, 1981). That of `"student_t"` is not: the weights
    of a mixture are then a local minimum, which is never worse than where the solver began. Below
    ρ = 0.01, which stands for 100 deviations of the training targets, log continues as its tangent
    and predictions keep ρ = 0.01.

    An ensemble is again a distribution of the family: its logits are weighed means, or sums, of the
    members' logits. So a member's mean counts by how sure the member is, and the sum of the weights
    says how sure the ensemble is. See the page on AdaNet.

    tensorflow-probability computes the density: `pip install 'adaptive-nets[probability]'`.
    Exported models need neither it nor this package.

    Predictions: `"mean"` and `"deviation"` `[n, 1]`, `"quantiles"` `[n, levels]`, in rising
    order, and `"logits"` `[n, 2]`.

    Args:
        family: `"normal"`, `"lognormal"` (targets above 0, whose logarithm is normal),
            `"logistic"` or `"student_t"` (heavy tails). Defaults to `"normal"`.
        levels: Different numbers between 0 and 1, in rising order, of the quantiles. Defaults to
            `None`: 0.025, 0.05, 0.1, 0.25, 0.5 and those above that mirror them.
        df: Degrees of freedom of `"student_t"`, above 2. Defaults to `None`: 4.
        location: Mean of the targets, or of their logarithms with `"lognormal"`. Defaults to
            `None`: learned by `adapt`.
        scale: Their standard deviation, > 0. Defaults to `None`: learned by `adapt`.
        name: String. The head's name in errors and reports. Defaults to `"distribution"`.
        weight_column: Name of the feature with the weights of the rows, which is not an input of
            the model. Defaults to `None`: rows weigh the same, or as `sample_weight` says.

    Raises:
        ImportError: tensorflow-probability is not installed.
        ValueError: An argument is out of range, or Keras' backend is not TensorFlow.

    Example:

    ```python
    import keras
    import adaptive_nets as an

    head = an.heads.Distribution("normal").adapt([-1.0, 1.0])  # location 0, scale 1
    logits = keras.ops.convert_to_tensor([[1.0, 2.0]])  # mean 1 / 2, deviation 1 / 2
    loss = head.loss(head.encode([0.5]), logits)  # log(2 pi) / 2 - log 2 = 0.2257914
    found = head.distribution(logits)  # a distribution of tensorflow-probability
    mean, deviation, median = found.mean(), found.stddev(), found.quantile(0.5)
    ```
    """

    _several = "For several targets, make a head of each for heads.Multi."

    def __init__(
        self,
        family: str = "normal",
        levels: Iterable[float] | None = None,
        df: float | None = None,
        location: float | None = None,
        scale: float | None = None,
        name: str = "distribution",
        weight_column: str | None = None,
    ) -> None:
        super().__init__(1, name, weight_column)
        self.family = check_choice("family", family, tuple(FAMILIES))
        self.levels = check_levels("levels", LEVELS if levels is None else levels)
        if df is not None and not self._family.shaped:
            raise ValueError(
                f"df is for family='student_t'. Leave it out. "
                f"Received: df={show(df)}, family={self.family!r}."
            )
        if df is None and self._family.shaped:
            df = _USUAL_DF
        self.df = or_none(check_number, "df", df, 2, _MOST_DF, "high")
        self.location = or_none(check_number, "location", location)
        self.scale = or_none(check_number, "scale", scale, 0, None, False)
        self._quantiles = self._family.quantiles(self.df, self.levels)
        self._deviation = self._family.deviation(self.df)

    @property
    def _family(self) -> Family:
        return FAMILIES[self.family]

    @property
    def units(self) -> int:
        return 2

    @property
    def label_spec(self) -> tuple[tuple[int, ...], str]:
        return (1,), "float32"

    @property
    def convex(self) -> bool:
        """Whether the loss is convex in the logits."""
        return self._family.convex

    @property
    def main_metric(self) -> tuple[str, str]:
        return "nll", "min"

    @property
    def default_output(self) -> str:
        return "mean"

    def adapt(self, y: Any) -> Head:
        super().adapt(y)
        targets = self.encode(y).astype("float64")
        if self._family.log:
            targets = np.log(targets)
        if self.location is None:
            self.location = float(targets.mean())
        if self.scale is None:
            spread = float(np.sqrt(np.mean((targets - self.location) ** 2)))
            # Of targets that are all alike, only rounding differs.
            self.scale = spread if spread > 1e-9 * max(1.0, abs(self.location)) else 1.0
        return self

    def _read_targets(self, y: Any) -> np.ndarray:
        targets = super()._read_targets(y)
        if self._family.log and (targets <= 0).any():
            row = int(np.argmax(targets[:, 0] <= 0))
            raise ValueError(
                f"Cannot encode labels for head '{self.name}': numbers above 0 are expected with "
                f"family='lognormal'. For others use 'normal'. "
                f"Received: {targets[row, 0]:g} in row {row}."
            )
        return targets

    def loss(self, labels: Any, logits: Any) -> Any:
        logits = ops.convert_to_tensor(logits)
        gamma, rho = logits[:, 0], logits[:, 1]
        kept = ops.maximum(rho, LEAST_RHO)
        # Below the least ρ, its logarithm continues as the tangent.
        logarithm = ops.log(kept) + (rho - kept) / LEAST_RHO
        return self._negative(labels, gamma, rho) - logarithm

    def negative_log_likelihood(self, labels: Any, logits: Any) -> Any:
        """Returns -log p(y) of the distributions that are predicted; above ρ = 0.01, the loss.

        Args:
            labels: Labels as returned by `encode`.
            logits: Tensor `[n, 2]`.
        """
        logits = ops.convert_to_tensor(logits)
        gamma, rho = logits[:, 0], ops.maximum(logits[:, 1], LEAST_RHO)
        return self._negative(labels, gamma, rho) - ops.log(rho)

    def _negative(self, labels, gamma, rho):
        """Returns the loss without the logarithm of ρ."""
        location, scale = self._known()
        dtype = keras.backend.standardize_dtype(gamma.dtype)
        y = ops.cast(ops.reshape(labels, (-1,)), dtype)
        rest = float(np.log(scale))
        if self._family.log:
            y = ops.log(y)
            # The density is that of the target, not of its logarithm.
            rest = rest + y
        error = rho * ((y - location) / scale) - gamma
        return rest - self._family.standard(self.df, dtype).log_prob(error)

    def distribution(self, logits: Any) -> Any:
        """Returns the distributions of some rows, an object of tensorflow-probability.

        It has `mean()`, `stddev()`, `quantile(level)`, `sample(n, seed=)`, `log_prob(y)`, `cdf(y)`.

        Args:
            logits: Tensor or array `[n, 2]`, such as `search.predict(x, "logits")`.

        Raises:
            ValueError: `logits` are not numbers of this shape.
            ImportError: tensorflow-probability is not installed.
        """
        if not ops.is_tensor(logits):
            logits = check_array("logits", logits, "numbers [n, 2]")
        kind = getattr(logits.dtype, "kind", "f")
        if len(logits.shape) != 2 or logits.shape[1] != 2 or kind not in "biuf":
            raise ValueError(
                f"logits must be numbers [n, 2], as those of head '{self.name}'. "
                f"Received: shape {list(logits.shape)}, dtype {logits.dtype}."
            )
        logits = ops.convert_to_tensor(logits)
        dtype = keras.backend.standardize_dtype(logits.dtype)
        location, scale = self._parameters(logits)
        if self._family.log:
            return distributions().LogNormal(location[:, 0], scale[:, 0])
        return self._family.made(self.df, location[:, 0], scale[:, 0], dtype)

    def predictions(self, logits: Any) -> dict[str, Any]:
        logits = ops.convert_to_tensor(logits)
        location, scale = self._parameters(logits)
        standard = ops.convert_to_tensor(self._quantiles[None], location.dtype)
        quantiles = location + scale * standard
        if not self._family.log:
            return {
                "logits": logits,
                "mean": location,
                "deviation": self._deviation * scale,
                "quantiles": quantiles,
            }
        mean = location + ops.square(scale) / 2
        # The logarithm of exp(σ²) - 1, which may be larger than any float32.
        spread = ops.square(scale) + ops.log(-ops.expm1(-ops.square(scale)))
        return {
            "logits": logits,
            "mean": _exp(mean),
            "deviation": _exp(mean + spread / 2),
            "quantiles": _exp(quantiles),
        }

    def _parameters(self, logits):
        """Returns location and scale of the target, or of its logarithm, `[n, 1]` each."""
        location, scale = self._known()
        sigma = 1.0 / ops.maximum(logits[:, 1:], LEAST_RHO)
        return location + scale * sigma * logits[:, :1], scale * sigma

    def _known(self):
        if self.location is None or self.scale is None:
            raise ValueError(
                f"The location and scale of head '{self.name}' are not known yet. Call `adapt` "
                f"with the training labels, or pass both. "
                f"Received: location={self.location}, scale={self.scale}."
            )
        return self.location, self.scale

    def metrics(self) -> dict[str, keras.metrics.Metric]:
        return {"nll": NegativeLogLikelihood(self.get_config())}

    def output_range(
        self, labels: np.ndarray, base: np.ndarray | None = None
    ) -> tuple[list[float], list[float]]:
        """Returns logits of the training targets' own distribution, or 0 if there is a base."""
        return [0.0, 0.0 if base is not None else 1.0], [1.0, 1.0]

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["dim"]
        return {
            **config,
            "family": self.family,
            "levels": list(self.levels),
            "df": self.df,
            "location": self.location,
            "scale": self.scale,
        }


@keras.saving.register_keras_serializable(package="adaptive_nets")
class NegativeLogLikelihood(keras.metrics.Mean):
    """Mean negative log likelihood of targets under predicted distributions.

    Args:
        head: Configuration of the `heads.Distribution`.
        name: String. The metric's name. Defaults to `"nll"`.
        dtype: Dtype of the sums. Defaults to `None`: float32, or float64 if that is Keras' float
            type.

    Example:

    ```python
    import adaptive_nets as an

    metric = an.heads.Distribution(location=0.0, scale=1.0).metrics()["nll"]
    metric.update_state([[0.5]], [[1.0, 2.0]])
    nll = float(metric.result())  # log(2 pi) / 2 - log 2 = 0.2257914
    ```
    """

    def __init__(self, head: dict[str, Any], name: str = "nll", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype or whole_dtype())
        self._head = Distribution(**check_config(Distribution, head))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        logits, labels = ops.cast(y_pred, self.dtype), ops.cast(y_true, self.dtype)
        super().update_state(self._head.negative_log_likelihood(labels, logits), sample_weight)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "head": self._head.get_config()}


def _exp(x):
    return ops.exp(ops.minimum(x, _LARGEST_LOGARITHM))
