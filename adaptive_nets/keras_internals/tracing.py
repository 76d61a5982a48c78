"""How TensorFlow calls what it has traced, and what datasets are made of."""

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


def repeats(dataset: Any) -> bool:
    """Returns whether a dataset repeats others, at any place of what it is made of."""
    waiting = [dataset]
    while waiting:
        each = waiting.pop()
        if type(each).__name__ == "_RepeatDataset" and int(each._count) != 1:
            return True
        waiting.extend(each._inputs())
    return False
