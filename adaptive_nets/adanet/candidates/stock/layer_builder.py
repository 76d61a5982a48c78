"""Shared parts of the stock generators: depths that follow the ensemble, checked settings."""

import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
import numpy as np

from adaptive_nets._checks import check_choice, check_integer, check_list, check_number, show
from adaptive_nets.adanet.candidates.builder import Builder
from adaptive_nets.adanet.candidates.connections import CONNECTIONS, connect
from adaptive_nets.adanet.candidates.generator import Generator
from adaptive_nets.adanet.candidates.stock.optimizers import (
    OptimizerSetting,
    RateSetting,
    describe_optimizer,
    describe_rate,
    make_optimizer,
)
from adaptive_nets.adanet.ensembles.ensemble import Ensemble
from adaptive_nets.majority.convert import check_expansion

MajoritySetting = int | Mapping[str, Any] | None
MAJORITY_OPTIONS = (
    "factor", "distribution", "scope", "kernel_spread", "bias_factor", "regularize",
    "subspace_penalty",
)  # fmt: skip
Features = keras.KerasTensor | dict[str, keras.KerasTensor]


class OptimizedBuilder(Builder):
    """A builder that creates its optimizer from its generator's settings."""

    rescale_output = True

    def __init__(self, name: str, generator: "DepthGenerator", **hyperparameters):
        self.name, self.generator = name, generator
        self.majority = generator.majority
        self._hyperparameters = hyperparameters

    def optimizer(self) -> keras.optimizers.Optimizer:
        return make_optimizer(self.generator.optimizer, self.generator.learning_rate)

    def hyperparameters(self) -> dict:
        return self._hyperparameters


class DepthGenerator(Generator):
    """Proposes networks of given depths, or of the ensemble's depth and one more.

    Their layers can also read those of frozen subnetworks, through `join`.

    Args:
        depths: Depths to propose in each round, or `None` for the paper's rule: the depth
            of the deepest member, and one more.
        optimizer: Name, config or `keras.optimizers.Optimizer`, which is copied.
        learning_rate: Number or `LearningRateSchedule`, or `None` for the optimizer's own.
        connect: `"none"`, `"all"` or `"previous"`, as for `adanet.connect`. Defaults to `"none"`.
        connection_dropout: Dropout rate on the frozen layers that are read, in [0, 1). Defaults
            to 0.
        majority: Number k of kernels to train in place of each kernel, or a dict of options of
            `majority.expand`. Defaults to 1: plain layers.
    """

    standardize = True

    def __init__(
        self,
        depths: int | Iterable[int] | None,
        optimizer: OptimizerSetting,
        learning_rate: RateSetting,
        connect: str = "none",
        connection_dropout: float = 0.0,
        majority: MajoritySetting = 1,
    ):
        self.depths = None if depths is None else check_sizes("depths", depths, least=0)
        self.optimizer = describe_optimizer(optimizer)
        self.learning_rate = describe_rate(learning_rate)
        check_choice("connect", connect, CONNECTIONS)
        self.connect = connect
        self.connection_dropout = check_number(
            "connection_dropout", connection_dropout, 0, 1, "low"
        )
        self.majority = describe_majority(majority)
        # Raises here, rather than in the first round, if the name is wrong.
        make_optimizer(self.optimizer, self.learning_rate)

    def next_depths(self, previous: Ensemble | None) -> list[int]:
        """Returns the depths of a round's subnetworks."""
        if self.depths is not None:
            return self.depths
        deepest = previous.depth if previous is not None else 1
        return [deepest, deepest + 1]

    def join(self, hidden: list[keras.KerasTensor], previous: Ensemble | None) -> keras.KerasTensor:
        """Returns the next layer's input: the last of `hidden` and the connected frozen layers."""
        return connect(hidden[-1], previous, len(hidden), self.connect, self.connection_dropout)

    def get_config(self) -> dict:
        return {
            "depths": self.depths,
            "optimizer": self.optimizer,
            "learning_rate": self.learning_rate,
            "connect": self.connect,
            "connection_dropout": self.connection_dropout,
            "majority": self.majority,
        }


def describe_majority(
    setting: MajoritySetting, kernel_spread: float = 1.0
) -> dict[str, Any] | None:
    """Returns a generator's `majority` as options of `majority.expand`; `None` for plain layers.

    Args:
        setting: k, a dict of options, or `None`.
        kernel_spread: Default spread of the kernels. Around a randomly initialized kernel, 1 gives
            their mean the spread that the initializer intends. Defaults to 1.
    """
    if setting is None:
        return None
    options = dict(setting) if isinstance(setting, Mapping) else {"factor": setting}
    unknown = sorted(map(str, set(options) - set(MAJORITY_OPTIONS)))
    if unknown:
        raise ValueError(
            "majority must be an integer k or a dict of the options of majority.expand: "
            f"{', '.join(MAJORITY_OPTIONS)}. Received: {', '.join(map(repr, unknown))}."
        )
    options = {"factor": 3, "kernel_spread": kernel_spread, **options}
    options = check_expansion(**options)
    return options if options["factor"] > 1 else None


def check_sizes(name: str, values: int | Iterable[int], least: int = 1) -> list[int]:
    """Returns one or several integers as a list, none below `least` and none twice."""
    several = isinstance(values, Iterable) and not isinstance(values, str)
    several = several and not (isinstance(values, np.ndarray) and not values.ndim)
    words = "one or several integers"
    given = check_list(name, values, object, words, 1) if several else [values]
    listed = [check_integer(name, value, least) for value in given]
    if len(set(listed)) < len(listed):
        raise ValueError(f"{name} must be distinct. Received: {name}={show(values)}.")
    return listed


def activation_name(activation: str | Callable) -> str:
    """Returns the name of a Keras activation, or raises a `ValueError`."""
    name = known = None
    # Keras would make an object of a description.
    if isinstance(activation, str) or callable(activation):
        with contextlib.suppress(Exception):
            name = keras.activations.serialize(keras.activations.get(activation))
            known = keras.activations.get(name)
    if not isinstance(name, str) or not callable(known) or isinstance(known, type):
        raise ValueError(
            "activation must be the name of a Keras activation. "
            f"Received: activation={show(activation)}."
        )
    return activation if isinstance(activation, str) else name


def refuse_strings(inputs: Features) -> None:
    """Raises a `ValueError` for features that hold strings, naming the first."""
    named = inputs if isinstance(inputs, dict) else {inputs.name: inputs}
    for name, tensor in named.items():
        if tensor.dtype == "string":
            raise ValueError(
                f"Feature '{name}' holds strings, which this generator cannot read. Encode them "
                "first (keras.utils.FeatureSpace) or use generators.Pool. Received: dtype string."
            )


def flatten_features(inputs: Features) -> keras.KerasTensor:
    """Concatenates all features into one floating-point vector per row."""
    refuse_strings(inputs)
    listed = list(inputs.values()) if isinstance(inputs, dict) else [inputs]
    floats = [
        t if keras.backend.is_float_dtype(t.dtype) else keras.layers.Rescaling(1.0)(t)
        for t in listed
    ]
    flat = [t if len(t.shape) == 2 else keras.layers.Flatten()(t) for t in floats]
    return flat[0] if len(flat) == 1 else keras.layers.Concatenate()(flat)
