"""Layers that contain stock layers, such as keras-hub's transformer blocks."""

from typing import Any

import keras

from adaptive_nets.graphs.scope import form_of
from adaptive_nets.keras_internals import (
    layers_in,
    own_variables,
    take_call_signature,
    unlocked,
    untrack,
)
from adaptive_nets.majority.folding import MajorityMixin, check_options
from adaptive_nets.majority.layers import MAJORITY
from adaptive_nets.serialization import make_object

# Layers that are replaced inside others. Embeddings stay single, as in `expand`.
LEAVES = tuple(
    kind for kind in MAJORITY
    if kind not in (keras.layers.Embedding, keras.layers.MultiHeadAttention)
    and not issubclass(kind, keras.layers.RNN)
)  # fmt: skip


@keras.saving.register_keras_serializable(package="adaptive_nets")
class MajorityComposite(keras.Layer):
    """Wraps a layer so that its inner stock layers train k kernels.

    `adaptive_nets.majority.expand` uses it for custom layers that contain supported layers.

    Args:
        layer: The layer to wrap, or its serialized form.
        **options: The options of all majority layers.
    """

    def __init__(self, layer: Any, **options: Any) -> None:
        if isinstance(layer, dict):
            layer = make_object(layer, "layer")
        super().__init__(name=layer.name, dtype=layer.dtype_policy)
        check_options(**{k: v for k, v in options.items() if k != "mixing_seed"})
        self.layer = layer
        self.options = {name: options[name] for name in MajorityMixin.options}
        self.supports_masking = layer.supports_masking
        # Keras inspects the signature of the call for masks, training and inputs.
        take_call_signature(self, layer)
        self._is_folded = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not self._is_folded:
            if not (self.layer.built and all(each.built for each in self._leaves())):
                self.layer(*args, **kwargs)
            for each in self._leaves():
                refold(each, *self.options.values())
            self._is_folded = True
        return super().__call__(*args, **kwargs)

    def _leaves(self) -> list[keras.Layer]:
        inner = layers_in(self.layer, include_self=False)
        return [each for each in inner if type(each) in LEAVES]

    def build(self, *args: Any, **kwargs: Any) -> None:
        """The layer inside is built by its first call."""

    def call(self, *args: Any, **kwargs: Any) -> Any:
        return self.layer(*args, **kwargs)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Returns that of the inner layer."""
        return self.layer.compute_output_spec(*args, **kwargs)

    def compute_mask(self, *args: Any, **kwargs: Any) -> Any:
        """Returns that of the inner layer."""
        return self.layer.compute_mask(*args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Returns the inner layer's original configuration and the options."""
        layer = form_of(self.layer)
        # Its first call builds it; by itself it may not know how.
        return {"layer": {**layer, "build_config": None}, **self.options}


def refold(layer: keras.Layer, *options: Any) -> None:
    """Turns a built stock layer into its majority version in place, with new kernels."""
    layer.__class__ = MAJORITY[type(layer)]
    with unlocked(layer):
        layer.set_options(*options)
        stock = {v.name: v for v in own_variables(layer)}
        for attribute, name in _folded_attributes(layer).items():
            old = stock.get(name)
            if old is None or not (name in layer.folded or layer.bias_factor > 1):
                setattr(layer, attribute, old)
                continue
            untrack(layer, old)
            initializer = getattr(layer, f"{name}_initializer", None)
            setattr(
                layer,
                attribute,
                layer.add_weight(
                    tuple(old.shape), initializer, name=name, dtype=old.dtype,
                    trainable=old.trainable, regularizer=old.regularizer,
                    constraint=old.constraint,
                ),
            )  # fmt: skip


def _folded_attributes(layer):
    """Returns the attributes that may be k-fold, with the names of their weights."""
    from adaptive_nets.majority.folding import Folded

    found = {}
    for kind in type(layer).__mro__:
        found |= {n: n.strip("_") for n, v in vars(kind).items() if isinstance(v, Folded)}
    return found
