"""`SharedTrace`: networks that differ only in their variables are traced once."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from adaptive_nets.keras_internals import call_with


class SharedTrace:
    """A function of one network, traced for the first of some networks that are alike.

    For the others the same graph is called with their variables.

    Args:
        function: Function of a network's number and of tensors. Of networks that are alike it
            makes the same graph, except for their variables.
        kinds: For each network, a number that it shares with those that are alike.
        variables: Function from a network's number to its variables, in the same order for all that
            are alike.
    """

    def __init__(
        self,
        function: Callable,
        kinds: Sequence[int],
        variables: Callable[[int], list[tf.Variable | keras.Variable]],
    ):
        self._function, self._kinds, self._variables = function, list(kinds), variables
        self._traced: dict[tuple, Any] = {}

    def __call__(self, k: int, *arguments: Any) -> Any:
        """Returns what the function returns for network k."""
        kind = self._kinds[k]
        if self._kinds.count(kind) == 1:
            return self._function(k, *arguments)
        first = self._kinds.index(kind)
        specs = tf.nest.map_structure(lambda t: tf.TensorSpec(t.shape, t.dtype), arguments)
        key = kind, *tf.nest.flatten(specs)
        if key not in self._traced:
            self._traced[key] = self._trace(first, specs)
        handles = [_handles(self._variables(place)) for place in (first, k)]
        own = {id(old): new for old, new in zip(*handles, strict=True)}
        concrete = self._traced[key]
        captured = [own.get(id(tensor), tensor) for tensor in concrete.captured_inputs]
        return call_with(concrete, tf.nest.flatten(arguments), captured)

    def _trace(self, first, specs):
        # Without it the graph would be copied, and optimized again, for each network.
        apart = {"_noinline": True}
        function = tf.function(
            lambda *given: self._function(first, *given),
            autograph=False,
            experimental_attributes=apart,
        )
        return function.get_concrete_function(*specs)


def _handles(variables):
    return [v.value.handle if isinstance(v, keras.Variable) else v.handle for v in variables]
