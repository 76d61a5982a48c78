"""What a Keras model's graph says of it; nothing is changed."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from adaptive_nets.graphs.shared_memory import read
from adaptive_nets.keras_internals import (
    functional_class,
    graph_inside,
    has_graph,
    nodes_by_depth,
)

# Models that are nothing but their graph: a class derived from these may be more.
PLAIN_MODELS = (functional_class(), keras.Model, keras.Sequential)


def functional(
    model: Any, verb: str = "grow", otherwise: str = "register a growth rule for it"
) -> Any:
    """The graph of a built Sequential or Functional model; refuses any other.

    Args:
        model: What was given.
        verb: What cannot be done to another.
        otherwise: What to do with a subclassed model other than rewriting it.

    Raises:
        ValueError: It is not built, or a subclassed model.
        TypeError: It is not a Keras model.
    """
    kind = f"{type(model).__module__}.{type(model).__name__}"
    if isinstance(model, keras.Sequential):
        graph = graph_inside(model)
        if not model.built or graph is None:
            raise ValueError(
                f"Cannot {verb} {model.name!r}: it is not built, so its weights do not exist. "
                "Expected a built model. Begin the Sequential with keras.Input(shape), or call it "
                "once."
            )
        return graph
    if not isinstance(model, keras.Model):
        raise TypeError(
            f"Cannot {verb} what is no Keras model. Expected a built keras.Model. Received: {kind}."
        )
    if not has_graph(model):
        raise ValueError(
            f"Cannot {verb} {model.name!r}: a subclassed model hides its graph. Expected a "
            f"Sequential or Functional model. Received: {kind}. Write it with the functional API, "
            f"or {otherwise}."
        )
    return model


def ordered_nodes(graph: Any, inputs: bool = False) -> list[Any]:
    """The calls of a graph, each behind what it reads; with the records of its inputs if asked."""
    by_depth = nodes_by_depth(graph)
    nodes = [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]
    return [node for node in nodes if inputs or (node.operation and not node.is_input)]


def check_finite(models: Sequence[keras.Model]) -> None:
    """Refuses sources with a weight that is not finite."""
    for model in {id(model): model for model in models}.values():
        for variable in model.weights:
            value = read(variable)
            if value.dtype.kind != "f":
                continue
            with np.errstate(over="ignore", invalid="ignore"):
                finite = np.isfinite(np.sum(value))
            # A sum may also overflow, so the values are looked at one by one.
            if not finite and not np.isfinite(value).all():
                raise ValueError(
                    f"Cannot grow {model.name!r}: its weight {variable.path!r} holds "
                    f"{int(np.sum(~np.isfinite(value)))} values that are not finite. Expected a "
                    "model whose training did not diverge. Restore an earlier checkpoint."
                )
