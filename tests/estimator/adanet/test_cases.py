"""Further cases of adanet's estimator test: columns, heads, errors, exports, reports."""

import glob

import keras
import numpy as np
import pytest
import tensorflow as tf
from xor_builders import (
    DNNBuilder,
    LinearBuilder,
    X,
    Y,
    made,
    members,
    once,
    serving_input_fn,
    xor,
)

from adaptive_nets import estimator as est
from adaptive_nets.adanet import DivergedError
from adaptive_nets.estimator import adanet

fc = tf.feature_column
HASHED = fc.categorical_column_with_hash_bucket("human_names", hash_bucket_size=4)
LISTED = fc.categorical_column_with_vocabulary_list("human_names", ["alice", "bob"])


@pytest.mark.exhaustive
@pytest.mark.parametrize("column", [
    fc.indicator_column(HASHED), fc.indicator_column(LISTED),
    fc.embedding_column(HASHED, 2), fc.embedding_column(LISTED, 2),
])  # fmt: skip
def test_categorical_columns(column, tmp_path):
    def names():
        rows = {"human_names": [["alice"], ["bob"]]}, [[1.0], [0.0]]
        return tf.data.Dataset.from_tensors(rows).repeat()

    estimator = made(
        tmp_path, [LinearBuilder("simple", [column])], force_grow=True,
        report_materializer=adanet.ReportMaterializer(names, steps=1),
    )  # fmt: skip
    estimator.train(names, max_steps=3)
    assert estimator.evaluate(names, steps=1)["global_step"] == 3


@pytest.mark.parametrize(("given", "train", "error", "why"), [
    ({"generator": None, "builders": None}, {}, TypeError, "subnetwork_builders must be"),
    ({"max_iteration_steps": -1}, {}, ValueError, "steps_per_iteration"),
    ({"max_iteration_steps": 0}, {}, ValueError, "steps_per_iteration"),
    ({"max_iterations": -1}, {}, ValueError, "max_iterations must"),
    ({"max_iterations": 0}, {}, ValueError, "max_iterations must"),
    ({}, {"steps": 1, "max_steps": 1}, ValueError, "Pass only one of steps and max_steps"),
    ({}, {"steps": 0}, ValueError, "steps must"),
])  # fmt: skip
def test_train_error(given, train, error, why, tmp_path):
    builders = given.pop("builders", [DNNBuilder("dnn")])
    with pytest.raises(error, match=why):
        made(tmp_path, builders, **given).train(xor(), **train)


class NanBuilder(DNNBuilder):
    """A subnetwork whose loss is not a number."""

    def build_subnetwork(self, features, logits_dimension):
        logits = keras.layers.Dense(logits_dimension)(features["x"])
        broken = keras.layers.Rescaling(float("nan"))(logits)
        return adanet.Subnetwork(last_layer=features["x"], logits=broken, complexity=1)


@pytest.mark.exhaustive
def test_a_builder_whose_loss_is_not_a_number_is_left_out(tmp_path):
    with pytest.raises(DivergedError, match="All subnetworks of round 1 had a non-finite loss"):
        made(tmp_path / "a", [NanBuilder("nan")]).train(xor(), max_steps=1)
    for place, order in enumerate(([0, 1], [1, 0])):
        builders = [NanBuilder("nan"), DNNBuilder("dnn")]
        estimator = made(tmp_path / f"b{place}", [builders[k] for k in order])
        assert members(estimator.train(xor(), max_steps=1)) == ["dnn"]


class CNNBuilder(LinearBuilder):
    """A convolution of Keras layers."""

    def build_subnetwork(self, features, logits_dimension):
        image = keras.layers.Reshape((2, 2, 1))(next(iter(features.values())))
        x = keras.layers.Conv2D(3, 1, padding="same", activation="relu")(image)
        x = keras.layers.Flatten()(keras.layers.MaxPooling2D(2, strides=1)(x))
        x = keras.layers.Dense(3, activation="relu")(x)
        logits = keras.layers.Dense(logits_dimension)(x)
        return adanet.Subnetwork(last_layer=x, logits=logits, complexity=tf.constant(1))


