"""`adaptive-nets predict`: the predictions of a SavedModel or of a search, as CSV."""

import sys

import numpy as np
import pandas as pd
import tensorflow as tf
from absl import flags as absl_flags

import adaptive_nets as an
from adaptive_nets.cli import data, flags

_BATCH = 1024
_COLUMNS = {"classes": "class", "probabilities": "probability", "predictions": "prediction"}
_SIGNATURE = "serving_default"


def predict(values: absl_flags.FlagValues) -> None:
    """Predicts the test part of a data set and writes one row an example.

    Args:
        values: parsed flags of the subcommand.
    """
    rows, class_names = data.rows_to_predict(values.data, **flags.data_options(values))
    rows = rows[: values.rows]
    if values.saved_model:
        outputs = from_saved_model(values.saved_model, rows)
    else:
        search = an.AdaNet.load(values.model_dir)
        first = search.head.default_output
        names = (first, "probabilities") if first == "classes" else (first,)
        if isinstance(first, dict):  # a head of several
            names = tuple(first.values())
        outputs = {name: search.predict(rows, output=name) for name in names}
    frame = as_frame(outputs, class_names)
    frame.to_csv(values.output or sys.stdout, index=False)


def from_saved_model(path: str, rows: np.ndarray) -> dict[str, np.ndarray]:
    """The outputs of a SavedModel's serving signature; nothing else of it is needed.

    Args:
        path: folder of the SavedModel.
        rows: features, `[rows, ...]`.

    Returns:
        Arrays by output name, each `[rows, ...]`.

    Raises:
        OSError: there is no SavedModel.
        ValueError: it does not take these features.
    """
    loaded = tf.saved_model.load(path)
    if _SIGNATURE not in loaded.signatures:
        raise ValueError(f"The SavedModel {path!r} has no signature named {_SIGNATURE!r}.")
    serve = loaded.signatures[_SIGNATURE]
    inputs = serve.structured_input_signature[1]
    if len(inputs) != 1:
        raise ValueError(
            f"{path!r} takes {len(inputs)} inputs ({', '.join(sorted(inputs))}), not one."
        )
    ((name, spec),) = inputs.items()
    if not spec.shape.is_compatible_with((None, *rows.shape[1:])):
        raise ValueError(
            f"{path!r} takes rows of shape {spec.shape[1:]}. "
            f"Received: rows of shape {rows.shape[1:]}."
        )
    batches = [
        serve(**{name: tf.cast(rows[start : start + _BATCH], spec.dtype)})
        for start in range(0, len(rows), _BATCH)
    ]
    return {
        output: np.concatenate([batch[output].numpy() for batch in batches])
        for output in serve.structured_outputs
    }


def as_frame(outputs: dict[str, np.ndarray], class_names: list[str] | None) -> pd.DataFrame:
    """Predictions as columns; logits are left out.

    Args:
        outputs: arrays by name, `[rows]` or `[rows, columns]`.
        class_names: names for the columns of an array that has as many.

    Returns:
        Columns such as `class`, `probability_setosa` or `prediction`.
    """
    columns = {}
    for output in (*_COLUMNS, *sorted(set(outputs) - {*_COLUMNS})):
        if output not in outputs or output.rpartition("/")[2] == "logits":
            continue
        label, array = _COLUMNS.get(output, output), outputs[output]
        if array.dtype == object:
            array = np.char.decode(array.astype(bytes), "utf-8")
        if array.ndim == 1 or array.shape[1] == 1:
            columns[label] = array.reshape(-1)
            continue
        width = array.shape[1]
        named = class_names is not None and len(class_names) == width
        for index, name in enumerate(class_names if named else range(width)):
            columns[f"{label}_{name}"] = array[:, index]
    return pd.DataFrame(columns)
