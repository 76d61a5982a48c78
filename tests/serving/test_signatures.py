"""Every signature in a process that has TensorFlow only, and in another runtime."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import adaptive_nets as an
from adaptive_nets import serving

X = np.random.default_rng(0).normal(size=(7, 4)).astype("float32")
HEADS = {
    "binary": (an.heads.BinaryClass(), "classify", ["0", "1"]),
    "strings": (an.heads.MultiClass(class_names=["a", "b", "c"]), "classify", ["a", "b", "c"]),
    "integers": (an.heads.MultiClass(3), "classify", ["0", "1", "2"]),
    "regression": (an.heads.Regression(1), "regress", None),
    "labels": (an.heads.MultiLabel(3), "classify", ["0", "1", "2"]),
    "several": (
        an.heads.Multi({"a": an.heads.BinaryClass(), "b": an.heads.Regression(2)}),
        None,
        None,
    ),
}
# Calls all signatures of a folder with rows; arrays go to a file.
CLIENT = """
import sys
sys.modules["adaptive_nets"] = None
import numpy as np, tensorflow as tf
x = np.load(sys.argv[1])
def example(row):
    value = tf.train.Feature(float_list=tf.train.FloatList(value=row))
    return tf.train.Example(features=tf.train.Features(
        feature={"features": value, "other": value})).SerializeToString()
for folder in sys.argv[2:]:
    served, found = tf.saved_model.load(folder), {}
    for name, function in served.signatures.items():
        ((key, spec),) = function.structured_input_signature[1].items()
        given = tf.constant([example(r) for r in x] if spec.dtype == tf.string else x)
        for output, value in function(**{key: given}).items():
            text = value.dtype == tf.string
            found[f"{name}:{output}"] = value.numpy().astype("U" if text else None)
    np.savez(folder + ".npz", **found)
