"""What callbacks do to a search by way of `self.model`."""

import types

import keras
import numpy as np
import pytest

import adaptive_nets as an
from adaptive_nets.adanet.candidates.stock.learning_rates import LearningRates

kc = keras.callbacks


@pytest.fixture(scope="module")
def data(lc):
    return lc.blobs()


@pytest.fixture(scope="module")
def plain(lc, data):
    """Searches of one and two rounds that no callback disturbs, by their number of rounds."""
    return {n: lc.small(max_iterations=n).fit(*data, verbose=0) for n in (1, 2)}


def worst_is_best():
    """Stops after the second round, and goes back to the first, whose loss is higher."""
    return kc.EarlyStopping("loss", mode="max", patience=1, restore_best_weights=True)


def same_weights(one, other):
    for left, right in zip(one.model.get_weights(), other.model.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


def test_the_best_round_is_restored(lc, data, plain, tmp_path):
    search = lc.small(tmp_path, max_iterations=4)
    search.fit(*data, verbose=0, callbacks=[worst_is_best()])
    assert search.stop_reason == "callback" and search.state.iteration == 2
    for found in (search, an.AdaNet.load(tmp_path)):
        same_weights(found, plain[1])
        assert found.predict(data[0]).tolist() == plain[1].predict(data[0]).tolist()
        assert found.ensemble.objective == plain[1].ensemble.objective
        frame = found.leaderboard()
        assert set(frame.status[frame["round"] == 1]) == {"selected"}
        assert set(frame.status[frame["round"] == 2]) == {"withdrawn", "rejected"}
    # The next round extends the ensemble of the first, and a replay takes what is in it.
    search.fit(*data, verbose=0, callbacks=[kc.LambdaCallback(on_epoch_end=stop(search))])
    assert search.state.iteration == 3
    assert [member.iteration for member in search.ensemble.members] == [1, 3]
    assert an.AdaNet.replay(tmp_path, *data, verbose=0).state.iteration == 2


def stop(search):
    def on_epoch_end(epoch, logs):
        search.stop_training = True

    return on_epoch_end


def test_a_round_that_time_cut_short_is_taken_back_too(lc, data, plain, one_step_calls):
    search = lc.small(max_iterations=2)
    search.fit(*data, verbose=0, callbacks=[worst_is_best(), lc.StopAt(2, 5)])
    same_weights(search, plain[1])
    assert "withdrawn" in set(search.leaderboard().status)
    # The round goes on where it was, as its base is still the same ensemble.
    assert lc.table(search.fit(*data, verbose=0)) == lc.table(plain[2])


def test_nothing_is_restored_after_an_error(lc, data, plain):
    def fail(epoch, logs):
        if epoch == 1:
            raise RuntimeError("mine")

    search = lc.small()
    with pytest.raises(RuntimeError, match="mine"):
        callbacks = [worst_is_best(), kc.LambdaCallback(on_epoch_end=fail)]
        search.fit(*data, verbose=0, callbacks=callbacks)
    same_weights(search, plain[2])


def dense(rate, **settings):
    optimizer = keras.optimizers.SGD(momentum=0.9)
    return an.generators.Dense(
        widths=4, depths=[1], optimizer=optimizer, learning_rate=rate, **settings
    )


CASES = {
    "number": (0.1, 0.05),
    "schedule": tuple(
        keras.optimizers.schedules.ExponentialDecay(rate, 3, 0.5) for rate in (0.1, 0.05)
    ),
}


@pytest.mark.parametrize("rate", CASES)
def test_a_scheduler_sets_the_rate_of_subnetworks(lc, data, rate):
    before, after = CASES[rate]
    halved = lc.small(generator=dense(before), max_iterations=1)
    halved.fit(*data, verbose=0, callbacks=[kc.LearningRateScheduler(lambda epoch: 0.05)])
    expected = lc.small(generator=dense(after), max_iterations=1).fit(*data, verbose=0)
    for left, right in zip(halved.model.get_weights(), expected.model.get_weights(), strict=True):
        np.testing.assert_allclose(left, right, rtol=2e-5, atol=1e-6)


def test_rates_are_kept_from_round_to_round_and_when_resumed(lc, data, tmp_path, one_step_calls):
    def halve():
        return kc.LearningRateScheduler(lambda epoch, rate: rate / 2)

    whole = lc.small(tmp_path / "whole").fit(*data, verbose=0, callbacks=[halve()])
    assert whole.state.rate_factor == pytest.approx(0.25)
    cut = lc.small(tmp_path / "cut")
    cut.fit(*data, verbose=0, callbacks=[halve(), lc.StopAt(2, 3)])
    assert cut.state.rate_factor == pytest.approx(0.5)
    resumed = lc.small(tmp_path / "cut").fit(*data, verbose=0, callbacks=[halve()])
    lc.assert_same(whole, resumed)
    assert resumed.state.rate_factor == whole.state.rate_factor
    # What is set at the end of a round is written too.
    reduce = kc.ReduceLROnPlateau("objective", mode="max", patience=1)
    lc.small(tmp_path / "reduced").fit(*data, verbose=0, callbacks=[reduce])
    assert an.AdaNet.load(tmp_path / "reduced").state.rate_factor == pytest.approx(0.1)


def test_every_kind_of_rate_is_scaled():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.4, 10, 0.5)
    wrapped = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.2))
    optimizers = [
        keras.optimizers.SGD(0.1), wrapped, keras.optimizers.Adam(schedule),
        keras.optimizers.SGD(lambda: 0.3),
    ]  # fmt: skip
    rates = LearningRates(optimizers)
    assert rates.initial == pytest.approx(0.4)
    for factor in (0.5, 2.0, 1.0):
        rates.scale(factor)
        found = [float(optimizer.learning_rate) for optimizer in optimizers]
        assert found == pytest.approx([factor * rate for rate in (0.1, 0.2, 0.4, 0.3)])
    assert float(optimizers[2].learning_rate) == pytest.approx(0.4)
    optimizers[2].iterations.assign(10)
    assert float(optimizers[2].learning_rate) == pytest.approx(0.2)


