"""The cases of adanet's auto-ensemble test."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from xor_builders import once

from adaptive_nets import estimator as est
from adaptive_nets.estimator import adanet

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


def test_candidates_are_named_and_give_logits():
    for name in ("logits_fn", "last_layer_fn"):
        with pytest.raises(ValueError, match=f"{name} is not supported.*Keras models that output"):
            adanet.AutoEnsembleEstimator(HEAD, both(), 10, **{name: len})


def test_model_functions_are_no_candidates(tmp_path):
    own = est.Estimator(model_fn=lambda features, mode: None, model_dir=tmp_path)
    with pytest.raises(TypeError, match="model must be a keras.Model, a function"):
        adanet.AutoEnsembleSubestimator(own)


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
