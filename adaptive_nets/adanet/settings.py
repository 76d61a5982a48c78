"""`SearchSettings`: the arguments of a search."""

import dataclasses
import functools
import os
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from adaptive_nets._checks import (
    check_bool,
    check_choice,
    check_integer,
    check_number,
    check_path,
    show,
)
from adaptive_nets.adanet.candidates.builder import Subnetwork
from adaptive_nets.adanet.candidates.generator import Generator
from adaptive_nets.adanet.candidates.strategy import Strategy, resolve
from adaptive_nets.adanet.defaults import Defaults
from adaptive_nets.adanet.ensembles.ensembler import Ensembler
from adaptive_nets.adanet.ensembles.factory import CHOICES, make_ensembler
from adaptive_nets.adanet.objective.complexity import Complexity, make_complexity
from adaptive_nets.adanet.objective.early_stopping import EarlyStopping, make_early_stopping
from adaptive_nets.adanet.objective.evaluator import Evaluator
from adaptive_nets.data.spool import MEMORY_LIMIT
from adaptive_nets.distribute import Ray
from adaptive_nets.heads import Head
from adaptive_nets.serialization import describe_object

# Where and how fast a search runs, and under which name; not part of its identity.
_NOT_COMPARED = frozenset(
    ("model_dir", "seed", "jit_compile", "checkpoint_seconds", "cache_bytes", "distribute",
     "placement")
)  # fmt: skip
_NO_ARGUMENTS = frozenset(("defaults", "warm_start"))
# What "auto" stands for without a time limit; with one, see `RoundPlan`.
DEFAULT_ROUNDS = 5

# Networks per subnetwork where out-of-fold outputs are asked for, and no number of folds.
DEFAULT_FOLDS = 5

_CHOICES = {
    "mixture_data": ("train", "validation", "folds"),
    "training": ("residual", "independent"),
    "refit": ("all", "new"),
    "jit_compile": ("auto", True, False),
}


@dataclasses.dataclass(frozen=True, eq=False)
class SearchSettings:
    """The checked constructor arguments of `AdaNet`, which documents them.

    `defaults` holds what the arguments that are `"auto"` stand for; `fit` finds it. `warm_start`
    holds the weights that new subnetworks begin with, a `WarmStart`, or `None`.

    Raises:
        TypeError: The head, generator or evaluator is of the wrong type.
        ValueError: Another setting is out of range or of the wrong type.
    """

    head: Head
    generator: Generator
    max_iterations: int | str = "auto"
    steps_per_iteration: int | str = "auto"
    ensemble_strategies: str | Strategy | Sequence[str | Strategy] = ("grow",)
    mixture_weights: str | Ensembler = "scalar"
    mixture_bias: bool = False
    mixture_data: str = "train"
    training: str = "residual"
    refit: str = "all"
    adanet_lambda: float | str = "auto"
    adanet_beta: float = 0.0
    complexity: str | Complexity | Callable[[Subnetwork], float] = "sqrt_depth"
    evaluator: Evaluator | None = None
    early_stopping: int | EarlyStopping | None = None
    folds: int | None = None
    repeats: int = 1
    force_grow: bool = False
    penalize_training: bool = False
    preprocessing: str | keras.Layer | None = "auto"
    distribute: str | tf.distribute.Strategy | None = None
    placement: str | Ray = "replicated"
    model_dir: str | os.PathLike | None = None
    seed: int | None = None
    jit_compile: str | bool = "auto"
    checkpoint_seconds: float = 30.0
    cache_bytes: int = MEMORY_LIMIT
    defaults: Defaults = dataclasses.field(default_factory=Defaults)
    warm_start: Any = None

    def __post_init__(self):
        _check_types(self)
        _check_numbers(self)
        _check_choices(self)

    @functools.cached_property
    def strategies(self) -> list[Strategy]:
        """The ensemble strategies as objects."""
        return resolve(self.ensemble_strategies)

    @functools.cached_property
    def complexity_rule(self) -> Complexity:
        """The complexity as an object."""
        return make_complexity(self.complexity)

    @functools.cached_property
    def ensembler(self) -> Ensembler:
        """The `Ensembler` that weighs the members."""
        return make_ensembler(
            self.mixture_weights, self.penalty, self.adanet_beta, self.mixture_bias, self.refit
        )  # fmt: skip

    @functools.cached_property
    def stopping(self) -> EarlyStopping | None:
        """The early stopping as an object, or `None`."""
        return make_early_stopping(self.early_stopping)

    @property
    def weighs_held_out(self) -> bool:
        """Whether mixture weights and the objective are of the validation rows."""
        return self.mixture_data == "validation"

    @property
    def weighs_unseen(self) -> bool:
        """Whether they are of outputs for rows that a network has not been trained on."""
        return self.weighs_held_out or self.folds is not None

    @property
    def networks(self) -> int | None:
        """Networks per subnetwork: one for each fold of each repeat; `None` without folds."""
        return None if self.folds is None else self.folds * self.repeats

    @property
    def objective_of(self) -> str:
        """What ensembles are judged by: `"train"`, `"validation"`, `"folds"` or `"evaluator"`."""
        if self.evaluator is not None:
            return "evaluator"
        return "folds" if self.weighs_unseen and not self.weighs_held_out else self.mixture_data

    @property
    def rounds(self) -> int:
        """The maximum number of rounds, without regard to a time limit."""
        return DEFAULT_ROUNDS if self.max_iterations == "auto" else self.max_iterations

    @property
    def steps(self) -> int:
        """The training steps of a round, without regard to a time limit."""
        given = self.steps_per_iteration
        return self.defaults.steps if given == "auto" else given

    @property
    def penalty(self) -> float:
        """λ, given or by default."""
        given = self.adanet_lambda
        return self.defaults.adanet_lambda if given == "auto" else given

    @property
    def reads_last_layer(self) -> bool:
        """Whether members' last layers are needed as well as their logits."""
        return self.ensembler.reads_last_layer or self.complexity_rule.needs_outputs

    @classmethod
    def argument_names(cls) -> list[str]:
        """Returns the names of the arguments of `AdaNet`."""
        return [field.name for field in dataclasses.fields(cls) if field.name not in _NO_ARGUMENTS]

    def as_arguments(self) -> dict[str, Any]:
        """Returns the settings by name, as `AdaNet` takes them."""
        return {name: getattr(self, name) for name in self.argument_names()}

    def same_arguments(self, other: "SearchSettings") -> bool:
        """Returns whether the arguments are the same objects; `defaults` may differ."""
        return all(getattr(other, k) is v for k, v in self.as_arguments().items())

    def to_json(self) -> dict[str, Any]:
        """Returns the settings that identify a search, as JSON values."""
        given = self.as_arguments()
        return {k: describe_object(v) for k, v in given.items() if k not in _NOT_COMPARED}


