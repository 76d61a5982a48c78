"""What a Keras model's graph says of it; nothing is changed."""

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from adaptive_nets._checks import check_array, show
from adaptive_nets._values import tried
from adaptive_nets.graphs.shared_memory import read
from adaptive_nets.keras_internals import (
    functional_class,
    graph_inside,
    has_graph,
    input_structure,
    nodes_by_depth,
)

# Models that are nothing but their graph: a class derived from these may be more.
_AXES = 64  # More than NumPy's arrays have.
PLAIN_MODELS = (functional_class(), keras.Model, keras.Sequential)


def functional(
    model: Any, verb: str = "grow", otherwise: str = "register a growth rule for it"
) -> Any:
    """The graph of a built Sequential or Functional model; refuses any other.

    Args:
        model: What was given.
        verb: What cannot be done to another.
        otherwise: What to do with a subclassed model other than rewriting it.

    Raises:
        ValueError: It is not built, or a subclassed model.
        TypeError: It is not a Keras model.
    """
    kind = f"{type(model).__module__}.{type(model).__name__}"
    if isinstance(model, keras.Sequential):
        graph = graph_inside(model)
        if not model.built or graph is None:
            raise ValueError(
                f"Cannot {verb} {model.name!r}: it is not built, so its weights do not exist. "
                "Expected a built model. Begin the Sequential with keras.Input(shape), or call it "
                "once."
            )
        return graph
    if not isinstance(model, keras.Model):
        raise TypeError(
            f"Cannot {verb} what is not a Keras model. Expected a built keras.Model. "
            f"Received: {kind}."
        )
    if not has_graph(model):
        raise ValueError(
            f"Cannot {verb} {model.name!r}: a subclassed model hides its graph. Expected a "
            f"Sequential or Functional model. Received: {kind}. Write it with the functional API, "
            f"or {otherwise}."
        )
    return model


def ordered_nodes(graph: Any, inputs: bool = False) -> list[Any]:
    """The calls of a graph, each behind what it reads; with the records of its inputs if asked."""
    by_depth = nodes_by_depth(graph)
    nodes = [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]
    return [node for node in nodes if inputs or (node.operation and not node.is_input)]


def given_to(node: Any) -> list[Any] | None:
    """What a model inside reads in one call, in the order of its inputs.

    Args:
        node: The record of the call.

    Returns:
        Tensors of the graph around it; `None` where the call does not say which input is which.
    """
    inside = functional(node.operation)
    args, wanted = node.arguments.args, input_structure(inside)
    if len(args) != 1 or len(inside.inputs) != len(node.input_tensors):
        return None
    if len(inside.inputs) == 1:
        return list(node.input_tensors)
    if isinstance(args[0], dict) and isinstance(wanted, dict):
        if args[0].keys() != wanted.keys():
            return None
        given = {id(inner): args[0][key] for key, inner in wanted.items()}
        found = [given.get(id(tensor)) for tensor in inside.inputs]
    elif isinstance(args[0], list | tuple) and isinstance(wanted, list | tuple):
        found = list(args[0])
    else:
        return None
    return found if all(isinstance(x, keras.KerasTensor) for x in found) else None


def check_finite(models: Sequence[keras.Model]) -> None:
    """Refuses sources with a weight that is not finite."""
    for model in {id(model): model for model in models}.values():
        for variable in model.weights:
            value = read(variable)
            if value.dtype.kind != "f":
                continue
            with np.errstate(over="ignore", invalid="ignore"):
                finite = np.isfinite(np.sum(value))
            # A sum may also overflow, so the values are looked at one by one.
            if not finite and not np.isfinite(value).all():
                raise ValueError(
                    f"Cannot grow {model.name!r}: its weight {variable.path!r} holds "
                    f"{int(np.sum(~np.isfinite(value)))} values that are not finite. Expected a "
                    "model whose training did not diverge. Restore an earlier checkpoint."
                )


