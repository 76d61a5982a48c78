"""Complexity measures: the r of a subnetwork in `Γ = λ r + β` (AdaNet, sections 3 and 4)."""

import abc
import dataclasses
import math
import numbers
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from adaptive_nets._checks import check_number, show
from adaptive_nets._pieces import blocks
from adaptive_nets._values import tried
from adaptive_nets.configurable import Configurable
from adaptive_nets.contracts import registered
from adaptive_nets.data.rows import Rows

if TYPE_CHECKING:
    from adaptive_nets.adanet.candidates.builder import Subnetwork


@dataclasses.dataclass(frozen=True)
class DataSummary:
    """Numbers of the (preprocessed) training data that a complexity may use.

    Args:
        rows: Number of rows, m; for weighted rows, the sum of their weights.
        features: Number of features, n_0.
        largest: Largest magnitude of a feature, `r_inf = max_i ||Ψ(x_i)||_inf`.

    Raises:
        ValueError: A number is out of range.
    """

    rows: float
    features: int
    largest: float

    def __post_init__(self):
        for name in ("rows", "features"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"A DataSummary must have {name} >= 1. Received: {name}={getattr(self, name)}."
                )
        if not 0 <= self.largest < math.inf:
            raise ValueError(
                "The largest magnitude of a DataSummary's features must be finite and >= 0. "
                f"Received: largest={self.largest}."
            )


def rademacher_bound(
    widths: Sequence[int],
    sample: DataSummary,
    p: float = 2.0,
    norm_bound: float | Sequence[float] = 1.0,
) -> float:
    """Computes an upper bound on the Rademacher complexity of layer k (AdaNet, lemma 2).

        r_k = r_inf Λ_k N_k^{1/q} sqrt(log(2 n_0) / (2m)),   1/p + 1/q = 1,
        Λ_k = Π_{s≤k} 2Λ_s,   N_k = Π_{s≤k} n_{s-1}

    for the functions of layer k whose units have incoming weights (no bias) with
    `||u||_p <= Λ_s` in layer s, under activations that are 1-Lipschitz and 0 at 0.

    Args:
        widths: `(n_1, ..., n_{k-1})`, the number of units that each layer after the first reads,
            including those of connected earlier subnetworks. Empty for the first layer.
        sample: `DataSummary`; `sample.features` is n_0.
        p: Norm of the weights, from 1 to infinity. Defaults to 2.
        norm_bound: Λ > 0, one for all layers or one per layer (those after the k-th are ignored).
            Defaults to 1.

    Returns:
        r_k, a number >= 0.

    Raises:
        ValueError: p, a width or a norm bound is out of range, or there are too few norm bounds.

    Example:

    ```python
    from adaptive_nets.adanet.objective.complexity import DataSummary, rademacher_bound

    sample = DataSummary(rows=9600, features=154, largest=1.0)
    rademacher_bound((), sample)  # 0.43
    rademacher_bound((100,), sample)  # 8.6
    ```
    """
    p, norm_bound = check_norm(p), _check_bounds(norm_bound)
    depth = len(widths) + 1
    if any(width < 1 for width in widths):
        raise ValueError(f"Widths must be >= 1. Received: widths={tuple(widths)}.")
    bounds = norm_bound if isinstance(norm_bound, list) else [norm_bound] * depth
    if len(bounds) < depth:
        raise ValueError(
            f"norm_bound must be one number, or one for each of {depth} layers. "
            f"Received: norm_bound={show(norm_bound)}."
        )
    products = math.prod(2.0 * bound for bound in bounds[:depth])
    inputs = float(sample.features) * math.prod(float(width) for width in widths)
    rate = math.sqrt(math.log(2 * sample.features) / (2 * sample.rows))
    return sample.largest * products * inputs ** (1 - 1 / p) * rate


