"""What a call holds beside tensors: in one form however it was written, and compared."""

import contextlib
import functools
import inspect
import types
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from adaptive_nets._checks import show
from adaptive_nets.graphs.masks.run_time import same_mask
from adaptive_nets.growth.core.segments import Features, UnruledError
from adaptive_nets.growth.core.weight_roles import LayerRecord
from adaptive_nets.keras_internals import mask_of

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def in_order(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
    """A call's arguments with the first one by position, where `layer(inputs=x)` named it."""
    if args or not kwargs:
        return args, kwargs
    first = next(iter(inspect.signature(operation.call).parameters), None)
    if first not in kwargs:
        return args, kwargs
    rest = {name: value for name, value in kwargs.items() if name != first}
    return (kwargs[first],), rest


def check_same_calls(nodes: Sequence[Any], path: str) -> None:
    """Finds sources whose calls differ in what they hold beside tensors.

    A grown layer is called once, with the first source's constants, slices, functions and
    arguments by name.

    Args:
        nodes: The call's record in each source.
        path: The layer.

    Raises:
        UnruledError: They differ.
    """
    first, *others = (_constants(node) for node in nodes)
    for other in others:
        if not same(first, other):
            differing = [k for k in first if k not in other or not same(first[k], other[k])]
            shown = ", ".join(show({k: each.get(k) for k in differing}) for each in (first, other))
            raise UnruledError(
                f"Cannot fuse at {path!r}: it is called with other arguments in each source. "
                f"Expected the same constants, slices and settings. Received: {shown}.",
                "it is called with other arguments in each source",
            )


def check_masks_pass(node: Any, path: str, ends: Sequence[Any], masks: dict[int, Any]) -> None:
    """Refuses a call that each source makes alone if a mask would be lost.

    The part that a source reads of a joined tensor has no mask, and neither have joined results.
    A mask that was there before is told to the layers that read it (`Masks`), unless it is only
    there when the model runs; one that the call makes is another in each source.

    Args:
        node: The call's record.
        path: The layer.
        ends: The outputs of the model, whose masks no layer reads.
        masks: Those of all tensors when the model runs, by the tensors' ids.

    Raises:
        ValueError: The call makes a mask, or reads or hands on one that comes from around the model
            that it is in, or out of a model inside.
    """
    layer = node.operation
    if not isinstance(layer, keras.Layer):
        return
    names = inspect.signature(layer.call).parameters
    reads = "mask" in names or any(f"{name}_mask" in names for name in names)
    known = [masks.get(id(x)) for x in node.input_tensors]
    inner = [masks.get(id(x)) for x in node.outputs if not any(x is end for end in ends)]
    makes = any(x is not None and not any(same_mask(x, y) for y in known) for x in inner)
    hidden = any(
        mask is not None and mask_of(x) is None
        for x, mask in zip(node.input_tensors, known, strict=True)
    )
    if makes or (hidden and (reads or layer.supports_masking)):
        raise ValueError(
            f"Cannot fuse at {path!r}: it is kept once per source, and its mask would be lost. "
            "Expected a mask that is made before, in the same model, or a layer that is joined. "
            "Use norm='joint' if it is a norm; else fuse models without mask_zero=True or Masking."
        )


class Masks:
    """The masks of tensors of a new graph that Keras has lost track of.

    Operations hand no masks on. So layers that read one are given it as an argument.
    """

    def __init__(self) -> None:
        self._lost: dict[int, tuple[Any, Any]] = {}

    def of(self, tensor: Any) -> Any:
        """The mask of a tensor, or None."""
        held = self._lost.get(id(tensor))
        return mask_of(tensor) if held is None else held[1]

    def lose(self, tensor: Any, mask: Any) -> None:
        """Says which mask a tensor, or each in a list of them, should have had."""
        for each in keras.tree.flatten(tensor) if mask is not None else ():
            self._lost[id(each)] = (each, mask)

    def given(self, layer: Any, args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
        """The arguments by name of a call, with the masks that Keras would have found itself."""
        tensors = self._arguments(layer, args, kwargs)
        names = inspect.signature(layer.call).parameters if tensors else ()
        found = dict(kwargs)
        for name, value in tensors.items():
            key = "mask" if len(tensors) == 1 else f"{name}_mask"
            if key in names and kwargs.get(key) is None:
                found[key] = keras.tree.map_structure(self.of, value)
        return found

    def pass_on(self, layer: Any, args: tuple, kwargs: dict[str, Any], outputs: list[Any]) -> None:
        """Notes the masks of what a layer gave that was called with `given` arguments."""
        tensors = self._arguments(layer, args, kwargs)
        if not tensors or not layer.supports_masking or kwargs.get("mask") is not None:
            return  # Keras hands on a mask that it was told by this name.
        first = next(iter(tensors.values()))
        masks = layer.compute_mask(first, keras.tree.map_structure(self.of, first))
        for tensor, mask in zip(outputs, keras.tree.flatten(masks), strict=False):
            self.lose(tensor, mask)

    def _arguments(self, layer: Any, args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
        """The arguments that hold tensors, where one of them has lost its mask."""
        flat = keras.tree.flatten((args, kwargs))
        if not isinstance(layer, keras.Layer) or not any(id(x) in self._lost for x in flat):
            return {}
        signature = inspect.signature(layer.call)
        # What Keras tells all layers, such as `training`, a layer need not take.
        known = {name: x for name, x in kwargs.items() if name in signature.parameters}
        bound = signature.bind(*args, **known).arguments
        return {
            name: value
            for name, value in bound.items()
            if name != "mask"
            and not name.endswith("_mask")
            and any(isinstance(x, keras.KerasTensor) for x in keras.tree.flatten(value))
        }


def _constants(node: Any) -> dict[Any, Any]:
    """All arguments by name, with a mark in the place of each tensor."""
    arguments = node.arguments
    args, kwargs = keras.tree.map_structure(
        lambda x: keras.KerasTensor if isinstance(x, keras.KerasTensor) else x,
        (arguments.args, arguments.kwargs),
    )
    try:
        bound = inspect.signature(node.operation.call).bind(*args, **kwargs)
    except TypeError:
        return {"args": args, "kwargs": kwargs}
    bound.apply_defaults()
    return dict(bound.arguments)


def constant_shape(value: Any) -> tuple[int, ...]:
    """The shape of a constant that meets tensors: of an array, or of a list of numbers."""
    return tuple(getattr(value, "shape", None) or np.shape(value))


def same(one: Any, other: Any) -> bool:
    """Whether two values that a graph or a configuration holds compute the same.

    Numbers, arrays and tensors are the same if they have the same type, shape and values (NaN is
    equal to NaN); functions if they are one object, or of the same code that sees the same values.
    """
    if one is other:
        return True
    if isinstance(one, keras.Variable) or isinstance(other, keras.Variable):
        return False
    if _is_array(one) or _is_array(other):
        return _is_array(one) and _is_array(other) and _same_arrays(one, other)
    if type(one) is not type(other):
        return False
    if isinstance(one, slice):
        return same((one.start, one.stop, one.step), (other.start, other.stop, other.step))
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, types.FunctionType):
        with contextlib.suppress(RecursionError):
            return _same_functions(one, other)
        return False
    if isinstance(one, types.MethodType):
        return one.__func__ is other.__func__ and same(one.__self__, other.__self__)
    if isinstance(one, functools.partial):
        parts = [(each.func, each.args, each.keywords) for each in (one, other)]
        return same(*parts)
    if hasattr(one, "get_config"):
        return same(one.get_config(), other.get_config())
    return _equal(one, other)


def _is_array(value: Any) -> bool:
    tensor = keras.ops.is_tensor(value) and not isinstance(value, keras.KerasTensor)
    return tensor or isinstance(value, np.ndarray | np.generic)


def _same_arrays(one: Any, other: Any) -> bool:
    arrays = [np.asarray(keras.ops.convert_to_numpy(value)) for value in (one, other)]
    if arrays[0].dtype != arrays[1].dtype or arrays[0].shape != arrays[1].shape:
        return False
    return np.array_equal(*arrays, equal_nan=arrays[0].dtype.kind in "fc")


def _same_functions(one: types.FunctionType, other: types.FunctionType) -> bool:
    """By what they do and what they see; the lines and files where they stand do not matter."""
    seen = [inspect.getclosurevars(function) for function in (one, other)]
    return (
        _same_code(one.__code__, other.__code__)
        and same(one.__defaults__, other.__defaults__)
        and same(one.__kwdefaults__, other.__kwdefaults__)
        and same(dict(seen[0].nonlocals), dict(seen[1].nonlocals))
        and same(dict(seen[0].globals), dict(seen[1].globals))
    )


def _same_code(one: types.CodeType, other: types.CodeType) -> bool:
    if one.co_code != other.co_code or one.co_names != other.co_names:
        return False
    if len(one.co_consts) != len(other.co_consts):
        return False
    return all(
        _same_code(a, b) if isinstance(a, types.CodeType) and type(b) is type(a) else same(a, b)
        for a, b in zip(one.co_consts, other.co_consts, strict=True)
    )


def _equal(one: Any, other: Any) -> bool:
    # NaN is no other constant than NaN.
    return bool(one == other) or (one != one and other != other)


def is_stock(activation: Any) -> bool:
    """Whether an activation is one of Keras, whose effect on zeros and features is known."""
    name = getattr(activation, "__name__", "")
    stock = hasattr(keras.activations, name) if name else activation is None
    known = (getattr(each, name, None) for each in (keras.activations, keras.ops))
    return stock and (not name or any(activation is each for each in known))


def tried_out(
    function: Any, shape: Sequence[int | None], dtype: str, number: int
) -> tuple[np.ndarray, bool]:
    """What a function makes of random values, and whether it acts on each feature alone.

    If it does, some of the features, in another order, have the results that they have among all.

    Args:
        function: The function.
        shape: That of a tensor that it may be given.
        dtype: Of the tensor.
        number: The axis of the features.
    """
    rng = np.random.default_rng(0)
    size = shape[number]
    sizes = [2 if each is None else min(each, 3) for each in shape]
    sizes[number] = size + 3
    given = 3 * rng.normal(size=sizes)
    order = rng.permutation(size + 3)[:size]
    try:
        whole, some = (
            keras.ops.convert_to_numpy(function(keras.ops.convert_to_tensor(each, dtype)))
            for each in (given, given.take(order, number))
        )
        same = np.allclose(
            some.astype("float64"),
            whole.take(order, number).astype("float64"),
            rtol=1e-2 if "16" in str(dtype) else 1e-5,
            equal_nan=True,
        )
    except Exception:  # whatever it says of another number of features
        return np.zeros(()), False
    return whole.astype("float64"), same and whole.shape == given.shape


def activation_name(activation: Any) -> str:
    """The name by which Keras knows an activation; that of another function says where it is."""
    if activation is None:
        return "linear"
    if not is_stock(activation):
        kind = getattr(activation, "__name__", None) or type(activation).__name__
        return f"function {kind}"
    serialized = keras.activations.serialize(activation)
    if isinstance(serialized, dict):
        serialized = serialized.get("registered_name") or getattr(
            activation, "__name__", type(activation).__name__
        )
    return str(serialized).rpartition(">")[2].lower()


def check_ends(graphs: Sequence[Any]) -> None:
    """Sources have inputs of the same shapes, and as many outputs' axes."""
    for what in ("inputs", "outputs"):
        shapes = [[tuple(t.shape) for t in getattr(g, what)] for g in graphs]
        if any(each != shapes[0] for each in shapes) and not (
            what == "outputs" and len({len(each) for each in shapes}) == 1
        ):
            raise ValueError(
                f"Cannot fuse models of different {what}. Expected the same shapes in every "
                f"source. Received: {', '.join(map(str, shapes))}."
            )


def parted(path: str, does: str) -> UnruledError:
    """The error for a tensor that has no axis on which sources could stand side by side."""
    reason = f"it {does} what each source has on its own, which cannot stand side by side"
    return UnruledError(
        f"Cannot fuse at {path!r}: {reason}. Expected tensors with an axis of known length.", reason
    )


def tie_calls(one: Features, other: Features, path: str, sources: int) -> None:
    """A model that is called twice has one input, which grows at each call or never."""
    reason = "it is called on features that grow and on some that do not"
    for a, b in zip(one.axes, other.axes, strict=True):
        if a is not None and b is not None:
            a.tie(b)
        elif (a is not None or b is not None) and sources > 1:
            message = f"Cannot fuse at {path!r}: {reason}. Expected the same at each call."
            raise UnruledError(message, reason)
        elif a is not None or b is not None:
            (b if a is None else a).fix(f"{path!r}: {reason}")


def check_shared_alike(record: LayerRecord, operations: Sequence[Any]) -> None:
    """What is one layer in the first source is one in every source."""
    if any(one is not other for one, other in zip(record.layers, operations, strict=True)):
        raise ValueError(
            f"Cannot fuse at {record.path!r}: the first source calls one layer more than once, "
            "where another source has several layers. Expected layers that are shared in the same "
            "way. Name a source whose layers are not shared first."
        )


def check_masks(call: Any) -> None:
    """A layer has one mask, not one per source."""
    for x in call.flat_inputs if isinstance(call.layer, keras.Layer) else ():
        if call.sources > 1 and x.dtype == "bool" and any(x.axes):
            reason = "each source has another mask"
            raise UnruledError(
                f"Cannot fuse at {call.record.path!r}: {reason}. Expected one for all.", reason
            )


def check_sizes(path: str, outputs: Sequence[Features]) -> None:
    """An axis that does not grow is as long in the fused model as in every source."""
    for features in outputs:
        for number, axis in enumerate(features.axes):
            sizes = features.sizes(number)
            if axis is None and len(set(sizes)) > 1 and not features.parted:
                raise ValueError(
                    f"Cannot fuse at {path!r}: axis {number} of its output is of another length "
                    f"in each source. Expected the same. Received: {', '.join(map(str, sizes))}."
                )
