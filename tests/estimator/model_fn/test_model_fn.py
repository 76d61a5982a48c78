"""Model functions: their layers are made once; training, evaluation, prediction and export."""

import json
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from adaptive_nets import estimator as est

RNG = np.random.default_rng(0)
Y = RNG.integers(0, 3, 120)
X = (Y[:, None] + RNG.normal(size=(120, 4)) * 0.3).astype("float32")


def model_fn(features, labels, mode, params):
    net = keras.layers.Dense(params["units"])(features["x"])
    net = keras.layers.Dropout(0.1)(tf.nn.relu(net), training=mode == est.ModeKeys.TRAIN)
    logits = keras.layers.Dense(3)(net)
    predictions = {"class": tf.argmax(logits, axis=1), "likely": tf.nn.softmax(logits)}
    if mode == est.ModeKeys.PREDICT:
        return est.EstimatorSpec(mode, predictions=predictions)
    loss = tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    )
    if mode == est.ModeKeys.EVAL:
        accuracy = keras.metrics.Accuracy()
        accuracy.update_state(labels, predictions["class"])
        return est.EstimatorSpec(mode, loss=loss, eval_metric_ops={"accuracy": accuracy})
    return est.EstimatorSpec(mode, loss=loss, train_op=keras.optimizers.Adam(0.05))


def input_fn(mode):
    data = tf.data.Dataset.from_tensor_slices(({"x": X}, Y))
    return (data.repeat() if mode == est.ModeKeys.TRAIN else data).batch(30)