def check_norm(p: float) -> float:
    """Checks the order of a norm, a number from 1 to infinity, and returns it."""
    if isinstance(p, numbers.Real) and not isinstance(p, bool) and p >= 1:
        # Integers may be too large for a float.
        found = tried(lambda: float(p))
        if found is not None:
            return found
    raise ValueError(f"p must be a number >= 1 or infinity. Received: p={show(p)}.")


def _check_bounds(norm_bound):
    if not isinstance(norm_bound, list | tuple):
        return check_number("norm_bound", norm_bound, 0, inclusive=False)
    if not norm_bound:
        raise ValueError("norm_bound must have at least one number. Received: norm_bound=[].")
    return [
        check_number(f"norm_bound[{k}]", bound, 0, inclusive=False)
        for k, bound in enumerate(norm_bound)
    ]


class Complexity(Configurable, abc.ABC):
    """Measures how complex a subnetwork is, for `AdaNet(complexity=...)`.

    Attributes:
        needs_outputs: Whether to call `measured` after training. Defaults to `False`: the result
            of `before` is used.
        falls_with_rows: Whether it falls with the number of rows, so that the default of λ need
            not. Defaults to `False`.

    Example:

    ```python
    import keras
    from adaptive_nets.adanet.objective.complexity import Complexity

    @keras.saving.register_keras_serializable(package="my_package")
    class Depth(Complexity):
        def before(self, subnetwork, widths, sample):
            return float(subnetwork.depth)
    ```
    """

    needs_outputs = False
    falls_with_rows = False

    @abc.abstractmethod
    def before(
        self, subnetwork: "Subnetwork", widths: tuple[int, ...] | None, sample: DataSummary
    ) -> float:
        """Returns the complexity of a subnetwork that has just been built.

        Args:
            subnetwork: The `Subnetwork` that the builder returned.
            widths: `(n_1, ..., n_{k-1})` as for `rademacher_bound`, or `None` if the builder
                did not name the hidden layers.
            sample: `DataSummary` of the training data.

        Returns:
            A number >= 0.
        """

    def measured(self, last_layer: np.ndarray, weights: np.ndarray | None = None) -> float:
        """Returns the complexity of a trained subnetwork. Called if `needs_outputs`.

        Args:
            last_layer: `[n, units]` outputs of its last layer on the training rows.
            weights: `[n]` row weights. Defaults to `None`: all are equal.

        Returns:
            A number >= 0.
        """
        raise NotImplementedError(
            f"{type(self).__name__} sets needs_outputs, so it must implement `measured`."
        )


@keras.saving.register_keras_serializable(package="adaptive_nets")
class SqrtDepth(Complexity):
    """The square root of the depth, the usual substitute for the Rademacher complexity."""

    def before(
        self, subnetwork: "Subnetwork", widths: tuple[int, ...] | None, sample: DataSummary
    ) -> float:
        return math.sqrt(subnetwork.depth)


@keras.saving.register_keras_serializable(package="adaptive_nets")
class Rademacher(Complexity):
    """The bound on the Rademacher complexity of AdaNet's lemma 2: `rademacher_bound`.

    It applies to subnetworks whose weights keep the norm bound, which `NormBall` enforces.

    Args:
        p: Norm of each unit's incoming weights, from 1 to infinity. Defaults to 2.
        norm_bound: Λ > 0: one number, or a list with one per layer. Defaults to 1.

    Raises:
        ValueError: An argument is out of range.

    Example:

    ```python
    from adaptive_nets.adanet.objective.complexity import Rademacher

    complexity = Rademacher(p=1.5, norm_bound=[1.0, 1.2])
    ```
    """

    falls_with_rows = True

    def __init__(self, p: float = 2.0, norm_bound: float | Sequence[float] = 1.0):
        self.p, self.norm_bound = check_norm(p), _check_bounds(norm_bound)

    def before(
        self, subnetwork: "Subnetwork", widths: tuple[int, ...] | None, sample: DataSummary
    ) -> float:
        if widths is None:
            raise ValueError(
                "complexity='rademacher' requires the widths of the hidden layers: pass "
                "Subnetwork(hidden=[...]). Received: widths=None."
            )
        return rademacher_bound(widths, sample, self.p, self.norm_bound)

    def get_config(self) -> dict[str, Any]:
        return {"p": self.p, "norm_bound": self.norm_bound}


