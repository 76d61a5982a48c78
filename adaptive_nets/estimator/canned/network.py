"""The network of a canned estimator: feature columns, hidden layers, a linear part."""

import copy
from collections.abc import Sequence
from typing import Any

import keras

from adaptive_nets._checks import check_bool, check_integer, check_list, check_number, or_none, show
from adaptive_nets.estimator.columns import DenseColumns, LinearColumns
from adaptive_nets.generators import Pool

# The name of the layer whose weights the optimizer of the linear part updates.
LINEAR = "linear_columns"
# What tf.estimator sets in its batch normalization.
_MOMENTUM = 0.999


class ColumnPool(Pool):
    """A `Pool` of models that read features by the names that scripts give them."""

    by_name = True


@keras.saving.register_keras_serializable(package="adaptive_nets")
class ColumnNetwork(keras.layers.Layer):
    """Logits from raw features: of a deep network, of a linear model, or their sum.

    Args:
        units: Number of logits.
        deep_columns: Dense feature columns of the network. Defaults to `None`: no network.
        linear_columns: Feature columns of the linear model. Defaults to `None`: no linear model.
        hidden_units: Widths of the hidden layers. Defaults to `()`.
        activation: Name of their activation. Defaults to `"relu"`.
        dropout: Share of their outputs that is dropped in training. Defaults to `0.0`.
        batch_norm: Whether each is followed by batch normalization. Defaults to `False`.
        sparse_combiner: As in `LinearColumns`. Defaults to `"sum"`.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(
        self,
        units: int,
        deep_columns: Any = None,
        linear_columns: Any = None,
        hidden_units: Sequence[int] = (),
        activation: Any = "relu",
        dropout: float = 0.0,
        batch_norm: bool = False,
        sparse_combiner: str = "sum",
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.units = check_integer("units", units, 1)
        self.hidden_units = check_widths(hidden_units)
        self.activation = activation_of(activation)
        self.dropout = 0.0 if dropout is None else check_number("dropout", dropout, 0, 1, "low")
        self.batch_norm = check_bool("batch_norm", batch_norm)
        self.sparse_combiner = sparse_combiner
        if deep_columns is None and linear_columns is None:
            raise ValueError(
                "Feature columns are missing: pass those of the network, of the linear model, or "
                "both. Received: none."
            )
        self.deep = self.linear = None
        self.hidden: list[keras.layers.Layer] = []
        if linear_columns is not None:
            self.linear = LinearColumns(
                self.units, linear_columns, sparse_combiner, dtype=self.dtype_policy, name=LINEAR
            )
        if deep_columns is not None:
            if not self.hidden_units:
                raise ValueError(
                    "hidden_units must list the widths of the hidden layers. "
                    f"Received: hidden_units={show(hidden_units)}."
                )
            self.deep = DenseColumns(deep_columns, dtype=self.dtype_policy, name="deep_columns")
            for place, width in enumerate(self.hidden_units):
                self.hidden += self._hidden(place, width)
            self.logits = keras.layers.Dense(self.units, dtype=self.dtype_policy, name="logits")

    @property
    def columns(self) -> list[dict[str, Any]]:
        """Descriptions of all columns."""
        parts = [part for part in (self.deep, self.linear) if part is not None]
        return [column for part in parts for column in part.columns]

    def build(self, input_shape: Any) -> None:
        if self.linear is not None:
            self.linear.build(input_shape)
        if self.deep is not None:
            self.deep.build(input_shape)
            shape = self.deep.compute_output_shape(input_shape)
            for layer in self.hidden:
                layer.build(shape)
                shape = layer.compute_output_shape(shape)
            self.logits.build(shape)
        self.built = True

    def call(self, inputs: dict[str, Any], training: bool | None = None) -> Any:
        total = None
        if self.deep is not None:
            total = self.deep(inputs)
            for layer in self.hidden:
                plain = isinstance(layer, keras.layers.Dense)
                total = layer(total) if plain else layer(total, training=training)
            total = self.logits(total)
        if self.linear is not None:
            linear = self.linear(inputs)
            total = linear if total is None else total + linear
        return total

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, int]:
        return None, self.units

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "deep_columns": None if self.deep is None else copy.deepcopy(self.deep.columns),
            "linear_columns": None if self.linear is None else copy.deepcopy(self.linear.columns),
            "hidden_units": self.hidden_units,
            "activation": self.activation,
            "dropout": self.dropout,
            "batch_norm": self.batch_norm,
            "sparse_combiner": self.sparse_combiner,
        }

    def _hidden(self, place, width):
        kept = {"dtype": self.dtype_policy}
        yield keras.layers.Dense(width, self.activation, name=f"hidden_{place}", **kept)
        if self.dropout:
            yield keras.layers.Dropout(self.dropout, name=f"dropout_{place}", **kept)
        if self.batch_norm:
            name = f"batch_norm_{place}"
            yield keras.layers.BatchNormalization(momentum=_MOMENTUM, name=name, **kept)


def check_widths(hidden_units: Any) -> list[int]:
    """Returns the widths of hidden layers."""
    words = "a list of the widths of the hidden layers"
    listed = check_list("hidden_units", hidden_units, object, words)
    return [check_integer("hidden_units", width, 1) for width in listed]


def activation_of(given: Any) -> str | None:
    """Returns the name of Keras' activation for a name, or for a function of `tf.nn`.

    Raises:
        ValueError: There is none.
    """
    if given is None:
        return None
    name = given if isinstance(given, str) else getattr(given, "__name__", None)
    name = {"swish": "silu", "log_softmax_v2": "log_softmax", "softmax_v2": "softmax"}.get(
        name, name
    )
    found = getattr(keras.activations, name, None) if isinstance(name, str) else None
    own = found is given or str(getattr(given, "__module__", "")).startswith(
        ("tensorflow.python.ops.", "keras.")
    )
    if found is None or isinstance(found, type) or name in ("get", "serialize", "deserialize") or (
        not isinstance(given, str) and not own
    ):  # fmt: skip
        raise ValueError(
            "activation_fn must be the name of a Keras activation, or a function of tf.nn that "
            f"Keras has too, such as tf.nn.relu. Received: {show(given)}."
        )
    return name


def check_rate(name: str, value: Any) -> float:
    """Returns a rate of dropout; `None` is 0."""
    return or_none(check_number, name, value, 0, 1, "low") or 0.0
