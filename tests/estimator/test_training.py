"""train_and_evaluate, exporters, exports, and two processes on one folder."""

import json
import os
import pathlib
import textwrap
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits

import adaptive_nets as an
from adaptive_nets import estimator as est

pytestmark = pytest.mark.usefixtures("few_chunks")

X, Y = load_digits(return_X_y=True)
X = (X / 16).astype("float32")
SPEC = {"pixels": tf.io.FixedLenFeature([64], tf.float32)}
PARSING = est.export.build_parsing_serving_input_receiver_fn(SPEC)

# To give up an endless iterator that tunes itself takes seconds.
UNTUNED = tf.data.Options()
UNTUNED.autotune.enabled = False


def data(part, repeat=False):
    def input_fn():
        found = tf.data.Dataset.from_tensor_slices(({"pixels": X[part]}, Y[part]))
        return (found.repeat() if repeat else found).batch(32).with_options(UNTUNED)

    return input_fn


TRAIN, TEST = data(slice(0, 1200), True), data(slice(1200, 1500))


def made(folder, generator=None, **settings):
    settings = {"max_iteration_steps": 20, "max_iterations": 2, "force_grow": True, **settings}
    generator = generator or an.generators.Dense(8, 1, learning_rate=0.02)
    return est.Estimator(
        an.heads.MultiClass(10), generator, model_dir=folder, adanet_lambda=1e-3,
        config=est.RunConfig(tf_random_seed=0, save_checkpoints_secs=0.1), jit_compile=False,
        **settings,
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return made(tmp_path_factory.mktemp("trained")).train(TRAIN, max_steps=20)


class Interrupting(est.SessionRunHook):
    """Ends the process's training at its first step."""

    def after_run(self, run_context, run_values):
        raise InterruptedError


def test_before_the_first_decision_there_is_no_checkpoint(tmp_path):
    found = made(tmp_path)
    with pytest.raises(InterruptedError):
        found.train(TRAIN, max_steps=20, hooks=[Interrupting()])
    # There is a state, so that training goes on, but nothing that could be evaluated.
    assert list(tmp_path.glob("state-*.json")) and found.latest_checkpoint() is None
    with pytest.raises(ValueError, match="Could not find a trained model"):
        found.evaluate(TEST)
    found.train(TRAIN, max_steps=20)
    assert found.latest_checkpoint() and found.evaluate(TEST)["global_step"] == 20


def test_callbacks_among_the_hooks_do_in_a_search_what_they_do_in_keras(tmp_path):
    with pytest.raises(ValueError, match="SwapEMAWeights: .*use_ema=True"):
        made(tmp_path).train(TRAIN, max_steps=40, hooks=[keras.callbacks.SwapEMAWeights()])
    assert not list(tmp_path.iterdir())
    halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    # The first round's loss is the highest.
    best = keras.callbacks.EarlyStopping("loss", mode="max", restore_best_weights=True)
    made(tmp_path).train(TRAIN, max_steps=40, hooks=[halve, best])
    found = an.AdaNet.load(tmp_path)
    assert found.state.rate_factor == pytest.approx(0.25)
    assert found.state.iteration == 2 and len(found.ensemble.members) == 1


def examples(rows):
    return [
        tf.train.Example(
            features=tf.train.Features(
                feature={"pixels": tf.train.Feature(float_list=tf.train.FloatList(value=row))}
            )
        ).SerializeToString()
        for row in rows
    ]


def test_local_training_is_paused_for_evaluations_and_exports(tmp_path):
    class Count(est.Exporter):
        seen = ()

        def export(self, estimator, export_path, checkpoint_path, eval_result, is_the_final_export):
            assert os.path.exists(checkpoint_path) and export_path.endswith("count")
            self.seen = (*self.seen, (eval_result["global_step"], is_the_final_export))

    count = Count("count")
    exporters = [
        est.LatestExporter("latest", PARSING, exports_to_keep=1),
        est.FinalExporter("final", PARSING),
        est.BestExporter("best", PARSING),
        count,
    ]
    estimator = made(tmp_path, max_iteration_steps=400)
    found, exports = est.train_and_evaluate(
        estimator,
        est.TrainSpec(TRAIN, max_steps=800),
        est.EvalSpec(TEST, steps=None, exporters=exporters, throttle_secs=0.15),
    )
    steps = [step for step, _ in count.seen]
    assert len(steps) >= 2 and steps == sorted(steps) and steps[-1] == 800
    assert [final for _, final in count.seen] == [False] * (len(steps) - 1) + [True]
    assert found["global_step"] == 800 and found["accuracy"] > 0.85
    folder = pathlib.Path(tmp_path, "export")
    assert len(est.export.exports_in(folder / "latest")) == 1
    assert [str(p) for p in est.export.exports_in(folder / "final")] == [exports[1]]
    best = json.loads((folder / "best" / "best.json").read_text())
    assert est.export.exports_in(folder / "best") and best["loss"] <= found["loss"]
    # Whatever was stopped in between, the steps are those of an undisturbed search.
    whole = made(tmp_path / "whole", max_iteration_steps=400).train(TRAIN, max_steps=800)
    for name in whole.get_variable_names():
        one, other = (e.get_variable_value(name) for e in (whole, estimator))
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_the_best_is_exported_and_remembered(trained, tmp_path):
    best = est.BestExporter("best", PARSING, exports_to_keep=1)
    found = []
    for loss in (0.5, 0.6, 0.4, 0.45):
        exporter = best if loss > 0.42 else est.BestExporter("best", PARSING, exports_to_keep=1)
        # adanet's results have a text of bytes too.
        results = {"loss": loss, "architecture/adanet/ensembles": b"| dnn |"}
        found.append(exporter.export(trained, str(tmp_path / "e"), None, results, False))
    assert [path is not None for path in found] == [True, False, True, False]
    assert [str(p) for p in est.export.exports_in(tmp_path / "e")] == [found[2]]


@pytest.mark.parametrize("damage", ["", "{", "[1]", '{"loss": 0.1', "\x00\xff"])
def test_a_damaged_best_result_is_named_and_replaced(tmp_path, damage):
    (tmp_path / "best.json").write_text(damage)
    best = est.BestExporter("best", PARSING)
    with pytest.warns(UserWarning, match="best.json is damaged"):
        assert best.wants(str(tmp_path), {"loss": 0.5}, False)


def test_exports_are_numbered_upwards_where_the_clock_was_set_back(trained, tmp_path):
    (tmp_path / "e" / "4000000000").mkdir(parents=True)
    exporter = est.LatestExporter("latest", PARSING, exports_to_keep=1)
    path = exporter.export(trained, str(tmp_path / "e"), None, {}, False)
    assert [str(p) for p in est.export.exports_in(tmp_path / "e")] == [path]
    assert pathlib.Path(path).name == "4000000001"


@pytest.mark.parametrize("kind", ["examples", "raw", "own"])
def test_exports_take_what_the_receiver_says(kind, trained, tmp_path):
    def own():
        given = tf.compat.v1.placeholder(tf.float32, [None, 8, 8], name="image")
        return est.export.ServingInputReceiver(
            {"pixels": tf.reshape(given, [-1, 64]) / 16}, {"image": given}
        )

    receivers = {
        "examples": (PARSING, {"examples": tf.constant(examples(X[:9]))}),
        "raw": (
            est.export.build_raw_serving_input_receiver_fn({"pixels": X[:1]}),
            {"pixels": tf.constant(X[:9])},
        ),
        "own": (own, {"image": tf.constant(X[:9].reshape(-1, 8, 8) * 16)}),
    }
    receiver, given = receivers[kind]
    path = trained.export_saved_model(tmp_path, receiver)
    assert pathlib.Path(path).parent == tmp_path and pathlib.Path(path).name.isdigit()
    served = tf.saved_model.load(path)
    expected = np.array([p["probabilities"] for p in trained.predict(data(slice(0, 9)))])
    found = served.signatures["predict"](**given)["probabilities"]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    if kind == "examples":
        for name in ("serving_default", "classify"):
            scored = served.signatures[name](inputs=given["examples"])
            np.testing.assert_allclose(scored["scores"], expected, atol=1e-5)
    else:
        assert "classify" not in served.signatures
    # Another export at the same second has a place of its own.
    assert trained.export_saved_model(tmp_path, receiver) != path


def test_outputs_of_subnetworks_are_exported_on_request(trained, tmp_path):
    estimator = made(
        trained.model_dir, export_subnetwork_logits=True, export_subnetwork_last_layer=True
    )
    served = tf.saved_model.load(estimator.export_saved_model(tmp_path, PARSING))
    found = served.signatures["predict"](examples=tf.constant(examples(X[:3])))
    (name,) = [key for key in found if key.startswith("subnetwork_logits/")]
    assert found[name].shape == (3, 10)
    assert found[name.replace("logits", "last_layer")].shape == (3, 8)


def test_receivers_that_do_not_match_are_refused(trained, tmp_path):
    fewer = {"pixels": tf.io.FixedLenFeature([8], tf.float32)}
    for receiver, words in (
        (est.export.build_parsing_serving_input_receiver_fn(fewer), "does not match the model"),
        (est.export.build_raw_serving_input_receiver_fn({"other": X}), "does not match the model"),
        (lambda: 3, "must return a ServingInputReceiver"),
        (lambda: est.export.ServingInputReceiver(X, {"x": X}), "tf.compat.v1.placeholder"),
    ):
        with pytest.raises(ValueError, match=words):
            trained.export_saved_model(tmp_path / "e", receiver)
    with pytest.raises(ValueError, match="Could not find a trained model"):
        made(tmp_path / "new").export_saved_model(tmp_path / "e", PARSING)
    assert not (tmp_path / "e").exists()


SCRIPT = """
    import os, signal, sys
    sys.path.insert(0, sys.argv[1])
    import test_training as t
    from adaptive_nets import estimator as est

    class Die(est.SessionRunHook):
        def after_run(self, run_context, run_values):
            if len(sys.argv) > 3 and run_values.results["global_step"] >= int(sys.argv[3]):
                os.kill(os.getpid(), signal.SIGKILL)

    config = est.RunConfig(tf_random_seed=0, save_checkpoints_secs=0.001)
    estimator = t.made(sys.argv[2], max_iteration_steps=400)
    estimator._settings["checkpoint_seconds"] = 0.001
    estimator.train(t.TRAIN, [Die()], max_steps=700)
"""


def test_killed_in_the_middle_of_a_round_while_another_process_evaluates(tmp_path, python):
    given = ["-c", textwrap.dedent(SCRIPT), os.path.dirname(__file__)]
    whole, killed = str(tmp_path / "whole"), str(tmp_path / "killed")
    python.run(*given, whole)
    assert python.run(*given, killed, "520", check=False).returncode == -9
    again = python.start(*given, killed)
    reader, steps = made(killed, max_iteration_steps=400), []
    while again.poll() is None or not steps:
        steps.append(reader.evaluate(TEST, steps=1)["global_step"])
        time.sleep(0.01)
    assert again.returncode == 0
    assert steps == sorted(steps) and steps[0] == 400
    assert reader.evaluate(TEST)["global_step"] == 700
    other = made(whole, max_iteration_steps=400)
    for name in other.get_variable_names():
        one, two = (e.get_variable_value(name) for e in (other, reader))
        np.testing.assert_allclose(one, two, atol=1e-5)


def test_models_of_the_users_own(tmp_path):
    def network():
        return keras.Sequential([keras.layers.Dense(16, "relu"), keras.layers.Dense(10)])

    def sample():
        found = tf.data.Dataset.from_tensor_slices((X[:300], Y[:300]))
        return found.batch(32)

    def rows(part=slice(0, 1200), repeat=True):
        found = tf.data.Dataset.from_tensor_slices((X[part], Y[part]))
        return (found.repeat() if repeat else found).batch(32).with_options(UNTUNED)

    def finite():
        return rows(repeat=False)

    def pool(config):
        assert config.tf_random_seed == 0
        return {
            "linear": lambda: keras.layers.Dense(10),
            "bagged": est.AutoEnsembleSubestimator(network, sample, optimizer="sgd"),
        }

    estimator = est.AutoEnsembleEstimator(
        an.heads.MultiClass(10), pool, 38, model_dir=tmp_path / "a", max_iterations=2,
        learning_rate=0.02, config=est.RunConfig(tf_random_seed=0), ensemble_strategies="all",
    )  # fmt: skip
    estimator.train(finite)
    names = {name.split("/")[0] for name in estimator.get_variable_names()[1:]}
    assert names == {"1_linear", "1_bagged"}
    assert estimator.evaluate(lambda: rows(slice(1200, 1500), False))["accuracy"] > 0.7
    listed = est.AutoEnsembleEstimator(
        an.heads.MultiClass(10), [network], 5, model_dir=tmp_path / "b"
    ).train(rows, steps=5)
    assert listed.get_variable_names()[1].startswith("1_candidate_0/")
    for wrong in ({}, [], 3, "models"):
        with pytest.raises(ValueError, match="candidate_pool must be a non-empty dict or list"):
            est.AutoEnsembleEstimator(an.heads.MultiClass(10), wrong, 5)


def test_specs_and_configs_refuse_what_they_cannot_be(monkeypatch, tmp_path):
    for make, words in (
        (lambda: est.TrainSpec(TRAIN, max_steps=0), "max_steps must be an integer >= 1"),
        (lambda: est.EvalSpec(TEST, steps=0), "steps must be an integer >= 1"),
        (lambda: est.EvalSpec(TEST, throttle_secs=-1), "throttle_secs must be a finite number"),
        (lambda: est.LatestExporter("a/b", PARSING), "name must be a folder name"),
        (lambda: est.LatestExporter("a", PARSING, exports_to_keep=0), "exports_to_keep"),
        (lambda: est.RunConfig(save_checkpoints_secs=0), "save_checkpoints_secs must be a finite"),
        (lambda: est.RunConfig(eval_distribute="mirrored"), "is not supported"),
    ):
        with pytest.raises(ValueError, match=words):
            make()
    twice = [est.FinalExporter("a", PARSING), est.LatestExporter("a", PARSING)]
    with pytest.raises(ValueError, match="different names"):
        est.EvalSpec(TEST, exporters=twice)
    with pytest.raises(TypeError, match="train_spec must be an estimator.TrainSpec"):
        est.train_and_evaluate(made(tmp_path), TRAIN, est.EvalSpec(TEST))
    cluster = {"cluster": {"chief": ["a:1"], "ps": ["b:1"]}, "task": {"type": "ps", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(cluster))
    server = made(tmp_path)
    assert (server.config.task_type, server.config.is_chief) == ("ps", False)
    with pytest.raises(ValueError, match="Parameter servers are not supported"):
        est.train_and_evaluate(server, est.TrainSpec(TRAIN), est.EvalSpec(TEST))
    monkeypatch.setenv("TF_CONFIG", "{")
    with pytest.raises(ValueError, match="TF_CONFIG cannot be used"):
        est.RunConfig()