@keras.saving.register_keras_serializable(package="adaptive_nets")
class OutputDeviation(Complexity):
    """The standard deviation of the last layer's outputs (AdaNet.SD).

    For several units it is the root of their mean variance over the training rows.
    """

    needs_outputs = True

    def before(
        self, subnetwork: "Subnetwork", widths: tuple[int, ...] | None, sample: DataSummary
    ) -> float:
        return 0.0

    def measured(
        self, last_layer: np.ndarray, weights: np.ndarray | None = None, block: int = 8192
    ) -> float:
        n = len(last_layer)
        weights = np.ones(n) if weights is None else np.asarray(weights, "float64")
        # In blocks, because cached outputs may be larger than memory, and float64 doubles them.
        blocks = [slice(start, start + block) for start in range(0, n, block)]
        mean = sum(weights[b] @ last_layer[b] for b in blocks) / weights.sum()
        square = sum(weights[b] @ (last_layer[b] - mean) ** 2 for b in blocks)
        return float(np.sqrt(np.mean(square / weights.sum())))


@keras.saving.register_keras_serializable(package="adaptive_nets")
class FunctionComplexity(Complexity):
    """A complexity defined by a function from `Subnetwork` to a number >= 0.

    Args:
        function: The function. To be rebuilt from a configuration, it must be registered with
            `keras.saving.register_keras_serializable`.
    """

    compared = ("function",)

    def __init__(self, function: Callable[["Subnetwork"], float]):
        self.function = function

    def before(
        self, subnetwork: "Subnetwork", widths: tuple[int, ...] | None, sample: DataSummary
    ) -> float:
        value = self.function(subnetwork)
        try:
            return float(value)
        except (TypeError, ValueError) as error:
            name = getattr(self.function, "__name__", type(self.function).__name__)
            raise ValueError(
                f"The complexity function '{name}' must return a number >= 0. "
                f"Received: {show(value)}."
            ) from error

    def get_config(self) -> dict[str, Any]:
        return {"function": keras.saving.get_registered_name(self.function)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "FunctionComplexity":
        function = registered(config["function"])
        if function is None or isinstance(function, type):
            raise ValueError(
                f"The complexity function '{config['function']}' is not registered with "
                "keras.saving.register_keras_serializable. Pass it as complexity=..."
            )
        return cls(function)


COMPLEXITIES = {"sqrt_depth": SqrtDepth, "rademacher": Rademacher, "std": OutputDeviation}


def make_complexity(value: str | Complexity | Callable[["Subnetwork"], float]) -> Complexity:
    """Returns the `Complexity` for a name, a `Complexity` or a function of a `Subnetwork`.

    Raises:
        ValueError: `value` is none of these.
    """
    if isinstance(value, Complexity):
        return value
    if isinstance(value, str) and value in COMPLEXITIES:
        return COMPLEXITIES[value]()
    if callable(value) and not isinstance(value, type):
        return FunctionComplexity(value)
    raise ValueError(
        f"complexity must be one of {', '.join(map(repr, COMPLEXITIES))}, an adanet.Complexity, "
        f"or a function of an adanet.Subnetwork. Received: complexity={show(value)}."
    )


def summarize_rows(rows: Rows) -> DataSummary:
    """Summarizes (preprocessed) training rows for complexities."""
    numeric = [a for a in keras.tree.flatten(rows.x) if a.dtype.kind in "fiub"]
    each = (np.asarray(block, "float32") for a in numeric for block in blocks(a, 65536))
    largest = max((float(max(block.max(), -block.min())) for block in each), default=0.0)
    return DataSummary(len(rows), max(1, sum(int(np.prod(a.shape[1:])) for a in numeric)), largest)
