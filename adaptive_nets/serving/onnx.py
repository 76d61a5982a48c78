"""Exports models for ONNX Runtime and others that read ONNX files."""

import contextlib
import logging
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from adaptive_nets._checks import check_choice, check_instance, check_path, or_none
from adaptive_nets.data.schema import Schema
from adaptive_nets.files.atomic import temporary_folder
from adaptive_nets.files.names import for_tensorflow
from adaptive_nets.graphs.read import check_model
from adaptive_nets.heads import Head
from adaptive_nets.serving.export import export_saved_model
from adaptive_nets.serving.features import assembled, named_specs
from adaptive_nets.serving.signatures import check_units, predicting, tensor_signature

FORMATS = ("saved_model", "onnx")

# The version of the operations, which ONNX Runtime 1.14 and later read.
_OPSET = 18
# What one protocol buffer may hold, less what is not weights.
_MOST_BYTES = 2**31 - 2**22


def export_as(
    format: str,  # noqa: A002 - as in keras.Model.export
    model: keras.Model,
    head: Head,
    path: str | os.PathLike,
    **options: Any,
) -> str:
    """Exports a model in one of `FORMATS`.

    Args:
        format: `"saved_model"` or `"onnx"`.
        model: Model from raw features to logits.
        head: An adapted `heads.Head`.
        path: Folder or file to write.
        **options: Of `export_saved_model`; for ONNX only `schema`.

    Raises:
        ValueError: There is no such format, or it has no such option.
    """
    check_format(format, options)
    if format == "saved_model":
        return export_saved_model(model, head, path, **options)
    return export_onnx(model, head, path, schema=options.get("schema"))


def check_format(format: str, options: dict[str, Any]) -> None:  # noqa: A002
    """Refuses what is not a format, and options that a format does not have.

    Args:
        format: What was passed for it.
        options: By name; those that are `None` were not passed.

    Raises:
        ValueError: There is no such format, or it has no such option.
    """
    check_choice("format", format, FORMATS)
    given = [name for name, value in options.items() if value is not None and name != "schema"]
    if format == "onnx" and given:
        raise ValueError(
            f"format='onnx' has none of the options of a SavedModel. Received: {', '.join(given)}. "
            "Leave them out, or use format='saved_model'."
        )


