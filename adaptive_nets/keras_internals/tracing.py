"""How TensorFlow calls what it has traced."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any


def call_with(concrete: Any, tensors: Sequence[Any], captured: Sequence[Any]) -> Any:
    """Calls a concrete function with other tensors for those that it captured.

    Args:
        concrete: The concrete function.
        tensors: The tensors of its arguments, flat.
        captured: Tensors in place of `concrete.captured_inputs`, in their order.
    """
    return concrete.inference_fn.call_preflattened([*tensors, *captured])


@contextlib.contextmanager
def without_rewriting() -> Iterator[None]:
    """Lets this thread call functions whose graphs TensorFlow has not rewritten to be faster."""
    import tensorflow as tf
    from tensorflow.python.eager import context

    current = context.context()
    before = current.function_call_options
    config = tf.compat.v1.ConfigProto.FromString(before.config_proto_serialized)
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    current.function_call_options = context.FunctionCallOptions(before.executor_type, config)
    try:
        yield
    finally:
        current.function_call_options = before
