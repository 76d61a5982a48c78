"""Models in the unit of their target, and the heads that read their outputs."""

import keras
import numpy as np

from adaptive_nets.automl.baselines.linear import LinearModel
from adaptive_nets.automl.targets import Numbers, Target
from adaptive_nets.graphs.unique_names import named_model
from adaptive_nets.heads import Head


def in_own_unit(target: Target, logits: np.ndarray) -> np.ndarray:
    """Returns what `in_unit_of` makes of a search's logits.

    Args:
        target: The target.
        logits: `[rows, units]`.
    """
    if not isinstance(target, Numbers):
        return logits
    offset, factor = target.unit
    return (np.asarray(logits, "float64") * factor + offset).astype(target.output_dtype)


def in_unit_of(target: Target, model: keras.Model) -> keras.Model:
    """Returns a search's model with outputs in the target's own unit.

    Args:
        target: The target.
        model: From the raw columns to logits, or to numbers as the search sees them.
    """
    if not isinstance(target, Numbers):
        return model
    offset, factor = target.unit
    layer = keras.layers.Dense(len(offset), name="unit_of_the_target", dtype=target.output_dtype)
    outputs = layer(model.output)
    layer.set_weights([np.diag(factor), offset])
    return named_model(model.input, outputs, "predictions")


def linear_in_unit_of(target: Target, linear: LinearModel, encoding: keras.Model) -> keras.Model:
    """Returns the linear baseline from raw columns to logits, or numbers in the target's own unit.

    Args:
        target: The target.
        linear: The linear baseline.
        encoding: The model from raw columns to encoded ones.
    """
    if isinstance(target, Numbers):
        linear = target.linear(linear)
    return in_unit_of(target, linear.model(encoding))


def serving_head(target: Target) -> Head:
    """Returns the head that reads the outputs of `in_unit_of`.

    Args:
        target: The target.
    """
    return target.serving_head() if isinstance(target, Numbers) else target.head()
