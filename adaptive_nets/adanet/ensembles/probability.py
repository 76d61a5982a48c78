"""`ProbabilityEnsembler`: a weighed mean of the members' predictions."""

import copy
import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np

from adaptive_nets._checks import (
    check_choice,
    check_config,
    check_function,
    check_integer,
    check_number,
)
from adaptive_nets._dtypes import whole, whole_dtype
from adaptive_nets._pieces import RowWise, pieces
from adaptive_nets.adanet.ensembles.ensemble import Mixture
from adaptive_nets.adanet.ensembles.ensembler import Ensembler, Outputs
from adaptive_nets.adanet.ensembles.member import Member
from adaptive_nets.adanet.ensembles.mixtures.penalty import Penalty
from adaptive_nets.adanet.ensembles.mixtures.proximal import Loss
from adaptive_nets.adanet.ensembles.mixtures.simplex import SimplexSolver
from adaptive_nets.heads import Head
from adaptive_nets.heads.loss_scale import LossScale
from adaptive_nets.serialization import describe_object, restore_object


@keras.saving.register_keras_serializable(package="adaptive_nets")
class ProbabilityEnsembler(Ensembler):
    """Weights >= 0 of sum 1 by which the members' predictions are averaged.

    For classes these are probabilities, in regression the predictions themselves
    (`Head.mean_of`). The weights minimise the loss of the mean plus `Σ Γ_j w_j`, which is convex
    in them, up to a duality gap of `tolerance`. On few rows they are drawn towards equal weights:
    of k members on m rows, by `shrinkage k / m` times `||w - 1/k||² / 2`, which is what
    `shrinkage` further rows would do of which each member predicts an equal share best (a Dirichlet
    prior, to second order); in regression, relative to the loss of equal weights.

    Args:
        gamma: Function from a member's complexity r to its Γ, such as `adanet.Penalty`. To be
            rebuilt from a configuration, it must be registered with
            `keras.saving.register_keras_serializable`. Defaults to `None`: no penalty.
        refit: `"all"` solves for all weights, `"new"` keeps the proportions of the previous
            ensemble. Defaults to `"all"`.
        shrinkage: Number >= 0. Defaults to 1.
        tolerance: Bound on the duality gap, relative to the size of the loss. Defaults to 1e-6.
        max_iterations: Maximum number of iterations of the solver. Defaults to 500.

    Example:

    ```python
    import adaptive_nets as an

    search = an.AdaNet(
        an.heads.MultiClass(), training="independent", ensemble_strategies="all",
        mixture_weights=an.adanet.ProbabilityEnsembler(shrinkage=0.5),
    )
    ```
    """

    compared = ("gamma",)
    averages_predictions = True

    def __init__(
        self,
        gamma: Callable[[float], float] | None = None,
        refit: str = "all",
        shrinkage: float = 1.0,
        tolerance: float = 1e-6,
        max_iterations: int = 500,
    ):
        self.gamma = Penalty() if gamma is None else check_function("gamma", gamma)
        self.refit = check_choice("refit", refit, ("all", "new"))
        self.shrinkage = check_number("shrinkage", shrinkage, 0)
        self.tolerance = check_number("tolerance", tolerance, 0, inclusive=False)
        self.max_iterations = check_integer("max_iterations", max_iterations, 1)
        self._head: Head | None = None
        self._scale: LossScale | None = None
        self._solver: SimplexSolver | None = None

    def for_head(self, head: Head) -> "ProbabilityEnsembler":
        return self._with(_head=head)

    def relative_to(self, scale: LossScale) -> "ProbabilityEnsembler":
        return self._with(_scale=scale)

    def _with(self, **changes):
        made = copy.copy(self)
        made.__dict__.update(changes, _solver=None)
        return made

    def __getstate__(self) -> dict[str, Any]:
        # A solver holds compiled functions, and is made when it is needed.
        return {**self.__dict__, "_solver": None}

    @property
    def _unit(self):
        return 1.0 if self._scale is None else self._scale.overall

    def _mean_of(self, outputs, mean):
        if self._head is None:
            raise ValueError(
                f"{type(self).__name__} averages the predictions of a head, which it has not been "
                "told. Use search.context.ensembler or ensembler.for_head(head). Received: none."
            )
        return self._head.mean_of(outputs, mean)

    def fit(
        self,
        outputs: Outputs,
        labels: np.ndarray,
        weights: np.ndarray | None,
        *,
        members: Sequence[Member],
        start: Mixture | None,
        loss: Loss,
    ) -> Mixture:
        columns = _Columns(self, members, start, self._unit)
        return columns.mixture(self._solve(columns, outputs, labels, weights, loss, columns.starts))

    def priced(self, mixture: Mixture, members: Sequence[Member]) -> Mixture:
        each = [self.gamma(m.complexity) * w for m, w in zip(members, mixture.weights, strict=True)]
        return dataclasses.replace(mixture, penalty=self._unit * float(sum(each)))

    def fit_stream(
        self,
        chunks: Iterable[tuple[Outputs, np.ndarray, np.ndarray | None]],
        *,
        members: Sequence[Member],
        start: Mixture | None,
        loss: Loss,
    ) -> Mixture:
        columns, found, averaged = _Columns(self, members, start, self._unit), None, []
        for number, (outputs, labels, weights) in enumerate(chunks):
            starts = columns.starts if found is None else [columns.starts[0], found]
            found = self._solve(columns, outputs, labels, weights, loss, starts)
            # Averaging the later solutions reduces their noise, and stays among the means.
            averaged = [*averaged, found] if number >= 10 else [found]
        return columns.mixture(np.mean(averaged, axis=0))

    def _solve(self, columns, outputs, labels, weights, loss, starts):
        if len(columns.gamma) == 1:
            return np.ones(1)
        if self._solver is None or self._solver.loss != loss:
            self._solver = SimplexSolver(loss, self._mean_of, self.tolerance, self.max_iterations)
        rows = len(labels)
        if weights is not None:
            # Of unequal weights, as many equal ones tell as much (Kish).
            rows = rows * np.mean(weights, dtype="float64") ** 2 / np.mean(np.square(weights))

        def shrinkage(equal):
            size = 1.0 if self._scale is None else equal
            return self.shrinkage * size * len(columns.gamma) / rows, starts[0]

        given = {"h": RowWise(columns.join, outputs), "y": labels, "weights": weights}
        return self._weights(self._solver, columns, starts, given, shrinkage)

    def _weights(self, solver, columns, starts, given, shrinkage):
        return solver.solve(
            **given, starts=starts, gamma=columns.gamma, unit=self._unit, shrinkage=shrinkage
        ).weights

    def apply(self, mixture: Mixture, outputs: Outputs) -> np.ndarray:
        pairs = zip(mixture.weights, outputs, strict=True)
        used = [(w, out["logits"]) for w, out in pairs if w > 0]
        if len(used) == 1:
            return np.asarray(used[0][1], "float64")
        weights = keras.ops.convert_to_tensor(np.array([w for w, _ in used], "float64"))
        found = np.empty(used[0][1].shape)
        for rows in pieces(len(found), len(used) * found.shape[1]):
            joined = np.stack([logits[rows] for _, logits in used], axis=1).astype("float64")
            mean = self._mean_of(
                keras.ops.convert_to_tensor(joined),
                lambda each: keras.ops.einsum("j,njc->nc", weights, each),
            )
            found[rows] = keras.ops.convert_to_numpy(mean)
        return found

    def build(
        self, mixture: Mixture, outputs: list[dict[str, keras.KerasTensor]]
    ) -> keras.KerasTensor:
        pairs = zip(mixture.weights, outputs, strict=True)
        used = [(w, out["logits"]) for w, out in pairs if w > 0]
        if len(used) == 1:
            return whole(used[0][1], "mixture")
        units, dtype = used[0][1].shape[-1], whole_dtype()
        rows = [keras.layers.Reshape((1, units), dtype=dtype)(logits) for _, logits in used]
        joined = keras.layers.Concatenate(axis=1, dtype=dtype)(rows)
        # A kernel over the last axis takes any number of columns, as heads may average several.
        layer = keras.layers.Dense(1, use_bias=False, dtype=dtype, name="mixture")

        def mean(rows):
            return keras.ops.squeeze(layer(keras.ops.transpose(rows, (0, 2, 1))), axis=-1)

        logits = self._mean_of(joined, mean)
        layer.set_weights([np.array([[w] for w, _ in used])])
        return logits

    def get_config(self) -> dict[str, Any]:
        return {
            "gamma": describe_object(self.gamma),
            "refit": self.refit,
            "shrinkage": self.shrinkage,
            "tolerance": self.tolerance,
            "max_iterations": self.max_iterations,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "ProbabilityEnsembler":
        config = check_config(cls, config)
        gamma = restore_object(config["gamma"], "mixture_weights", "penalty")
        return cls(**{**config, "gamma": gamma})


class _Columns:
    """What is weighed: every member, or the previous ensemble as one and each new member."""

    def __init__(self, ensembler, members, start, unit):
        known, count = 0 if start is None else len(start.weights), len(members)
        self.ensembler, self.start, self.unit = ensembler, start, unit
        self.first = known if ensembler.refit == "new" else 0
        self.each = np.array([ensembler.gamma(m.complexity) for m in members], "float64")
        equal = np.full(count, 1 / count)
        starts = [equal]
        if known:
            starts.append(np.append(np.asarray(start.weights), np.zeros(count - known)))
        self.gamma, self.starts = self._merged(self.each, starts)

    def _merged(self, gamma, starts):
        first = self.first
        if not first:
            return gamma, starts
        old = np.asarray(self.start.weights)
        merged = [np.append(w[:first].sum(), w[first:]) for w in starts]
        return np.append(old @ gamma[:first], gamma[first:]), merged

    def join(self, outputs):
        logits = [o["logits"] for o in outputs[self.first :]]
        if self.first:
            logits = [self.ensembler.apply(self.start, outputs[: self.first]), *logits]
        return np.stack(logits, axis=1)

    def mixture(self, found):
        if self.first:
            found = np.append(found[0] * np.asarray(self.start.weights), found[1:])
        penalty = self.unit * float(self.each @ found)
        return Mixture(tuple(np.float64(w) for w in found), None, penalty)
