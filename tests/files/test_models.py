"""Model files: what Keras writes is loaded, and all else is refused in one line that names it."""

import io
import json
import os
import struct
import warnings
import zipfile

import h5py
import keras
import numpy as np
import pytest

from adaptive_nets.files.models import load_model
from adaptive_nets.keras_internals import unsafe_deserialization

# Keras remarks on the older format, and on lambdas.
pytestmark = pytest.mark.filterwarnings("ignore")


@keras.saving.register_keras_serializable(package="adaptive_nets_tests")
def halved(x):
    return x / 2


@keras.saving.register_keras_serializable(package="adaptive_nets_tests")
class Words(keras.layers.StringLookup):
    """A table of a user's own."""


class Own(keras.layers.Layer):
    def call(self, x):
        return 2 * x


def dense():
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, "relu")])


def branched():
    x = keras.Input((4,))
    h = keras.layers.BatchNormalization()(keras.layers.Dense(4, kernel_regularizer="l2")(x))
    return keras.Model(x, keras.ops.sin(h) + x)


def looked_up():
    layers = [keras.layers.StringLookup(vocabulary=["a", "b"]), keras.layers.Embedding(4, 2)]
    return keras.Sequential([keras.Input((2,), dtype="string"), *layers])


def compiled():
    model = dense()
    rate = keras.optimizers.schedules.ExponentialDecay(0.1, 5, 0.9)
    model.compile(keras.optimizers.Adam(rate), "mse", metrics=["mae"])
    return model


def recurrent():
    layers = [keras.layers.Bidirectional(keras.layers.GRU(2)), keras.layers.Dense(1)]
    return keras.Sequential([keras.Input((3, 2)), *layers])


def with_function():
    return keras.Sequential([keras.Input((2,)), keras.layers.Lambda(halved)])


@pytest.mark.parametrize("make", [dense, branched, looked_up, compiled, recurrent, with_function])
@pytest.mark.parametrize("end", ["keras", "h5"])
def test_what_keras_writes_is_loaded(tmp_path, make, end):
    if end == "h5" and make in (branched, looked_up, with_function):
        pytest.skip("Keras cannot read this model from its older format")
    model, path = make(), tmp_path / f"model.{end}"
    model.save(path)
    loaded = load_model(path)
    assert type(loaded) is type(model) and not loaded.compiled
    for one, other in zip(loaded.weights, model.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_is_not_registered_can_be_passed_and_is_not_found_otherwise(tmp_path):
    path = tmp_path / "own.keras"
    keras.Sequential([keras.Input((2,)), Own()]).save(path)
    with pytest.raises(ValueError, match=r"'Own'.*custom_objects=\{name: class\}"):
        load_model(path)
    assert isinstance(load_model(path, custom_objects={"Own": Own}).layers[0], Own)
    with keras.saving.custom_object_scope({"Own": Own}):
        assert isinstance(load_model(path).layers[0], Own)


def test_code_in_a_file_runs_only_with_trust(tmp_path):
    path = tmp_path / "lambda.keras"
    keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x + 1)]).save(path)
    with pytest.raises(ValueError, match="Lambda layer whose function is not registered"):
        load_model(path)
    np.testing.assert_allclose(load_model(path, trust=True)(np.zeros((1, 2))), [[1, 1]])
    # Whoever has told Keras to trust all files has not told this package.
    with unsafe_deserialization(), pytest.raises(ValueError, match="is not registered"):
        load_model(path)


# Crafted files -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """The parts of a `.keras` file by name."""
    path = tmp_path_factory.mktemp("model") / "model.keras"
    dense().save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def written(path, parts, compression=zipfile.ZIP_STORED):
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", compression) as archive:
        warnings.simplefilter("ignore")  # of two parts of one name
        for name, content in parts:
            archive.writestr(name, content)
    return path


def weights(change):
    """An HDF5 file that a function has filled, as bytes."""
    held = io.BytesIO()
    with h5py.File(held, "w") as file:
        change(file)
    return held.getvalue()


def external_data(file):
    file.create_dataset("layers/dense/vars/0", (3, 2), "f4", external=[("/etc/passwd", 0, 24)])


def external_link(file):
    file["layers"] = h5py.ExternalLink("/etc/passwd", "/")


def soft_link(file):
    file["layers"] = h5py.SoftLink("/elsewhere")


def virtual_data(file):
    layout = h5py.VirtualLayout((3, 2), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (3, 2))
    file.create_virtual_dataset("layers/dense/vars/0", layout)


def shape_bomb(file):
    file.create_dataset("layers/dense/vars/0", (1 << 20, 1 << 20), "f4", chunks=True)


def zeros_packed(file):
    zeros = np.zeros(60 << 20, "f4")
    file.create_dataset("layers/dense/vars/0", data=zeros, compression="gzip", chunks=(1 << 20,))


def objects(file):
    file.create_dataset("layers/x", (2,), h5py.ref_dtype)


