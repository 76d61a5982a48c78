"""New layers behind a tensor: an identity, a branch that adds nothing, a copied block."""

import dataclasses
import math
from typing import Any

import keras
import numpy as np

from adaptive_nets.graphs.rebuild import call_as
from adaptive_nets.graphs.state import layer_pairs
from adaptive_nets.growth.core.registry import find_rule
from adaptive_nets.growth.core.weight_roles import without_adapters
from adaptive_nets.growth.depth.graph_blocks import Block, weighted
from adaptive_nets.growth.depth.inserting import Inserter, Values, values_of
from adaptive_nets.growth.depth.zero_output import zeros

CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)


@dataclasses.dataclass(frozen=True, eq=False)
class Identity:
    """A layer of the same kind with an identity kernel, and the activation behind it.

    Args:
        tensor: What it stands behind.
        layer: The Dense or convolution that it is like.
        activations: Layers of their own behind it, to be repeated.
    """

    tensor: keras.KerasTensor
    layer: Any
    activations: tuple[Any, ...] = ()
    method = "identity"
    is_chain = True

    @property
    def kinds(self) -> str:
        """The new layers' classes."""
        return ", ".join(type(x).__name__ for x in (self.layer, *self.activations))

    @property
    def is_spatial(self) -> bool:
        """Whether it acts on images or series."""
        return len(self.tensor.shape) > 2

    @property
    def parameters(self) -> int:
        """How many it adds."""
        features = self.tensor.shape[_features(self.layer)]
        width = math.prod(getattr(self.layer, "kernel_size", ()))
        return features * (features * width + 1)

    def chain(self, copier: Inserter) -> list[Any]:
        """The new layers, to be called in a row."""
        rule = find_rule(type(self.layer))
        name = f"{self.layer.name}_identity"
        config = rule.identity(self.layer)
        new = [copier.new(self.layer, name, rule.identity_values, **config)]
        new[0].trainable = True
        for each in self.activations:
            new.append(copier.new(each, f"{each.name}_identity", lambda _: {}))
        return new

    def insert(self, copier: Inserter, x: Any, known: dict[int, Any]) -> Any:
        """The tensor behind the new layers."""
        for layer in self.chain(copier):
            x = layer(x)
        return x


@dataclasses.dataclass(frozen=True, eq=False)
class Branch:
    """x + last(relu(first(x))), where the last layer is zero.

    Args:
        tensor: What it stands behind.
        name: The name that the new layers' names begin with.
        convolution: The convolution whose kind is used, or None for Dense.
        dtype: The dtype policy of the new layers.
    """

    tensor: keras.KerasTensor
    name: str
    convolution: Any
    dtype: Any
    method = "residual"
    is_chain = False

    @property
    def kinds(self) -> str:
        """The new layers' classes."""
        kind = "Dense" if self.convolution is None else f"Conv{len(self.tensor.shape) - 2}D"
        return f"{kind}, {kind}, Add"

    @property
    def is_spatial(self) -> bool:
        """Whether it acts on images or series."""
        return self.convolution is not None

    @property
    def parameters(self) -> int:
        """How many it adds."""
        features = self.tensor.shape[_features(self.convolution)]
        width = 3 ** (len(self.tensor.shape) - 2) if self.is_spatial else 1
        return features * (features * (width + 1) + 2)

    def insert(self, copier: Inserter, x: Any, known: dict[int, Any]) -> Any:
        """The tensor behind the sum."""
        first_name, last_name = (copier.unique(f"{self.name}_{part}") for part in ("in", "out"))
        dtype = {"dtype": self.dtype}
        if self.convolution is None:
            units = x.shape[-1]
            first = keras.layers.Dense(units, activation="relu", name=first_name, **dtype)
            last = keras.layers.Dense(units, name=last_name, **dtype)
        else:
            data_format = self.convolution.data_format
            units = x.shape[_features(self.convolution)]
            kind = CONVOLUTIONS[len(x.shape) - 3]
            shared = {"data_format": data_format, **dtype}
            first = kind(units, 3, padding="same", activation="relu", name=first_name, **shared)
            last = kind(units, 1, name=last_name, **shared)
        copier.new_layers += [(first, lambda _: {}), (last, zeros)]
        total = keras.layers.Add(name=copier.unique(f"{self.name}_add"), **dtype)
        return total([x, last(first(x))])


@dataclasses.dataclass(frozen=True, eq=False)
class Copy:
    """A part of the graph once more.

    Args:
        tensor: What it stands behind.
        block: What is copied.
        zero: Layers whose copies are zero at their output; None copies all weights instead.
        times: How many copies.
    """

    tensor: keras.KerasTensor
    block: Block
    zero: tuple[Any, ...] | None
    times: int = 1

    @property
    def method(self) -> str:
        """Its name."""
        return "stack" if self.zero is None else "residual"

    @property
    def kinds(self) -> str:
        """The new layers' classes."""
        kinds = dict.fromkeys(type(n.operation).__name__ for n in self.block.nodes)
        text = ", ".join(kinds)
        return text if self.times == 1 else f"{self.times} x ({text})"

    @property
    def is_chain(self) -> bool:
        """Whether each layer reads only the one before it."""
        last = self.block.start
        for node in self.block.nodes:
            if [id(t) for t in node.input_tensors] != [id(last)] or len(node.outputs) > 1:
                return False
            last = node.outputs[0]
        return len({id(node.operation) for node in self.block.nodes}) == len(self.block.nodes)

    def chain(self, copier: Inserter) -> list[Any]:
        """The new layers, to be called in a row."""
        return [layer for _ in range(self.times) for layer in self._layers(copier).values()]

    def insert(self, copier: Inserter, x: Any, known: dict[int, Any]) -> Any:
        """The tensor behind the copies."""
        for _ in range(self.times):
            layers = self._layers(copier)
            # What the block reads from outside is read by the copy as well.
            inside = {**known, id(self.block.start): x}
            for node in self.block.nodes:
                call_as(node, layers[id(node.operation)], inside)
            x = inside[id(self.block.end)]
        return x

    def _layers(self, copier: Inserter) -> dict[int, Any]:
        """A new layer for each of the block's, so that sharing inside the block stays."""
        made: dict[int, Any] = {}
        for node in self.block.nodes:
            old = node.operation
            if id(old) in made:
                continue
            if not weighted(old):
                values = nothing
            elif self.zero is None:
                values = values_of(old)
            else:
                values = self._zeros_in(old)
            # What is new learns with all its weights, also beside layers that LoRA trains.
            config = without_adapters(old) if self.zero is not None else {}
            made[id(old)] = copier.new(old, f"{old.name}_copy", values, **config)
            if self.zero is not None and isinstance(old, keras.layers.Layer):
                # What is new has to learn, also where the old layers are frozen.
                made[id(old)].trainable = True
        return made

    def _zeros_in(self, old: Any) -> Values:
        """Zeros for those layers in another that are zero at their output."""
        return lambda new: {
            key: value
            for one, other in layer_pairs(old, new)
            if any(one is each for each in self.zero or ())
            for key, value in zeros(other).items()
        }


def nothing(layer: Any) -> dict[int, np.ndarray]:
    """No values: the layer's weights are drawn by its own initializers."""
    return {}


def _features(layer: Any) -> int:
    """The axis on which a layer's features stand."""
    return 1 if getattr(layer, "data_format", None) == "channels_first" else -1