@pytest.mark.exhaustive
def test_keras_layers(tmp_path):
    wide = np.tile(X, 2)
    judge = adanet.Evaluator(once(np.ones((1, 4), "float32"), np.zeros((1, 1))), steps=3)
    estimator = made(
        tmp_path, [CNNBuilder("cnn")], max_iteration_steps=3, evaluator=judge, force_grow=True
    ).train(xor(wide), max_steps=9)
    assert estimator.evaluate(xor(wide), steps=3)["loss"] < 0.262
    estimator.export_saved_model(tmp_path / "e", lambda: serving_input_fn(((0.0,) * 4,)))


class MultiHeadBuilder(LinearBuilder):
    """Logits of two heads, in one tensor or as a dict in another order."""

    def __init__(self, split):
        super().__init__("multi_head")
        self.split = split

    def build_subnetwork(self, features, logits_dimension):
        start = keras.initializers.HeNormal(seed=42)
        kinds = [keras.layers.Dense(1, kernel_initializer=start)(features["x"]) for _ in "12"]
        logits = dict(zip(("head2", "head1"), kinds, strict=True))
        joined = keras.layers.Concatenate()(kinds[::-1])
        found = logits if self.split else joined
        return adanet.Subnetwork(last_layer=found, logits=found, complexity=1)


def two_heads(folder, builder):
    head = est.MultiHead([est.RegressionHead(name="head1"), est.RegressionHead(name="head2")])
    rows = {"x": X}, {"head1": Y, "head2": 3 * Y}
    data = lambda: tf.data.Dataset.from_tensors(rows).repeat()  # noqa: E731
    estimator = made(folder, [builder], head=head, mixture_weight_type="vector")
    return estimator.train(data, max_steps=1), data


def test_multi_head(tmp_path):
    found = []
    for split in (False, True):
        estimator, data = two_heads(tmp_path / str(split), MultiHeadBuilder(split))
        (*_, row) = estimator.predict(lambda: {"x": X})
        found.append([row[f"head{k}/predictions"] for k in (1, 2)])
        assert np.isfinite(estimator.evaluate(data, steps=3)["loss"])
    # By name, whatever the order.
    np.testing.assert_allclose(*found, atol=1e-5)
    wrong = MultiHeadBuilder(True)
    wrong.build_subnetwork = lambda features: adanet.Subnetwork(
        features["x"], {"head1": keras.layers.Dense(1)(features["x"])}, 1
    )
    with pytest.raises(ValueError, match="logits as one tensor.*Received: a dict of 'head1', with"):
        two_heads(tmp_path / "wrong", wrong)
    with pytest.raises(ValueError, match="Received: a dict of 'head2', 'head1', with one head"):
        made(tmp_path / "one", [MultiHeadBuilder(True)]).train(xor(), max_steps=1)


def test_there_is_no_model_fn_to_call(tmp_path):
    assert not hasattr(made(tmp_path, [DNNBuilder("dnn")]), "model_fn")


@pytest.mark.exhaustive
@pytest.mark.parametrize(("steps", "keep"), [(3, 3), (3, 1), (1, 3), (1, 1)])
def test_checkpoints(steps, keep, tmp_path):
    config = {"save_checkpoints_steps": 1, "keep_checkpoint_max": keep}
    with pytest.warns(UserWarning, match="newest three states are kept"):
        estimator = made(
            tmp_path, [DNNBuilder("dnn")], max_iteration_steps=steps, config=config,
            force_grow=True,
        )  # fmt: skip
    estimator.train(xor(), max_steps=3)
    # Those of the newest three rounds, and the last.
    assert 1 <= len(glob.glob(str(tmp_path / "state-*.json"))) <= 4
    assert estimator.evaluate(xor(), steps=1)["global_step"] == 3


def scalars(folder):
    found = {}
    for path in glob.glob(str(folder / "events*")):
        for event in tf.compat.v1.train.summary_iterator(path):
            for value in event.summary.value:
                found[value.tag] = tf.make_ndarray(value.tensor)
    return found


