"""What each axis of a weight means: the vocabulary in which a rule describes its layer."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from adaptive_nets.growth.core.axis_map import AxisMap
from adaptive_nets.growth.core.segments import Axis
from adaptive_nets.keras_internals import layers_in


@dataclasses.dataclass(frozen=True)
class Reads:
    """The weight is summed over this axis: a kernel's input."""

    axis: Axis | None


@dataclasses.dataclass(frozen=True)
class Writes:
    """The weight makes this axis: a kernel's output, a bias."""

    axis: Axis | None


@dataclasses.dataclass(frozen=True)
class Scales:
    """The weight acts on each feature of this axis alone: a gain, a mean, a depthwise kernel."""

    axis: Axis | None


@dataclasses.dataclass(frozen=True)
class Keeps:
    """The axis never grows: the height of a kernel."""

    axis: None = None


Dimension = Reads | Writes | Scales | Keeps


@dataclasses.dataclass
class Weight:
    """One weight of a layer.

    Args:
        attribute: Where it is found on the layer, such as `"_kernel"` or `"cell.bias"`.
        dimensions: One `Reads`, `Writes`, `Scales` or `Keeps` an axis.
        scale: Given the grown map of each dimension, the factor on the old values.
        fresh: The value of new features, or what changes their draw given the grown maps; None
            leaves the layer's own initialisation.
    """

    attribute: str
    dimensions: tuple[Dimension, ...]
    scale: Callable[[tuple[AxisMap, ...]], float] | None = None
    fresh: float | Callable[[Any, tuple[AxisMap, ...]], Any] | None = None


@dataclasses.dataclass
class LayerRecord:
    """What tracing learnt of one distinct layer.

    Args:
        layers: The layer in each source.
        rule: How it grows.
        path: Its name, below those of the models that hold it.
        axes: Its own axes by role, such as `"units"`.
        weights: Its weights by attribute.
        copies: How many layers are copied as they are: none where the rule makes a grown one; one;
            or one a source, each of which reads its own features.
        inexact: Why the layer does not preserve the function, if so.
        inner: What a rule keeps of nested layers.
    """

    layers: tuple[Any, ...]
    rule: Any
    path: str
    axes: dict[str, Axis] = dataclasses.field(default_factory=dict)
    weights: dict[str, Weight] = dataclasses.field(default_factory=dict)
    copies: int = 0
    inexact: str | None = None
    inner: Any = None


def variable_of(layer: Any, attribute: str) -> keras.Variable:
    """A weight by its attribute, which may be nested, and numbered in a list."""
    for name in attribute.split("."):
        behind = stacked(layer, name)
        if behind is not None:
            layer = behind
        else:
            layer = layer[int(name)] if name.isdigit() else getattr(layer, name)
    return layer


def stacked(layer: Any, attribute: str) -> keras.Variable | None:
    """The variable of a layer that holds several weights for one, on a first axis; else None.

    Such a layer reads one weight by the attribute, and names the variable by
    `variable_behind(attribute)`; its `grows_as` is the class whose rule it grows by.
    """
    for name in attribute.split("."):
        find = getattr(layer, "variable_behind", None)
        layer = layer[int(name)] if name.isdigit() else getattr(layer, name, None)
    return find and find(name)


def without_adapters(layer: Any) -> dict[str, Any]:
    """The settings of a new layer like this one that learns with all its weights."""
    return {"lora_rank": None} if getattr(layer, "lora_enabled", False) else {}


def initializers_for_any_shape(layer: Any) -> dict[str, Any]:
    """The settings of a grown layer whose initializers are arrays: drawn weights instead.

    An array has the shape of the old weight only.
    """
    found = {}
    for name, given in vars(layer).items():
        constant = isinstance(given, keras.initializers.Constant) and np.ndim(given.value)
        if name.endswith("_initializer") and constant:
            found[name] = "zeros" if np.ndim(given.value) == 1 else "glorot_uniform"
    return found


def grows_as(layer: Any) -> type:
    """The class by whose rule a layer grows."""
    return getattr(layer, "grows_as", type(layer))


def continue_draws(old: Any, new: Any) -> None:
    """Lets layers that draw with a state of their own (`continue_from`) go on where others were."""
    if isinstance(old, keras.Layer):
        for one, other in zip(layers_in(old), layers_in(new), strict=False):
            if hasattr(other, "continue_from"):
                other.continue_from(one)