def _check_types(s):
    wanted = {
        "head": (Head, "a heads.Head such as heads.MultiClass()"),
        "generator": (Generator, "an adanet.Generator"),
        "evaluator": (Evaluator | None, "an adanet.Evaluator or None"),
    }
    for name, (kind, words) in wanted.items():
        value = getattr(s, name)
        if not isinstance(value, kind):
            raise TypeError(f"{name} must be {words}. Received: {name}={show(value)}.")


def _is_auto(value):
    return isinstance(value, str) and value == "auto"


def _check_numbers(s):
    # A frozen dataclass is only changed while it is made: NumPy's scalars become Python's.
    keep = functools.partial(object.__setattr__, s)
    for name in ("max_iterations", "steps_per_iteration", "cache_bytes"):
        value = getattr(s, name)
        if name == "cache_bytes" or not _is_auto(value):
            keep(name, check_integer(name, value, 1))
    for name in ("adanet_lambda", "adanet_beta", "checkpoint_seconds"):
        value = getattr(s, name)
        if name != "adanet_lambda" or not _is_auto(value):
            keep(name, check_number(name, value, 0))
    if s.folds is None and s.mixture_data == "folds":
        keep("folds", DEFAULT_FOLDS)
    if s.folds is not None:
        keep("folds", check_integer("folds", s.folds, 2))
    keep("repeats", check_integer("repeats", s.repeats, 1))
    if s.seed is not None:
        keep("seed", check_integer("seed", s.seed, 0))
    for name in ("force_grow", "mixture_bias", "penalize_training"):
        keep(name, check_bool(name, getattr(s, name)))
    for name, choices in _CHOICES.items():
        keep(name, check_choice(name, getattr(s, name), choices))
    if s.model_dir is not None:
        keep("model_dir", check_path("model_dir", s.model_dir))


def _check_choices(s):
    if s.penalize_training and make_complexity(s.complexity).needs_outputs:
        raise ValueError(
            "penalize_training requires a complexity that is known before training. "
            f"Received: complexity={show(s.complexity)}."
        )
    mixture = s.mixture_weights
    named = isinstance(mixture, str) and mixture in CHOICES
    if not named and not isinstance(mixture, Ensembler):
        raise ValueError(
            f"mixture_weights must be one of {', '.join(map(repr, CHOICES))} "
            f"or an adanet.Ensembler. Received: mixture_weights={show(mixture)}."
        )
    given = s.preprocessing
    named = given is None or (isinstance(given, str) and given in ("auto", "standardize"))
    if not named and not isinstance(given, keras.Layer):
        raise ValueError(
            "preprocessing must be 'auto', 'standardize', None or a Keras layer or model. "
            f"Received: preprocessing={show(given)}."
        )
    _check_folds(s)
    # Resolved now, so that errors are raised when the search is created.
    for name in ("strategies", "complexity_rule", "ensembler", "stopping"):
        getattr(s, name)
    if s.stopping is not s.early_stopping:
        # NumPy's number becomes Python's.
        object.__setattr__(s, "early_stopping", s.stopping.patience)
    if s.ensembler.averages_predictions and s.training != "independent":
        raise ValueError(
            f"mixture_weights={show(mixture)} averages predictions, so that each subnetwork has to "
            f"predict on its own: pass training='independent'. Received: training={s.training!r}."
        )


def _check_folds(s):
    if s.folds is None:
        if s.repeats > 1:
            raise ValueError(
                "repeats says how often the rows are divided into folds, and requires folds. "
                f"Expected folds >= 2 or repeats=1. Received: folds=None, repeats={s.repeats}."
            )
        return
    # The outputs of several networks have a mean, their last layers none.
    if s.reads_last_layer:
        raise ValueError(
            "folds requires mixture weights and a complexity that read no last layer. Received: "
            f"mixture_weights={show(s.mixture_weights)}, complexity={show(s.complexity)}, "
            f"folds={s.folds}."
        )
    if s.placement != "replicated":
        raise ValueError(
            "folds requires placement='replicated', which trains all networks together. "
            f"Received: placement={show(s.placement)}, folds={s.folds}."
        )
