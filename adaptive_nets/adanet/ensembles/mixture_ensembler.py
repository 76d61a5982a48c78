"""`MixtureEnsembler`: mixture weights as the solution of a convex problem."""

import copy
import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np

from adaptive_nets._checks import (
    check_bool,
    check_choice,
    check_config,
    check_function,
    check_integer,
    check_number,
)
from adaptive_nets._pieces import RowWise
from adaptive_nets.adanet.ensembles.ensemble import Mixture
from adaptive_nets.adanet.ensembles.ensembler import Ensembler, Outputs
from adaptive_nets.adanet.ensembles.member import Member
from adaptive_nets.adanet.ensembles.mixtures.kinds import MIXTURE_KINDS
from adaptive_nets.adanet.ensembles.mixtures.problem import MixtureProblem
from adaptive_nets.adanet.ensembles.mixtures.proximal import Loss, MixtureSolver, Solution
from adaptive_nets.adanet.ensembles.mixtures.relative_loss import RelativeLoss
from adaptive_nets.heads.loss_scale import LossScale
from adaptive_nets.serialization import describe_object, restore_object


@keras.saving.register_keras_serializable(package="adaptive_nets")
class MixtureEnsembler(Ensembler):
    """Mixture weights that minimise the loss plus `Σ Γ_j ||w_j||_1`, Γ_j = λ r_j + β.

    Args:
        kind: `"scalar"` (one weight per member), `"vector"` (one per logit) or `"matrix"` (from the
            member's last layer to the logits, as in the paper).
        gamma: Function from a member's complexity r to its Γ, such as `adanet.Penalty`. To be
            rebuilt from a configuration, it must be registered with
            `keras.saving.register_keras_serializable`.
        use_bias: Whether to learn a bias, which is not penalised. Defaults to `False`.
        refit: `"all"` solves for all members' weights, `"new"` (the paper) only for those of new
            members. Defaults to `"all"`.
        tolerance: Tolerance of the solver. Defaults to 1e-6.
        max_iterations: Maximum number of iterations of the solver. Defaults to 500.

    Raises:
        ValueError: `kind` is unknown.
    """

    compared = ("gamma",)

    def __init__(
        self,
        kind: str,
        gamma: Callable[[float], float],
        use_bias: bool = False,
        refit: str = "all",
        tolerance: float = 1e-6,
        max_iterations: int = 500,
    ):
        kind = check_choice("kind", kind, tuple(MIXTURE_KINDS))
        self.kind, self.gamma = kind, check_function("gamma", gamma)
        self.use_bias = check_bool("use_bias", use_bias)
        self.refit = check_choice("refit", refit, ("all", "new"))
        self.reads_last_layer = MIXTURE_KINDS[kind].reads_last_layer
        self.tolerance = check_number("tolerance", tolerance, 0, inclusive=False)
        self.max_iterations = check_integer("max_iterations", max_iterations, 1)
        self._solver: MixtureSolver | None = None
        self._relative: RelativeLoss | None = None

    def relative_to(self, scale: LossScale) -> "MixtureEnsembler":
        relative = copy.copy(self)
        relative._solver, relative._relative = None, RelativeLoss(scale)
        return relative

    def __getstate__(self) -> dict[str, Any]:
        # A solver holds compiled functions, and is made when it is needed.
        return {**self.__dict__, "_solver": None}

    def get_config(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "gamma": describe_object(self.gamma),
            "use_bias": self.use_bias,
            "refit": self.refit,
            "tolerance": self.tolerance,
            "max_iterations": self.max_iterations,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "MixtureEnsembler":
        config = check_config(cls, config)
        gamma = restore_object(config["gamma"], "mixture_weights", "penalty")
        return cls(**{**config, "gamma": gamma})

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
            if solution is not None:
                bias = solution.bias if self.use_bias else None
                fresh = dataclasses.replace(fresh, start=solution.weights, bias=bias)
            problem = fresh
            solution = self._solve(problem, labels, weights, loss, max_iterations=2)
            # Averaging the later steps reduces their noise (Polyak, Ruppert).
            averaged = averaged if k >= 10 else []
            averaged.append((solution.weights, solution.bias))
        weights = np.mean([w for w, _ in averaged], axis=0)
        return self._mixture(problem, weights, np.mean([b for _, b in averaged], axis=0))

    def apply(self, mixture: Mixture, outputs: Outputs) -> np.ndarray:
        kind = MIXTURE_KINDS[self.kind]
        total = 0.0 if mixture.bias is None else mixture.bias
        for w, out in zip(mixture.weights, outputs, strict=True):
            total = total + kind.term(w, out)
        return np.asarray(total)

    def build(
        self, mixture: Mixture, outputs: list[dict[str, keras.KerasTensor]]
    ) -> keras.KerasTensor:
        kind = MIXTURE_KINDS[self.kind]
        bias = [] if mixture.bias is None else [np.asarray(mixture.bias)]
        layer, tensor = kind.layer(outputs, use_bias=bool(bias))
        logits = layer(tensor)
        weights = [np.asarray(w) for w in mixture.weights]
        layer.set_weights([kind.stack(weights), *bias])
        return logits

    def _problem(self, outputs, members, start):
        kind = MIXTURE_KINDS[self.kind]
        old = [] if start is None else list(start.weights)
        first = len(old) if self.refit == "new" else 0
        begin = old[first:] + [kind.initial(o) for o in outputs[len(old) :]]
        gammas = [self.gamma(m.complexity) for m in members]
        each = [self._gamma_of(w, g) for w, g in zip(begin, gammas[first:], strict=True)]
        fixed, bias = Mixture(tuple(old[:first])), None
        if self.use_bias:
            units = outputs[0]["logits"].shape[-1]
            bias = np.zeros(units) if start is None or start.bias is None else start.bias
        return MixtureProblem(
            joined=RowWise(kind.join, outputs[first:]),
            start=kind.stack(begin),
            gamma=kind.stack(each),
            base=RowWise(lambda o: self.apply(fixed, o), outputs[:first]) if first else None,
            bias=bias,
            fixed=tuple(old[:first]),
            free=tuple(begin),
            gammas=tuple(gammas),
        )

    def _solve(self, problem, labels, weights, loss, max_iterations=None) -> Solution:
        if self._relative is not None:
            return self._solve_relative(problem, labels, weights, loss, max_iterations)
        if self._solver is None or self._solver.loss != loss:
            self._solver = MixtureSolver(loss, self.kind, self.tolerance, self.max_iterations)
        return self._solver.solve(
            problem.joined, labels, start=problem.start, gamma=problem.gamma, base=problem.base,
            weights=weights, bias=problem.bias, max_iterations=max_iterations,
        )  # fmt: skip

    def _solve_relative(self, problem, labels, weights, loss, max_iterations) -> Solution:
        """Solves in units of the targets' deviations, so that tolerances mean the same, too."""
        relative, kind = self._relative, MIXTURE_KINDS[self.kind]
        unit = relative.deviation
        of_weights, of_outputs = (unit, 1.0) if kind.has_unit else (1.0, unit)
        if self._solver is None or self._solver.loss != relative.of(loss):
            self._solver = MixtureSolver(
                relative.of(loss), self.kind, self.tolerance, self.max_iterations
            )
        solution = self._solver.solve(
            problem.joined.divided(of_outputs), labels,
            start=problem.start / of_weights,
            gamma=problem.gamma * of_weights / relative.overall,
            base=problem.base and problem.base.divided(unit), weights=weights,
            bias=None if problem.bias is None else problem.bias / unit,
            max_iterations=max_iterations,
        )  # fmt: skip
        return dataclasses.replace(
            solution, weights=solution.weights * of_weights, bias=solution.bias * unit
        )

    def _gamma_of(self, weight, gamma):
        """Returns Γ of each entry of a member's weight, in the unit of the loss."""
        each = np.full(np.shape(weight), gamma)
        if self._relative is None:
            return each
        return each * self._relative.price(np.ndim(weight) > 0, MIXTURE_KINDS[self.kind].has_unit)

    def _mixture(self, problem, solved, bias):
        weights = (*problem.fixed, *MIXTURE_KINDS[self.kind].split(solved, problem.free))
        bias = bias if self.use_bias else None
        return Mixture(weights, bias, self._penalty(problem.gammas, weights))

    def priced(self, mixture: Mixture, members: Sequence[Member]) -> Mixture:
        gammas = [self.gamma(member.complexity) for member in members]
        return dataclasses.replace(mixture, penalty=self._penalty(gammas, mixture.weights))

    def _penalty(self, gammas, weights):
        each = [
            np.sum(self._gamma_of(w, g) * np.abs(w)) for g, w in zip(gammas, weights, strict=True)
        ]
        return float(sum(each))
