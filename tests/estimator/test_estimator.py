"""Training, evaluation and prediction as of tf.estimator, over the same search."""

import sys
import typing

import keras
import numpy as np
import pytest
import sklearn.metrics
import tensorflow as tf
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.preprocessing import StandardScaler

import adaptive_nets as an
from adaptive_nets import estimator as est

pytestmark = pytest.mark.usefixtures("few_chunks")

X, Y = load_digits(return_X_y=True)
X = (X / 16).astype("float32")
# To give up an endless iterator that tunes itself takes seconds.
UNTUNED = tf.data.Options()
UNTUNED.autotune.enabled = False
TRAIN, TEST = slice(0, 1200), slice(1200, 1500)


def rows(part, batch=32, x=X, y=Y, repeat=False):
    def input_fn():
        found = tf.data.Dataset.from_tensor_slices(({"pixels": x[part]}, y[part]))
        return ((found.repeat() if repeat else found).batch(batch)).with_options(UNTUNED)

    return input_fn


endless = rows(TRAIN, repeat=True)


def made(folder=None, **settings):
    settings = {"max_iteration_steps": 30, "adanet_lambda": 1e-3, "force_grow": True, **settings}
    config = est.RunConfig(tf_random_seed=0, save_checkpoints_secs=0.01)
    generator = an.generators.Dense([8, 12], 1, learning_rate=0.02)
    return est.Estimator(
        an.heads.MultiClass(10), generator, model_dir=folder, config=config, jit_compile=False,
        **settings,
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two rounds, undisturbed."""
    return made(tmp_path_factory.mktemp("trained")).train(endless, max_steps=60)


def weights(estimator):
    return [estimator.get_variable_value(n) for n in estimator.get_variable_names()]


def test_steps_add_up_and_stopping_changes_nothing(trained, tmp_path):
    found = made(tmp_path)
    assert found.latest_checkpoint() is None
    for steps, expected in ((10, 10), (15, 25), (10, 35)):
        assert found.train(endless, steps=steps) is found
        assert found.evaluate(rows(TEST))["global_step"] == expected
    # Another object on the same folder goes on.
    again = made(tmp_path).train(endless, max_steps=60)
    assert again.get_variable_value("global_step") == 60
    assert again.get_variable_names() == trained.get_variable_names()
    for one, other in zip(weights(trained), weights(again), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    before = again.latest_checkpoint()
    again.train(endless, max_steps=60)
    assert again.latest_checkpoint() == before


def test_data_that_ends_ends_the_training(tmp_path):
    found = made(tmp_path).train(rows(slice(0, 320)))
    assert found.get_variable_value("global_step") == 10
    found.train(rows(slice(0, 320)), max_steps=100)
    assert found.get_variable_value("global_step") == 20


def test_evaluation_is_what_sklearn_says_and_goes_to_tensorboard(trained, monkeypatch):
    # TensorFlow can be installed without the package that reads it.
    for name in ("tensorboard", "tensorboard.summary.v2"):
        monkeypatch.setitem(sys.modules, name, None)
    found = trained.evaluate(rows(TEST, 50), name="test")
    likely = np.array([p["probabilities"] for p in trained.predict(rows(TEST))])
    assert found["accuracy"] == pytest.approx(
        sklearn.metrics.accuracy_score(Y[TEST], likely.argmax(1))
    )
    loss = sklearn.metrics.log_loss(Y[TEST], likely, labels=range(10))
    assert found["loss"] == found["average_loss"] == pytest.approx(loss, abs=1e-5)
    assert (found["global_step"], found["iteration"]) == (60, 2)
    (file,) = tf.io.gfile.glob(f"{trained.model_dir}/eval_test/*")
    events = [e for e in tf.compat.v1.train.summary_iterator(file) if e.summary.value]
    written = {v.tag: (float(tf.make_ndarray(v.tensor)), e.step) for e in events
               for v in e.summary.value}  # fmt: skip
    assert written["accuracy"] == (pytest.approx(found["accuracy"]), 60)
    # Of the first batches only.
    some = trained.evaluate(rows(TEST, 50), steps=2)
    expected = sklearn.metrics.accuracy_score(Y[TEST][:100], likely[:100].argmax(1))
    assert some["accuracy"] == pytest.approx(expected)


def test_predictions_have_tf_estimators_names(trained):
    one = next(trained.predict(rows(TEST)))
    assert {k: (v.shape, v.dtype.kind) for k, v in one.items()} == {
        "logits": ((10,), "f"),
        "probabilities": ((10,), "f"),
        "class_ids": ((1,), "i"),
        "classes": ((1,), "O"),
    }
    assert one["classes"][0] == str(one["class_ids"][0]).encode()
    batch = next(trained.predict(rows(TEST), "class_ids", yield_single_examples=False))
    assert list(batch) == ["class_ids"] and batch["class_ids"].shape == (32, 1)

    def features():
        return tf.data.Dataset.from_tensor_slices({"pixels": X[TEST]}).batch(64)

    assert len(list(trained.predict(features))) == 300
    with pytest.raises(ValueError, match="predict_keys must be among class_ids"):
        next(trained.predict(rows(TEST), ["class"]))


def test_two_classes_and_numbers(tmp_path):
    x, y = load_breast_cancer(return_X_y=True)
    x = StandardScaler().fit_transform(x).astype("float32")
    data = rows(slice(None), 64, x, y)
    found = est.Estimator(
        an.heads.BinaryClass(), an.generators.Dense(8, 1), 40, model_dir=tmp_path / "a",
        metric_fn=lambda labels, predictions: {
            "brier": np.mean((predictions["probabilities"][:, 1] - labels[:, 0]) ** 2)
        },
    )  # fmt: skip
    found.train(rows(slice(None), 64, x, y, repeat=True), steps=40)
    measured = found.evaluate(data)
    likely = np.array([p["logistic"][0] for p in found.predict(data)])
    assert measured["auc"] == pytest.approx(sklearn.metrics.roc_auc_score(y, likely), abs=2e-3)
    precision = sklearn.metrics.average_precision_score(y, likely)
    assert measured["auc_precision_recall"] == pytest.approx(precision, abs=5e-3)
    assert measured["label/mean"] == pytest.approx(y.mean())
    assert measured["prediction/mean"] == pytest.approx(likely.mean(), abs=1e-6)
    assert measured["accuracy_baseline"] == pytest.approx(y.mean())
    assert measured["brier"] == pytest.approx(np.mean((likely - y) ** 2), abs=1e-6)
    idle = est.Estimator(
        an.heads.BinaryClass(), an.generators.Dense(8, 1), 40, model_dir=tmp_path / "a",
        metric_fn=lambda: {"right": keras.metrics.BinaryAccuracy()},
    )  # fmt: skip
    with pytest.raises(ValueError, match="metric_fn must return.*updated.*Received: 'right'"):
        idle.evaluate(data)

    x, y = load_diabetes(return_X_y=True)
    data = rows(slice(None), 64, x.astype("float32"), y)
    found = est.Estimator(
        an.heads.Regression(), an.generators.Dense(8, 1), 40, model_dir=tmp_path / "b"
    ).train(rows(slice(None), 64, x.astype("float32"), y, repeat=True), steps=40)
    predicted = np.array([p["predictions"][0] for p in found.predict(data)])
    measured = found.evaluate(data)
    assert measured["average_loss"] == pytest.approx(np.mean((predicted - y) ** 2), rel=1e-4)
    assert measured["prediction/mean"] == pytest.approx(predicted.mean(), rel=1e-5)


def test_a_batch_of_tensors_and_arguments_of_input_fn(tmp_path):
    seen = []

    def input_fn(mode, params):
        seen.append((mode, params["rows"]))
        part = slice(0, params["rows"])
        return {"pixels": X[part]}, Y[part]

    found = made(tmp_path, params={"rows": 200}).train(input_fn, steps=20)
    assert found.get_variable_value("global_step") == 20
    assert found.evaluate(input_fn)["accuracy"] > 0.5
    next(found.predict(input_fn))
    keys = est.ModeKeys
    assert seen == [(keys.TRAIN, 200), (keys.EVAL, 200), (keys.PREDICT, 200)]


def test_chosen_by_an_evaluator_and_reported(tmp_path):
    class Listening(an.generators.Dense):
        heard: typing.ClassVar = []

        def generate(self, previous, iteration, reports):
            self.heard += [r.metrics for r in reports]
            return super().generate(previous, iteration, reports)

    found = est.Estimator(
        an.heads.MultiClass(10), Listening([4, 16], 1, learning_rate=0.02), 40,
        evaluator=est.Evaluator(rows(TEST), "accuracy", "maximize", steps=5),
        report_materializer=est.ReportMaterializer(rows(TEST), steps=5),
        model_dir=tmp_path, max_iterations=2, force_grow=True,
    )  # fmt: skip
    found.train(endless)
    board = an.AdaNet.load(
        tmp_path, generator=an.generators.Dense(), evaluator=an.adanet.Evaluator()
    ).leaderboard()
    first = board[board["round"] == 1]
    assert first[first.status == "selected"].objective.iloc[0] == first.objective.min() < -0.5
    assert all("accuracy" in each for each in Listening.heard) and Listening.heard


def test_begins_from_another_search(trained, tmp_path):
    found = made(tmp_path / "new", warm_start_from=trained.model_dir)
    found.train(endless, max_steps=70)
    assert found.get_variable_value("global_step") == 70
    assert trained.get_variable_value("global_step") == 60
    old = {n: trained.get_variable_value(n) for n in trained.get_variable_names()[1:]}
    for name in set(old) & set(found.get_variable_names()):
        np.testing.assert_array_equal(found.get_variable_value(name), old[name])
    with pytest.raises(ValueError, match="no search to start from"):
        made(tmp_path / "other", warm_start_from=tmp_path / "missing").train(endless, steps=1)


def test_bad_input_is_refused_and_nothing_is_written(tmp_path, trained):
    found = made(tmp_path / "a")
    for call in (found.evaluate, lambda f: next(found.predict(f))):
        with pytest.raises(ValueError, match="Could not find a trained model"):
            call(rows(TEST))
    for input_fn, words in (
        (lambda: X, "input_fn must return a tf.data.Dataset or"),
        (lambda: (X, Y[:5]), "must have the same number of rows"),
        (lambda: tf.data.Dataset.from_tensor_slices(X).batch(5), "must yield"),
    ):
        with pytest.raises(ValueError, match=words):
            found.train(input_fn, steps=1)
    with pytest.raises(TypeError, match="input_fn must be a function"):
        found.train(endless(), steps=1)
    with pytest.raises(ValueError, match="Pass only one of steps and max_steps"):
        found.train(endless, steps=1, max_steps=2)
    with pytest.raises(TypeError, match="hooks must be"):
        found.train(endless, hooks=[3], steps=1)
    assert found.latest_checkpoint() is None
    with pytest.raises(ValueError, match="is infinite: pass steps"):
        trained.evaluate(endless)
    for wrong in (X[:, :5], {"pixels": X[:, :5]}, {"other": X}):

        def input_fn(wrong=wrong):
            return tf.data.Dataset.from_tensor_slices((wrong, Y)).batch(5)

        with pytest.raises(ValueError, match="must return the features of the training"):
            trained.evaluate(input_fn)
        with pytest.raises(ValueError, match="fit.features: stored"):
            trained.train(input_fn, steps=5)
    with pytest.warns(UserWarning, match="worker_wait_secs is accepted but ignored"):
        made(tmp_path / "b", worker_wait_secs=3)
    with pytest.raises(TypeError, match="list of at least two adanet.Ensemblers"):
        made(tmp_path / "c", ensemblers=["scalar", "vector"])
    with pytest.raises(ValueError, match="State file .* does not exist"):
        trained.evaluate(rows(TEST), checkpoint_path="state-999999.json")


def test_hooks_and_callbacks_are_played(tmp_path):
    class Record(est.SessionRunHook):
        def __init__(self):
            self.calls, self.steps = [], []

        def begin(self):
            self.calls.append("begin")

        def after_run(self, run_context, run_values):
            self.steps.append(int(run_values.results["global_step"]))
            assert np.isfinite(run_values.results["loss"])

        def end(self, session):
            self.calls.append("end")

    class Stop(est.SessionRunHook):
        def after_run(self, run_context, run_values):
            if run_values.results["global_step"] >= 3:
                run_context.request_stop()

    class Count(keras.callbacks.Callback):
        batches = 0

        def on_train_batch_end(self, batch, logs=None):
            self.batches += 1

    record, count, counter = Record(), Count(), est.StepCounterHook(5)
    lines = []
    log = est.LoggingTensorHook(["loss"], every_n_iter=5, formatter=lambda v: lines.append(v) or "")
    found = made(tmp_path / "a").train(
        endless, [record, count, counter, log, est.StopAtStepHook(num_steps=23)]
    )
    assert found.get_variable_value("global_step") == 23
    assert record.calls == ["begin", "end"] and record.steps[-1] == 23
    # A hook is called after each step, and stops the training there.
    assert record.steps == list(range(1, 24)) and count.batches == 23
    assert counter.steps_per_second > 0 and lines and set(lines[0]) == {"loss"}
    found.train(endless, [est.StopAtStepHook(last_step=26)], steps=100)
    assert found.get_variable_value("global_step") == 26
    stopped = made(tmp_path / "b").train(endless, [Stop()], max_steps=10_000)
    assert stopped.get_variable_value("global_step") == 3
    with pytest.raises(ValueError, match="Only 'loss' and 'global_step' can be logged"):
        est.LoggingTensorHook(["dense/kernel"], every_n_iter=5)
    with pytest.warns(UserWarning, match="save_steps is accepted but ignored: checkpoints go by"):
        est.CheckpointSaverHook(save_steps=5)
    with pytest.raises(ValueError, match="exactly one of save_secs and save_steps"):
        est.CheckpointSaverHook()


def test_a_dataset_of_unknown_length_is_not_read_beyond_the_steps(tmp_path):
    read = []

    def batches():
        for k in range(1000):
            read.append(k)
            yield X[:32], Y[:32]

    def input_fn():
        spec = (tf.TensorSpec((32, 64), tf.float32), tf.TensorSpec((32,), tf.int64))
        return tf.data.Dataset.from_generator(batches, output_signature=spec)

    estimator = made(tmp_path, max_iteration_steps=4)
    estimator.train(input_fn, max_steps=2)
    # Once to count them, once to read a whole round's, and the first batch for its size.
    assert max(read) <= 3 and len(read) <= 2 + 4 + 1