def test_summaries_metrics_and_the_architecture(tmp_path):
    estimator = made(
        tmp_path, [DNNBuilder("dnn", layer_size=8)], max_iteration_steps=20,
        head=est.BinaryClassHead(), metric_fn=lambda predictions: {"avg": 1.0},
    )  # fmt: skip
    estimator.train(xor(), max_steps=20)
    found = estimator.evaluate(xor(), steps=1, name="continuous")
    summary = tf.compat.v1.Summary.FromString(found["architecture/adanet/ensembles"])
    assert list(summary.value[0].tensor.string_val) == [b"| dnn |"]
    written = scalars(tmp_path / "eval_continuous")
    for name in ("loss", "average_loss", "accuracy", "recall", "avg"):
        assert written[name] == pytest.approx(found[name], abs=1e-6)
    assert "loss" in scalars(tmp_path / "tensorboard" / "round_1" / "dnn")
    (member,) = estimator.load(estimator.latest_checkpoint()).ensemble.members
    assert member.attributes["summary/scalar"] == 3.0


def test_summaries_of_what_changes_are_said_to_be_ignored():
    summary = adanet.Summary()
    with pytest.warns(UserWarning, match=r"summary.image\('image'\) is accepted but ignored"):
        summary.image("image", tf.ones((1, 3, 3, 1)))
    with pytest.warns(UserWarning, match=r"summary.scalar\('x'\) is accepted but ignored"):
        summary.scalar("x", keras.Input(()))
    assert summary.constants == {}


@pytest.mark.exhaustive
def test_further_features(tmp_path):
    extra = {"extra": np.ones((4, 2), "float32")}
    plain = made(tmp_path / "a", [DNNBuilder("dnn")]).train(xor(), max_steps=1)
    with pytest.warns(UserWarning, match="not in the training data are ignored: extra"):
        found = plain.evaluate(xor(**extra), steps=1)
    assert found["loss"] == pytest.approx(plain.evaluate(xor(), steps=1)["loss"])
    rows = [row["predictions"] for row in plain.predict(lambda: {"x": X, **extra})]
    np.testing.assert_array_equal(rows, [r["predictions"] for r in plain.predict(lambda: {"x": X})])
    more = made(tmp_path / "b", [DNNBuilder("dnn")]).train(xor(**extra), max_steps=1)
    with pytest.raises(ValueError, match="must return the features of the training.*extra"):
        more.evaluate(xor(), steps=1)


@pytest.mark.exhaustive
def test_exports_are_for_prediction(tmp_path):
    estimator = made(tmp_path / "a", [DNNBuilder("dnn")]).train(xor(), max_steps=1)
    out = tmp_path / "export"
    estimator.export_saved_model(out, serving_input_fn, experimental_mode=est.ModeKeys.PREDICT)
    with pytest.raises(ValueError, match="experimental_mode must be .*infer"):
        estimator.export_saved_model(out, serving_input_fn, experimental_mode=est.ModeKeys.EVAL)


class Spy(adanet.subnetwork.Generator):
    """Notes what a generator is given."""

    def __init__(self, builders):
        self.builders, self.seen = builders, {}

    def generate_candidates(
        self, previous_ensemble, iteration_number, previous_ensemble_reports, all_reports
    ):
        self.seen[iteration_number] = (
            previous_ensemble, previous_ensemble_reports, all_reports
        )  # fmt: skip
        return self.builders


@pytest.mark.parametrize("count", [1, pytest.param(3, marks=pytest.mark.exhaustive)])
def test_reports(count, tmp_path):
    rates = [0.0] * (count - 1) + [0.1]
    builders = [DNNBuilder(f"dnn_{k}", rate, layer_size=k) for k, rate in enumerate(rates, start=1)]
    spy = Spy(builders)
    materializer = adanet.ReportMaterializer(once(), steps=1)
    estimator = made(
        tmp_path, None, generator=spy, max_iteration_steps=5, report_materializer=materializer,
        force_grow=True,
    )  # fmt: skip
    estimator.train(xor(), max_steps=10)
    assert spy.seen[0] == (None, [], [])
    previous, kept, everything = spy.seen[1]
    assert [each.name for each in everything] == [b.name for b in builders]
    for number, report in enumerate(everything, start=1):
        assert report.iteration_number == 0 and report.hparams == {"layer_size": number}
        assert report.attributes == {"complexity": 3, "summary/scalar": 3.0}
        assert report.metrics["moo"] == 3
    objectives = [each.metrics["adanet_loss"] for each in everything]
    chosen = [each.included_in_final_ensemble for each in everything]
    assert chosen.index(True) == np.argmin(objectives) and sum(chosen) == 1
    assert kept == [each for each in everything if each.included_in_final_ensemble]
    (member,) = previous.weighted_subnetworks
    assert (member.name, member.iteration_number) == (kept[0].name, 0)
    # A generator is given no tensors.
    assert member.subnetwork.shared == {"size": kept[0].hparams["layer_size"]}


