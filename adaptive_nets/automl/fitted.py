"""`Fitted`: what `fit` leaves behind, and everything that predicts with it."""

import dataclasses
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from adaptive_nets.adanet import AdaNet
from adaptive_nets.adanet.inspection.predictions import compute_output, read_output
from adaptive_nets.automl.baselines.linear import LinearModel
from adaptive_nets.automl.targets import Classes, Numbers, Target
from adaptive_nets.data.schema import Schema
from adaptive_nets.graphs.unique_names import named_model
from adaptive_nets.heads import Head, Regression
from adaptive_nets.serving.onnx import export_as

if TYPE_CHECKING:
    import pandas as pd

_BATCH = 1024


@dataclasses.dataclass
class Fitted:
    """A model of raw columns, and what is known of it.

    Args:
        model: From the raw columns to logits, or to numbers in the target's own unit.
        head: What the model's outputs mean.
        schema: How a table is read.
        target: The target.
        board: The leaderboard.
        search: The search that found the model, or `None`.
        stop_reason: Why it ended: `AdaNet.stop_reason`, or why there was no search.
        find_search: Function that loads the search from its folder, or `None`.
    """

    model: keras.Model
    head: Head
    schema: Schema
    target: Target
    board: "pd.DataFrame"
    search: AdaNet | None
    stop_reason: str
    find_search: Callable[[], AdaNet] | None = None

    def outputs(self, table: Any) -> np.ndarray:
        """Returns probabilities `[rows, classes]`, or predicted numbers.

        Args:
            table: Features.
        """
        wanted = "probabilities" if isinstance(self.target, Classes) else "predictions"
        if len(table) <= _BATCH:
            # To trace a function takes longer than to compute a batch without one.
            logits = call_eagerly(self.model, self.schema.read(table))
            found = read_output(self.head, logits, wanted)
        else:
            found = compute_output(self.model, self.head, table, self.schema, _BATCH, wanted)
        if isinstance(self.target, Classes):
            return found
        numbers = np.asarray(found, "float64")
        return numbers[:, 0] if self.target.flat else numbers

    def export(self, path: str | os.PathLike, format: str, **options: Any) -> str:  # noqa: A002
        """Writes a SavedModel or another format; see `serving.onnx.export_as`.

        Args:
            path: Folder or file to write.
            format: `"saved_model"` or `"onnx"`.
            **options: Further arguments of `serving.export_saved_model`.
        """
        options.setdefault("schema", self.schema)
        return export_as(format, self.model, self.head, path, **options)


def call_eagerly(model: keras.Model, features: Any) -> Any:
    """Returns a model's outputs as NumPy arrays, computed without a traced function.

    Args:
        model: The model.
        features: An array, or a dict of arrays.
    """
    tensors = keras.tree.map_structure(keras.ops.convert_to_tensor, features)
    outputs = model(tensors, training=False)
    return keras.tree.map_structure(keras.ops.convert_to_numpy, outputs)


def in_unit_of(target: Target, model: keras.Model) -> keras.Model:
    """Returns a search's model with outputs in the target's own unit.

    Args:
        target: The target.
        model: From the raw columns to logits, or to numbers of mean 0 and deviation 1.
    """
    if not isinstance(target, Numbers):
        return model
    layer = keras.layers.Dense(
        len(target.mean), name="unit_of_the_target", dtype=target.output_dtype
    )
    outputs = layer(model.output)
    layer.set_weights([np.diag(target.scale), target.mean])
    return named_model(model.input, outputs, "predictions")


def linear_in_unit_of(target: Target, linear: LinearModel, encoding: keras.Model) -> keras.Model:
    """Returns the linear baseline from raw columns to logits, or numbers in the target's own unit.

    Args:
        target: The target.
        linear: The linear baseline.
        encoding: The model from raw columns to encoded ones.
    """
    if isinstance(target, Numbers):
        linear = linear.in_unit(target.mean, target.scale)
    return in_unit_of(target, linear.model(encoding))


def serving_head(target: Target) -> Head:
    """Returns the head that reads the outputs of `in_unit_of`.

    Args:
        target: The target.
    """
    return Regression(len(target.mean)) if isinstance(target, Numbers) else target.head()
