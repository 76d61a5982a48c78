"""`OwnLoss`: heads whose loss may be a function or object of the user."""

from __future__ import annotations

import inspect
from typing import Any

import keras
from keras import ops

from adaptive_nets._checks import check_config, show
from adaptive_nets._values import tried
from adaptive_nets.keras_internals import loss_settings
from adaptive_nets.serialization import make_object


class OwnLoss:
    """Base of a head whose loss may be the user's: how it is called, saved and loaded.

    Attributes:
        name: The head's name.
        loss_function: The user's loss: a function of labels and logits, or a
            `keras.losses.Loss`. Or the name of one of the head's own, or `None`.
        loss_argument: The name of the constructor's argument.
    """

    name: str
    loss_function: Any = None
    loss_argument: str = "loss_fn"

    def own_loss(self, labels: Any, logits: Any) -> Any:
        """Returns the user's loss of each example `[n]`.

        Args:
            labels: Labels `[n, k]`, in the form that the loss is documented to take.
            logits: Tensor `[n, units]`.

        Raises:
            ValueError: The loss has another shape than `[n]`, `[n, 1]` or `[n, k]`.
        """
        function = self.loss_function
        if isinstance(function, keras.losses.Loss):
            # Calling the object would reduce over the batch, and cast to its own dtype.
            function = function.call
        each = ops.convert_to_tensor(function(labels, logits))
        targets = labels.shape[-1]
        if len(each.shape) != 1 and not (
            len(each.shape) == 2 and each.shape[-1] in (1, targets, None)
        ):
            raise ValueError(
                f"Cannot use the loss of head '{self.name}': it must return one value per "
                f"example, shape [n] or [n, {targets}]; do not average over the batch. "
                f"Received: shape {list(each.shape)} from {show(self.loss_function)}."
            )
        each = ops.cast(each, logits.dtype)
        return each if len(each.shape) == 1 else ops.mean(each, axis=-1)

    def loss_config(self) -> dict[str, Any]:
        """Returns the loss as an entry of `get_config`; none, if it is `None`."""
        loss = self.loss_function
        if getattr(loss, "__name__", "") == "<lambda>":
            raise ValueError(
                f"Cannot save head '{self.name}': a lambda cannot be saved by name. Pass a named "
                f"function decorated with keras.saving.register_keras_serializable. "
                f"Received: {self.loss_argument}={show(loss)}."
            )
        if loss is None:
            # Left out where there is none: older states do not have it.
            return {}
        return {self.loss_argument: loss if isinstance(loss, str) else _serialize(loss)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Creates a head from the output of `get_config`.

        Raises:
            ValueError: The loss is a function or class that is not registered with Keras.
        """
        config = check_config(cls, config)
        loss = config.get(cls.loss_argument)
        if isinstance(loss, dict):
            try:
                config[cls.loss_argument] = make_object(loss, "loss")
            except ValueError as error:
                raise ValueError(
                    f"Cannot load head '{config.get('name')}': its loss is not registered. "
                    f"Import the module that decorates it with "
                    f"keras.saving.register_keras_serializable, or load inside "
                    f"keras.saving.custom_object_scope. "
                    f"Received: {show(_name_of(loss))} ({error})."
                ) from error
        return cls(**config)


def check_loss_fn(given: Any, **alone: bool) -> Any:
    """Returns a `loss_fn` of tf.estimator's heads: a function of labels and logits, or `None`.

    Args:
        given: What was passed.
        **alone: By name, settings of the head's own loss, and whether they were passed.

    Raises:
        ValueError: It is no such function, or another setting was passed with it.
    """
    if given is None:
        return None
    if isinstance(given, keras.losses.Loss):
        names = ["labels", "logits"]
    else:
        signature = tried(lambda: inspect.signature(given)) if callable(given) else None
        found = signature.parameters.values() if signature else ()
        names = [p.name for p in found if p.name in ("labels", "logits") or p.default is p.empty]
    if names != ["labels", "logits"] or isinstance(given, type):
        raise ValueError(
            "loss_fn must be a function of labels and logits, in this order: features and a "
            "reduction are not passed. It returns one loss per example, [n] or [n, 1], or of "
            f"several targets one per target. Received: loss_fn={show(given)}."
        )
    others = [name for name, passed in alone.items() if passed]
    if others:
        raise ValueError(
            f"{others[0]} is a setting of the cross-entropy, in whose place loss_fn stands. Pass "
            f"only one of the two. Received: loss_fn={show(given)} and {others[0]}."
        )
    return given


def _serialize(loss: Any) -> dict[str, Any]:
    serialized = keras.saving.serialize_keras_object(loss)
    if isinstance(loss, keras.losses.Loss):
        # Keras leaves some constructor arguments out of its losses' configuration (Huber's delta,
        # CosineSimilarity's axis), and would load another loss than was saved.
        accepted = inspect.signature(type(loss)).parameters
        for key, value in loss_settings(loss).items():
            if key in accepted:
                serialized["config"].setdefault(key, value)
    return serialized


def _name_of(serialized: dict[str, Any]) -> str:
    config = serialized.get("config")
    return config if isinstance(config, str) else str(serialized.get("class_name"))