def committed(file):
    file["layers/x"] = np.dtype("f4")


@pytest.mark.parametrize(
    "change, words",
    [
        (external_data, "lie in another file"),
        (external_link, "another place .ExternalLink"),
        (soft_link, "another place .SoftLink"),
        (virtual_data, "lie in another file"),
        (shape_bomb, "plausible size"),
        (zeros_packed, "plausible size"),
        (objects, "not numbers"),
        (committed, "hold a Datatype"),
    ],
)
def test_weights_refer_to_nothing_and_hold_what_they_declare(tmp_path, parts, change, words):
    made = {**parts, "model.weights.h5": weights(change)}
    refused(written(tmp_path / "model.keras", made.items()), words)


@pytest.mark.parametrize(
    "name, words",
    [
        ("../outside", "leads out of it"),
        ("/tmp/outside", "leads out of it"),
        ("assets/../../outside", "leads out of it"),
        ("assets\\..\\outside", "leads out of it"),
        ("C:/outside", "leads out of it"),
        ("assets//x", "leads out of it"),
        ("trap.py", "which Keras does not write"),
        ("model.weights.npz", "which Keras does not write"),
        ("config.json", "the same name"),
    ],
)
def test_parts_lie_inside_and_are_what_keras_writes(tmp_path, parts, name, words):
    refused(written(tmp_path / "model.keras", [*parts.items(), (name, b"")]), words)


def test_links_and_odd_archives_are_refused(tmp_path, parts):
    link = zipfile.ZipInfo("assets/link")
    link.external_attr = 0o120777 << 16
    refused(written(tmp_path / "a.keras", [*parts.items(), (link, b"/etc/passwd")]), "a link")
    packed = written(tmp_path / "b.keras", parts.items(), zipfile.ZIP_BZIP2)
    refused(packed, "unusual way")
    bomb = [*parts.items(), ("assets/zeros", bytes(65 << 20))]
    refused(written(tmp_path / "c.keras", bomb, zipfile.ZIP_DEFLATED), "plausible size")
    no_weights = [(name, parts[name]) for name in ("metadata.json", "config.json")]
    refused(written(tmp_path / "d.keras", no_weights), "no model.weights.h5")


def test_damage_is_named_and_is_never_a_missing_file(tmp_path, parts):
    path = written(tmp_path / "model.keras", parts.items())
    whole = path.read_bytes()
    for damaged in (b"", whole[:100], whole[:-30], bytes(len(whole)), b"no archive"):
        path.write_bytes(damaged)
        refused(path, "damaged")
    for place in range(60, len(whole), len(whole) // 25):
        flipped = bytearray(whole)
        flipped[place] ^= 0x10
        path.write_bytes(flipped)
        refused(path, "")
    refused(tmp_path / "absent.keras", "there is no such file")
    (tmp_path / "folder.keras").mkdir()
    refused(tmp_path / "folder.keras", "it is not a file")
    os.rename(path, tmp_path / "model.txt")
    refused(tmp_path / "model.txt", "ends in .keras or .h5")


def test_parts_that_overlap_are_refused(tmp_path, parts):
    path = written(tmp_path / "model.keras", [*parts.items(), ("assets/a", b"a" * 4096)])
    whole = bytearray(path.read_bytes())
    # A second entry of the directory for the first part, as in archives that unpack for ever.
    begun = whole.index(b"PK\x01\x02")
    end = whole.index(b"PK\x05\x06")
    entry = bytes(whole[end - 46 - len("assets/a") : end])
    more = b"".join(entry.replace(b"assets/a", b"assets/%c" % c) for c in b"bcdefghijk")
    tail = bytearray(whole[end:])
    count, size = struct.unpack("<HHI", tail[8:16])[0], end - begun + len(more)
    tail[8:16] = struct.pack("<HHI", count + 10, count + 10, size)
    path.write_bytes(whole[:end] + more + tail)
    refused(path, "overlap")


def nested(depth):
    found = {}
    for _ in range(depth):
        found = {"config": found}
    return found


def with_config(parts, change):
    config = json.loads(parts["config.json"])
    change(config)
    return {**parts, "config.json": json.dumps(config)}.items()


def first_dense(config):
    return next(each for each in config["config"]["layers"] if each["class_name"] == "Dense")


CRAFTED = {
    "a module": ({"module": "trap", "class_name": "Thing", "config": {}}, "'Thing'"),
    "a module of Keras": (
        {"module": "keras.src.utils.summary_utils", "class_name": "Trap", "config": {}},
        "'Trap'",
    ),
    "a module that is not loaded": (
        {"module": "keras.src.backend.torch.core", "class_name": "Variable", "config": {}},
        "'Variable'",
    ),
    "a function of Keras": (
        {"module": "keras.utils", "class_name": "function", "config": "get_file"}, "'get_file'"),
    "a function as a class": (
        {"module": "keras.models", "class_name": "load_model", "config": {}}, "'load_model'"),
    "a maker": (
        {"module": "keras.layers", "class_name": "function", "config": "deserialize"},
        "'deserialize'"),
    "a data set": (
        {"module": "keras.datasets.mnist", "class_name": "function", "config": "load_data"},
        "'load_data'"),
    "a builtin": ({"module": "builtins", "class_name": "function", "config": "eval"}, "'eval'"),
    "a lambda": ({"class_name": "__lambda__", "config": {"value": "x"}}, "lambda"),
    "a type": (
        {"class_name": "__typespec__", "module": "trap", "spec_name": "x", "config": [],
         "registered_name": None}, "'__typespec__'"),
    "a TFSMLayer": (
        {"module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": "x"}},
        "TFSMLayer"),
    "a callback": (
        {"module": "keras.callbacks", "class_name": "CSVLogger", "config": {"filename": "x"}},
        "'CSVLogger'"),
    "a vocabulary": (
        {"module": "keras.layers", "class_name": "StringLookup",
         "config": {"vocabulary": "/etc/passwd"}}, "the path '/etc/passwd'"),
    "a vocabulary of an own table": (
        {"module": "x", "class_name": "Words", "config": {"vocabulary": "/etc/passwd"},
         "registered_name": "adaptive_nets_tests>Words"}, "the path '/etc/passwd'"),
    "weights of words": (
        {"module": "keras.layers", "class_name": "TextVectorization",
         "config": {"idf_weights": "/etc/passwd"}}, "the path"),
    "a head": (
        {"module": "x", "class_name": "BinaryClass", "config": {},
         "registered_name": "adaptive_nets>BinaryClass"}, "not part of a model"),
    "a generator": (
        {"module": "x", "class_name": "Growth", "config": {},
         "registered_name": "adaptive_nets>Growth"}, "not part of a model"),
    "no name": ({"module": "x", "class_name": ["Dense"], "config": {}}, r"\['Dense'\]"),
    "depth": (nested(400), "levels deep"),
}  # fmt: skip