def yields_batches(x: Any) -> bool:
    """Returns whether it is a dataset or another iterable of batches, rather than an array."""
    if isinstance(x, type) or hasattr(x, "shape") or hasattr(x, "read"):
        return False
    # `tf.data.Dataset` has an `element_spec`; PyTorch's loaders have a `batch_size`.
    known = isinstance(x, keras.utils.PyDataset)
    loads = hasattr(x, "batch_size") and hasattr(x, "__iter__")
    known = known or hasattr(x, "element_spec") or loads
    # Iterators, and classes of one's own that are walked through; collections have a length.
    walked = hasattr(x, "__iter__") and (isinstance(x, Iterator) or not hasattr(x, "__len__"))
    return known or (walked and tried(lambda: iter(x)) is not None)


def check_model(name: str, model: Any) -> keras.Model:
    """Refuses what is not a built Keras model.

    Args:
        name: Name of the argument.
        model: What was passed for it.

    Returns:
        The model.

    Raises:
        TypeError: If it is something else.
        ValueError: If it is not built.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"{name} must be a keras.Model. Received: {name}={show(model)}.")
    if not model.built:
        raise ValueError(
            f"{name} must be built: call it on data, or give it a keras.Input. "
            f"Received: {name}={show(model)}, which has no weights yet."
        )
    return model


def check_inputs(name: str, data: Any, model: keras.Model | None = None) -> None:
    """Refuses rows that are not arrays of numbers or text, or not of a model's input shape.

    Args:
        name: Name of the argument.
        data: Array or tensor, or a dict or list of them.
        model: Model that is to take them. Defaults to `None`: shapes are not compared.

    Raises:
        ValueError: If they are something else, or not finite.
    """
    try:
        arrays = [data] if _is_nested_numbers(data) else keras.tree.flatten(data)
    except Exception:
        # A list may hold itself, or be nested more deeply than Python follows.
        arrays = []
    if not arrays:
        raise ValueError(f"{name} must be an array of rows. Received: {name}={show(data)}.")
    found = [_array(name, part) for part in arrays]
    inputs = getattr(model, "inputs", None) or []
    for array, wanted in zip(found, inputs, strict=False):
        shape = tuple(wanted.shape)
        if (array.dtype.kind in "USO") != (wanted.dtype == "string"):
            raise ValueError(
                f"{name} must be of the dtype of the model's input, {wanted.dtype}. "
                f"Received: {name}={show(array)}."
            )
        same = array.ndim == len(shape) and all(
            s in (None, n) for s, n in zip(shape[1:], array.shape[1:], strict=True)
        )
        # Keras adds the axis of single numbers.
        if not same and not (array.ndim == 1 and len(shape) == 2 and shape[1] in (None, 1)):
            raise ValueError(
                f"{name} must have the shape of the model's input, {list(shape)}. "
                f"Received: {name} of shape {list(array.shape)}."
            )


def _is_nested_numbers(data):
    """Returns whether it is a list of lists of numbers, rather than a list of arrays."""
    if not isinstance(data, list | tuple) or not data:
        return False
    for _ in range(_AXES):
        if not isinstance(data, list | tuple) or not data:
            return not hasattr(data, "shape")
        data = data[0]
    return False


def _array(name, part):
    if type(part).__name__ in ("SparseTensor", "RaggedTensor"):
        raise ValueError(
            f"{name} must be a dense array of rows. Received: a {type(part).__name__}."
        )
    tensor = keras.ops.is_tensor(part) and not isinstance(part, keras.KerasTensor)
    array = keras.ops.convert_to_numpy(part) if tensor else check_array(name, part)
    text = array.dtype.kind in "US" or (
        array.dtype == object and all(isinstance(v, str | bytes) for v in array.flat)
    )
    # No framework computes with more than 64 bits.
    numbers = (array.dtype.kind in "biuf" and array.itemsize <= 8) or array.dtype.name == "bfloat16"
    if array.ndim == 0 or not (text or numbers):
        raise ValueError(f"{name} must be an array of rows. Received: {name}={show(part)}.")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        row = int(np.argwhere(~np.isfinite(array))[0][0])
        raise ValueError(f"{name} must be finite. Received: NaN or infinity, first in row {row}.")
    return array
