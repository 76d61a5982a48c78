"""Subnetworks that stop when held-out rows say so, and keep their best weights."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from adaptive_nets import heads
from adaptive_nets.adanet.candidates.builder import Builder, Subnetwork
from adaptive_nets.adanet.objective.early_stopping import EarlyStopping, StoppingRule
from adaptive_nets.adanet.rounds.build_member import build_member
from adaptive_nets.adanet.rounds.round import Round
from adaptive_nets.adanet.rounds.stopping import best_weights
from adaptive_nets.adanet.rounds.stopping.best_weights import BestWeights
from adaptive_nets.adanet.rounds.stopping.held_out import HeldOut
from adaptive_nets.adanet.rounds.stopping.watched_trainer import WatchedTrainer
from adaptive_nets.adanet.rounds.trainer import RoundTrainer
from adaptive_nets.adanet.rounds.training_state import TrainingState
from adaptive_nets.data.batches import Batches
from adaptive_nets.data.feeds import FiniteFeed
from adaptive_nets.data.rows import Rows

RNG = np.random.default_rng(0)
ROWS, BATCH = 96, 16
X = RNG.normal(size=(ROWS, 4)).astype("float32")
Y = (X[:, 0] > 0).astype("int32") + (X[:, 1] * X[:, 2] > 0).astype("int32")
OTHER = RNG.normal(size=(50, 4)).astype("float32")
OTHER_Y = (OTHER[:, 0] > 0).astype("int32") + (OTHER[:, 1] * OTHER[:, 2] > 0.3).astype("int32")
HEAD = heads.MultiClass(3)
XLA = pytest.mark.parametrize("jit_compile", [False, True], ids=["plain", "xla"])


class Net(Builder):
    def __init__(self, name, width):
        self.name, self.width = name, width

    def build(self, inputs, units, previous=None):
        x = keras.layers.Dense(self.width, activation="relu")(inputs)
        x = keras.layers.Dropout(0.2)(keras.layers.BatchNormalization()(x))
        return Subnetwork(keras.layers.Dense(units)(x), x)


class Constant(Builder):
    """A single weight, which begins at 0."""

    name = "constant"

    def build(self, inputs, units, previous=None):
        zero = keras.layers.Rescaling(0.0)(inputs)
        dense = keras.layers.Dense(units, kernel_initializer="zeros", name="weight")
        return Subnetwork(dense(zero))


def member(builder, rows=X, units=3):
    return build_member(builder, Rows(rows, Y).spec, units, None, 1, lambda *_: 1.0, 11)


def nets():
    return [member(Net("narrow", 6)), member(Net("wide", 17))]


def adams():
    return [keras.optimizers.Adam(0.03), keras.optimizers.Adam(0.1)]


def held_out(count, **more):
    source = {"x": OTHER, "y": OTHER_Y, **more}
    return HeldOut(({k: tf.constant(v) for k, v in source.items()},), (0,) * count, "rows")


def round_of(members, optimizers, rule, held=None, steps=40, head=HEAD, rows=None, **options):
    held = held or held_out(len(members))
    scales = options.pop("scales", None)
    best = BestWeights(members, head, scales, held, rule)
    trainer = WatchedTrainer(members, optimizers, head, scales, best=best, **options)
    rows = rows or Rows(X, Y)
    return Round(1, members, trainer, FiniteFeed(rows, Batches(ROWS, BATCH, 5), None, 8), steps)


def run(made):
    while not made.done:
        made.advance()
    return made


def weights(found):
    return [np.array(w) for w in found.model.get_weights()]


def same(a, b):
    return all(np.array_equal(v, w) for v, w in zip(a, b, strict=True))


def rule(every=1, patience=1000, average=0.0, min_delta=0.0, of_best=0.0):
    return StoppingRule(every, patience, average, min_delta, 50, of_best)


# Closed forms ---------------------------------------------------------------------------------


def constant_round(rule, rate=0.05, steps=100):
    """Training rows want 1, held-out rows 0.5 on average: w_t = 1 - (1 - 2 rate)^t."""
    targets = np.ones((ROWS, 1), "float32")
    found = member(Constant(), units=1)
    wanted = np.array([[0.2], [0.8]] * 25, "float32")
    held = HeldOut(({"x": tf.constant(OTHER), "y": tf.constant(wanted)},), (0,), "rows")
    made = round_of(
        [found], [keras.optimizers.SGD(rate)], rule, held, steps, heads.Regression(1),
        Rows(X, targets),
    )  # fmt: skip
    return run(made)


def test_the_step_of_the_lowest_held_out_loss_is_found_and_its_weights_are_kept():
    made = constant_round(rule(patience=5))
    w = 1 - 0.9 ** np.arange(101.0)
    losses = ((w[:, None] - np.array([0.2, 0.8])) ** 2).mean(axis=1)
    best = int(losses.argmin())
    assert best == 7
    step, loss = made.best(0)
    assert step == best and loss == pytest.approx(losses[best], abs=1e-6)
    t = made.training
    assert t.stopped.tolist() == [12] and t.diverged.tolist() == [0] and t.step == 12
    found = np.array(t.held_out)
    assert found[:, 0].tolist() == list(range(1, 13))
    np.testing.assert_allclose(found[:, 1], losses[1:13], atol=1e-6)
    made.finish()
    np.testing.assert_allclose(weights(made.members[0])[1], w[best], atol=1e-6)


@pytest.mark.parametrize(("of_best", "stopped"), [(0.5, 12), (1.0, 14), (3.0, 28)])
def test_it_is_waited_for_in_proportion_to_what_the_best_took(of_best, stopped):
    made = constant_round(rule(patience=5, of_best=of_best))
    assert made.best(0)[0] == 7 and made.training.stopped.tolist() == [stopped]


def test_an_improvement_below_min_delta_is_none():
    w = 1 - 0.9 ** np.arange(101.0)
    losses = (w - 0.5) ** 2 + 0.09
    best = 0
    for t in range(1, 40):
        if best == 0 or losses[t] < losses[best] - 0.01:
            best = t
    made = constant_round(rule(patience=30, min_delta=0.01))
    assert made.best(0)[0] == best == 5 and made.training.stopped.tolist() == [best + 30]


def test_averaged_weights_are_measured_and_kept():
    made = constant_round(rule(every=3, patience=9, average=0.8))
    w, average, losses = 1 - 0.9 ** np.arange(101.0), 0.0, []
    averages = [average]
    for t in range(1, 101):
        if t % best_weights.STRIDE == 0:
            decay = min(0.8, (1 + t) / (10 + t)) ** best_weights.STRIDE
            average += (1 - decay) * (w[t] - average)
        averages.append(average)
    losses = [(averages[t] - 0.5) ** 2 + 0.09 for t in range(3, 101, 3)]
    best = 3 * (1 + int(np.argmin(losses)))
    assert best == 9
    assert made.best(0) == (best, pytest.approx(min(losses), abs=1e-6))
    made.finish()
    np.testing.assert_allclose(weights(made.members[0])[1], averages[best], atol=1e-6)


# Against plain training -----------------------------------------------------------------------


@XLA
def test_best_weights_are_those_of_training_stopped_there_bit_for_bit(jit_compile):
    made = run(round_of(nets(), adams(), rule(every=3, patience=12), jit_compile=jit_compile))
    assert made.trainer.traces == 1
    best = [made.best(k)[0] for k in range(2)]
    assert best[0] != best[1] and all(step % 3 == 0 or step == 40 for step in best)
    made.finish()
    assert made.trainer.traces == 1
    for k, step in enumerate(best):
        # Batch statistics and seeds are those of that step, too.
        plain = nets()
        trainer = RoundTrainer(plain, adams(), HEAD, None, jit_compile)
        trainer.run(
            [{"x": tf.constant(X), "y": tf.constant(Y)}],
            [tf.constant(Batches(ROWS, BATCH, 5).indices(0, 40))], 0, step,
        )  # fmt: skip
        assert same(weights(plain[k]), weights(made.members[k]))


@pytest.mark.parametrize("block", [1024, 7])
def test_what_is_measured_is_the_heads_weighted_loss_with_the_base(block, monkeypatch):
    monkeypatch.setattr(best_weights, "BLOCK", block)
    base = RNG.normal(size=(50, 3)).astype("float32")
    w = RNG.uniform(0, 2, 50).astype("float32")
    made = round_of(
        nets(), adams(), rule(every=4), held_out(2, base=base, w=w), 10, scales=(0.7, 0.3)
    )
    run(made)
    assert [row[0] for row in made.training.held_out] == [4, 8, 10]
    for k, found in enumerate(made.members):
        logits = 0.3 * found.model(OTHER, training=False)["logits"] + 0.7 * base
        expected = np.mean(w * np.array(HEAD.loss(OTHER_Y, logits)))
        assert made.training.held_out[-1][1 + k] == pytest.approx(expected, abs=1e-6)


def test_calls_of_any_length_end_alike():
    whole, parts = (round_of(nets(), adams(), rule(3, 9, 0.9)) for _ in range(2))
    run(whole)
    calls = itertools.cycle((1, 5, 2))
    while not parts.done:
        parts.advance(last=parts.training.step + next(calls))
    np.testing.assert_array_equal(whole.training.held_out, parts.training.held_out)
    assert whole.training.stopped.tolist() == parts.training.stopped.tolist()
    assert whole.training.step == parts.training.step
    assert same(whole.state(), parts.state())


# Who goes on ----------------------------------------------------------------------------------


def test_one_that_has_stopped_costs_no_steps_and_disturbs_nobody():
    two = run(round_of(nets(), adams(), rule(2, 6)))
    stopped, other = two.training.stopped.tolist()
    assert 0 < min(stopped, other) < max(stopped, other) == two.training.step
    for optimizer, step in zip(two.trainer.optimizers, (stopped, other), strict=True):
        assert int(optimizer.iterations) == step
    alone = run(round_of(nets()[1:], adams()[1:], rule(2, 6)))
    assert alone.training.stopped.tolist() == [other]
    assert same(alone.state(), two.state()[-len(alone.state()) :])
    assert np.isfinite(two.training.losses).all()


def test_a_round_is_over_when_all_have_stopped():
    slow = [keras.optimizers.SGD(1e-9), keras.optimizers.SGD(1e-9)]
    made = run(round_of(nets(), slow, rule(2, 4), steps=4000))
    assert made.done and made.training.step == made.training.stopped.max() < 4000
    assert made.training.measured


def test_one_that_diverges_keeps_what_was_measured_before():
    bad = keras.optimizers.schedules.PiecewiseConstantDecay([10], [0.03, 1e30])
    made = run(round_of(nets(), [keras.optimizers.SGD(bad), adams()[1]], rule(4), steps=20))
    made.finish()
    made.check_weights()
    t = made.training
    assert t.diverged.tolist() == [0, 0] and 10 < t.stopped[0] < 20
    assert made.best(0)[0] <= 8 and np.isfinite(t.losses).all()
    made = run(round_of(nets(), [keras.optimizers.SGD(1e30), adams()[1]], rule(10), steps=20))
    made.finish()
    assert 0 < made.training.diverged[0] < 10 and made.best(0) is None


def test_one_whose_held_out_loss_is_never_finite_has_no_best_weights():
    broken = held_out(2, w=np.full(50, np.nan, "float32"))
    made = run(round_of(nets(), adams(), rule(2, 6), broken))
    assert made.training.stopped.tolist() == [6, 6] and made.best(0) is None


def test_a_round_that_is_cut_short_is_measured_where_it_stands():
    made = round_of(nets(), adams(), rule(7), steps=40)
    while made.training.step < 5:
        made.advance(last=5)
    assert made.best(0) is None
    now = [weights(found) for found in made.members]
    made.finish()
    assert made.training.held_out[-1][0] == 5 and made.best(1)[0] == 5
    assert all(same(a, weights(b)) for a, b in zip(now, made.members, strict=True))


def test_a_checkpoint_holds_all_of_it():
    whole, half, again = (round_of(nets(), adams(), rule(3, 9, 0.9)) for _ in range(3))
    run(whole)
    while half.training.step < 11:
        half.advance(last=11)
    assert again.restore(half.header(), [np.array(v) for v in half.state()])
    run(again)
    assert same(whole.state(), again.state())
    np.testing.assert_array_equal(whole.training.held_out, again.training.held_out)
    # Losses on other rows cannot be compared.
    assert not again.restore({**half.header(), "rows": "others"}, half.state())


# What "auto" is -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "epoch", "batch", "held_out", "wanted"),
    [
        # Once per epoch; 16 epochs, but no more than a fifth of the round.
        (1000, 10, 32, 80, (10, 160, 80)),
        (1000, 40, 32, 80, (40, 400, 80)),
        # 19,200 rows take as long as 25 steps of 256 rows.
        (5000, 1000, 256, 300_000, (250, 2500, 19_200)),
        (5000, float("inf"), 256, 1000, (250, 2500, 1000)),
        # A short round measures on fewer rows rather than hardly ever.
        (100, 50, 32, 50_000, (14, 140, 1000)),
    ],
)
def test_auto_measures_often_but_cheaply(steps, epoch, batch, held_out, wanted):
    found = EarlyStopping().rule(steps, epoch, batch, held_out)
    assert (found.every, found.patience, found.rows) == wanted
    assert found.of_best == 1 and EarlyStopping(5).rule(steps, epoch, batch, held_out).of_best == 0


# In parts --------------------------------------------------------------------------------------


def test_parts_of_a_round_are_joined_with_what_was_measured_in_each():
    one, other = TrainingState.begin(1, 40), TrainingState.begin(2, 40)
    one.add(np.ones((4, 1)), 1.0, np.array([4]), np.array([[np.nan], [0.5], [np.nan], [0.7]]))
    other.add(
        np.ones((6, 2)), 1.0, np.array([0, 0]),
        np.array([[np.nan] * 2, [0.3, 0.4], [np.nan] * 2, [0.2, 0.1], [np.nan] * 2, [0.6, 0.5]]),
    )  # fmt: skip
    whole = TrainingState.joined({range(1, 3, 2): one, range(0, 3, 2): other}, 3, 40)
    assert whole.step == 6 and whole.stopped.tolist() == [0, 4, 0]
    np.testing.assert_array_equal(
        whole.held_out, [[2, 0.3, 0.5, 0.4], [4, 0.2, 0.7, 0.1], [6, 0.6, np.nan, 0.5]]
    )
    assert whole.measured and whole.going.tolist() == [True, False, True]
    again = TrainingState.from_header(whole.header())
    np.testing.assert_array_equal(again.held_out, whole.held_out)
    # Checkpoints from before there was early stopping.
    old = {k: v for k, v in whole.header().items() if k not in ("stopped", "held_out")}
    assert TrainingState.from_header(old).going.all()


def test_measurements_are_thinned_out_and_the_newest_is_kept():
    state = TrainingState.begin(1, 1000)
    for _ in range(450):
        state.add(np.ones((1, 1)), 0.1, np.array([0]), np.array([[0.5]]))
    assert len(state.held_out) < 200 and state.held_out[-1][0] >= 448
