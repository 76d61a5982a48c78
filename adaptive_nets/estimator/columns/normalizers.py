"""The `normalizer_fn` of a numeric column, kept as a list of operations and not as code.

A function is traced once. What is kept names operations of the table below and holds constants, so
that it can be stored with a model and read back where the function no longer exists.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from adaptive_nets._checks import check_dict, check_list, show

_ONE = {
    "Abs": tf.abs, "Ceil": tf.math.ceil, "Cos": tf.cos, "Elu": tf.nn.elu, "Erf": tf.math.erf,
    "Exp": tf.exp, "Expm1": tf.math.expm1, "Floor": tf.floor, "IsFinite": tf.math.is_finite,
    "IsInf": tf.math.is_inf, "IsNan": tf.math.is_nan, "Log": tf.math.log, "Log1p": tf.math.log1p,
    "LogicalNot": tf.logical_not, "Neg": tf.negative, "OnesLike": tf.ones_like,
    "Reciprocal": tf.math.reciprocal, "Relu": tf.nn.relu, "Relu6": tf.nn.relu6,
    "Rint": tf.math.rint, "Round": tf.round, "Rsqrt": tf.math.rsqrt, "Sigmoid": tf.sigmoid,
    "Sign": tf.sign, "Sin": tf.sin, "Softplus": tf.math.softplus, "Softsign": tf.nn.softsign,
    "Sqrt": tf.sqrt, "Square": tf.square, "Tan": tf.tan, "Tanh": tf.tanh, "Atan": tf.atan,
    "ZerosLike": tf.zeros_like,
}  # fmt: skip
_TWO = {
    "Add": tf.add, "AddV2": tf.add, "Atan2": tf.atan2, "Div": tf.divide,
    "DivNoNan": tf.math.divide_no_nan, "Equal": tf.equal, "FloorDiv": tf.math.floordiv,
    "FloorMod": tf.math.floormod, "Greater": tf.greater, "GreaterEqual": tf.greater_equal,
    "Less": tf.less, "LessEqual": tf.less_equal, "LogicalAnd": tf.logical_and,
    "LogicalOr": tf.logical_or, "Maximum": tf.maximum, "Minimum": tf.minimum, "Mul": tf.multiply,
    "NotEqual": tf.not_equal, "Pow": tf.pow, "RealDiv": tf.realdiv,
    "SquaredDifference": tf.math.squared_difference, "Sub": tf.subtract, "Xdivy": tf.math.xdivy,
    "Xlogy": tf.math.xlogy,
}  # fmt: skip
_THREE = {"ClipByValue": tf.clip_by_value, "Select": tf.where, "SelectV2": tf.where}
_FUNCTIONS = {**_ONE, **_TWO, **_THREE}
_ARITY = {**dict.fromkeys(_ONE, 1), **dict.fromkeys(_TWO, 2), **dict.fromkeys(_THREE, 3)}
# Operations that pass their first input on.
_PASSING = ("Identity", "StopGradient", "EnsureShape", "PreventGradient", "Snapshot")


def describe_normalizer(
    function: Callable, name: str, shape: tuple[int, ...], dtype: str
) -> dict[str, Any]:
    """Returns the operations of a function, as JSON values.

    Args:
        function: The `normalizer_fn`.
        name: Name of its column, for errors.
        shape: Shape of a row.
        dtype: dtype of the feature.

    Raises:
        ValueError: The function cannot be traced, or does something that cannot be kept.
    """
    spec = tf.TensorSpec([None, *shape], dtype)
    try:
        traced = tf.function(function, autograph=False).get_concrete_function(spec)
    except Exception as error:
        raise _refusal(name, f"{type(error).__name__}, {show(str(error).splitlines()[:1])}") from (
            error
        )
    given = {id(t): value for t, value in zip(traced.inputs[1:], traced.captured_inputs,
                                              strict=True)}  # fmt: skip
    nodes: list[dict] = [{"op": "Input", "dtype": dtype}]
    places = {traced.inputs[0].ref(): 0}
    for op in traced.graph.get_operations():
        if op.type in ("NoOp", "Placeholder"):
            for tensor in op.outputs:
                if id(tensor) in given:
                    places[tensor.ref()] = _constant(nodes, given[id(tensor)], name)
            continue
        if op.type == "Const":
            places[op.outputs[0].ref()] = _constant(nodes, tf.get_static_value(op.outputs[0]), name)
            continue
        if op.type in _PASSING:
            places[op.outputs[0].ref()] = places[op.inputs[0].ref()]
            continue
        node: dict[str, Any] = {"op": op.type, "of": [places[t.ref()] for t in op.inputs]}
        if op.type == "Cast":
            node["dtype"] = op.outputs[0].dtype.name
        elif _ARITY.get(op.type) != len(op.inputs):
            raise _refusal(name, f"the operation {op.type}")
        places[op.outputs[0].ref()] = len(nodes)
        nodes.append(node)
    outputs = tf.nest.flatten(traced.structured_outputs)
    if len(outputs) != 1 or not isinstance(outputs[0], tf.Tensor):
        raise _refusal(name, "another result than one tensor")
    if not outputs[0].shape.is_compatible_with([None, *shape]):
        raise _refusal(name, f"a result of shape {outputs[0].shape}, which is not the column's")
    return {"nodes": nodes, "result": places[traced.outputs[0].ref()]}


def check_normalizer(found: Any) -> dict[str, Any]:
    """Returns a description of `describe_normalizer` that came from a file, checked.

    Raises:
        TypeError: It has another form.
        ValueError: It names something else than the operations that may stand in one.
    """
    check_dict("normalizer", found, object, "a dict of nodes and result")
    nodes = check_list("normalizer", found.get("nodes"), dict, "a list of operations", 1)
    for place, node in enumerate(nodes):
        op, inputs = node.get("op"), node.get("of", [])
        first = place == 0
        known = op == "Input" if first else op in ("Const", "Cast") or op in _FUNCTIONS
        wanted = _ARITY.get(op, {"Cast": 1}.get(op, 0))
        before = isinstance(inputs, list) and all(
            type(each) is int and 0 <= each < place for each in inputs
        )
        if not known or not before or len(inputs) != wanted:
            raise ValueError(
                f"normalizer must be made of known operations. Received: {show(node)}."
            )
        if op in ("Input", "Const", "Cast"):
            tf.as_dtype(node.get("dtype"))
    if type(found.get("result")) is not int or not 0 <= found["result"] < len(nodes):
        raise ValueError(
            f"normalizer's result must be one of its nodes. Received: {show(found.get('result'))}."
        )
    return found


def normalized(description: dict[str, Any], values: tf.Tensor) -> tf.Tensor:
    """Returns what a described function makes of values."""
    nodes = description["nodes"]
    found = [tf.cast(values, nodes[0]["dtype"])]
    for node in nodes[1:]:
        given = [found[place] for place in node.get("of", [])]
        if node["op"] == "Const":
            found.append(tf.constant(node["value"], node["dtype"]))
        elif node["op"] == "Cast":
            found.append(tf.cast(given[0], node["dtype"]))
        else:
            found.append(_FUNCTIONS[node["op"]](*given))
    return found[description["result"]]


def _constant(nodes, value, name):
    """Adds a constant; returns its place."""
    value = None if value is None else tf.convert_to_tensor(value)
    if value is None or value.dtype in (tf.resource, tf.variant, tf.string):
        raise _refusal(name, "a variable, table or string")
    nodes.append({"op": "Const", "value": value.numpy().tolist(), "dtype": value.dtype.name})
    return len(nodes) - 1


def _refusal(name, received):
    return ValueError(
        f"normalizer_fn of column '{name}' must compute one number for each number by elementwise "
        "TensorFlow operations (such as +, -, tf.math.log, tf.clip_by_value), so that it can be "
        f"stored with the model. Do anything else in input_fn. Received: {received}."
    )
