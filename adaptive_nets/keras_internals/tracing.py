"""How Keras and TensorFlow call what they have made, and what datasets are made of."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras


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


@contextlib.contextmanager
def layer_calls_changed(change: Callable[[Any, tuple, dict], tuple[tuple, dict]]) -> Iterator[None]:
    """Within it, layers that this thread calls itself get other arguments.

    Those that a layer calls while Keras works out what it gives are left alone.

    Args:
        change: From a layer and its arguments to those that it gets.
    """
    original = keras.layers.Layer.__call__
    here, inside = threading.get_ident(), [False]

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if threading.get_ident() != here or inside[0]:
            return original(self, *args, **kwargs)
        args, kwargs = change(self, args, kwargs)
        inside[0] = True
        try:
            return original(self, *args, **kwargs)
        finally:
            inside[0] = False

    keras.layers.Layer.__call__ = call
    try:
        yield
    finally:
        keras.layers.Layer.__call__ = original


def repeats(dataset: Any) -> bool:
    """Returns whether a dataset repeats others, at any place of what it is made of."""
    waiting = [dataset]
    while waiting:
        each = waiting.pop()
        if type(each).__name__ == "_RepeatDataset" and int(each._count) != 1:
            return True
        waiting.extend(each._inputs())
    return False
