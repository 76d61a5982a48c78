"""Computes logits of a search's models, and reads the head's predictions from them."""

import re
import warnings
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from adaptive_nets._checks import check_instance, check_integer, show
from adaptive_nets._pieces import release
from adaptive_nets._values import is_shallow
from adaptive_nets.data.datasets import is_batched, stream_features
from adaptive_nets.data.rows import Features
from adaptive_nets.data.schema import Schema
from adaptive_nets.data.spool import NO_LIMIT, Spool
from adaptive_nets.heads import Head
from adaptive_nets.keras_internals import check_not_forked

# Numbers of features and logits that are held at a time, besides the features that were given.
HELD_NUMBERS = 1 << 23


def compute_logits(model: keras.Model, x: Any, schema: Schema, batch_size: int) -> np.ndarray:
    """Computes `[rows, units]` logits.

    Args:
        model: Model from features to logits.
        x: Features, or batches of them; labels and weights in batches are ignored.
        schema: The schema of the features.
        batch_size: Rows per batch.

    Raises:
        ValueError: The features do not match the schema.
    """
    return _over_rows(model, x, schema, batch_size, lambda logits: logits)


def compute_output(
    model: keras.Model, head: Head, x: Any, schema: Schema, batch_size: int, output: str | None
) -> np.ndarray | dict[str, np.ndarray]:
    """Computes one of the head's predictions, or its default output.

    Besides the features and what is returned, it takes the same memory for any number of rows.

    Args:
        model: Model from features to logits.
        head: The head, which defines the predictions.
        x: Features, or batches of them; labels and weights in batches are ignored.
        schema: The schema of the features.
        batch_size: Rows per batch.
        output: Name of a prediction, or `None` for the head's default output.

    Raises:
        ValueError: The features do not match the schema, or the head has no such prediction.
    """
    return _over_rows(
        model, x, schema, batch_size, lambda logits: read_output(head, logits, output)
    )


def predict_rows(model: keras.Model, features: Features, batch_size: int) -> np.ndarray:
    """Computes the logits of features that were read by a schema."""
    check_not_forked("A prediction")
    check_instance("model", model, keras.Model, "a keras.Model")
    batch_size = check_integer("batch_size", batch_size, 1)
    flat = keras.tree.flatten(features)
    rows = len(flat[0])
    if rows == 0:
        return np.zeros((0, *model.output_shape[1:]), model.compute_dtype)
    logits = Spool(NO_LIMIT, expected=rows)
    width = sum(a[:1].size for a in flat) + _units(model)
    for some in _whole_batches(rows, width, batch_size):
        part = keras.tree.map_structure(lambda a, some=some: a[some], features)
        logits.append(_predict(model, part, batch_size))
        for array in flat:
            release(array)
    return logits.close()


def _predict(model, features, batch_size):
    # Keras accepts text only as tensors.
    features = keras.tree.map_structure(
        lambda a: keras.ops.convert_to_tensor(a) if a.dtype == object else a, features
    )
    floats = {str(a.dtype) for a in keras.tree.flatten(features) if "float" in str(a.dtype)}
    if floats - {keras.config.floatx()}:
        # Keras would cast arrays to its own precision, but takes batches as they are.
        features, batch_size = tf.data.Dataset.from_tensor_slices(features).batch(batch_size), None
    return model.predict(features, batch_size=batch_size, verbose=0)


def _over_rows(model, x, schema, batch_size, read):
    """Returns what is read of the logits of all rows."""
    check_instance("model", model, keras.Model, "a keras.Model")
    batch_size = check_integer("batch_size", batch_size, 1)
    collected, several = None, False
    for features, rows in _read_features(x, schema, batch_size, _units(model)):
        found = read(predict_rows(model, features, batch_size))
        several = isinstance(found, dict)
        parts = found if several else {"": found}
        if collected is None:
            collected = {name: Spool(NO_LIMIT, expected=rows) for name in parts}
        for name, part in parts.items():
            collected[name].append(part)
    closed = {name: spool.close() for name, spool in collected.items()}
    return closed if several else closed[""]


def _read_features(x, schema, batch_size, units):
    """Yields features as the schema reads them, some rows at a time, and the rows in all, if known.

    Raises:
        ValueError: They do not match the schema. Rows are numbered from the first of all.
    """
    if is_batched(x):
        inputs = len(schema.features) if schema.layout == "list" else None
        parts, rows = stream_features(x, inputs, HELD_NUMBERS), None
    else:
        rows = _row_count(x)
        width = units + sum(int(np.prod(f.shape)) for f in schema.features)
        slices = [slice(None)] if rows is None else _whole_batches(rows, width, batch_size)
        parts = (x if rows is None else _some_rows(x, some) for some in slices)
    first = 0
    for part in parts:
        with warnings.catch_warnings():
            if first:
                warnings.simplefilter("ignore")
            try:
                features = schema.read(part)
            except ValueError as error:
                if not first or " in row " not in str(error):
                    raise
                raise ValueError(_counted_from(first, str(error))) from error
        yield features, rows
        first += len(keras.tree.flatten(features)[0])


def _counted_from(first, text):
    """Returns an error's text with its rows counted from the first of all."""
    return re.sub(r" in row (\d+)", lambda found: f" in row {first + int(found[1])}", text)


def _whole_batches(rows, width, batch_size):
    """Returns slices of rows of about `HELD_NUMBERS`, which end where batches do."""
    size = max(1, HELD_NUMBERS // max(1, width) // batch_size) * batch_size
    return [slice(start, min(start + size, rows)) for start in range(0, max(rows, 1), size)]


def _row_count(x):
    """Returns the number of rows of what `_some_rows` can take rows of, or `None`."""
    if isinstance(x, dict) and is_shallow(x):
        counts = {_row_count(part) for part in x.values()}
        return counts.pop() if len(counts) == 1 else None
    plain = isinstance(x, np.ndarray) and x.ndim > 0
    return len(x) if plain or hasattr(x, "iloc") else None


def _some_rows(x, rows):
    if isinstance(x, dict):
        return {name: _some_rows(part, rows) for name, part in x.items()}
    return x.iloc[rows] if hasattr(x, "iloc") else x[rows]


def _units(model):
    return sum(int(np.prod([size or 1 for size in shape[1:]])) for shape in [model.output_shape])


def read_output(
    head: Head, logits: np.ndarray, output: str | None
) -> np.ndarray | dict[str, np.ndarray]:
    """Returns one of the head's predictions, or its default output.

    Args:
        head: The head, which defines the predictions.
        logits: `[rows, units]` logits.
        output: Name of a prediction, or `None` for the head's default output.

    Raises:
        ValueError: The head has no such prediction.
    """
    predictions = head.predictions(keras.ops.convert_to_tensor(logits))
    given, output = output, head.default_output if output is None else output
    if given is not None and not isinstance(given, str):
        raise ValueError(
            f"output must be one of {', '.join(predictions)}. Received: output={show(output)}."
        )
    if isinstance(output, dict):
        return {name: _as_array(predictions[key]) for name, key in output.items()}
    if output not in predictions:
        raise ValueError(
            f"Unknown output: head '{head.name}' has {', '.join(predictions)}. "
            f"Received: output={show(output)}."
        )
    return _as_array(predictions[output])


def _as_array(tensor):
    values = np.asarray(tensor)
    if values.dtype != object:
        return values
    return np.array([v.decode() for v in values.flat]).reshape(values.shape)