def export_onnx(
    model: keras.Model, head: Head, path: str | os.PathLike, *, schema: Schema | None = None
) -> str:
    """Writes an `.onnx` file that outputs the head's predictions, except string classes.

    Needs the package tf2onnx (`pip install 'adaptive-nets[onnx]'`). Values are not checked as in a
    SavedModel: a row with NaN or infinity where training had none gets an arbitrary prediction.

    Args:
        model: Model from raw features to logits.
        head: An adapted `heads.Head`.
        path: File to write. An existing file is replaced.
        schema: `data.Schema` of the features: the file then takes a table's columns by name, one
            number per row each as `[rows]`. Defaults to `None`: the model's inputs.

    Returns:
        The absolute path as a string.

    Raises:
        ImportError: tf2onnx is not installed.
        OSError: `path` is a folder, or cannot be written.
        ValueError: A feature is text, or the model has operations that ONNX lacks.

    Example:

    ```python
    import keras
    import adaptive_nets as an

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    an.serving.export_onnx(model, an.heads.MultiClass(3), "model.onnx")
    ```
    """
    import tensorflow as tf

    path = Path(check_path("path", path))
    if path.is_dir():
        raise OSError(f"Cannot export to '{path}': it is a folder. Expected the path of a file.")
    check_model("model", model)
    check_instance("head", head, Head, "a heads.Head")
    or_none(check_instance, "schema", schema, Schema, "a data.Schema, or None")
    check_units(model, head)
    by_name = schema is not None and schema.layout != "array"
    specs = named_specs(schema) if by_name else tensor_signature(model)
    _check_inputs(keras.tree.flatten(specs))
    _check_size(model)
    tf2onnx = _converter()
    predict = predicting(model, head)

    @tf.function(input_signature=[specs], autograph=False)
    def run(features):
        found = predict(assembled(schema, features, check_values=False))
        return {name: value for name, value in found.items() if value.dtype != tf.string}

    with _quiet(tf2onnx):
        try:
            converted, _ = tf2onnx.convert.from_function(
                run, [specs], opset=_OPSET, custom_op_handlers=_HANDLERS
            )
        except Exception as error:
            raise ValueError(f"Cannot export to ONNX: tf2onnx fails with: {error}") from error
    _hold_captured(converted.graph, run.get_concrete_function())
    unknown = sorted(set(_unknown(converted.graph)))
    if unknown:
        raise ValueError(
            "Cannot export to ONNX: the model has operations that ONNX lacks. Received: "
            f"{', '.join(unknown)}. Export a SavedModel, which has them all."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(path.parent) as folder:
        written = Path(for_tensorflow(os.path.join(folder, "model.onnx")))
        written.write_bytes(converted.SerializeToString(deterministic=True))
        written.replace(path)
    return str(path)


def _converter() -> Any:
    try:
        import tf2onnx
    except ImportError as error:
        raise ImportError(
            "ONNX files need the package tf2onnx: pip install 'adaptive-nets[onnx]'."
        ) from error
    return tf2onnx


def _check_inputs(specs: Any) -> None:
    """Refuses text, which other runtimes do not look up as TensorFlow does."""
    text = [spec.name for spec in specs if spec.dtype.name == "string"]
    if text:
        raise ValueError(
            "An ONNX file takes numbers only, and features of this model are text. Received: "
            f"text features {', '.join(text)}. Export a SavedModel, or encode them before "
            "training."
        )


def _check_size(model: keras.Model) -> None:
    size = sum(4 * math.prod(w.shape) for w in model.weights)
    if size > _MOST_BYTES:
        raise ValueError(
            f"An ONNX file holds weights of 2 GiB at most. Received: a model of {size:,} bytes. "
            "Export a SavedModel."
        )


@contextlib.contextmanager
def _quiet(tf2onnx: Any) -> Iterator[None]:
    """Mutes tf2onnx, which logs what it does, and as errors what is refused here."""
    logger = logging.getLogger(tf2onnx.__name__)
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _hold_captured(graph: Any, traced: Any) -> None:
    """Turns inputs that stand for constants, such as a layer's statistics, into these constants."""
    import onnx

    captured = traced.captured_inputs
    places = traced.inputs[len(traced.inputs) - len(captured) :]
    values = {
        place.name: value.numpy()
        for place, value in zip(places, captured, strict=True)
        if place.dtype.name != "resource"
    }
    for given in list(graph.input):
        if given.name in values:
            graph.input.remove(given)
            value = np.asarray(values[given.name])
            graph.initializer.append(onnx.numpy_helper.from_array(value, given.name))


def _erfc(graph: Any, node: Any, name: str, _: Any) -> None:
    """Converts what gelu is made of, `erfc(x) = 1 - erf(x)`."""
    _subtract(graph, node, name, lambda one: [one, _inner(graph, node, "Erf")])


def _expm1(graph: Any, node: Any, name: str, _: Any) -> None:
    """Converts what celu is made of, `expm1(x) = exp(x) - 1`."""
    _subtract(graph, node, name, lambda one: [_inner(graph, node, "Exp"), one])


# Operations that tf2onnx leaves out.
_HANDLERS = {"Erfc": (_erfc, []), "Expm1": (_expm1, [])}


def _inner(graph: Any, node: Any, kind: str) -> str:
    dtypes = [graph.get_dtype(node.output[0])]
    made = graph.make_node(kind, node.input, dtypes=dtypes, shapes=[graph.get_shape(node.input[0])])
    return made.output[0]


def _subtract(graph: Any, node: Any, name: str, terms: Callable[[str], list[str]]) -> None:
    """Puts a difference in the place of a node; `terms` gets the name of a constant 1."""
    import onnx

    kind, shape = graph.get_dtype(node.output[0]), graph.get_shape(node.output[0])
    one = np.array(1, onnx.helper.tensor_dtype_to_np_dtype(kind))
    found = terms(graph.make_const(f"{name}_one", one).output[0])
    graph.remove_node(name)
    graph.make_node("Sub", found, outputs=node.output, dtypes=[kind], shapes=[shape])


def _unknown(graph: Any) -> Iterator[str]:
    """Yields operations of a graph, and of those within it, that are not among ONNX's own."""
    import onnx

    known = {schema.name for schema in onnx.defs.get_all_schemas()}
    graphs = [graph]
    while graphs:
        for node in graphs.pop().node:
            if node.domain not in ("", "ai.onnx") or node.op_type not in known:
                yield node.op_type
            for attribute in node.attribute:
                graphs += [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]
