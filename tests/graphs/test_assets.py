"""Vocabularies, bins and statistics of preprocessing layers go along through every verb."""

import inspect
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from adaptive_nets import growth, majority

layers = keras.layers
TEXT = np.array([["a b c"], ["b c"], ["c d a"], ["e"]], object)
CODE = np.array([["x"], ["y"], ["z"], ["y"]], object)
NUMBER = np.array([[3], [5], [7], [5]], "int64")
REAL = np.random.default_rng(0).normal(2, 3, (4, 3)).astype("float32")
VERBS = {
    "widen": lambda one, _: growth.widen(one, 2.0),
    "deepen": lambda one, _: growth.deepen(one, 1),
    "fuse": lambda one, other: growth.fuse([one, other]),
    "expand": lambda one, _: majority.expand(one, 2),
    "collapse": lambda one, _: majority.collapse(majority.expand(one, 2))[0],
}


def head(inputs, parts, width, seed):
    """Two hidden layers behind features, with weights of their own."""
    x = layers.Concatenate(name="join")(parts) if len(parts) > 1 else parts[0]
    for name in ("h", "i"):
        x = layers.Dense(width, "relu", name=name)(x)
    model = keras.Model(inputs, layers.Dense(2, name="out")(x))
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, layers.Dense | layers.Embedding):
            layer.set_weights([rng.normal(size=w.shape) / 2 for w in layer.weights])
    return model


def every_layer(seed, width):
    words = layers.TextVectorization(output_sequence_length=4, name="words")
    share = layers.TextVectorization(output_mode="tf_idf", name="share")
    code = layers.StringLookup(output_mode="one_hot", name="codes")
    number = layers.IntegerLookup(output_mode="multi_hot", name="numbers")
    bins = layers.Discretization(num_bins=3, output_mode="one_hot", name="bins")
    scale = layers.Normalization(name="scale")
    for layer, rows in (
        (words, TEXT[:, 0]), (share, TEXT[:, 0]), (code, CODE), (number, NUMBER),
        (bins, REAL[:, :1]), (scale, REAL),
    ):  # fmt: skip
        layer.adapt(rows)
    inputs = {
        "text": keras.Input((1,), dtype="string", name="text"),
        "code": keras.Input((1,), dtype="string", name="code"),
        "number": keras.Input((1,), dtype="int64", name="number"),
        "real": keras.Input((3,), name="real"),
    }
    crossed = layers.HashedCrossing(6, output_mode="one_hot", name="crossed")
    parts = [
        layers.Flatten(name="flat")(layers.Embedding(12, 3, name="vectors")(words(inputs["text"]))),
        layers.Flatten(name="shares")(share(inputs["text"])),
        code(inputs["code"]),
        number(inputs["number"]),
        layers.Hashing(5, output_mode="one_hot", name="hashed")(inputs["code"]),
        bins(inputs["real"][:, :1]),
        scale(inputs["real"]),
        crossed((inputs["code"], inputs["number"])),
        layers.CategoryEncoding(9, output_mode="one_hot", name="category")(inputs["number"]),
    ]
    return head(inputs, parts, width, seed)


def space(seed, width):
    kind = keras.utils.FeatureSpace
    found = kind(
        {"code": kind.string_categorical(), "number": kind.integer_categorical(),
         "real": kind.float_normalized()},
        crosses=[kind.cross(("code", "number"), crossing_dim=8)], output_mode="concat",
    )  # fmt: skip
    rows = {"code": CODE[:, 0].astype(str), "number": NUMBER[:, 0], "real": REAL[:, 0]}
    found.adapt(tf.data.Dataset.from_tensor_slices(rows))
    return head(found.get_inputs(), [found.get_encoded_features()], width, seed)


def rows_for(model):
    """Two rows, of which the second holds what no layer has seen."""
    given = {"text": [["a b c"], ["e q"]], "code": [["z"], ["?"]], "number": [[7], [1]]}
    given["real"] = [[1.0, 2.0, 3.0], [0.0, 5.0, -1.0]]
    found = {}
    for key, tensor in model.input.items():
        values = [row[: tensor.shape[-1]] for row in given[key]]
        found[key] = tf.constant(values, tensor.dtype)
    return found


SCRIPT = f"""
import json, sys
import keras, numpy as np, tensorflow as tf
import adaptive_nets.layers
{inspect.getsource(rows_for)}
models = {{path: keras.saving.load_model(path) for path in sys.argv[1:]}}
found = {{path: np.asarray(m(rows_for(m))).tolist() for path, m in models.items()}}
print(json.dumps(found))
"""


@pytest.mark.parametrize("make", [every_layer, space])
def test_every_verb_keeps_what_preprocessing_layers_have_learned(make, tmp_path, python):
    one, other = make(0, 4), make(1, 6)
    rows = rows_for(one)
    outputs = [np.asarray(model(rows)) for model in (one, other)]
    paths = {}
    for name, verb in VERBS.items():
        new = verb(one, other)
        wanted = np.mean(outputs, axis=0) if name == "fuse" else outputs[0]
        np.testing.assert_allclose(new(rows), wanted, atol=1e-5, err_msg=name)
        paths[str(tmp_path / f"{name}.keras")] = wanted
        new.save(tmp_path / f"{name}.keras")
    new.export(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(tmp_path / "served")
    np.testing.assert_allclose(served.serve(rows), outputs[0], atol=1e-5)
    done = python.run("-c", SCRIPT, *paths)
    found = json.loads(done.stdout.splitlines()[-1])
    for path, wanted in paths.items():
        np.testing.assert_allclose(found[path], wanted, atol=1e-5, err_msg=path)