def made(folder, **more):
    config = est.RunConfig(tf_random_seed=0)
    return est.Estimator(
        model_fn=model_fn, model_dir=folder, params={"units": 8}, config=config, **more
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return made(tmp_path_factory.mktemp("model")).train(input_fn, steps=40)


def test_it_learns_and_says_how_well(trained):
    assert isinstance(trained, est.ModelFnEstimator)
    found = trained.evaluate(input_fn)
    classes = np.array([row["class"] for row in trained.predict(input_fn)])
    assert found["global_step"] == 40 and found["accuracy"] > 0.8
    # Over all batches, and equal to what is counted by hand.
    assert found["accuracy"] == pytest.approx(np.mean(classes == Y))
    likely = np.array([row["likely"] for row in trained.predict(input_fn, "likely")])
    assert found["loss"] == pytest.approx(-np.log(likely[np.arange(120), Y]).mean(), abs=1e-5)


def test_it_goes_on_as_if_it_had_not_stopped(tmp_path):
    steps = {}
    for name, parts in (("once", [6]), ("twice", [3, 6])):
        one = est.Estimator(
            linear, tmp_path / name, est.RunConfig(tf_random_seed=1)
        )  # fmt: skip
        for limit in parts:
            one.train(fixed, max_steps=limit)
        steps[name] = list(one.predict(fixed))
    np.testing.assert_allclose(steps["once"], steps["twice"], atol=1e-6)


def fixed(mode):
    data = tf.data.Dataset.from_tensors(({"x": X}, Y.astype("float32")))
    return data.repeat() if mode == est.ModeKeys.TRAIN else data


def linear(features, labels, mode):
    found = keras.layers.Dense(1)(features["x"])[:, 0]
    loss = None if labels is None else tf.reduce_mean((found - labels) ** 2)
    return est.EstimatorSpec(mode, found, loss, keras.optimizers.Adam(0.1))


def test_it_answers_what_any_estimator_is_asked(trained, tmp_path):
    names = trained.get_variable_names()
    assert names == ["global_step", "0/kernel", "1/bias", "2/kernel", "3/bias"]
    assert trained.get_variable_value("0/kernel").shape == (4, 8)
    assert trained.get_variable_value("global_step") == 40
    with pytest.raises(ValueError, match="name must be one of get_variable_names"):
        trained.get_variable_value("soup")
    trained.evaluate(input_fn, steps=1, name="few")
    assert list((pathlib.Path(trained.model_dir) / "eval_few").iterdir())
    with pytest.raises(ValueError, match="predict_keys must be among class, likely"):
        next(trained.predict(input_fn, ["soup"]))
    with pytest.raises(ValueError, match="does not exist: checkpoint_path must be one that"):
        trained.evaluate(input_fn, checkpoint_path="soup")
    with pytest.raises(ValueError, match="as_text is not supported"):
        trained.export_saved_model(tmp_path, lambda: None, as_text=True)


def test_it_is_trained_evaluated_and_exported_in_turns(tmp_path):
    heard = []

    class Listener(est.CheckpointSaverListener):
        def after_save(self, session, global_step_value):
            heard.append(global_step_value)

    estimator = made(tmp_path / "model")
    receiver = est.export.build_raw_serving_input_receiver_fn(
        {"x": tf.TensorSpec((None, 4), tf.float32)}
    )
    (tmp_path / "notes.txt").write_text("hello")
    exporter = est.LatestExporter(
        "latest", receiver, assets_extra={"notes.txt": str(tmp_path / "notes.txt")}
    )
    train = est.TrainSpec(input_fn, max_steps=6, saving_listeners=[Listener()])
    evaluate = est.EvalSpec(input_fn, exporters=exporter, throttle_secs=0)
    found, (path,) = est.train_and_evaluate(estimator, train, evaluate)
    assert found["global_step"] == 6 and found["accuracy"] > 0.2
    assert heard[-1] == 6 and heard == sorted(heard)
    assert (pathlib.Path(path) / "assets.extra" / "notes.txt").read_text() == "hello"
    expected = np.array([row["likely"] for row in estimator.predict(input_fn)])
    served = tf.saved_model.load(path).signatures["predict"](x=tf.constant(X))
    np.testing.assert_allclose(served["likely"], expected, atol=1e-6)
    again, _ = est.train_and_evaluate(estimator, train, evaluate)
    assert again["global_step"] == 6


def test_one_process_trains_a_model_function(tmp_path, monkeypatch):
    cluster = {"chief": ["a:1"], "worker": ["b:1"]}
    task = {"type": "worker", "index": 0}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": task}))
    with pytest.raises(ValueError, match="trained by one process.*task worker 0 of 2"):
        made(tmp_path).train(input_fn, steps=1)


def test_it_is_served(trained, tmp_path):
    expected = np.array([row["likely"] for row in trained.predict(input_fn)])
    parsing = est.export.build_parsing_serving_input_receiver_fn(
        {"x": tf.io.FixedLenFeature([4], tf.float32)}
    )
    served = tf.saved_model.load(trained.export_saved_model(tmp_path, parsing))
    rows = [
        tf.train.Example(features=tf.train.Features(feature={
            "x": tf.train.Feature(float_list=tf.train.FloatList(value=row))
        })).SerializeToString()
        for row in X
    ]  # fmt: skip
    found = served.signatures["predict"](examples=tf.constant(rows))
    np.testing.assert_allclose(found["likely"], expected, atol=1e-6)


def test_weights_are_taken_from_another_folder(trained, tmp_path):
    warm = made(tmp_path, warm_start_from=trained.model_dir).train(input_fn, steps=1)
    found = warm.evaluate(input_fn)
    assert found["global_step"] == 1 and found["accuracy"] > 0.8


def test_a_function_may_apply_gradients(tmp_path):
    def apply(gradients, variables):
        for gradient, variable in zip(gradients, variables, strict=True):
            variable.assign_sub(0.1 * gradient)

    def function(features, labels, mode):
        found = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")(features["x"])
        loss = None if labels is None else tf.reduce_sum(found)
        return est.EstimatorSpec(mode, found, loss, apply)

    one = est.Estimator(function, tmp_path).train(fixed, steps=1)
    (first, *_) = one.predict(fixed)
    np.testing.assert_allclose(first, X[:1] @ (-0.1 * X.sum(0)), rtol=1e-5)


@pytest.mark.parametrize(("spec", "why"), [
    ({"train_op": tf.constant(1.0)}, "train_op must be a Keras optimizer"),
    ({"train_op": None}, "EstimatorSpec of mode 'train' must have train_op"),
    ({"loss": None}, "EstimatorSpec of mode 'train' must have loss"),
    ({"eval_metric_ops": {"a": (1, 2)}}, "eval_metric_ops must be"),
    ({"training_hooks": [3]}, "training_hooks is not supported by EstimatorSpec: pass hooks"),
    ({"mode": "soup"}, "mode must be one of"),
])  # fmt: skip
def test_a_spec_that_cannot_be_used_is_refused(spec, why):
    given = {"mode": "train", "loss": 1.0, "train_op": keras.optimizers.SGD(), **spec}
    with pytest.raises((TypeError, ValueError), match=rf"\A{why}[^\n]*Received[^\n]*\Z"):
        est.EstimatorSpec(**given)


def test_what_is_no_model_fn_is_refused(tmp_path, trained):
    with pytest.raises(TypeError, match="model_fn must take features"):
        est.Estimator(model_fn=lambda soup: 3)
    with pytest.raises(TypeError, match="must return an estimator.EstimatorSpec"):
        est.Estimator(model_fn=lambda features: 3, model_dir=tmp_path / "a").train(fixed, steps=1)
    with pytest.raises(ValueError, match="Could not find a trained model"):
        made(tmp_path / "b").evaluate(input_fn)
    other = est.Estimator(model_fn, trained.model_dir, params={"units": 5})
    with pytest.raises(ValueError, match="is of another model_fn: its weights differ"):
        other.evaluate(input_fn)


def one_output(layer, optimizer=None, metric=None):
    """Returns an estimator of a `model_fn` with one step that scripts of TensorFlow 1 have."""

    def function(features, labels, mode):
        logits = layer(features["x"])
        loss = tf.reduce_mean((logits[:, 0] - tf.cast(labels, tf.float32)) ** 2)
        train = optimizer(loss) if optimizer else keras.optimizers.SGD(0.1)
        return est.EstimatorSpec(
            mode, predictions=logits, loss=loss, train_op=train,
            eval_metric_ops={"m": metric(labels, logits)} if metric else None,
        )  # fmt: skip

    return est.Estimator(function)


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"layer": lambda x: x @ tf.Variable(tf.ones([4, 1]))}, r"in Keras layers.*\(4, 1\)"),
        ({"layer": lambda x: tf.compat.v1.layers.dense(x, 1)}, "keras.layers for tf.layers"),
        (
            {
                "layer": lambda x: keras.layers.Dense(1)(x),
                "optimizer": lambda loss: tf.compat.v1.train.AdamOptimizer().minimize(loss),
            },
            "a Keras optimizer, with clipnorm",
        ),
        (
            {
                "layer": lambda x: keras.layers.Dense(1)(x),
                "metric": lambda y, p: tf.compat.v1.metrics.accuracy(y, p),
            },
            "keras.metrics for tf.metrics",
        ),
    ],
    ids=["tf.Variable", "tf.layers", "minimize", "tf.metrics"],
)
def test_what_only_graphs_have_is_refused_with_what_to_use(parts, why):
    with pytest.raises(ValueError, match=why):
        one_output(**parts).train(input_fn, steps=1)


def test_a_metric_that_has_seen_no_row_is_refused():
    layer, kinds = lambda x: keras.layers.Dense(1)(x), keras.metrics
    estimator = one_output(layer, metric=lambda y, p: kinds.MeanSquaredError())
    estimator.train(input_fn, steps=1)
    with pytest.raises(ValueError, match="update_state.*Received: 'm', which has seen no row"):
        estimator.evaluate(input_fn)


def test_hooks_that_need_a_session_are_refused(trained):
    class Mine(tf.compat.v1.train.SessionRunHook):
        pass

    with pytest.raises(TypeError, match=r"need a session.*adaptive_nets.estimator.*Received: Mine"):
        est.hooks.check_hooks([Mine()])