"""


def network(units, seed=0):
    inputs = keras.Input((4,), name="features")
    initializer = keras.initializers.GlorotUniform(seed)
    return keras.Model(inputs, keras.layers.Dense(units, kernel_initializer=initializer)(inputs))


def example(**features):
    made = {
        name: tf.train.Feature(float_list=tf.train.FloatList(value=value))
        if not isinstance(value, bytes)
        else tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        for name, value in features.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=made)).SerializeToString()


@pytest.fixture(scope="module")
def exports(tmp_path_factory, python):
    """Folders of all heads, and what a clean process got of each signature."""
    folder, made = tmp_path_factory.mktemp("exports"), {}
    np.save(folder / "x.npy", X)
    for name, (head, _, _) in HEADS.items():
        model = network(head.units)
        path = serving.export_saved_model(model, head, folder / name, warmup=X[:2])
        made[name] = (path, model)
    given = [str(folder / "x.npy"), *(path for path, _ in made.values())]
    python.run("-c", CLIENT, *given, package=False)
    return {n: (path, model, dict(np.load(path + ".npz"))) for n, (path, model) in made.items()}


@pytest.mark.parametrize("name", HEADS)
def test_each_signature_gives_the_heads_predictions(name, exports):
    head, scored, classes = HEADS[name]
    _, model, found = exports[name]
    signatures = {key.split(":")[0] for key in found}
    assert signatures == {"serving_default", "predict"} | ({scored} if scored else set())
    expected = {key: np.asarray(value) for key, value in head.predictions(model(X)).items()}
    for signature in ("serving_default", "predict"):
        for key, value in expected.items():
            if value.dtype == object:
                assert found[f"{signature}:{key}"].tolist() == [v.decode() for v in value]
            else:
                np.testing.assert_allclose(found[f"{signature}:{key}"], value, atol=1e-5)
    if scored == "classify":
        np.testing.assert_allclose(found["classify:scores"], expected["probabilities"], atol=1e-5)
        assert found["classify:classes"].tolist() == [classes] * len(X)
    if scored == "regress":
        np.testing.assert_allclose(
            found["regress:outputs"], expected["predictions"][:, 0], atol=1e-5
        )


@pytest.mark.parametrize("name", HEADS)
def test_methods_are_those_that_tf_serving_looks_for(name, exports):
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    path = exports[name][0]
    saved.ParseFromString((tf.io.gfile.GFile(f"{path}/saved_model.pb", "rb")).read())
    methods = {
        key: value.method_name
        for key, value in saved.meta_graphs[0].signature_def.items()
        if not key.startswith("__")
    }
    expected = dict.fromkeys(("serving_default", "predict"), "tensorflow/serving/predict")
    scored = HEADS[name][1]
    if scored:
        expected[scored] = f"tensorflow/serving/{scored}"
        inputs = saved.meta_graphs[0].signature_def[scored].inputs
        assert list(inputs) == ["inputs"] and inputs["inputs"].dtype == tf.string.as_datatype_enum
    assert methods == expected


def test_saved_model_cli_shows_them(exports, python):
    given = ["-m", "tensorflow.python.tools.saved_model_cli", "show", "--all"]
    path = exports["strings"][0]
    done = python.run(*given, "--dir", path)
    assert "signature_def['classify']" in done.stdout
    assert "Method name is: tensorflow/serving/classify" in done.stdout


@pytest.mark.parametrize("name", ["binary", "integers", "regression", "labels"])
def test_another_runtime_reads_the_tensor_signature(name, exports):
    openvino = pytest.importorskip("openvino")
    path, model, _ = exports[name]
    read = openvino.Core().read_model(path)
    # It computes in bfloat16 by default where the processor can.
    compiled = openvino.compile_model(read, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = {k.get_any_name(): v for k, v in compiled(X).items()}
    for key, value in HEADS[name][0].predictions(model(X)).items():
        np.testing.assert_allclose(found[key], value, atol=1e-5)


def test_examples_may_have_more_features_but_not_fewer_and_must_be_examples(exports):
    served = tf.saved_model.load(exports["strings"][0])
    classify = served.signatures["classify"]
    plain = classify(inputs=tf.constant([example(features=X[0])]))["scores"]
    more = classify(inputs=tf.constant([example(features=X[0], other=[1.0])]))["scores"]
    np.testing.assert_array_equal(plain, more)
    for wrong, words in (
        (example(other=X[0]), "Feature: features \\(data type: float\\) is required"),
        (example(features=X[0][:2]), "Key: features.*Can't parse|features"),
        (example(features=b"text"), "features.*(D|d)ata types don't match"),
        (b"no example", "Could not parse example"),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=words):
            classify(inputs=tf.constant([wrong]))


def test_defaults_of_missing_features_and_other_types(tmp_path):
    inputs = {
        "age": keras.Input((1,), name="age", dtype="int32"),
        "tall": keras.Input((), name="tall"),
    }
    age = keras.ops.cast(inputs["age"], "float32")
    joined = keras.layers.Concatenate()([age, keras.ops.expand_dims(inputs["tall"], -1)])
    model = keras.Model(inputs, keras.layers.Dense(1)(joined))
    spec = {
        "age": tf.io.FixedLenFeature([1], tf.int64, [30]),
        "tall": tf.io.FixedLenFeature([], tf.float32),
    }
    path = serving.export_saved_model(
        model, an.heads.BinaryClass(), tmp_path / "a", example_spec=spec
    )
    classify = tf.saved_model.load(path).signatures["classify"]
    found = classify(inputs=tf.constant([example(tall=[1.5])]))["scores"]
    expected = model({"age": np.array([[30]]), "tall": np.array([1.5], "float32")})
    np.testing.assert_allclose(found[0, 1], tf.sigmoid(expected)[0, 0], atol=1e-6)
    with pytest.raises(ValueError, match="example_spec must name the model's inputs"):
        serving.export_saved_model(
            model, an.heads.BinaryClass(), tmp_path / "b", example_spec={"age": spec["age"]}
        )


def test_warm_up_requests_are_read_back(exports):
    logs = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    for name, (_, scored, _) in HEADS.items():
        path = exports[name][0]
        file = f"{path}/assets.extra/tf_serving_warmup_requests"
        found = [
            logs.PredictionLog.FromString(record.numpy())
            for record in tf.data.TFRecordDataset(file)
        ]
        served = tf.saved_model.load(path)
        count = 0
        for log in found:
            kind = log.WhichOneof("log_type")
            request = getattr(log, kind).request
            function = served.signatures[request.model_spec.signature_name]
            if kind == "predict_log":
                given = {k: tf.constant(tf.make_ndarray(v)) for k, v in request.inputs.items()}
            else:
                examples = request.input.example_list.examples
                given = {"inputs": tf.constant([e.SerializeToString() for e in examples])}
                count += 1
            assert len(next(iter(function(**given).values()))) == 1
        assert len(found) == 2 * (3 if scored else 2) and count == (2 if scored else 0)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"warmup": X[:0]}, "warmup must have 1 to 1000 rows"),
        ({"warmup": {"other": X}}, r"warmup must have the model's features \['features'\]"),
        ({"assets_extra": {"a.txt": "missing"}}, "assets_extra must name existing files"),
    ],
)
def test_wrong_options_leave_nothing(settings, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        serving.export_saved_model(network(3), an.heads.MultiClass(3), tmp_path / "a", **settings)
    assert not list(tmp_path.iterdir())


def test_extra_assets_are_copied(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([1]))
    path = serving.export_saved_model(
        network(3), an.heads.MultiClass(3), tmp_path / "out",
        assets_extra={"deep/a.json": tmp_path / "a.json"},
    )  # fmt: skip
    assert tf.io.gfile.exists(f"{path}/assets.extra/deep/a.json")


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", ["strings", "regression"])
def test_litert_gives_the_same(name, exports, tmp_path):
    head, (_, model, _) = HEADS[name][0], exports[name]
    path = serving.export_litert(model, head, tmp_path / "model.tflite")
    interpreter = tf.lite.Interpreter(path)
    found = interpreter.get_signature_runner()(features=X[:1])
    expected = head.predictions(model(X[:1]))
    assert set(found) == {k for k in expected if expected[k].dtype != tf.string}
    for key in found:
        np.testing.assert_allclose(found[key], expected[key], atol=1e-5)
