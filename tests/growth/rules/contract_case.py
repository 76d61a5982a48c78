"""What a case of the growth contract is, and small parts that the cases share."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras

from adaptive_nets import growth

layers = keras.layers
ops = keras.ops

BOTH = ("zero", "replicate")


@dataclasses.dataclass(frozen=True)
class Case:
    """A model that is grown, and what can be asked of it.

    Args:
        make: Builds the model, under the dtype policy of the moment.
        methods: Which ways of widening keep its function and enlarge it.
        fuses: Whether it can be fused with itself.
        random: Whether its training step draws numbers, so that two steps are not comparable.
        strings: Whether it works on strings, which only TensorFlow has.
        inputs: Makes its inputs; None for random ones.
        double: Whether it can compute in float64 and in half precision.
        norm: How layers that normalise over features are fused.
    """

    make: Callable[[], keras.Model]
    methods: tuple[str, ...] = BOTH
    fuses: bool = True
    random: bool = False
    strings: bool = False
    inputs: Callable[[], Any] | None = None
    double: bool = True
    norm: str = "joint"


CASES: dict[str, Case] = {}


def case(**settings: Any) -> Callable:
    """Adds a function that makes a model to the cases."""

    def decorate(make: Callable[[], keras.Model]) -> Callable[[], keras.Model]:
        CASES[make.__name__] = Case(make, **settings)
        return make

    return decorate


def operation(name: str, *args: Any) -> Any:
    """An operation of keras.ops by the name of its class."""
    kinds = [kind for kind in growth.registered() if not issubclass(kind, layers.Layer)]
    found = {kind.__name__: kind for kind in kinds}
    return found[name](*args)


def model(inputs: Any, *features: Any) -> keras.Model:
    """Reads features through one small layer each."""
    outputs = [layers.Dense(2, name=f"end_{i}")(x) for i, x in enumerate(features)]
    return keras.Model(inputs, outputs if len(outputs) > 1 else outputs[0])


def begun(*shape: int, units: int = 4, activation: str | None = "tanh") -> tuple[Any, Any]:
    """An input, and features that can grow."""
    inputs = keras.Input(shape)
    return inputs, layers.Dense(units, activation, name="begin")(inputs)
