"""Optimizers of canned estimators: by name, with tf.estimator's learning rates, or one a part."""

from collections.abc import Callable
from typing import Any

import keras

from adaptive_nets._checks import show
from adaptive_nets.adanet.candidates.stock.optimizers import describe_optimizer, make_optimizer
from adaptive_nets.estimator.canned.network import LINEAR

# The names that tf.estimator knows.
_NAMES = ("Adagrad", "Adam", "Ftrl", "RMSProp", "SGD")


def chosen_optimizer(
    name: str, given: Any, learning_rate: float | None = None
) -> keras.optimizers.Optimizer:
    """Returns a Keras optimizer for an argument of a canned estimator.

    Args:
        name: Name of the argument.
        given: A name, a Keras optimizer, its config, or a function that returns one of them.
        learning_rate: Learning rate of an optimizer that is named. Defaults to `None`: its own.

    Raises:
        ValueError: It is something else.
    """
    if isinstance(given, Callable) and not isinstance(given, keras.optimizers.Optimizer | type):
        try:
            given = given()
        except TypeError as error:
            raise ValueError(
                f"{name} must be a function without arguments, a name or a Keras optimizer. "
                f"Received: {name}={show(given)}, which raises {error}."
            ) from error
    kind = type(given)
    old = any(each.__name__ == "Optimizer" and "tensorflow.python" in each.__module__
              for each in kind.__mro__)  # fmt: skip
    if old or isinstance(given, type):
        raise ValueError(
            f"{name} must be a Keras optimizer: use keras.optimizers (SGD for "
            "GradientDescentOptimizer and MomentumOptimizer, Adam, Adagrad, Ftrl, RMSprop). "
            f"Received: {show(given)}."
        )
    try:
        return make_optimizer(given, learning_rate if isinstance(given, str) else None)
    except ValueError as error:
        raise ValueError(
            f"{name} must be one of {', '.join(_NAMES)}, a Keras optimizer, or a function that "
            f"returns one. Received: {name}={show(given)}."
        ) from error


@keras.saving.register_keras_serializable(package="adaptive_nets")
class PartedOptimizer(keras.optimizers.Optimizer):
    """Updates the linear part of a network by one optimizer, and the rest by another.

    Args:
        linear: The optimizer of the linear part, or its config.
        deep: The optimizer of the rest, or its config.
        name: Name of the optimizer. Defaults to `"parted_optimizer"`.
    """

    def __init__(self, linear: Any, deep: Any, name: str = "parted_optimizer") -> None:
        super().__init__(learning_rate=0.0, name=name)
        self.linear, self.deep = make_optimizer(linear), make_optimizer(deep)

    @property
    def optimizers(self) -> list[keras.optimizers.Optimizer]:
        """Both, each with a learning rate of its own."""
        return [self.linear, self.deep]

    @property
    def variables(self) -> list[keras.Variable]:
        own = super().variables
        return [*own, *self.linear.variables, *self.deep.variables]

    def build(self, variables: list[keras.Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        for part, belongs in self._parts():
            part.build([v for v in variables if belongs(v)])

    def apply(self, grads: list[Any], trainable_variables: Any = None) -> None:
        if trainable_variables is None:
            raise ValueError(
                "trainable_variables must be passed, by which the parts are told apart. "
                "Received: trainable_variables=None."
            )
        variables = list(trainable_variables)
        if not self.built:
            self.build(variables)
        pairs = list(zip(grads, variables, strict=True))
        for part, belongs in self._parts():
            own = [(g, v) for g, v in pairs if belongs(v)]
            if own:
                part.apply([g for g, _ in own], [v for _, v in own])
        self.iterations.assign_add(1)

    def get_config(self) -> dict[str, Any]:
        return {
            "linear": describe_optimizer(self.linear),
            "deep": describe_optimizer(self.deep),
            "name": self.name,
        }

    def _parts(self):
        return (self.linear, _is_linear), (self.deep, lambda v: not _is_linear(v))


def _is_linear(variable):
    return LINEAR in variable.path.split("/")
