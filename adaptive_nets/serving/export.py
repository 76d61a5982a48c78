"""SavedModel export."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import keras

from adaptive_nets._checks import check_bool, check_instance, check_path, or_none
from adaptive_nets.data.schema import Schema
from adaptive_nets.files.atomic import temporary_folder
from adaptive_nets.files.names import for_tensorflow
from adaptive_nets.graphs.read import check_inputs, check_model
from adaptive_nets.heads import Head
from adaptive_nets.serving.assets import check_assets, copy_assets
from adaptive_nets.serving.class_names import write_class_names
from adaptive_nets.serving.features import (
    assembled,
    missing_values,
    named_specs,
    rows_to_serve,
    served_specs,
)
from adaptive_nets.serving.receivers import Receiver, example_receiver
from adaptive_nets.serving.signatures import (
    DEFAULT,
    PREDICT,
    check_units,
    model_inputs,
    predicting,
    received,
    scoring,
    set_methods,
    tensor_signature,
)
from adaptive_nets.serving.warmup import named_rows, write_warmup

SCHEMA_FILE = "schema.json"


def export_saved_model(
    model: keras.Model,
    head: Head,
    path: str | os.PathLike,
    *,
    example_spec: dict[str, Any] | None = None,
    receiver: Receiver | None = None,
    subnetworks: keras.Model | None = None,
    warmup: Any = None,
    assets_extra: dict[str, str | os.PathLike] | None = None,
    schema: Schema | None = None,
    check_values: bool = True,
) -> str:
    """Writes a SavedModel with the signatures that TF Serving's APIs expect.

    | signature | input | output |
    |---|---|---|
    | `serving_default`, `predict` | features as tensors | the head's predictions |
    | `classify` (classification heads) | `inputs`: `tf.Example`s | `scores`, `classes` (strings) |
    | `regress` (regression with one target) | `inputs`: `tf.Example`s | `outputs` |

    With a `receiver`, all signatures take what it receives. If it receives `tf.Example`s,
    `serving_default` is the classification or regression signature, as in tf.estimator. All
    signatures take any number of rows. The folder is written elsewhere and then moved to `path`,
    so that a server never sees a partial one. It loads with `tf.saved_model.load` where
    adaptive_nets is not installed.

    Args:
        model: Model from raw features to logits.
        head: An adapted `heads.Head`.
        path: Folder to write. An existing SavedModel folder is replaced.
        example_spec: Feature spec for parsing `tf.Example`s, as in `tf.io.parse_example`. Defaults
            to `None`: one feature per model input, with its name and shape.
        receiver: `serving.receiver_of(serving_input_receiver_fn)`, instead of features as tensors
            and `example_spec`. Defaults to `None`.
        subnetworks: Model from the same features to a dict of further outputs of `predict`.
            Defaults to `None`.
        warmup: Rows of features, as an array or a dict of arrays, that TF Serving runs before it
            serves the model. Needs the package tensorflow-serving-api. Defaults to `None`.
        assets_extra: Files to copy, by their path in `assets.extra`. Defaults to `None`.
        schema: `data.Schema` of the features: signatures then take a table's columns by name. It
            is written to `assets.extra/schema.json`. Defaults to `None`: the model's inputs.
        check_values: Whether a request fails, as `predict` does, that holds NaN, infinity or a
            whole number that the feature's dtype would round. The error names the feature and the
            row. With `False` such rows get an arbitrary prediction: choose it if a server joins
            requests of several clients to one batch, all of which would fail. Without a schema
            nothing is checked. Defaults to `True`.

    Returns:
        The absolute path as a string.

    Raises:
        OSError: `path` exists and is not a SavedModel folder, or cannot be written.
        ValueError: The receiver's features do not match the model, or an option is invalid.

    Example:

    ```python
    import keras
    import adaptive_nets as an
    from adaptive_nets.serving import export_saved_model

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    head = an.heads.MultiClass(3)
    path = export_saved_model(model, head, "exported")
    ```
    """
    path = Path(check_path("path", path))
    if path.exists() and (not path.is_dir() or _is_foreign(path)):
        raise OSError(
            f"Cannot export to '{path}': it exists and is not a SavedModel folder. "
            "Choose another path."
        )
    check_model("model", model)
    check_instance("head", head, Head, "a heads.Head")
    or_none(check_instance, "receiver", receiver, Receiver, "what serving.receiver_of returned")
    or_none(check_instance, "schema", schema, Schema, "a data.Schema, or None")
    if subnetworks is not None:
        check_model("subnetworks", subnetworks)
    assets_extra = check_assets(assets_extra)
    if receiver is not None and example_spec is not None:
        raise ValueError(
            "Pass only one of receiver and example_spec: a receiver parses its own input."
        )
    check_units(model, head)
    read = _Read(schema, check_bool("check_values", check_values))
    endpoints, kinds = _endpoints(model, head, receiver, example_spec, subnetworks, read)
    rows = None
    if warmup is not None and schema is not None and receiver is None:
        rows = rows_to_serve(warmup, schema)
    elif warmup is not None:
        specs = keras.tree.flatten(tensor_signature(model))
        names = [spec.name for spec in specs] if receiver is None else list(receiver.specs)
        check_inputs("warmup", warmup, model if receiver is None else None)
        rows = named_rows(warmup, names)
    archive = keras.export.ExportArchive()
    archive.track(model)
    if subnetworks is not None:
        archive.track(subnetworks)
    for name, (function, signature) in endpoints.items():
        archive.add_endpoint(name, function, input_signature=[signature])
    # Each export has its own temporary folder, so that concurrent exports do not collide.
    with temporary_folder(path.parent) as folder:
        written = os.path.join(folder, "model")
        archive.write_out(for_tensorflow(written), verbose=False)
        set_methods(written, kinds)
        write_class_names(written, head)
        if rows is not None:
            write_warmup(written, rows, [n for n in endpoints if n not in kinds], kinds)
        if schema is not None:
            os.makedirs(os.path.join(written, "assets.extra"), exist_ok=True)
            file = Path(written, "assets.extra", SCHEMA_FILE)
            file.write_text(schema.to_json(), encoding="utf-8")
        copy_assets(assets_extra, written)
        _move(written, path, os.path.join(folder, "replaced"))
    return str(path)


def _move(written, path, replaced):
    """Moves an export to its place; what was there goes to `replaced`, but back after an error."""
    before = path.exists()
    if before:
        os.rename(path, replaced)
    try:
        os.rename(written, path)
    except BaseException:
        if before:
            os.rename(replaced, path)
        raise


@dataclasses.dataclass(frozen=True)
class _Read:
    """How received tensors become features.

    Args:
        schema: The schema of the features, or `None`.
        check_values: Whether the served graph checks values.
    """

    schema: Schema | None
    check_values: bool

    def __call__(self, received):
        return assembled(self.schema, received, self.check_values)


def _endpoints(model, head, receiver, example_spec, subnetworks, read):
    """Returns functions with their signatures by name, and which classify or regress."""
    predict, scored = predicting(model, head, subnetworks), scoring(model, head)
    default = predicting(model, head)
    if receiver is None:
        tensors = served_specs(model, read.schema)
        endpoints = {
            DEFAULT: (_of_received(read, default), tensors),
            PREDICT: (_of_received(read, predict), tensors),
        }
        examples = _examples(model, example_spec, read) if scored else None
    else:
        receiver = _fitting(receiver, model, read)
        endpoints = {
            DEFAULT: (received(receiver, default), receiver.specs),
            PREDICT: (received(receiver, predict), receiver.specs),
        }
        examples = receiver if receiver.is_examples and scored else None
    if examples is None:
        return endpoints, {}
    kind, function = scored
    # Classify and Regress name their input "inputs".
    ((name, spec),) = examples.specs.items()

    def run(inputs):
        return function(examples.features(**{name: inputs["inputs"]}))

    endpoint = (run, {"inputs": _renamed(spec, "inputs")})
    kinds = {kind: kind}
    endpoints[kind] = endpoint
    if receiver is not None:
        endpoints[DEFAULT], kinds[DEFAULT] = endpoint, kind
    return endpoints, kinds


def _renamed(spec, name):
    import tensorflow as tf

    return tf.TensorSpec(spec.shape, spec.dtype, name)


def _of_received(read, function):
    return lambda received: function(read(received))


def _examples(model, example_spec, read):
    """Returns the receiver of `tf.Example`s, or `None` if an input cannot be stored in one."""
    schema = read.schema
    named = schema is not None and schema.layout != "array"
    try:
        receiver = example_receiver(
            named_specs(schema) if named else model_inputs(model),
            example_spec,
            missing_values(schema) if named else None,
        )
        return receiver if schema is None else _assembling(receiver, read)
    except ValueError:
        if example_spec is not None:
            raise
        return None


def _assembling(receiver, read):
    """Returns the receiver of the features that the model takes."""
    whole = receiver.features
    return dataclasses.replace(receiver, features=lambda **given: read(whole(**given)))


def _fitting(receiver, model, read):
    """Returns the receiver, unpacking a dict of one feature for a model with one input.

    Raises:
        ValueError: The features do not match the model's inputs.
    """
    import tensorflow as tf

    if read.schema is not None:
        receiver = _assembling(receiver, read)
    wanted = tensor_signature(model)
    given = tf.function(receiver.features, autograph=False).get_concrete_function(**receiver.specs)
    found = given.structured_outputs
    if isinstance(found, dict) and not isinstance(wanted, dict) and len(found) == 1:
        ((only, found),) = found.items()
        whole = receiver.features
        receiver = dataclasses.replace(receiver, features=lambda **given: whole(**given)[only])
    same = isinstance(wanted, dict) == isinstance(found, dict)
    if same and isinstance(wanted, dict):
        same = set(wanted) == set(found) and all(_takes(wanted[n], found[n]) for n in wanted)
    elif same:
        same = _takes(wanted, found)
    if not same:
        raise ValueError(
            f"The serving receiver does not match the model, which takes {_describe(wanted)}. "
            f"Received: features {_describe(found)}."
        )
    return receiver


def _takes(spec, tensor):
    return tensor.dtype == spec.dtype and spec.shape.is_compatible_with(tensor.shape)


def _describe(specs):
    text = keras.tree.map_structure(lambda t: f"{t.dtype.name}{list(t.shape)}", specs)
    return str(text).replace("'", "")


def _is_foreign(path):
    return any(path.iterdir()) and not (path / "saved_model.pb").exists()
