"""`Ensembler`s, which weigh an ensemble's members."""

import abc
from collections.abc import Callable, Iterable, Sequence

import keras
import numpy as np

from adaptive_nets.adanet.ensembles.ensemble import Mixture
from adaptive_nets.adanet.ensembles.member import Member
from adaptive_nets.adanet.ensembles.proximal import MIXTURE_KINDS, Loss, MixtureSolver

Outputs = list[dict[str, np.ndarray]]


class Ensembler(abc.ABC):
    """Weighs members: fits the weights, applies them to arrays, and builds them as layers.

    `apply` and `build` must compute the same function.

    Attributes:
        reads_last_layer: Whether members' `last_layer` is needed beside their `logits`.
            Defaults to `False`.
    """

    reads_last_layer = False

    def gamma(self, complexity: float) -> float:
        """The penalty Γ per unit of a member's mixture weight. Defaults to 0."""
        return 0.0

    @abc.abstractmethod
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
        """Finds the mixture on data.

        Args:
            outputs: One dict a member with float32 `logits` `[n, units]` (and `last_layer`).
            labels: Encoded labels of `n` rows.
            weights: `[n]` of mean 1, or `None`.
            members: The `Member`s, in the order of `outputs`.
            start: `Mixture` of the first members (the previous ensemble's), or `None`.
            loss: The head's loss.
        """

    @abc.abstractmethod
    def apply(self, mixture: Mixture, outputs: Outputs) -> np.ndarray:
        """Logits `[n, units]`, float64, of the ensemble."""

    @abc.abstractmethod
    def build(
        self, mixture: Mixture, outputs: list[dict[str, keras.KerasTensor]]
    ) -> keras.KerasTensor:
        """KerasTensor of the ensemble's logits from members' KerasTensors, by stock layers."""

    def scales(self, members: int) -> tuple[float, float]:
        """Factors of the old logits and of a new member's own when it joins `members` others."""
        return 1.0, 1.0

    def fit_stream(
        self,
        chunks: Iterable[tuple[Outputs, np.ndarray, np.ndarray | None]],
        *,
        members: Sequence[Member],
        start: Mixture | None,
        loss: Loss,
    ) -> Mixture:
        """Finds the mixture by steps over `(outputs, labels, weights)` chunks of a stream."""
        outputs, labels, weights = next(iter(chunks))
        return self.fit(outputs, labels, weights, members=members, start=start, loss=loss)

    def get_config(self) -> dict:
        return {}


class UniformEnsembler(Ensembler):
    """The plain average of the members' logits."""

    def __init__(self, gamma: Callable[[float], float] | None = None):
        self.gamma = gamma or (lambda r: 0.0)

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
        share = 1.0 / len(members)
        penalty = sum(self.gamma(m.complexity) * share for m in members)
        return Mixture((np.float64(share),) * len(members), None, penalty)

    def apply(self, mixture: Mixture, outputs: Outputs) -> np.ndarray:
        return np.mean([np.asarray(o["logits"], "float64") for o in outputs], axis=0)

    def build(
        self, mixture: Mixture, outputs: list[dict[str, keras.KerasTensor]]
    ) -> keras.KerasTensor:
        if len(outputs) == 1:
            return outputs[0]["logits"]
        return keras.layers.Average(dtype="float32", name="mixture")([o["logits"] for o in outputs])

    def scales(self, members: int) -> tuple[float, float]:
        return members / (members + 1), 1 / (members + 1)

    def get_config(self) -> dict:
        return {"kind": "uniform"}


