"""Feature preprocessing that all subnetworks share, applied to finite data once."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from adaptive_nets._dtypes import whole_dtype
from adaptive_nets._pieces import blocks
from adaptive_nets.data.encoding.layer import TableEncoding
from adaptive_nets.data.rows import Rows
from adaptive_nets.data.schema import Schema
from adaptive_nets.data.specs import called_by_name, make_inputs
from adaptive_nets.data.spool import MEMORY_LIMIT, Spool, run_in_blocks
from adaptive_nets.graphs.unique_names import named_model
from adaptive_nets.keras_internals import layers_in


class Preprocessor:
    """Applies a preprocessing model to rows with a function that is traced once.

    Args:
        model: The model. Defaults to `None`: rows are not changed.
    """

    def __init__(self, model: keras.Model | None = None):
        self.model = model
        self.traces = 0
        self._function = tf.function(self._call, reduce_retracing=True, autograph=False)

    def _call(self, x):
        self.traces += 1
        return self.model(x, training=False)

    def __call__(self, rows: Rows) -> Rows:
        """Returns the rows with preprocessed features."""
        if self.model is None:
            return rows
        flat = keras.tree.flatten(rows.x)
        width = sum(int(np.prod(a.shape[1:])) for a in flat)
        block = int(np.clip((64 << 20) // (4 * max(1, width)), 1, 8192))
        x = run_in_blocks(
            self._function, rows.x, block, lambda rows: Spool(MEMORY_LIMIT, expected=rows)
        )
        return Rows(x, rows.y, rows.w)


def make_preprocessing(
    given: Any, standardize: bool, rows: Rows, renamed: dict[str, str] | None = None
) -> keras.Model | None:
    """Creates the model for a search's `preprocessing` setting.

    Args:
        given: `"auto"`, `"standardize"`, `None`, or a Keras layer, model or `FeatureSpace`.
        standardize: Whether `"auto"` standardises: whether the generator asks for it.
        rows: Training rows.
        renamed: Keys in the rows of features with other names. Defaults to `None`.

    Returns:
        A `keras.Model`, or `None` if features are not preprocessed.
    """
    if given == "standardize" or (given == "auto" and standardize):
        return standardization(rows)
    if isinstance(given, keras.Layer):
        inputs = make_inputs(rows.spec)
        if isinstance(given, keras.utils.FeatureSpace):
            encoded = _encode(given, inputs, renamed or {})
        else:
            encoded = given(called_by_name(given, inputs))
        encoded = _as_computed(inputs, encoded, rows)
        return named_model(inputs, encoded, "preprocessing")
    return None


def _as_computed(inputs, encoded, rows):
    """Returns symbolic outputs of the shapes that are computed.

    Some layers announce others: a `TextVectorization` to tf-idf, an axis of length 1 too many.
    Members would be built for those.

    Raises:
        ValueError: The outputs are not dense tensors, or their shapes depend on the rows.
    """
    few = {k: v[:2] for k, v in rows.x.items()} if isinstance(rows.x, dict) else rows.x[:2]
    given = keras.tree.map_structure(tf.convert_to_tensor, few)
    found = named_model(inputs, encoded, "preprocessing")(given, training=False)
    return keras.tree.map_structure(_reshaped, encoded, found)


def _reshaped(announced, computed):
    if not tf.is_tensor(computed) or not isinstance(computed, tf.Tensor):
        raise ValueError(
            "preprocessing must return dense tensors. Received: a "
            f"{type(computed).__name__}. Set ragged=False, sparse=False or a length in its layers."
        )
    shape, real = tuple(announced.shape[1:]), tuple(computed.shape[1:])
    if len(shape) == len(real) and all(a in (None, b) for a, b in zip(shape, real, strict=True)):
        return announced
    return keras.layers.Reshape(real)(announced)


def schema_of(given: Any) -> Schema | None:
    """Returns the schema of the table that a preprocessing model encodes, or `None`.

    Args:
        given: A search's `preprocessing` setting.
    """
    if not isinstance(given, keras.Model):
        return None
    found = [each.schema for each in layers_in(given) if isinstance(each, TableEncoding)]
    if len(found) > 1:
        raise ValueError(
            f"preprocessing must encode one table. Received: {len(found)} layers that do."
        )
    return found[0] if found else None


def wanted_names(given: Any) -> tuple[bool, list[str] | None]:
    """Returns whether a preprocessing setting takes columns one by one, and which; `None`: all."""
    if isinstance(given, keras.utils.FeatureSpace):
        return True, list(given.get_inputs())
    if isinstance(given, keras.Layer):
        inputs = getattr(given, "input", None) if isinstance(given, keras.Model) else None
        return isinstance(inputs, dict), None
    return False, None


def _encode(space, inputs, renamed):
    """Returns what an adapted `FeatureSpace`, which itself only takes values, makes of inputs."""
    wanted = space.get_inputs()
    keys = {name: renamed.get(name, name) for name in wanted}
    if not isinstance(inputs, dict) or set(inputs) != set(keys.values()):
        given = sorted(inputs) if isinstance(inputs, dict) else ["one array"]
        raise ValueError(
            "With a FeatureSpace as preprocessing, the features must be a table or dict with "
            f"{', '.join(sorted(wanted))}. Received: {', '.join(given)}."
        )
    # Keras warns if the features come in another order.
    ordered = {
        name: wanted[name] for name in sorted(wanted, key=lambda n: list(inputs).index(keys[n]))
    }
    encode = keras.Model(ordered, space.get_encoded_features())
    return encode({name: inputs[keys[name]] for name in ordered})


def standardization(rows: Rows) -> keras.Model | None:
    """Creates a model that gives every numeric feature mean 0 and variance 1 on these rows.

    Vectors are scaled entry by entry. Images, other tensors and vectors whose entries share one
    scale (pixels, counts) are scaled by one number, so that rarely used entries are not blown up.
    Entries that (nearly) never vary are centred but not scaled.

    Args:
        rows: Training `Rows`.

    Returns:
        A `keras.Model` of `Normalization` layers, or `None` if no feature is numeric.
    """
    inputs = make_inputs(rows.spec)
    pairs = rows.x.items() if isinstance(rows.x, dict) else [(None, rows.x)]
    outputs = {}
    for name, array in pairs:
        tensor = inputs if name is None else inputs[name]
        if array.dtype.kind not in "fiub":
            outputs[name] = tensor
            continue
        axis = -1 if array.ndim == 2 and not _share_a_scale(array) else None
        mean, variance = _moments(array, axis)
        layer = keras.layers.Normalization(
            axis=axis, mean=mean, variance=variance, dtype=whole_dtype()
        )
        outputs[name] = layer(tensor)
    if all(outputs[k] is (inputs if k is None else inputs[k]) for k in outputs):
        return None
    return named_model(inputs, outputs.get(None, outputs), "preprocessing")


def _share_a_scale(array) -> bool:
    """Returns whether all entries share one minimum and many reach one maximum, as pixels do."""
    extremes = [(block.min(axis=0), block.max(axis=0)) for block in blocks(array, 8192)]
    low = np.min([low for low, _ in extremes], axis=0).astype("float64")
    high = np.max([high for _, high in extremes], axis=0).astype("float64")
    span = high.max() - low.min()
    if array.shape[1] < 8 or span <= 0:
        return False
    same_floor = np.mean(low <= low.min() + 0.01 * span) == 1.0
    return same_floor and np.mean(high >= high.max() - 0.1 * span) >= 0.25


def _moments(array, axis):
    over = 0 if axis == -1 else None
    shape = (array.shape[1],) if axis == -1 else ()
    total, square = np.zeros(shape), np.zeros(shape)
    shift = array[:1].astype("float64").mean(axis=over)
    for block in blocks(array, 8192):
        piece = block.astype("float64") - shift
        total += piece.sum(axis=over)
        square += (piece**2).sum(axis=over)
    count = len(array) if axis == -1 else array.size
    mean = total / count
    variance = np.maximum(square / count - mean**2, 0.0)
    scale = np.abs(mean + shift) + np.sqrt(variance)
    constant = variance <= (1e-6 * scale) ** 2
    variance = np.where(constant, 1.0, variance)
    mean = mean + shift
    if axis is None:
        return float(mean), float(variance)
    return mean.astype(whole_dtype()), variance.astype(whole_dtype())
