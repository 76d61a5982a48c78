"""A `model_fn` as a model: its layers are made once, whenever it makes them."""

import contextlib
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from adaptive_nets._checks import check_function, show
from adaptive_nets.estimator.compat.graphs import only_in_graphs
from adaptive_nets.estimator.config import RunConfig
from adaptive_nets.estimator.mode_keys import ModeKeys
from adaptive_nets.estimator.model_fn.spec import EstimatorSpec
from adaptive_nets.files.arrays import load_arrays
from adaptive_nets.files.atomic import atomic_write
from adaptive_nets.keras_internals import reused_layers

_KNOWN = ("features", "labels", "mode", "params", "config")


class ModelFunction:
    """Calls a `model_fn`, and keeps its layers, its optimizer and the global step.

    Args:
        function: The `model_fn`.
        config: Passed to it.
        params: Passed to it.
    """

    def __init__(self, function: Callable, config: RunConfig, params: dict[str, Any]) -> None:
        check_function("model_fn", function)
        names = list(inspect.signature(function).parameters)
        unknown = [name for name in names if name not in _KNOWN]
        if unknown or "features" not in names:
            raise TypeError(
                "model_fn must take features, and may take labels, mode, params and config. "
                f"Received: a function of {', '.join(names)}."
            )
        self.function, self.names = function, names
        self.given = {"config": config, "params": params}
        self.layers: list[keras.Layer] = []
        self.optimizer: keras.optimizers.Optimizer | None = None
        self.step, self.built = 0, False
        self._compiled: Callable | None = None

    @property
    def weights(self) -> list[keras.Variable]:
        """Weights of all layers, without repetition."""
        found = {id(v): v for layer in self.layers for v in layer.weights}
        return list(found.values())

    @property
    def trainable(self) -> list[keras.Variable]:
        """Those that are trained."""
        found = {id(v): v for layer in self.layers for v in layer.trainable_variables}
        return list(found.values())

    def spec(self, features: Any, labels: Any, mode: str) -> EstimatorSpec:
        """Returns what `model_fn` returns for features and labels.

        Raises:
            TypeError: It returns something else than an `EstimatorSpec`.
            ValueError: It calls other layers than before.
        """
        given = {"features": features, "labels": labels, "mode": mode, **self.given}
        given = {name: value for name, value in given.items() if name in self.names}
        training = mode == ModeKeys.TRAIN
        kept = tf.variable_creator_scope(_unused) if self.built else contextlib.nullcontext()
        with reused_layers(self.layers, grows=not self.built), kept, only_in_graphs("model_fn"):
            found = self.function(**given)
        if not isinstance(found, EstimatorSpec):
            raise TypeError(
                f"model_fn must return an estimator.EstimatorSpec. Received: {show(found)}."
            )
        if training and isinstance(found.train_op, keras.optimizers.Optimizer):
            # The first is kept: model_fn makes a new one in each call.
            self.optimizer = self.optimizer or found.train_op
        return found

    def build(self, features: Any, labels: Any, mode: str) -> None:
        """Makes layers and optimizer by one call, whose result is not used."""
        if self.built:
            return
        with tf.GradientTape() as tape:
            self.spec(features, labels, mode)
        self._refuse_others(tape.watched_variables())
        self.built = True
        if self.optimizer is not None:
            self.optimizer.build(self.trainable)

    def _refuse_others(self, read):
        known = {id(v.value) for v in self.trainable}
        others = [v for v in read if id(v) not in known]
        if others:
            shown = ", ".join(f"'{v.name}' of shape {tuple(v.shape)}" for v in others)
            raise ValueError(
                "model_fn must keep its weights in Keras layers that it calls: variables of its "
                "own are made again in each call, and so neither trained nor stored. Use "
                "keras.layers.Dense and the like, or a layer with add_weight. Received: variable "
                f"{shown}."
            )

    def train(self, features: Any, labels: Any) -> float:
        """Takes one step; returns the loss."""
        if self._compiled is None:
            self.build(features, labels, ModeKeys.TRAIN)
            self._compiled = tf.function(self._train, reduce_retracing=True, autograph=False)
        loss = float(self._compiled(features, labels))
        self.step += 1
        return loss

    def _train(self, features, labels):
        with tf.GradientTape() as tape:
            found = self.spec(features, labels, ModeKeys.TRAIN)
            loss = tf.convert_to_tensor(found.loss)
            if loss.shape.rank not in (0, None):
                raise ValueError(
                    "The loss of EstimatorSpec must be a scalar: take its mean. "
                    f"Received: shape {tuple(loss.shape)}."
                )
            extra = [tf.cast(term, loss.dtype) for layer in self.layers for term in layer.losses]
            total = tf.add_n([loss, *extra])
        variables = self.trainable
        gradients = tape.gradient(total, [v.value for v in variables])
        if isinstance(found.train_op, keras.optimizers.Optimizer):
            self.optimizer.apply(gradients, variables)
        else:
            found.train_op(gradients, variables)
        return loss

    def save(self, path: Path) -> None:
        """Writes all state to a file, whole or not at all."""
        held = {f"w{k}": np.asarray(v) for k, v in enumerate(self.weights)}
        if self.optimizer is not None:
            held |= {f"o{k}": np.asarray(v) for k, v in enumerate(self.optimizer.variables)}
        with atomic_write(path, ".npz") as name, open(name, "wb") as file:
            names = [f"{place}/{v.name}" for place, v in enumerate(self.weights)]
            np.savez(file, step=np.asarray(self.step), names=np.asarray(names, "U"), **held)

    def load(self, path: Path) -> None:
        """Reads the state of `save` into a built function.

        Raises:
            ValueError: It is the state of another `model_fn`.
        """
        held = load_arrays(path)
        slots = [] if self.optimizer is None else self.optimizer.variables
        for letter, variables in (("w", self.weights), ("o", slots)):
            stored = [held.get(f"{letter}{k}") for k in range(len(variables))]
            fits = all(
                value is not None and tuple(value.shape) == tuple(variable.shape)
                for value, variable in zip(stored, variables, strict=True)
            )
            if not fits or (letter == "w" and f"w{len(variables)}" in held):
                raise ValueError(
                    f"The state '{path}' is of another model_fn: its weights differ. Use another "
                    f"model_dir. Received: weights {[tuple(v.shape) for v in variables]}."
                )
            for value, variable in zip(stored, variables, strict=True):
                variable.assign(value)
        self.step = int(held["step"])

    def take(self, path: Path) -> None:
        """Takes weights from the state of another `model_fn`, and logs which.

        They are told apart by their order, and must have the same shape. The optimizer and the
        global step begin again.

        Args:
            path: A state file of `save`.
        """
        held, taken, left = load_arrays(path), [], []
        for place, weight in enumerate(self.weights):
            value = held.get(f"w{place}")
            if value is not None and tuple(value.shape) == tuple(weight.shape):
                weight.assign(value)
                taken.append(weight.path)
            else:
                shape = "absent" if value is None else f"of shape {tuple(value.shape)}"
                left.append(f"{weight.path} {tuple(weight.shape)}, there {shape}")
        logging.info(
            "Weights taken from '%s': %s. Not taken: %s.", path, ", ".join(taken) or "none",
            "; ".join(left) or "nothing",
        )  # fmt: skip
        if not taken:
            raise ValueError(
                "warm_start_from must hold a weight that model_fn has too, at the same place and "
                f"of the same shape. Received: '{path}'."
            )


def stored_variables(path: Path) -> dict[str, np.ndarray]:
    """Returns the weights in a state file of `save`, by place and name."""
    held = load_arrays(path)
    count = sum(re.fullmatch(r"w\d+", key) is not None for key in held)
    # Older states have no names.
    names = held.get("names", [f"{place}/weight" for place in range(count)])
    return {str(name): held[f"w{place}"] for place, name in enumerate(names)}


def _unused(create, **settings):
    """Stands for a variable of a new optimizer or layer, in whose place the first one is used.

    A compiled function may make variables in its first call only.
    """
    if not tf.inside_function():
        return create(**settings)
    value = settings["initial_value"]
    value = tf.convert_to_tensor(value() if callable(value) else value)
    with tf.init_scope():
        return tf.zeros(value.shape, value.dtype)
