"""The compiled training step, against Keras, against formulas, and against itself alone."""

import functools
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import special

from adaptive_nets import heads
from adaptive_nets.adanet.candidates.builder import Builder, Subnetwork
from adaptive_nets.adanet.ensembles.outputs import OutputFunction
from adaptive_nets.adanet.rounds.build_member import build_member
from adaptive_nets.adanet.rounds.round import Round
from adaptive_nets.adanet.rounds.trainer import RoundTrainer
from adaptive_nets.adanet.rounds.xla import XLA_STEPS, prefers_xla
from adaptive_nets.data.batches import Batches
from adaptive_nets.data.feeds import FiniteFeed
from adaptive_nets.data.rows import Rows
from adaptive_nets.data.spool import Spool

RNG = np.random.default_rng(0)
ROWS, FEATURES, CLASSES, BATCH = 96, 4, 3, 16
X = RNG.normal(size=(ROWS, FEATURES)).astype("float32")
Y = (X[:, 0] > 0).astype("int32") + (X[:, 1] * X[:, 2] > 0).astype("int32")
HEAD = heads.MultiClass(CLASSES)
INDICES = Batches(ROWS, BATCH, 5).indices(0, 24)
XLA = pytest.mark.parametrize("jit_compile", [False, True], ids=["plain", "xla"])


class Net(Builder):
    def __init__(self, name, width=8, dropout=0.0, penalty=0.0, norm=False):
        self.name, self.width, self.dropout = name, width, dropout
        self.penalty, self.norm = penalty, norm

    def build(self, inputs, units, previous=None):
        x = inputs
        if self.width:
            x = keras.layers.Dense(self.width, activation="relu")(x)
        if self.norm:
            x = keras.layers.BatchNormalization()(x)
        if self.dropout:
            x = keras.layers.Dropout(self.dropout)(x)
        regularizer = keras.regularizers.L2(self.penalty) if self.penalty else None
        return Subnetwork(keras.layers.Dense(units, kernel_regularizer=regularizer)(x), x)


def sqrt_depth(built, widths):
    return built.depth**0.5


def member(*args, seed=11, **kwargs):
    spec = Rows(X, Y).spec
    return build_member(Net(*args, **kwargs), spec, CLASSES, None, 1, sqrt_depth, seed)


def source(**more):
    return {k: tf.constant(v) for k, v in {"x": X, "y": Y, **more}.items()}


def weights(found):
    return [np.array(w) for w in found.model.get_weights()]


def same(a, b):
    return all(np.array_equal(v, w) for v, w in zip(a, b, strict=True))


def train(members, optimizers, steps=24, scales=None, jit_compile=False, **more):
    trainer = RoundTrainer(members, optimizers, HEAD, scales, jit_compile)
    losses = trainer.run([source(**more)], [tf.constant(INDICES)], 0, steps)
    return trainer, losses


def adam(rate=0.01):
    return keras.optimizers.Adam(rate)


# Against Keras and against formulas -----------------------------------------------------------


