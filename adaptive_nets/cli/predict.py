"""`adaptive-nets predict`: predictions of a SavedModel or a search, as CSV."""

import sys

import numpy as np
import pandas as pd
import tensorflow as tf
from absl import flags as absl_flags

from adaptive_nets import adanet, serving
from adaptive_nets.cli import data, flags

_BATCH = 1024
_COLUMNS = {"classes": "class", "probabilities": "probability", "predictions": "prediction"}
_SIGNATURE = "serving_default"


def predict(values: absl_flags.FlagValues) -> None:
    """Predicts the test part of a data set and writes one row per example.

    Args:
        values: Parsed flags of the subcommand.
    """
    rows, class_names = data.rows_to_predict(values.data, **flags.data_options(values))
    rows = rows[: values.rows]
    if values.saved_model:
        outputs = from_saved_model(values.saved_model, rows)
        names = serving.read_class_names(values.saved_model)
    else:
        search = adanet.AdaNet.load(values.model_dir)
        names = serving.named_outputs(search.head)
        first = search.head.default_output
        wanted = (first, "probabilities") if first == "classes" else (first,)
        if isinstance(first, dict):  # A head with several targets.
            wanted = tuple(first.values())
        outputs = {name: search.predict(rows, output=name) for name in wanted}
    frame = as_frame(outputs, class_names, names)
    frame.to_csv(values.output or sys.stdout, index=False)


def from_saved_model(path: str, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Predicts rows with the serving signature of a SavedModel.

    Args:
        path: Folder of the SavedModel.
        rows: Features `[rows, ...]`.

    Returns:
        Arrays by output name, each `[rows, ...]`.

    Raises:
        OSError: There is no SavedModel.
        ValueError: The SavedModel does not take these features.
    """
    loaded = tf.saved_model.load(path)
    if _SIGNATURE not in loaded.signatures:
        raise ValueError(
            f"SavedModel {path!r} has no signature {_SIGNATURE!r}. "
            f"Received: signatures {', '.join(sorted(loaded.signatures)) or 'none'}."
        )
    serve = loaded.signatures[_SIGNATURE]
    inputs = serve.structured_input_signature[1]
    if len(inputs) != 1:
        raise ValueError(
            f"SavedModel {path!r} must take one input. "
            f"Received: {len(inputs)} inputs ({', '.join(sorted(inputs))})."
        )
    ((name, spec),) = inputs.items()
    if not spec.shape.is_compatible_with((None, *rows.shape[1:])):
        raise ValueError(
            f"SavedModel {path!r} takes rows of shape {spec.shape[1:]}. "
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


def as_frame(
    outputs: dict[str, np.ndarray],
    class_names: list[str] | None,
    names: dict[str, list[str]] | None = None,
) -> pd.DataFrame:
    """Returns predictions as columns, without logits.

    Args:
        outputs: Arrays by name, `[rows]` or `[rows, columns]`.
        class_names: Names for the columns of arrays that have as many columns as there are names.
        names: The same for each output. They take precedence. Defaults to `None`.

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
        known = ((names or {}).get(output), class_names, range(width))
        found = next(each for each in known if each is not None and len(each) == width)
        for index, name in enumerate(found):
            columns[f"{label}_{name}"] = array[:, index]
    return pd.DataFrame(columns)
