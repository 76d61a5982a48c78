"""A layer of one's own as the graph of what its `call` does, where that can be seen."""

import contextlib
import inspect
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from adaptive_nets.graphs.masks.run_time import follow_masks, masks_behind
from adaptive_nets.graphs.read import ordered_nodes
from adaptive_nets.growth.core.calls import same
from adaptive_nets.keras_internals import (
    layer_calls_changed,
    layers_in,
    mask_of,
    own_seed_generators,
    own_variables,
)


class Hidden(Exception):  # noqa: N818 - it is an answer, and never leaves the package.
    """Why a layer's `call` cannot be seen as a graph."""


def unfolded(node: Any, masks: dict[int, Any] | None = None) -> keras.Model:
    """A Functional model that computes what a layer does in one call, of the layers in it.

    `call` runs once on symbolic tensors. The graph holds the layer's own sub-layers, not copies.

    Args:
        node: The record of the call.
        masks: Those that tensors have when the model runs, by the tensors' ids. Defaults to
            `None`: those that symbolic tensors have.

    Raises:
        Hidden: `call` does what no graph says: it reads weights of its own, draws, keeps a state,
            adds losses, or does something else in training; or the graph would compute otherwise.
    """
    layer = node.operation
    if not isinstance(layer, keras.layers.Layer) or isinstance(layer, keras.Model):
        raise Hidden("it is not a layer")
    _check_state(layer)
    given = keras.tree.flatten((node.arguments.args, node.arguments.kwargs))
    tensors = [x for x in given if isinstance(x, keras.KerasTensor)]
    given_masks = [(masks or {}).get(id(x), mask_of(x)) for x in tensors]
    masked = any(mask is not None for mask in given_masks)
    names = inspect.signature(layer.call).parameters
    if masked and any(name == "mask" or name.endswith("_mask") for name in names):
        raise Hidden("its `call` reads a mask")
    told = node.arguments.kwargs.get("training")
    model = _traced(layer, node, tensors, told)
    other = True if "training" in names and told is None else told
    # Only constants can be draws.
    if (other is not told or _holds_arrays(model)) and not _alike(
        model, _traced(layer, node, tensors, other)
    ):
        raise Hidden("its `call` draws, or does something else in training")
    if masked or any(mask_of(x) is not None for x in node.outputs):
        wanted = masks_behind(node, masks or {}, {}, model)
        found = follow_masks(model, given_masks, {})
        if any((a is None) != (b is None) for a, b in zip(found, wanted, strict=True)):
            raise Hidden("it gives a mask of its own")
    return model


