"""How TensorFlow calls what it has traced."""

from collections.abc import Sequence
from typing import Any


def call_with(concrete: Any, tensors: Sequence[Any], captured: Sequence[Any]) -> Any:
    """Calls a concrete function with other tensors for those that it captured.

    Args:
        concrete: The concrete function.
        tensors: The tensors of its arguments, flat.
        captured: Tensors in place of `concrete.captured_inputs`, in their order.
    """
    return concrete.inference_fn.call_preflattened([*tensors, *captured])