def test_a_backup_is_resumed_in_another_search(lc, data, plain, tmp_path, one_step_calls):
    def backup(**options):
        return kc.BackupAndRestore(tmp_path / "backup", **options)

    def kill(batch, logs):
        seen.append(batch)
        if len(seen) == 9:
            raise SystemExit

    seen = []
    with pytest.raises(SystemExit):
        killed = kc.LambdaCallback(on_train_batch_end=kill)
        lc.small().fit(*data, verbose=0, callbacks=[backup(), killed])
    seen.clear()
    count = kc.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))
    resumed = lc.small().fit(*data, verbose=0, callbacks=[backup(delete_checkpoint=False), count])
    assert len(seen) == 3  # Of twelve steps, nine were saved, the last one by the exit itself.
    lc.assert_same(resumed, plain[2])
    assert an.AdaNet.load(tmp_path / "backup").state.iteration == 2
    with pytest.raises(ValueError, match="backup' holds a search with another configuration"):
        lc.small(mixture_bias=True).fit(*data, verbose=0, callbacks=[backup()])
    # A model_dir takes precedence: a search resumes from one folder.
    own = lc.small(tmp_path / "own", max_iterations=1)
    own.fit(*data, verbose=0, callbacks=[kc.BackupAndRestore(tmp_path / "unused")])
    assert (tmp_path / "own").is_dir() and not (tmp_path / "unused").exists()


class Ask(kc.Callback):
    """Asks something of `self.model` at the end of each round."""

    def __init__(self, question):
        super().__init__()
        self.question, self.answers = question, []

    def on_epoch_end(self, epoch, logs=None):
        self.answers.append(self.question(self.model))


def test_callbacks_read_the_search_and_the_ensemble_s_model(lc, data, tmp_path):
    x, y = data

    def question(model):
        model.save_weights(tmp_path / "saved.weights.h5")
        return types.SimpleNamespace(
            members=len(model.ensemble.members), rows=len(model.leaderboard()),
            layers=list(map(type, model.layers)),
            weights=model.get_weights(), count=model.count_params(), logits=model(x[:3]),
            accuracy=model.evaluate(x, y, verbose=0)["accuracy"], steps=model.optimizer.iterations,
            predicted=model.predict(x, verbose=0), compiled=model.compiled,
            names=model.metrics_names,
            has=[hasattr(model, name) for name in ("jax_state_sync", "train_step", "_tracker")],
        )  # fmt: skip

    ask = Ask(question)
    search = lc.small().fit(x, y, verbose=0, callbacks=[ask])
    first, last = ask.answers
    assert (first.members, last.members, first.steps, last.steps) == (1, 2, 6, 12)
    assert first.rows < last.rows == len(search.leaderboard())
    assert first.count < last.count == search.model.count_params()
    assert last.layers == list(map(type, search.model.layers))
    assert [w.shape for w in last.weights] == [w.shape for w in search.model.get_weights()]
    assert last.accuracy == search.evaluate(x, y)["accuracy"]
    assert (last.predicted == search.predict(x)).all()
    np.testing.assert_allclose(last.logits, search.model(x[:3]))
    assert last.compiled and "accuracy" in last.names and last.has == [False] * 3


