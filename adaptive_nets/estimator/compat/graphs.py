"""What scripts take of TensorFlow that it has only in graphs, said in words of Keras."""

import contextlib
from collections.abc import Iterator

_ONLY = ("eager execution", "with Keras 3", "cannot be used as input to a TensorFlow function")


@contextlib.contextmanager
def only_in_graphs(owner: str) -> Iterator[None]:
    """Within it, errors of TensorFlow's graphs say what to use instead.

    Args:
        owner: Name of the function that is called.

    Raises:
        ValueError: The function uses what there is only in graphs.
    """
    try:
        yield
    except (AttributeError, RuntimeError, ValueError) as error:
        if not any(each in str(error) for each in _ONLY):
            raise
        told = " ".join(str(error).split())[:200]
        raise ValueError(
            f"{owner} uses what TensorFlow has only in graphs. Use keras.layers for tf.layers and "
            "get_variable, keras.ops for tf.nn on symbolic features, DenseColumns for input_layer, "
            "a Keras optimizer, with clipnorm and the like, for what minimize and gradients "
            f"return, and keras.metrics for tf.metrics. Received: {type(error).__name__}, {told}"
        ) from error
