"""`adaptive-nets predict`: predictions of a SavedModel or a search, as CSV."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import tensorflow as tf
from absl import flags as absl_flags

from adaptive_nets import adanet, serving
from adaptive_nets.cli import data, flags, output, tables
from adaptive_nets.data import Schema
from adaptive_nets.files.names import for_tensorflow

_BATCH = 1024
_COLUMNS = {"classes": "class", "probabilities": "probability", "predictions": "prediction"}
_SIGNATURE = "serving_default"


def predict(values: absl_flags.FlagValues) -> None:
    """Predicts a table, or the test part of a data set, and writes one row per example.

    Args:
        values: Parsed flags of the subcommand.
    """
    target = values.out or values.output
    read = (values.table, values.data, values.saved_model, values.model_dir)
    output.check_target("--out" if values.out else "--output", target, read)
    frames = _of_table(values) if values.table else _of_data(values)
    output.write_csv(frames, target)


def _of_table(values: absl_flags.FlagValues) -> Iterator[pd.DataFrame]:
    if values.saved_model:
        schema = tables.schema_of(values.saved_model)
        names = serving.read_class_names(values.saved_model)
        loaded = _loaded(values.saved_model)
        for rows in tables.parts(values.table, schema, values.encoding, values.rows):
            for outputs in _outputs(loaded, values.saved_model, rows, schema):
                yield as_frame(outputs, None, names)
        return
    found = tables.load_fit(values.model_dir)
    for rows in tables.parts(values.table, found.schema_, values.encoding, values.rows):
        yield _predicted(found, rows, values.coverage, values.by)


def _predicted(found, rows, coverage, by):
    if not hasattr(found, "predict_proba"):
        outputs = {"predictions": found.predict(rows)}
        if coverage is not None:
            ends = found.predict_interval(rows, coverage, by)
            outputs |= {"lower": ends[..., 0], "upper": ends[..., 1]}
        return as_frame(outputs, None)
    probabilities, rule = found.predict_proba(rows), found.decision_
    chosen = probabilities.argmax(axis=1) if rule is None else rule.chosen(probabilities)
    classes = found.classes_[chosen]
    if classes.dtype == object:
        classes = np.char.encode(classes.astype(str), "utf-8").astype(object)
    names = [str(label) for label in found.classes_]
    outputs = {"classes": classes, "probabilities": probabilities}
    if coverage is not None:
        outputs["set"] = found.predict_set(rows, coverage, by).to_numpy()
    return as_frame(outputs, names)


def _of_data(values: absl_flags.FlagValues) -> Iterator[pd.DataFrame]:
    options = flags.data_options(values)
    if values.saved_model:
        schema = tables.schema_of(values.saved_model)
        rows, class_names = data.rows_to_predict(
            values.data, tables.text_columns(schema), values.encoding, **options
        )
        rows = tables.first_rows(rows, values.rows)
        names = serving.read_class_names(values.saved_model)
        for outputs in from_saved_model(values.saved_model, rows, schema):
            yield as_frame(outputs, class_names, names)
        return
    search = adanet.AdaNet.load(values.model_dir)
    names = serving.named_outputs(search.head)
    rows, class_names = data.rows_to_predict(
        values.data, tables.text_columns(search.schema), values.encoding, **options
    )
    rows = tables.first_rows(rows, values.rows)
    first = search.head.default_output
    wanted = (first, "probabilities") if first == "classes" else (first,)
    if isinstance(first, dict):  # A head with several targets.
        wanted = tuple(first.values())
    outputs = {name: search.predict(rows, output=name) for name in wanted}
    yield as_frame(outputs, class_names, names)


def from_saved_model(
    path: str, rows: tables.Rows, schema: Schema | None = None
) -> Iterator[dict[str, np.ndarray]]:
    """Predicts rows with the serving signature of a SavedModel, some at a time.

    All rows are read before the first are predicted: what does not fit is refused at once.

    Args:
        path: Folder of the SavedModel.
        rows: Features `[rows, ...]`, or a table or dict of columns, which are read by name.
        schema: The schema of the features. Defaults to `None`: inputs are matched by their names.

    Yields:
        Arrays by output name, each `[rows, ...]`.

    Raises:
        OSError: There is no SavedModel.
        ValueError: The SavedModel does not take these features.
    """
    yield from _outputs(_loaded(path), path, rows, schema)


def _loaded(path):
    """Returns a SavedModel that has a serving signature."""
    loaded = tf.saved_model.load(for_tensorflow(path))
    if _SIGNATURE not in loaded.signatures:
        raise ValueError(
            f"SavedModel {path!r} has no signature {_SIGNATURE!r}. "
            f"Received: signatures {', '.join(sorted(loaded.signatures)) or 'none'}."
        )
    return loaded


def _outputs(loaded, path, rows, schema):
    # The signature does not keep its variables; what was loaded does.
    serve = loaded.signatures[_SIGNATURE]
    specs = serve.structured_input_signature[1]
    arrays = tables.inputs_of(rows, specs, schema, path)
    count = len(next(iter(arrays.values())))
    for start in range(0, max(count, 1), _BATCH):
        batch = {
            name: tf.constant(array[start : start + _BATCH], specs[name].dtype)
            for name, array in arrays.items()
        }
        yield {name: tensor.numpy() for name, tensor in serve(**batch).items()}


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
    for kind in (*_COLUMNS, *sorted(set(outputs) - {*_COLUMNS})):
        if kind not in outputs or kind.rpartition("/")[2] == "logits":
            continue
        label, array = _COLUMNS.get(kind, kind), outputs[kind]
        if array.dtype == object:
            array = np.char.decode(array.astype(bytes), "utf-8")
        if array.ndim == 1 or array.shape[1] == 1:
            columns[label] = array.reshape(-1)
            continue
        width = array.shape[1]
        known = ((names or {}).get(kind), class_names, range(width))
        found = next(each for each in known if each is not None and len(each) == width)
        for index, name in enumerate(found):
            columns[f"{label}_{name}"] = array[:, index]
    return pd.DataFrame(columns)