@pytest.mark.parametrize(
    ("question", "error", "message"),
    [
        (lambda model: model.train_step, AttributeError, "`self.model.train_step`.*Finished"),
        (lambda model: model.fit(1), AttributeError, "`self.model.fit`.*it is running"),
        (lambda model: model.load_weights("x"), AttributeError, "`self.model.load_weights`"),
        (lambda model: model.optimizer.variables, AttributeError, "optimizer .* 'variables'"),
        (lambda model: setattr(model, "optimizer", 1), AttributeError, "`self.model.optimizer`"),
        (lambda model: model.set_weights([1.0]), ValueError, "Received: a list"),
        (lambda model: setattr(model.optimizer, "learning_rate", -1), ValueError, "> 0.*-1"),
        (
            lambda model: setattr(model.optimizer, "learning_rate", CASES["schedule"][0]),
            ValueError, "to a number only",
        ),
    ],
)  # fmt: skip
def test_what_a_search_does_not_have_is_named_and_rounds_are_kept(
    lc, data, question, error, message
):
    search = lc.small()
    with pytest.raises(error, match=message):
        search.fit(*data, verbose=0, callbacks=[Ask(question)])
    assert search.state.iteration == 1 and len(search.ensemble.members) == 1


def test_rates_are_not_set_in_a_batch(lc, data):
    class Warm(kc.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            self.model.optimizer.learning_rate = 0.1

    with pytest.raises(ValueError, match="when a round begins or ends, not in a batch"):
        lc.small().fit(*data, verbose=0, callbacks=[Warm()])


@pytest.mark.parametrize("name", ["layers", "get_weights", "save"])
def test_the_model_is_unknown_before_the_end_of_the_first_round(lc, data, name):
    class Early(kc.Callback):
        def on_train_begin(self, logs=None):
            assert name == "get_weights" or not hasattr(self.model, name)
            getattr(self.model, name)()

    with pytest.raises(AttributeError, match=f"{name}.*before the end of the first round"):
        lc.small().fit(*data, verbose=0, callbacks=[Early()])


def test_the_rate_is_unknown_before_the_first_round(lc, data):
    class Early(kc.Callback):
        def on_train_begin(self, logs=None):
            self.model.optimizer.learning_rate = 0.1

    with pytest.raises(ValueError, match="known from the beginning of its first round"):
        lc.small().fit(*data, verbose=0, callbacks=[Early()])


def test_steps_that_follow_from_the_data_are_unknown_in_each_round(lc, data):
    bar, seen = kc.ProgbarLogger(), []
    watch = kc.LambdaCallback(on_epoch_begin=lambda epoch, logs: seen.append(bar.target))
    lc.small(steps_per_iteration="auto").fit(*data, verbose=0, callbacks=[bar, watch])
    assert seen == [None, None]
    lc.small(max_iterations=1).fit(*data, verbose=0, callbacks=[bar, watch])
    assert seen[2:] == [6]


def test_a_search_callback_that_is_also_one_of_keras_finds_what_that_asks_for(lc, data):
    class Both(an.callbacks.SearchCallback, kc.EarlyStopping):
        pass

    both = Both("loss", mode="max", patience=1, restore_best_weights=True)
    search = lc.small(max_iterations=3).fit(*data, verbose=0, callbacks=[both])
    assert len(search.ensemble.members) == 1


def test_averaged_weights_are_the_generator_s(lc, data):
    """What the refusal of `SwapEMAWeights` says to use instead."""

    def trained(**options):
        optimizer = keras.optimizers.SGD(0.1, **options)
        generator = an.generators.Dense(widths=4, depths=[1], optimizer=optimizer)
        return lc.small(generator=generator, max_iterations=1).fit(*data, verbose=0).best_single

    averaged = trained(use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=6)
    assert not np.allclose(averaged.get_weights()[0], trained().get_weights()[0])
