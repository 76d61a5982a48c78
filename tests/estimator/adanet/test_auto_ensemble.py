"""The cases of adanet's auto-ensemble test."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from xor_builders import once

from adaptive_nets import estimator as est
from adaptive_nets.estimator import adanet
from adaptive_nets.estimator.auto_ensemble import PoolGenerator

X, Y = np.array([[1.0, 0.0]], "float32"), np.array([[1.0]], "float32")
COLUMNS = [tf.feature_column.numeric_column("x", shape=[2])]
HEAD = est.RegressionHead()


def canned(kind, config=None, **more):
    return kind(
        head=HEAD, feature_columns=COLUMNS, config=config,
        optimizer=lambda: keras.optimizers.SGD(0.01), **more,
    )  # fmt: skip


def both(config=None):
    return {
        "dnn": canned(est.DNNEstimator, config, hidden_units=[3]),
        "linear": canned(est.LinearEstimator, config),
    }


def bagged(train_input_fn):
    sub = adanet.AutoEnsembleSubestimator
    return {
        "same": sub(canned(est.LinearEstimator)),
        "different": sub(canned(est.DNNEstimator, hidden_units=[3]), train_input_fn),
    }


OTHER = np.array([[0.0, 1.0], [0.0, 1.0]], "float32")
POOLS = {
    "dict_candidate_pool": (both, 30),
    "list_candidate_pool": (lambda: list(both().values()), 30),
    "candidate_pool_lambda": (lambda: both, 30),
    "bagging": (lambda: bagged(once(OTHER[:1], Y)), 30),
    "bagging_out_of_range_error": (
        lambda: bagged(
            lambda: tf.data.Dataset.from_tensor_slices(({"x": OTHER}, np.ones((2, 1)))).batch(1)
        ),
        15,
    ),
}


def live(name, folder):
    pool, steps = POOLS[name]
    data = lambda: once(X, Y)().repeat(steps)  # noqa: E731
    estimator = adanet.AutoEnsembleEstimator(
        head=HEAD, candidate_pool=pool(), max_iteration_steps=10, force_grow=True,
        model_dir=str(folder / "model"), config=est.RunConfig(tf_random_seed=42),
    )  # fmt: skip
    estimator.train(data, max_steps=steps)
    found = estimator.evaluate(data, steps=1)
    assert found["global_step"] == steps and found["loss"] < 0.3
    (row,) = estimator.predict(lambda: {"x": X})

    def serving_input_fn():
        given = tf.compat.v1.placeholder(tf.string, (None,), name="serialized_example")
        return est.export.ServingInputReceiver({"x": tf.constant(X)}, given)

    exported = estimator.export_saved_model(folder / "export", serving_input_fn)
    served = tf.saved_model.load(exported).signatures["predict"]
    answer = served(examples=tf.constant([b""]))["predictions"]
    np.testing.assert_allclose(answer, [row["predictions"]], atol=1e-5)


def test_lifecycle(tmp_path):
    live("bagging_out_of_range_error", tmp_path)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", [name for name in POOLS if not name.endswith("range_error")])
def test_every_lifecycle(name, tmp_path):
    live(name, tmp_path)


def several_outputs(units=1):
    x = keras.Input((2,), name="x")
    hidden = keras.layers.Dense(3, "tanh")(x)
    outputs = {"hidden": hidden, "out": keras.layers.Dense(units)(hidden)}
    return keras.Model({"x": x}, outputs)


def built(pool, **hooks):
    (builder,) = PoolGenerator(pool, **hooks).generate(None, 1, [])
    return builder.build({"x": keras.Input((2,), name="x")}, 1)


def test_logits_and_last_layers_are_read_from_the_outputs(tmp_path):
    pool = {"mine": several_outputs(), "linear": canned(est.LinearEstimator)}
    estimator = adanet.AutoEnsembleEstimator(
        HEAD, pool, max_iteration_steps=2, force_grow=True, model_dir=str(tmp_path),
        logits_fn=lambda spec: spec.predictions.get("out", spec.predictions.get("logits")),
        last_layer_fn=lambda spec: spec.predictions.get("hidden", spec.predictions.get("logits")),
        mixture_weight_type="matrix", ensemble_strategies="all",
    )  # fmt: skip
    estimator.train(lambda: once(X, Y)().repeat(2), max_steps=2)
    search = estimator.load(estimator.latest_checkpoint())
    sizes = {}
    for member in search.ensemble.members:
        found = member.model({"x": X})
        sizes[member.name] = found["last_layer"].shape[-1]
        if member.name == "1_mine":
            kernel, bias = member.model.get_weights()[-2:]
            np.testing.assert_allclose(found["last_layer"] @ kernel + bias, found["logits"], 1e-5)
    assert sizes == {"1_mine": 3, "1_linear": 1}


def test_outputs_without_functions_are_read_by_their_names():
    x = keras.Input((2,), name="x")
    outputs = {name: keras.layers.Dense(1)(x) for name in ("logits", "predictions", "z")}
    for left in ("logits", "predictions"):
        model = keras.Model({"x": x}, dict(outputs))
        logits = built({"mine": model}).logits
        assert logits.shape == (None, 1) and left in outputs
        outputs.pop(left)
    heads = built({"mine": keras.Model({"x": x}, {**outputs, "a": outputs["z"]})}).logits
    assert sorted(heads) == ["a", "z"]


def test_outputs_that_are_not_there_are_named():
    outputs = {"mine": several_outputs()}
    for name in ("logits_fn", "last_layer_fn"):
        for function, words in (
            (lambda spec: spec.predictions["soup"], f"{name} asks for 'soup', which candidate"),
            (lambda spec: 3.0, f"{name} must return one of the outputs of candidate 'mine'"),
        ):
            given = {"logits_fn": lambda spec: spec.predictions["out"], name: function}
            with pytest.raises(ValueError, match=f"{words}.*hidden, out"):
                built(outputs, **given)
        with pytest.raises(TypeError, match=f"{name} must be a function"):
            adanet.AutoEnsembleEstimator(HEAD, outputs, 10, **{name: 3})
    squashed = keras.Model(
        (model := several_outputs()).inputs,
        {"logits": keras.layers.Activation("sigmoid")(model.outputs[1]), "a": model.outputs[0]},
    )
    with pytest.raises(ValueError, match="ends with a sigmoid"):
        built({"mine": squashed})


def model_function(network):
    def model_fn(features, labels, mode):
        return est.EstimatorSpec(mode, network(features["x"], mode))

    return adanet.AutoEnsembleSubestimator(est.Estimator(model_fn=model_fn), optimizer="sgd")


def test_model_functions_of_keras_layers_are_candidates(tmp_path):
    def network(x, mode):
        hidden = keras.layers.Dropout(0.5)(keras.layers.Dense(3, "relu")(x))
        return {"logits": keras.layers.Dense(1)(hidden), "squares": keras.ops.square(hidden)}

    estimator = adanet.AutoEnsembleEstimator(
        HEAD, {"mine": model_function(network)}, max_iteration_steps=2, force_grow=True,
        model_dir=str(tmp_path),
    )  # fmt: skip
    estimator.train(lambda: once(X, Y)().repeat(2), max_steps=2)
    (row,) = estimator.predict(lambda: {"x": X})
    assert np.isfinite(row["predictions"]).all()


def test_model_functions_that_are_no_network_are_refused():
    def asks(x, mode):
        rate = 0.5 if mode == est.ModeKeys.TRAIN else 0.0
        return keras.layers.Dense(1)(keras.layers.Dropout(rate)(x))

    own = est.Estimator(model_fn=lambda features, mode: None)
    for pool, words in (
        (lambda: {"a": own}, "optimizer is missing: a candidate with a model_fn"),
        (lambda: {"a": model_function(asks)}, "'a' .*the same network in each mode"),
        (lambda: {"a": model_function(lambda x, mode: tf.nn.relu(x))}, "'a' cannot be called"),
        (
            lambda: {"a": adanet.AutoEnsembleSubestimator(own, optimizer="sgd")},
            "'a' .*EstimatorSpec",
        ),
    ):
        with pytest.raises(ValueError, match=words):
            built(pool())


@pytest.mark.exhaustive
def test_a_saver_hook_beside_classifiers(tmp_path):
    def classifier(kind, **more):
        return kind(feature_columns=COLUMNS, optimizer="SGD", **more)

    with pytest.warns(UserWarning, match="save_steps is accepted but ignored"):
        hook = est.CheckpointSaverHook(str(tmp_path), save_steps=1)
    estimator = adanet.AutoEnsembleEstimator(
        est.BinaryClassHead(),
        [classifier(est.LinearClassifier), classifier(est.DNNClassifier, hidden_units=[3])],
        max_iteration_steps=3, force_grow=True, model_dir=str(tmp_path),
    )  # fmt: skip
    estimator.train(lambda: once(X, Y)().repeat(), max_steps=6, hooks=[hook])
    assert estimator.evaluate(once(X, Y))["global_step"] == 6
