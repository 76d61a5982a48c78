"""What each axis of a weight means: the vocabulary in which a rule describes its layer."""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from adaptive_nets.graphs.state import by_path
from adaptive_nets.growth.core.axis_map import AxisMap
from adaptive_nets.growth.core.segments import Axis
from adaptive_nets.keras_internals import layers_in

# The role of the axis between LoRA's two factors.
RANK = "lora_rank"


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
            or one per source, each of which reads its own features.
        inexact: Why the layer does not preserve the function, if so.
        inner: What a rule keeps of nested layers.
        graphs: Ids of the graphs in which it is called.
    """

    layers: tuple[Any, ...]
    rule: Any
    path: str
    axes: dict[str, Axis] = dataclasses.field(default_factory=dict)
    weights: dict[str, Weight] = dataclasses.field(default_factory=dict)
    copies: int = 0
    inexact: str | None = None
    inner: Any = None
    graphs: set[int] = dataclasses.field(default_factory=set)


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


def held_in(layer: Any, other: Any) -> dict[str, str]:
    """The arguments under which a layer was given another one, or a layer inside that.

    Returns:
        The place inside the other by the name of the argument.
    """
    if not isinstance(layer, keras.Layer) or not isinstance(other, keras.Layer):
        return {}
    held = [(name, id(x)) for name, x in vars(layer).items() if isinstance(x, keras.Layer)]
    if not held:
        return {}
    places = {id(each): path for path, each in by_path(other).items()}
    names = inspect.signature(type(layer).__init__).parameters
    return {name: places[key] for name, key in held if name in names and key in places}


def carried_with(records: dict[int, LayerRecord]) -> dict[int, str]:
    """Layers that have to be carried because a carried one was given them, and why.

    Args:
        records: Of all layers, by the id of the first source's.

    Returns:
        The reasons by the same ids, also for those that were given them.

    Raises:
        ValueError: A carried layer shares a weight with another one in some other way: it would be
            two weights.
    """
    owners: dict[int, LayerRecord] = {}
    for record in records.values():
        if record.rule.made_of_layers:
            continue  # its weights are those of its layers
        for variable in getattr(record.layers[0], "weights", ()):
            other = owners.setdefault(id(variable), record)
            if other is record or not (record.rule.carries or other.rule.carries):
                continue
            pairs = ((record, other), (other, record))
            holding = [(a, b) for a, b in pairs if held_in(b.layers[0], a.layers[0])]
            for inner, outer in holding:
                if not inner.rule.carries or inner.copies != outer.copies:
                    return {
                        id(inner.layers[0]): f"{outer.path!r} was given it, or a layer in it",
                        id(outer.layers[0]): f"it was given {inner.path!r}, or a layer in it",
                    }
            if not holding:
                raise ValueError(
                    f"Cannot grow {record.path!r}: it shares the weight {variable.path!r} with "
                    f"{other.path!r}, and the layers could not share it any more. Expected a rule "
                    "for a layer that holds another (adaptive_nets.growth.register_rule), or "
                    "layers with weights of their own."
                )
    return {}


def without_adapters(layer: Any) -> dict[str, Any]:
    """The settings of a new layer like this one that learns with all its weights."""
    return {"lora_rank": None} if getattr(layer, "lora_enabled", False) else {}


def adapters_of(layer: Any, sizes: dict[str, AxisMap]) -> dict[str, Any]:
    """The settings of a fused layer in which the ranks of the sources' LoRA stand side by side."""
    if RANK not in sizes:
        return {}
    rank = sizes[RANK].size
    return {"lora_rank": rank, "lora_alpha": layer.lora_alpha / layer.lora_rank * rank}


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
