"""What an `input_fn` may return, and how much of it is read."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from adaptive_nets import estimator as est
from adaptive_nets import generators, heads
from adaptive_nets.estimator import inputs

CONFIG = est.RunConfig()
X, Y = np.arange(12.0).reshape(6, 2), np.arange(6) % 2


def batches(data=X):
    return tf.data.Dataset.from_tensor_slices(({"x": data}, np.arange(len(data)) % 2)).batch(2)


@pytest.mark.parametrize(
    "input_fn",
    [
        lambda: tf.compat.v1.data.make_one_shot_iterator(batches()).get_next(),
        lambda: tf.compat.v1.data.make_one_shot_iterator(batches()),
        lambda: batches().make_one_shot_iterator().get_next(),
        lambda: ({"x": tf.constant(X)}, Y),
        lambda: iter(batches()),
    ],
)
def test_one_batch_of_tensors_is_refused(input_fn):
    for door in (inputs.for_training, inputs.for_prediction):
        with pytest.raises(ValueError, match=r"must return the tf.data.Dataset itself.*Received"):
            door(input_fn, CONFIG, None)
    with pytest.raises(ValueError, match="must return the tf.data.Dataset itself"):
        inputs.for_evaluation(input_fn, None, CONFIG, None)
    with pytest.raises(ValueError, match=r"tf.data.Dataset.zip\(\(features, labels\)\)"):
        inputs.for_training(lambda: (batches(), batches()), CONFIG, None)


def test_repetitions_are_read_as_training_goes_on():
    many = np.zeros((3000, 2))
    streamed = inputs.for_training(lambda: batches(many).repeat(20_000), CONFIG, None, 10)
    assert streamed.steps == 20_000 * 1500
    assert int(streamed.arguments["x"].cardinality()) == tf.data.INFINITE_CARDINALITY
    for dataset, finite in ((batches(many), False), (batches().repeat(3), False)):
        given = inputs.for_training(lambda d=dataset: d, CONFIG, None, finite=lambda f=finite: f)
        assert int(given.arguments["x"].cardinality()) == given.steps == int(dataset.cardinality())
    kept = inputs.for_training(lambda: batches(many).repeat(20), CONFIG, None, finite=lambda: True)
    assert int(kept.arguments["x"].cardinality()) == kept.steps == 30_000


def test_input_functions_over_arrays_and_tables():
    frame = pd.DataFrame({"age": X[:, 0], "job": list("abcabc")}, index=list("uvwxyz"))
    y = pd.Series(Y, index=frame.index)
    make = est.inputs.pandas_input_fn
    (one,) = make(frame, y, batch_size=6, shuffle=False)().as_numpy_iterator()
    assert one[0]["age"].tolist() == frame["age"].tolist() and one[1].tolist() == Y.tolist()
    assert one[0]["job"].tolist() == [b"a", b"b", b"c"] * 2
    # Batches go on over the end of an epoch, as queues did.
    sizes = [len(b["age"]) for b in make(frame, None, 4, 2, True)().as_numpy_iterator()]
    assert sizes == [4, 4, 4]
    endless = est.inputs.numpy_input_fn(X, Y, num_epochs=None, shuffle=False)()
    assert int(endless.cardinality()) == tf.data.INFINITE_CARDINALITY
    for call, words in (
        (lambda: make(frame, y), "shuffle must be True or False"),
        (lambda: make(frame, y[::-1], shuffle=False), "the same index"),
        (lambda: make(frame, y, shuffle=False, target_column="age"), "target_column"),
        (lambda: est.inputs.numpy_input_fn(X, Y[:3], shuffle=False), "Received: 3, 6 rows"),
    ):
        with pytest.raises(ValueError, match=words):
            call()
    with pytest.warns(UserWarning, match="num_threads is accepted but ignored"):
        make(frame, y, shuffle=True, num_threads=4)


def test_metric_fn_gets_what_it_asks_for_and_rounds_last_as_long_as_the_data(tmp_path):
    table = pd.DataFrame(
        {"age": X[:, 0], "hours": np.arange(6, dtype="int32"), "w": np.arange(1.0, 7)}
    )
    labels = pd.Series(np.array(["no", "yes"])[Y])
    saved = []

    class Listener(est.CheckpointSaverListener):
        def after_save(self, session, global_step_value):
            saved.append(global_step_value)

    def metric_fn(predictions, features, config, params):
        assert {"class_ids", "logistic"} <= set(predictions) and config.tf_random_seed == 0
        return {"ages": np.mean(features["age"]), "k": float(params["k"])}

    def rows(labels=labels):
        return est.inputs.pandas_input_fn(table, labels, 2, shuffle=False)

    found = est.Estimator(
        est.BinaryClassHead("w", [0.3], label_vocabulary=["no", "yes"]), generators.Dense(2, [1]),
        max_iteration_steps=None, metric_fn=metric_fn, params={"k": 3}, max_iterations=2,
        config=est.RunConfig(str(tmp_path), tf_random_seed=0), force_grow=True, jit_compile=False,
    )  # fmt: skip
    found.train(rows(), saving_listeners=[Listener()])
    assert saved == [3] and found.load(found.latest_checkpoint()).state.iteration == 1
    measured = found.evaluate(rows())
    assert (measured["ages"], measured["k"]) == (5.0, 3.0)
    assert "recall/positive_threshold_0.3" in measured
    likely = np.array([row["logistic"][0] for row in found.predict(rows(None))])
    truth = Y == 1
    losses = -np.log(np.where(truth, likely, 1 - likely))
    assert measured["average_loss"] == pytest.approx(np.average(losses, weights=table["w"]))
    spec = {"age": tf.io.FixedLenFeature([], tf.float32), "w": tf.io.VarLenFeature(tf.float32),
            "hours": tf.io.FixedLenFeature([], tf.int64)}  # fmt: skip
    receive = est.export.build_parsing_serving_input_receiver_fn(spec)
    served = tf.saved_model.load(found.export_savedmodel(tmp_path / "export", receive))
    example = tf.train.Example()
    example.features.feature["age"].float_list.value.append(X[3, 0])
    example.features.feature["hours"].int64_list.value.append(3)
    answer = served.signatures["predict"](examples=tf.constant([example.SerializeToString()]))
    assert answer["probabilities"][0, 1].numpy() == pytest.approx(likely[3], rel=1e-5)
    # A tf.Example has int64 alone: what the model's int32 cannot hold is refused.
    example.features.feature["hours"].int64_list.value[0] = 3 + 2**32
    with pytest.raises(tf.errors.InvalidArgumentError, match="must fit in int32"):
        served.signatures["predict"](examples=tf.constant([example.SerializeToString()]))


def test_a_pool_may_depend_on_the_round():
    def pool(config, iteration_number):
        return {f"d{iteration_number}": lambda: None}

    made = est.AutoEnsembleEstimator(heads.BinaryClass(), pool, 5)._settings["generator"]
    assert [b.name for i in (1, 2) for b in made.generate(None, i, [])] == ["d0", "d1"]
    est.AutoEnsembleEstimator(heads.BinaryClass(), lambda settings: {"a": lambda: None}, 5)
    with pytest.raises(TypeError, match="candidate_pool must be a function that needs no"):
        est.AutoEnsembleEstimator(heads.BinaryClass(), lambda a, b: {}, 5)