@XLA
def test_one_network_trains_as_keras_fit_trains_it(jit_compile):
    ours = member("net")
    plain = keras.models.clone_model(ours.model)
    plain.set_weights(ours.model.get_weights())
    before = weights(ours)
    _, losses = train([ours], [adam()], jit_compile=jit_compile)
    classifier = keras.Model(plain.inputs, plain.output["logits"])
    classifier.compile(
        adam(), keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False
    )
    order = INDICES.reshape(-1)
    classifier.fit(X[order], Y[order], batch_size=BATCH, shuffle=False, verbose=0)
    for a, b, old in zip(weights(ours), plain.get_weights(), before, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
        assert np.abs(a - old).max() > 0.02
    assert losses.shape == (24, 1) and losses[-4:].mean() < losses[:4].mean()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("scales", [None, (1.0, 1.0), (0.7, 0.3)])
def test_a_step_follows_the_gradient_of_the_residual_loss(scales, weighted):
    penalty, rate = 0.05, 0.1
    ours = member("linear", width=0, penalty=penalty)
    kernel, bias = (w.astype("float64") for w in weights(ours))
    bias = bias + np.array([0.1, -0.2, 0.3])
    ours.model.set_weights([kernel, bias])
    base = RNG.normal(size=(ROWS, CLASSES)).astype("float32")
    w = RNG.uniform(0, 2, ROWS).astype("float32")
    more = ({"base": base} if scales else {}) | ({"w": w} if weighted else {})
    _, losses = train([ours], [keras.optimizers.SGD(rate)], 1, scales, **more)

    rows = INDICES[0]
    x, y = X[rows].astype("float64"), np.eye(CLASSES)[Y[rows]]
    v = w[rows].astype("float64") if weighted else np.ones(BATCH)
    old, new = scales or (0.0, 1.0)
    f = old * base[rows] + new * (x @ kernel + bias)
    slope = new * (special.softmax(f, axis=1) - y) * v[:, None] / BATCH
    expected = -np.mean(v * (y * special.log_softmax(f, axis=1)).sum(axis=1))
    # The reported loss is the data's; the step also lowers the regularisation loss.
    assert losses[0, 0] == pytest.approx(expected, abs=1e-6)
    found = weights(ours)
    step = x.T @ slope + 2 * penalty * kernel
    np.testing.assert_allclose(found[0], kernel - rate * step, atol=1e-6)
    np.testing.assert_allclose(found[1], bias - rate * slope.sum(axis=0), atol=1e-6)


class Several(Builder):
    """Four linear predictors, whose mean is what predicts."""

    name, rescale_output = "several", False

    def build(self, inputs, units, previous=None):
        rows = keras.layers.Dense(4 * units)(inputs)
        return Subnetwork(heads=keras.layers.Reshape((4, units))(rows))


@pytest.mark.parametrize("scales", [None, (0.7, 0.3)])
def test_heads_are_trained_on_a_loss_each_and_predict_their_mean(scales):
    spec = Rows(X, Y).spec
    ours = build_member(Several(), spec, CLASSES, None, 1, sqrt_depth, 3, mean_of=HEAD.mean_of)
    kernel, bias = (w.astype("float64") for w in weights(ours))
    base = RNG.normal(size=(ROWS, CLASSES)).astype("float32")
    w = RNG.uniform(0, 2, ROWS).astype("float32")
    more = {"base": base} if scales else {}
    _, losses = train([ours], [keras.optimizers.SGD(0.1)], 1, scales, w=w, **more)

    rows = INDICES[0]
    old, new = scales or (0.0, 1.0)
    f = old * base[rows][:, None] + new * (X[rows] @ kernel + bias).reshape(BATCH, 4, CLASSES)
    y, v = np.eye(CLASSES)[Y[rows]][:, None], w[rows].astype("float64")[:, None]
    expected = -np.mean(v * (y * special.log_softmax(f, axis=2)).sum(axis=2))
    assert losses[0, 0] == pytest.approx(expected, abs=1e-6)
    slope = new * (special.softmax(f, axis=2) - y) * v[:, :, None] / (BATCH * 4)
    step = X[rows].T @ slope.reshape(BATCH, -1)
    np.testing.assert_allclose(weights(ours)[0], kernel - 0.1 * step, atol=1e-6)

    out = ours.model(X)
    assert out["heads"].shape == (ROWS, 4, CLASSES)
    mean = special.softmax(np.array(out["heads"], "float64"), axis=2).mean(axis=1)
    np.testing.assert_allclose(special.softmax(np.array(out["logits"]), axis=1), mean, atol=1e-6)


def test_a_learning_rate_schedule_advances_with_the_steps():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([1, 3], [0.5, 0.25, 0.0])
    ours, one, four = (member("linear", width=0) for _ in range(3))
    optimizer = keras.optimizers.SGD(schedule)
    train([ours], [optimizer], 20)
    assert int(optimizer.iterations) == 20
    # Rates .5 .5 .25 .25 and then 0, by four steps of fixed rates.
    optimizer = keras.optimizers.SGD(0.5)
    trainer, _ = train([one], [optimizer], 2)
    optimizer.learning_rate = 0.25
    trainer.run([source()], [tf.constant(INDICES)], 2, 4)
    for a, b in zip(weights(ours), weights(one), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    train([four], [keras.optimizers.SGD(0.5)], 4)
    assert np.abs(weights(four)[0] - weights(ours)[0]).max() > 1e-3


def test_batch_statistics_are_updated():
    ours = member("norm", norm=True)
    layer = next(v for v in ours.model.layers if "batch_norm" in v.name)
    train([ours], [adam()], 24)
    assert np.abs(np.asarray(layer.moving_mean)).max() > 0.01


# Side by side ---------------------------------------------------------------------------------


RECIPES = {
    "first": (lambda: member("first", 6, 0.3), lambda: adam(0.01)),
    "bad": (
        lambda: member("bad", 9),
        lambda: keras.optimizers.SGD(
            keras.optimizers.schedules.PiecewiseConstantDecay([4], [1e-3, 1e30])
        ),
    ),
    "last": (lambda: member("last", 17), lambda: adam(0.003)),
}


@functools.cache
def trained(names, jit_compile):
    """Weights of each, losses and who is alive after 24 steps side by side."""
    members = [RECIPES[name][0]() for name in names]
    optimizers = [RECIPES[name][1]() for name in names]
    trainer, losses = train(members, optimizers, jit_compile=jit_compile)
    assert trainer.traces == 1
    return [weights(m) for m in members], losses, trainer.alive.tolist()


@XLA
def test_candidates_together_equal_each_alone_bit_for_bit(jit_compile):
    together, losses, _ = trained(("first", "last"), jit_compile)
    for k, name in enumerate(("first", "last")):
        alone, own, _ = trained((name,), jit_compile)
        assert same(alone[0], together[k])
        assert np.array_equal(own[:, 0], losses[:, k])


def test_dropout_is_drawn_from_the_candidates_own_seed():
    alone, _, _ = trained(("first",), False)
    other, start = member("first", 6, 0.3, seed=12), member("first", 6, 0.3)
    other.model.set_weights(weights(start))
    train([other], [adam()])
    assert not same(weights(other), alone[0])


@XLA
def test_a_diverged_candidate_leaves_no_trace_in_the_others(jit_compile):
    three, losses, alive = trained(("first", "bad", "last"), jit_compile)
    assert alive == [True, False, True]
    two, own, _ = trained(("first", "last"), jit_compile)
    assert same(two[0], three[0]) and same(two[1], three[2])
    assert np.array_equal(own, losses[:, [0, 2]])
    # The rate breaks the weights in the sixth step; the loss tells in the seventh.
    assert np.isfinite(losses[:6, 1]).all() and np.isnan(losses[7:, 1]).all()
    assert not np.isfinite(losses[6, 1])


def test_a_diverged_candidate_is_no_longer_trained():
    found = member("bad", 9)
    optimizer = keras.optimizers.SGD(1e30)
    trainer, _ = train([found], [optimizer], 10)
    assert int(optimizer.iterations) < 10 and not trainer.alive.any()
    steps, broken = int(optimizer.iterations), weights(found)
    losses = trainer.run([source()], [tf.constant(INDICES)], 10, 20)
    assert np.isnan(losses).all() and int(optimizer.iterations) == steps
    for a, b in zip(broken, weights(found), strict=True):
        np.testing.assert_array_equal(a, b)


def round_of(members, optimizers, steps=40, chunk=8):
    feed = FiniteFeed(Rows(X, Y), Batches(ROWS, BATCH, 5), None, chunk)
    return Round(1, members, RoundTrainer(members, optimizers, HEAD), feed, steps)


def test_a_round_reports_the_step_at_which_a_candidate_diverged():
    bad_rate = keras.optimizers.schedules.PiecewiseConstantDecay([11], [1e-3, 1e30])
    made = round_of([member("bad", 9), member("good", 5)], [keras.optimizers.SGD(bad_rate), adam()])
    made.compile()
    assert made.training.step == 0
    losses = []
    while not made.done:
        losses.append(made.advance())
    losses = np.concatenate(losses)
    t = made.training
    assert losses.shape == (40, 2) and t.step == 40
    # Rate 1e30 first serves step 13; its loss is seen by step 14.
    assert t.diverged.tolist() == [14, 0]
    running = losses[0, 1]
    for loss in losses[:, 1]:
        running = 0.98 * running + 0.02 * loss
    assert t.losses[1] == pytest.approx(running, rel=1e-5)
    assert made.trainer.traces == 1


def test_weights_that_break_in_the_last_step_are_found():
    found = member("bad", 9)
    made = round_of([found, member("good", 5)], [adam(), adam()], steps=5)
    while not made.done:
        made.advance()
    made.check_weights()
    assert made.training.diverged.tolist() == [0, 0]
    found.model.set_weights([w * np.nan for w in weights(found)])
    made.check_weights()
    assert made.training.diverged.tolist() == [5, 0]


# Calls ----------------------------------------------------------------------------------------


@XLA
def test_calls_of_any_length_share_one_trace_and_one_result(jit_compile):
    whole, losses, _ = trained(("first",), jit_compile)
    parts = RECIPES["first"][0]()
    trainer = RoundTrainer([parts], [adam()], HEAD, None, jit_compile)
    cuts = [0, 0, 1, 4, 5, 17, 24]
    got = [
        trainer.run([source()], [tf.constant(INDICES)], a, b) for a, b in itertools.pairwise(cuts)
    ]
    assert [len(g) for g in got] == [0, 1, 3, 1, 12, 7]
    assert trainer.traces == 1
    assert np.array_equal(np.concatenate(got), losses)
    assert same(whole[0], weights(parts))


def test_variables_hold_all_that_a_checkpoint_needs():
    halves, again = RECIPES["first"][0](), RECIPES["first"][0]()
    trainer, _ = train([halves], [adam()], 10)
    state = [np.array(v) for v in trainer.variables(0)]
    fresh = RoundTrainer([again], [adam()], HEAD)
    for variable, value in zip(fresh.variables(0), state, strict=True):
        variable.assign(value)
    fresh.run([source()], [tf.constant(INDICES)], 10, 24)
    assert same(weights(again), trained(("first",), False)[0][0])


@XLA
def test_half_precision_with_loss_scaling(jit_compile):
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        found = member("net", 16)
        # Too large a scale at first: such steps are skipped, and no divergence.
        optimizer = keras.optimizers.LossScaleOptimizer(adam(), initial_scale=2.0**24)
        trainer, losses = train([found], [optimizer], 1, jit_compile=jit_compile)
        first = weights(found)
        losses = np.concatenate([losses, trainer.run([source()], [tf.constant(INDICES)], 1, 24)])
        for _ in range(3):
            losses = np.concatenate(
                [losses, trainer.run([source()], [tf.constant(INDICES)], 0, 24)]
            )
    finally:
        keras.config.set_dtype_policy(policy)
    assert found.model.layers[1].compute_dtype == "float16"
    assert same(first, weights(member("net", 16)))
    assert trainer.alive.all() and np.isfinite(losses).all()
    assert all(w.dtype == np.float32 for w in weights(found))
    assert float(optimizer.dynamic_scale) < 2.0**24
    assert losses[-12:].mean() < 0.8 * losses[:12].mean()


@pytest.mark.parametrize(
    "layers, gpu, xla",
    [
        ([keras.Input((4,)), keras.layers.Dense(2)], False, True),
        ([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3)], False, False),
        ([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3)], True, True),
        ([keras.Input((5, 4)), keras.layers.GRU(2)], False, False),
        ([keras.Input((1,), dtype="string"), keras.layers.StringLookup()], True, False),
    ],
    ids=["dense", "conv", "conv-gpu", "recurrent", "text"],
)
def test_xla_is_chosen_where_it_is_faster(layers, gpu, xla, monkeypatch):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: ["gpu"] * gpu)
    nested = keras.Sequential([layers[0], keras.Sequential(layers[1:])])
    dense = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    assert prefers_xla([dense, nested], XLA_STEPS) == xla
    assert prefers_xla([dense], XLA_STEPS - 1) == gpu


