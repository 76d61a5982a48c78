"""The one way to copy a model: new layers, called as the old ones were, that hold the same."""

from typing import Any

import keras

from adaptive_nets.graphs.read import PLAIN_MODELS
from adaptive_nets.graphs.rebuild import GraphBuilder, Known, call_as, keep_frozen
from adaptive_nets.graphs.scope import again, keep_name
from adaptive_nets.graphs.state import Pair, carry_state, keep_paths, weight_pairs


class Copier(GraphBuilder):
    """Copies a model layer by layer.

    A derived class exchanges layers (`made`) or puts others behind tensors (`behind`).

    Attributes:
        verb: What cannot be done to a layer that cannot be made again.
        trust_lambdas: Whether Python lambdas are copied.
        layers: The new layer by the id of the old one.
        carried: The old layers that were copied, and their copies.
    """

    verb = "copy"
    trust_lambdas = True

    def __init__(self) -> None:
        self.layers: dict[int, Any] = {}
        self.carried: list[tuple[Any, Any]] = []

    def layer(self, operation: Any) -> Any:
        """The copy of a layer, made once; a plain model in the model is copied call by call."""
        if id(operation) not in self.layers:
            if type(operation) in PLAIN_MODELS:
                new = self.model_inside(operation)
            else:
                new = self.made(operation)
                keep_name(new, operation.name)
            self.layers[id(operation)] = new
        return self.layers[id(operation)]

    def made(self, operation: Any) -> Any:
        """A new layer in place of one that is not a plain model."""
        new = self.rebuilt(operation)
        self.carried.append((operation, new))
        return new

    def model_inside(self, source: keras.Model) -> keras.Model:
        """A new model in the place of one inside."""
        new = self.model(source)
        keep_frozen(source, new)
        return new

    def behind(self, tensor: keras.KerasTensor, new: Any, known: Known) -> Any:
        """What is read where an old tensor was read: the new one in its place."""
        return new

    def call(self, node: Any, known: Known) -> None:
        call_as(node, self.layer(node.operation), known)
        for tensor in node.outputs:
            known[id(tensor)] = self.behind(tensor, known[id(tensor)], known)

    def rebuilt(self, operation: Any, settings: dict[str, Any] | None = None) -> Any:
        """A layer of the same class and configuration, except for some settings; fresh weights."""
        try:
            return again(operation, settings, self.trust_lambdas)
        except Exception as error:
            raise self.refusal(operation, error) from error

    def refusal(self, operation: Any, error: Exception) -> ValueError:
        """What is raised for a layer that its configuration does not make again."""
        reason = " ".join(str(error).split())
        return ValueError(
            f"Cannot {self.verb} the model of {operation.name!r}: the layer cannot be made again "
            f"from its configuration ({reason}). Expected get_config() and from_config() to fit. "
            f"Received: {type(operation).__module__}.{type(operation).__name__}."
        )

    def pairs(self) -> list[Pair]:
        """Every weight that was copied, with the one that has its value."""
        return [pair for old, new in self.carried for pair in weight_pairs(old, new)]


def fresh_copy(model: Any, name: str | None = None) -> Any:
    """A model or layer of the same kind with fresh weights; not compiled.

    A Sequential or Functional model is copied call by call, and so is built. One of a class derived
    from these, a subclassed model and a layer are made again from their configuration and keep
    their class; they may have to be built, or called, before `carry_state(model, copy)`.

    Args:
        model: A built model or layer. It is not changed.
        name: The copy's name. Defaults to `None`: the same.

    Raises:
        ValueError: A layer cannot be made again from its configuration.
    """
    copier = Copier()
    if type(model) in PLAIN_MODELS:
        return copier.model(model, name)
    return copier.rebuilt(model, None if name is None else {"name": name})


def copy_model(model: Any, name: str | None = None) -> Any:
    """A model or layer that computes the same and shares nothing with it; not compiled.

    Args:
        model: As for `fresh_copy`.
        name: As for `fresh_copy`.

    Raises:
        ValueError: A layer cannot be made again from its configuration, or then holds other
            layers or weights.

    Example:

    ```python
    import keras
    from adaptive_nets.graphs import copy_model

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    copy = copy_model(model)
    ```
    """
    new = fresh_copy(model, name)
    if model.built and not new.built:
        new.build_from_config(model.get_build_config())
    carry_state(model, new)
    keep_paths(model, new)
    return new