@pytest.mark.exhaustive
@pytest.mark.parametrize(("names", "force", "judged", "wanted"), [
    (["linear"], False, False, 1), (["linear"], True, False, 3),
    (["linear", "linear2"], True, False, 3), (["linear", "linear2"], True, True, 3),
])  # fmt: skip
def test_force_grow(names, force, judged, wanted, tmp_path):
    judge = adanet.Evaluator(once(np.ones((1, 2), "float32"), np.zeros((1, 1))), steps=1)
    estimator = made(
        tmp_path, [LinearBuilder(name) for name in names], force_grow=force,
        evaluator=judge if judged else None, use_bias=False, mixture_weight_type="scalar",
    )  # fmt: skip
    assert len(members(estimator.train(xor(), max_steps=3))) == wanted


@pytest.mark.parametrize(("x", "y"), [
    (np.log(X + 0.0 * X - 0.0), Y), (X, np.log(Y)), (X, {"y": np.log(Y)}),
])  # fmt: skip
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_what_is_not_finite_is_refused(x, y, tmp_path):
    head = est.RegressionHead(name="y")
    head = est.MultiHead([head]) if isinstance(y, dict) else head
    with pytest.raises(ValueError, match="finite"):
        made(tmp_path, [DNNBuilder("dnn")], head=head, debug=False).train(xor(x, y), max_steps=3)


@pytest.mark.exhaustive
def test_evaluated_by_a_hook_at_the_end_of_the_training(tmp_path):
    estimator = made(tmp_path, [DNNBuilder("dnn")], force_grow=True)
    found = []

    class Evaluate(est.SessionRunHook):
        def end(self, session):
            found.append(estimator.evaluate(xor(), steps=1)["global_step"])

    estimator.train(xor(), max_steps=3, hooks=[Evaluate()])
    assert found == [3]


@pytest.mark.exhaustive
def test_a_saver_hook_with_a_listener(tmp_path):
    saved = []

    class Listen(est.CheckpointSaverListener):
        def after_save(self, session, global_step_value):
            saved.append(global_step_value)

    with pytest.warns(UserWarning, match="save_steps is accepted but ignored"):
        hook = est.CheckpointSaverHook(str(tmp_path), save_steps=10)
    made(tmp_path, [DNNBuilder("dnn")], force_grow=True).train(
        xor(), max_steps=3, hooks=[hook], saving_listeners=[Listen()]
    )
    assert saved == [3]


@pytest.mark.exhaustive
def test_a_chief_without_a_cluster(tmp_path, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", '{"task": {"type": "chief", "index": 0}}')
    estimator = made(tmp_path, [DNNBuilder("dnn")], force_grow=True)
    assert estimator.config.is_chief
    assert estimator.train(xor(), max_steps=3).evaluate(xor(), steps=1)["global_step"] == 3


def test_a_train_operation_is_refused(tmp_path):
    builder = DNNBuilder("dnn")
    for given in (
        lambda loss, var_list: tf.compat.v1.train.AdamOptimizer().minimize(loss, var_list=var_list),
        lambda loss: keras.optimizers.Adam().minimize(loss),
        lambda: None,
    ):
        builder.build_subnetwork_train_op = given
        with pytest.raises(TypeError, match="must return a new Keras optimizer.*Received: "):
            builder.optimizer()


@pytest.mark.parametrize(
    ("use", "instead"),
    [
        (lambda x: tf.compat.v1.layers.dense(x, 1), "keras.layers for tf.layers"),
        (lambda x: tf.nn.relu(x), "keras.ops for tf.nn"),
        (lambda x: tf.gradients(tf.constant(1.0), [x]), "a Keras optimizer"),
    ],
    ids=["tf.layers", "tf.nn", "tf.gradients"],
)
def test_what_only_graphs_have_is_refused_with_what_to_use(use, instead):
    class Build(adanet.subnetwork.Builder):
        name = "graph"

        def build_subnetwork(self, features, logits_dimension):
            return use(features["x"])

        def build_subnetwork_train_op(self):
            return None

    with pytest.raises(ValueError, match=f"build_subnetwork uses what.*{instead}"):
        Build().build({"x": keras.Input((2,), name="x")}, 1)
