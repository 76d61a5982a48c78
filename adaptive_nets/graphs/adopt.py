"""Hands a model's graph to another that is running, so that `fit` goes on with it."""

import keras

from adaptive_nets.graphs.inventory import adopted_attributes
from adaptive_nets.keras_internals import forget_traces, set_optimizer, take_graph


def adopt(model: keras.Model, other: keras.Model, optimizer: keras.optimizers.Optimizer) -> None:
    """Makes a model's graph another's, in memory and for saving; the object stays.

    Args:
        model: The compiled model, which may be in the middle of `fit`.
        other: The model whose layers it takes over; it must not be used any more.
        optimizer: One built for them.
    """
    attributes = adopted_attributes(model, other)
    take_graph(model, other)
    vars(model).update(attributes)
    set_optimizer(model, optimizer)
    retrace(model)


def retrace(model: keras.Model) -> None:
    """Lets a model whose variables were exchanged go on in the middle of `fit`."""
    forget_traces(model)
    model.make_train_function()