PLACES = {
    "the model": lambda config, crafted: config.update(crafted),
    "a layer": lambda config, crafted: config["config"]["layers"].append(crafted),
    "an activation": lambda config, crafted: first_dense(config)["config"].update(
        activation=crafted
    ),
    "an initializer in a wrapped layer": lambda config, crafted: config["config"]["layers"].append(
        {"module": "keras.layers", "class_name": "TimeDistributed", "registered_name": None,
         "config": {"layer": {"module": "keras.layers", "class_name": "Dense", "config": {
             "units": 2, "kernel_initializer": crafted}}}}
    ),
    "the build": lambda config, crafted: config.update(build_config={"input_shape": crafted}),
    "the compilation": lambda config, crafted: config.update(
        compile_config={"optimizer": crafted}
    ),
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", CRAFTED)
def test_a_file_names_only_what_is_known(tmp_path, monkeypatch, parts, name, place):
    crafted, words = CRAFTED[name]
    (tmp_path / "trap.py").write_text("import os; os.mkdir('sprung')")
    (tmp_path / "torch.py").write_text("import os; os.mkdir('sprung')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    made = with_config(parts, lambda config: PLACES[place](config, crafted))
    refused(written(tmp_path / "model.keras", made), words)
    assert not os.path.exists("sprung")


@pytest.mark.parametrize("settings", [
    {"units": 10**9},
    {"units": 30_000, "kernel_initializer": "orthogonal"},
    {"units": 10**7, "kernel_initializer": "zeros", "dtype": "bfloat16"},
])  # fmt: skip
def test_layers_ask_for_no_more_than_the_file_holds(tmp_path, parts, settings):
    """Which is found before memory is used."""

    def wide(config):
        config["config"]["layers"].append({
            "module": "keras.layers", "class_name": "Dense", "registered_name": None,
            "config": {"name": "w", **settings}, "build_config": {"input_shape": [None, 30_000]},
        })  # fmt: skip

    made = with_config(parts, wide)
    refused(written(tmp_path / "model.keras", made), "more weights than it holds")


def test_the_older_format_is_refused_alike(tmp_path):
    path = tmp_path / "model.h5"
    dense().save(path)
    with h5py.File(path, "a") as file:
        config = json.loads(file.attrs["model_config"])
        first_dense(config)["class_name"] = "Lambda"
        file.attrs["model_config"] = json.dumps(config)
    refused(path, "Lambda layer whose function")
    dense().save(path)
    with h5py.File(path, "a") as file:
        file["model_weights/more"] = h5py.ExternalLink("/etc/passwd", "/")
    refused(path, "another place")
    dense().save_weights(tmp_path / "model.weights.h5")
    refused(tmp_path / "model.weights.h5", "holds no model")


def refused(path, words):
    """The file is refused in one line that names it, though whoever loads it trusts in Keras."""
    with pytest.raises(ValueError, match=words) as caught:
        load_model(path)
    assert "\n" not in str(caught.value) and os.path.basename(path) in str(caught.value)