def test_a_graph_that_is_not_rewritten_trains_alike():
    whole, losses, _ = trained(("first",), False)
    found = RECIPES["first"][0]()
    trainer = RoundTrainer([found], [adam()], HEAD, rewritten=False)
    got = trainer.run([source()], [tf.constant(INDICES)], 0, 24)
    np.testing.assert_allclose(got, losses, atol=1e-5)
    for one, other in zip(weights(found), whole[0], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


# Inference ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("block", "repeated", "traces"), [(40, False, 0), (40, True, 1), (ROWS // 10, False, 1)]
)
def test_outputs_of_many_models_come_block_by_block(block, repeated, traces):
    """Few blocks without a trace, unless they are the first of many; more from a single one."""
    found = [member("a", 6, 0.5), member("b", 9)]
    keys = [f"{m.name}.{kind}" for m in found for kind in ("logits", "last_layer")]
    function = OutputFunction(found, keys, block, repeated)
    for rows in (ROWS, 17):
        got = function(X[:rows], lambda rows: Spool(1 << 20, expected=rows))
        assert list(got) == keys
        for m in found:
            expected = m.model(X[:rows], training=False)
            for kind in ("logits", "last_layer"):
                out = got[f"{m.name}.{kind}"]
                assert out.dtype == np.float32
                np.testing.assert_allclose(out, expected[kind], atol=1e-6)
    assert function.traces == traces