class _Watching(keras.StatelessScope):
    """Notes which weights are read outside of all sub-layers."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.read: list[str] = []

    def get_current_value(self, variable: keras.Variable) -> Any:
        self.read.append(variable.path)
        return super().get_current_value(variable)


def _check_state(layer: Any) -> None:
    if not layer.built:
        raise Hidden("it is not built")
    if own_variables(layer):
        raise Hidden(f"it holds the weight {own_variables(layer)[0].name!r} itself")
    if own_seed_generators(layer):
        raise Hidden("it draws")
    if getattr(layer, "activity_regularizer", None) is not None:
        raise Hidden("it has an activity regularizer")


def _traced(layer: Any, node: Any, tensors: list[Any], training: bool | None) -> keras.Model:
    inputs = [
        keras.Input(batch_shape=x.shape, dtype=x.dtype, name=f"{layer.name}_input_{number}")
        for number, x in enumerate(tensors)
    ]
    known = {id(old): _cast(layer, new) for old, new in zip(tensors, inputs, strict=True)}
    args, kwargs = node.arguments.fill_in(known)
    if "training" in inspect.signature(layer.call).parameters:
        kwargs = {**kwargs, "training": training}
    scope = _Watching(collect_losses=True)
    try:
        with scope, _constants_lifted(layer, list(known.values())):
            outputs = layer.call(*args, **kwargs)
    except Exception as error:
        words = str(error).strip().split("\n")[0][:120]
        raise Hidden(f"its `call` takes no symbolic tensors ({words})") from error
    if scope.read:
        raise Hidden(f"its `call` reads {scope.read[0]!r} itself")
    if scope.state_mapping or scope.losses:
        raise Hidden("its `call` keeps a state or adds a loss")
    flat = keras.tree.flatten(outputs)
    if len(flat) != len(node.outputs) or any(
        not isinstance(one, keras.KerasTensor)
        or tuple(one.shape) != tuple(other.shape)
        or one.dtype != other.dtype
        for one, other in zip(flat, node.outputs, strict=True)
    ):
        raise Hidden("its `call` gives other tensors than it did in the model")
    try:
        model = keras.Model(inputs[0] if len(inputs) == 1 else inputs, outputs, name=layer.name)
    except Exception as error:
        raise Hidden(f"it is not a graph ({error})") from error
    _check_complete(layer, model)
    return model


def _check_complete(layer: Any, model: keras.Model) -> None:
    held: set[int] = set()
    for each in ordered_nodes(model):
        held |= {id(variable) for variable in getattr(each.operation, "variables", ())}
        for value in keras.tree.flatten((each.arguments.args, each.arguments.kwargs)):
            if isinstance(value, keras.Variable):
                raise Hidden("its `call` reads a weight itself")
        if not isinstance(each.operation, keras.layers.Layer) and _has_unknown_size(each):
            raise Hidden("its `call` reads a size that is not known, such as the batch's")
    for variable in layer.weights:
        if id(variable) not in held:
            raise Hidden(f"its `call` does not show where it uses {variable.path!r}")


def _has_unknown_size(node: Any) -> bool:
    """Whether an operation is given a shape of which a size is None: it could not run."""
    if type(node.operation).__name__ == "GetItem":
        return False  # There None is a new axis.
    given = [*_settings(node.operation).values(), *node.arguments.args]
    given += node.arguments.kwargs.values()
    shapes = [each for each in given if isinstance(each, list | tuple) and None in each]
    return any(all(x is None or isinstance(x, int) for x in shape) for shape in shapes)


def _cast(layer: Any, x: keras.KerasTensor) -> keras.KerasTensor:
    """What Keras makes of an input before it calls the layer."""
    wanted = layer.compute_dtype
    if layer.autocast and "float" in x.dtype and wanted and x.dtype != wanted:
        return keras.ops.cast(x, wanted)
    return x


@contextlib.contextmanager
def _constants_lifted(layer: Any, tensors: list[Any]) -> Iterator[None]:
    """Within it, sub-layers that are called with constants (positions) become part of the graph."""
    inside = {id(each) for each in layers_in(layer, include_self=False)}
    anchors = [x for x in tensors if x.dtype != "string"]

    def lifted(value: Any) -> Any:
        zero = keras.ops.sum(keras.ops.zeros_like(anchors[0]))
        constant = keras.ops.convert_to_numpy(value)
        return keras.ops.add(keras.ops.cast(zero, constant.dtype.name), constant)

    def change(called: Any, args: Any, kwargs: Any) -> Any:
        flat = keras.tree.flatten((args, kwargs))
        symbolic = any(isinstance(x, keras.KerasTensor) for x in flat)
        if id(called) not in inside or symbolic or not anchors:
            return args, kwargs
        return keras.tree.map_structure(
            lambda x: lifted(x) if keras.ops.is_tensor(x) or isinstance(x, np.ndarray) else x,
            (args, kwargs),
        )

    with layer_calls_changed(change):
        yield


def _alike(one: keras.Model, other: keras.Model) -> bool:
    """Whether two graphs are the same calls, except for what they say of training."""
    nodes = [ordered_nodes(each) for each in (one, other)]
    if len(nodes[0]) != len(nodes[1]):
        return False
    partner = {id(a): id(b) for a, b in zip(one.inputs, other.inputs, strict=True)}
    for a, b in zip(*nodes, strict=True):
        is_layer = isinstance(a.operation, keras.layers.Layer)
        if is_layer and a.operation is not b.operation:
            return False
        if type(a.operation) is not type(b.operation):
            return False
        if not is_layer and not same(_settings(a.operation), _settings(b.operation)):
            return False
        if [partner.get(id(x)) for x in a.input_tensors] != [id(x) for x in b.input_tensors]:
            return False
        if not same(_constants(a), _constants(b)):
            return False
        partner |= {id(x): id(y) for x, y in zip(a.outputs, b.outputs, strict=True)}
    pairs = zip(one.outputs, other.outputs, strict=True)
    return all(partner.get(id(a)) == id(b) for a, b in pairs)


def _holds_arrays(model: keras.Model) -> bool:
    return any(
        isinstance(x, np.ndarray) or (keras.ops.is_tensor(x) and not _is_symbolic(x))
        for node in ordered_nodes(model)
        for x in keras.tree.flatten((node.arguments.args, node.arguments.kwargs))
    )


def _is_symbolic(x: Any) -> bool:
    return isinstance(x, keras.KerasTensor)


def _settings(operation: Any) -> dict[str, Any]:
    return {k: v for k, v in vars(operation).items() if not k.startswith("_") and k != "name"}


def _constants(node: Any) -> Any:
    kwargs = {k: v for k, v in node.arguments.kwargs.items() if k != "training"}
    return keras.tree.map_structure(
        lambda x: keras.KerasTensor if isinstance(x, keras.KerasTensor) else x,
        (node.arguments.args, kwargs),
    )
