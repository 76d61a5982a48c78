"""`ModelFnNetwork`: the network of a `model_fn`, as a candidate of a pool."""

import zlib
from typing import Any

import keras

from adaptive_nets._checks import show
from adaptive_nets.estimator.mode_keys import ModeKeys
from adaptive_nets.estimator.model_fn import EstimatorSpec, ModelFnEstimator


class _Predict(str):
    """The mode of a prediction, which tells whether it was compared with that of training."""

    asked = False

    def __eq__(self, other: object) -> bool:
        self.asked = self.asked or other == str(ModeKeys.TRAIN)
        return str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__


class ModelFnNetwork:
    """A function that returns a new network of a `model_fn`, for a `Pool`.

    The `model_fn` is called once for each network, to predict, with symbolic features; so its
    network must be the same in training, and be made of Keras layers and `keras.ops`.

    Args:
        estimator: The `ModelFnEstimator`.
    """

    def __init__(self, estimator: ModelFnEstimator) -> None:
        self.estimator = estimator
        function = estimator.model_fn
        # A search in a folder goes on only with the same candidates, which this names.
        text = repr(sorted(estimator.params.items(), key=lambda item: str(item[0])))
        self.__module__ = getattr(function, "__module__", "")
        name = getattr(function, "__qualname__", type(function).__qualname__)
        self.__qualname__ = f"{name}, params {zlib.crc32(text.encode()):08x}"

    def __call__(self) -> keras.Layer:
        return _Network(self)

    def outputs(self, features: Any) -> Any:
        """Returns the predictions of symbolic features.

        Raises:
            TypeError: The `model_fn` returns no `EstimatorSpec`.
            ValueError: It asks whether it is being trained.
        """
        mode, made = _Predict(ModeKeys.PREDICT), self.estimator.new_function()
        given = {"features": features, "labels": None, "mode": mode, **made.given}
        spec = made.function(**{name: given[name] for name in made.names})
        if not isinstance(spec, EstimatorSpec):
            raise TypeError(
                f"model_fn must return an estimator.EstimatorSpec. Received: {show(spec)}."
            )
        if mode.asked:
            raise ValueError(
                "model_fn of a candidate must make the same network in each mode, and not compare "
                "mode with ModeKeys.TRAIN before it returns its predictions: Keras layers such as "
                "Dropout know by themselves whether they are trained."
            )
        return spec.predictions


class _Network(keras.Layer):
    """Applies a `model_fn` to symbolic features; it is itself in no graph."""

    def __init__(self, network: ModelFnNetwork) -> None:
        super().__init__()
        self.network = network

    def __call__(self, features: Any) -> Any:
        return self.network.outputs(features)