class MixtureEnsembler(Ensembler):
    """Mixture weights that minimise the loss plus `Σ Γ_j ||w_j||_1`, Γ_j = λ r_j + β.

    Args:
        kind: `"scalar"` (one weight a member), `"vector"` (one a logit) or `"matrix"` (from the
            member's last layer to the logits, as in the paper).
        gamma: Function from a member's complexity r to its Γ.
        use_bias: Whether a bias is learnt, unpenalised. Defaults to `False`.
        refit: `"all"` solves for all members' weights, `"new"` (the paper) for new ones only.
        tolerance: Of the solver.
        max_iterations: Of the solver.
    """

    def __init__(
        self,
        kind: str,
        gamma: Callable[[float], float],
        use_bias: bool = False,
        refit: str = "all",
        tolerance: float = 1e-6,
        max_iterations: int = 500,
    ):
        if kind not in MIXTURE_KINDS:
            raise ValueError(
                f"Unknown mixture weights; expected one of {', '.join(MIXTURE_KINDS)} or "
                f"'uniform'. Received: {kind!r}."
            )
        self.kind, self.gamma, self.use_bias, self.refit = kind, gamma, use_bias, refit
        self.reads_last_layer = kind == "matrix"
        self.tolerance, self.max_iterations = tolerance, max_iterations
        self._solver = None

    def get_config(self) -> dict:
        return {"kind": self.kind, "use_bias": self.use_bias, "refit": self.refit}

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
        problem = self._problem(outputs, members, start)
        solution = self._solve(problem, labels, weights, loss)
        return self._mixture(problem, solution.weights, solution.bias)

    def fit_stream(
        self,
        chunks: Iterable[tuple[Outputs, np.ndarray, np.ndarray | None]],
        *,
        members: Sequence[Member],
        start: Mixture | None,
        loss: Loss,
    ) -> Mixture:
        problem = solution = None
        averaged = []
        for k, (outputs, labels, weights) in enumerate(chunks):
            fresh = self._problem(outputs, members, start)
            if problem is not None:
                fresh |= {
                    "start": solution.weights,
                    "bias": solution.bias if self.use_bias else None,
                }
            problem = fresh
            solution = self._solve(problem, labels, weights, loss, max_iterations=2)
            # Averaging the later steps quietens their noise (Polyak, Ruppert).
            averaged = averaged if k >= 10 else []
            averaged.append((solution.weights, solution.bias))
        weights = np.mean([w for w, _ in averaged], axis=0)
        return self._mixture(problem, weights, np.mean([b for _, b in averaged], axis=0))

    def apply(self, mixture: Mixture, outputs: Outputs) -> np.ndarray:
        total = 0.0 if mixture.bias is None else mixture.bias
        for w, out in zip(mixture.weights, outputs, strict=True):
            total = total + self._term(w, out)
        return np.asarray(total)

    def build(
        self, mixture: Mixture, outputs: list[dict[str, keras.KerasTensor]]
    ) -> keras.KerasTensor:
        units = outputs[0]["logits"].shape[-1]
        weights = [np.asarray(w, "float32") for w in mixture.weights]
        bias = [] if mixture.bias is None else [np.asarray(mixture.bias, "float32")]
        if self.kind == "matrix":
            last = [o["last_layer"] for o in outputs]
            tensor = keras.layers.Concatenate(dtype="float32")(last) if len(last) > 1 else last[0]
            layer = keras.layers.Dense(units, use_bias=bool(bias), dtype="float32", name="mixture")
            kernel = np.concatenate(weights)
        else:
            rows = [keras.layers.Reshape((1, units), dtype="float32")(o["logits"]) for o in outputs]
            tensor = (
                keras.layers.Concatenate(axis=1, dtype="float32")(rows)
                if len(rows) > 1
                else rows[0]
            )
            layer = keras.layers.EinsumDense(
                "bjc,j->bc" if self.kind == "scalar" else "bjc,jc->bc",
                output_shape=units,
                bias_axes="c" if bias else None,
                dtype="float32",
                name="mixture",
            )
            kernel = np.stack(weights)
        logits = layer(tensor)
        layer.set_weights([kernel, *bias])
        return logits

    def _term(self, w, out):
        if self.kind == "matrix":
            return np.asarray(out["last_layer"], "float64") @ w
        return np.asarray(out["logits"], "float64") * w

    def _problem(self, outputs, members, start):
        units = outputs[0]["logits"].shape[-1]
        old = [] if start is None else list(start.weights)
        first = len(old) if self.refit == "new" else 0
        base = None
        if first:
            base = self.apply(Mixture(tuple(old)), outputs[:first])
        begin = old[first:] + [self._initial(o) for o in outputs[len(old) :]]
        gammas = [self.gamma(m.complexity) for m in members]
        if self.kind == "matrix":
            h = np.concatenate([o["last_layer"] for o in outputs[first:]], axis=1)
            stacked = np.concatenate(begin)
            gamma = np.concatenate(
                [np.full(w.shape, g) for w, g in zip(begin, gammas[first:], strict=True)]
            )
        else:
            h = np.stack([o["logits"] for o in outputs[first:]], axis=1)
            stacked = np.stack(begin)
            gamma = np.reshape(gammas[first:], (-1, *[1] * (stacked.ndim - 1)))
        bias = None
        if self.use_bias:
            bias = np.zeros(units) if start is None or start.bias is None else start.bias
        return {
            "h": h, "start": stacked, "gamma": gamma, "base": base, "bias": bias,
            "fixed": old[:first], "sizes": [len(np.atleast_1d(w)) for w in begin],
            "gammas": gammas,
        }  # fmt: skip

    def _initial(self, out):
        units = out["logits"].shape[-1]
        if self.kind == "scalar":
            return np.float64(1.0)
        if self.kind == "vector":
            return np.ones(units)
        return np.zeros((out["last_layer"].shape[-1], units))

    def _solve(self, problem, labels, weights, loss, max_iterations=None):
        if self._solver is None or self._solver.loss != loss:
            self._solver = MixtureSolver(loss, self.kind, self.tolerance, self.max_iterations)
        return self._solver.solve(
            problem["h"], labels, start=problem["start"], gamma=problem["gamma"],
            base=problem["base"], weights=weights, bias=problem["bias"],
            max_iterations=max_iterations,
        )  # fmt: skip

    def _mixture(self, problem, solved, bias):
        if self.kind == "matrix":
            new = np.split(solved, np.cumsum(problem["sizes"])[:-1])
        else:
            new = list(solved)
        weights = (*problem["fixed"], *new)
        penalty = sum(g * np.abs(w).sum() for g, w in zip(problem["gammas"], weights, strict=True))
        return Mixture(weights, bias if self.use_bias else None, float(penalty))
