"""A search that is interrupted anywhere ends as if it had not been."""

import json
import os
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

import adaptive_nets as an
from adaptive_nets.adanet.checkpoints.model_dir import ModelDir
from adaptive_nets.adanet.rounds.trainer import RoundTrainer
from adaptive_nets.adanet.rounds.training_state import TrainingState
from adaptive_nets.files import atomic
from adaptive_nets.files.processes import Process, this_machine


@pytest.fixture(scope="module")
def data(lc):
    return lc.blobs()


@pytest.fixture(scope="module")
def undisturbed(lc, data):
    return lc.small().fit(*data, verbose=0)


@pytest.fixture(scope="module")
def brief():
    """Settings of a search that is run from dozens of moments."""
    return {"mixture_weights": "uniform", "steps_per_iteration": 3}


KILLED = Process(this_machine(), 2**22 + 1, 0).name


class Snapshots:
    """Copies a folder before every change of it: what a kill at that moment would leave."""

    def __init__(self, monkeypatch, folder, target):
        self.folder, self.target, self.taken = folder, target, []
        replace, unlink = os.replace, Path.unlink

        def replacing(source, to, **kwargs):
            self.take(f"write {Path(to).name}", to)
            return replace(source, to, **kwargs)

        def unlinking(path, **kwargs):
            # The temporary files' own removal is not a moment of its own.
            if not path.name.startswith(".writing-"):
                self.take(f"drop {path.name}", path)
            return unlink(path, **kwargs)

        monkeypatch.setattr(atomic.os, "replace", replacing)
        monkeypatch.setattr(Path, "unlink", unlinking)

    def take(self, what, path):
        # Whether the manifest is written before or after the last change is soon seen.
        enough = sum(name == what for name, _ in self.taken) >= 2
        if self.folder in Path(path).parents and not (what == "write manifest.json" and enough):
            copy = self.target / f"{len(self.taken):03d}"
            shutil.copytree(self.folder, copy)
            own = Process.current().name
            for path in [*copy.rglob(f"*{own}*")]:
                # As if another process, which was killed, had written here.
                path.rename(path.with_name(path.name.replace(own, KILLED)))
            self.taken.append((what, copy))


def consistent(folder, data):
    """What can be loaded measures as its leaderboard says."""
    try:
        search = an.AdaNet.load(folder)
        _ = search.ensemble
    except ValueError as error:
        assert "no search" in str(error) or "no ensemble" in str(error)
        return False
    board = search.leaderboard()
    chosen = board[board.status.isin(["selected", "partial"])].iloc[-1]
    assert search.evaluate(*data)["loss"] == pytest.approx(chosen.loss, abs=1e-5)
    return True


@pytest.mark.usefixtures("one_step_calls")
def test_every_moment_of_a_search(lc, data, brief, tmp_path, monkeypatch):
    folder = tmp_path / "search"
    with monkeypatch.context() as patched:
        snapshots = Snapshots(patched, folder, tmp_path)
        whole = lc.small(folder, **brief).fit(*data, verbose=0)
    what = [name for name, _ in snapshots.taken]
    # Checkpoints, members and states were all caught, and drops between them.
    for part in ("write check", "write 2_", "write state", "drop check", "drop state"):
        assert any(name.startswith(part) for name in what), part
    loaded = set()
    for name, copy in snapshots.taken:
        lc.check_files(copy)
        states = frozenset(path.name for path in copy.glob("state-*"))
        if states not in loaded and consistent(copy, data):
            loaded.add(states)
        resumed = lc.small(copy, **brief).fit(*data, verbose=0)
        try:
            lc.assert_same(resumed, whole)
        except AssertionError as error:
            raise AssertionError(f"killed before '{name}'") from error
        assert not list(copy.rglob(".writing-*"))
        assert not list(copy.glob("checkpoint-*")), name
    assert len(loaded) >= 3


@pytest.mark.usefixtures("one_step_calls")
def test_every_moment_after_a_partial_round(lc, data, brief, tmp_path, monkeypatch):
    folder = tmp_path / "search"
    brief = {**brief, "max_iterations": 1}
    first = lc.small(folder, **brief).fit(*data, verbose=0, callbacks=[lc.StopAt(1, 1)])
    assert first.stop_reason == "callback"
    assert "partial" in set(first.leaderboard().status)
    with monkeypatch.context() as patched:
        snapshots = Snapshots(patched, folder, tmp_path)
        lc.small(folder, **brief).fit(*data, verbose=0, callbacks=[lc.StopAt(1, 2)])
        whole = lc.small(folder, **brief).fit(*data, verbose=0)
    lc.assert_same(whole, lc.small(**brief).fit(*data, verbose=0))
    for name, copy in snapshots.taken:
        lc.check_files(copy)
        # At no moment is there less than the partial result.
        assert consistent(copy, data), name
        lc.assert_same(lc.small(copy, **brief).fit(*data, verbose=0), whole)


def test_every_moment_before_the_first_state(lc, data, brief, tmp_path, monkeypatch):
    brief = {**brief, "preprocessing": "standardize", "max_iterations": 1}
    folder = tmp_path / "search"
    with monkeypatch.context() as patched:
        snapshots = Snapshots(patched, folder, tmp_path)
        whole = lc.small(folder, **brief).fit(*data, verbose=0)
    first = [name for name, _ in snapshots.taken[:3]]
    assert first == [
        "write manifest.json", "write preprocessing.keras", "write state-000001.json"
    ]  # fmt: skip
    for _, copy in snapshots.taken[:3]:
        lc.assert_same(lc.small(copy, **brief).fit(*data, verbose=0), whole)


@pytest.mark.usefixtures("one_step_calls")
def test_killed_after_the_last_round_of_a_search_that_found_nothing_better(
    lc, data, tmp_path, monkeypatch
):
    settings = {"force_grow": False, "max_iterations": 9, "steps_per_iteration": 1}
    settings["generator"] = an.generators.Dense(widths=4, depths=[1], learning_rate=1e-9)
    settings["mixture_weights"] = "uniform"
    folder = tmp_path / "search"
    with monkeypatch.context() as patched:
        snapshots = Snapshots(patched, folder, tmp_path)
        ended = lc.small(folder, **settings).fit(*data, verbose=0)
    assert ended.stop_reason == "no_improvement"
    for _, copy in snapshots.taken[-4:]:
        lc.assert_same(lc.small(copy, **settings).fit(*data, verbose=0), ended)


@pytest.mark.usefixtures("one_step_calls")
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("kept", ["folder", "memory"])
def test_keyboard_interrupt_in_a_compiled_call(
    lc, data, undisturbed, tmp_path, monkeypatch, moment, kept
):
    folder = tmp_path if kept == "folder" else None
    plain, calls = RoundTrainer.run, []

    def run(self, *args):
        calls.append(None)
        if len(calls) == 11 and moment == "before":
            raise KeyboardInterrupt
        losses = plain(self, *args)
        # Here the weights are a step ahead of what the search knows.
        if len(calls) == 11:
            raise KeyboardInterrupt
        return losses

    search = lc.small(folder, checkpoint_seconds=0 if folder else 1e9)
    with monkeypatch.context() as patched:
        patched.setattr(RoundTrainer, "run", run)
        with pytest.raises(KeyboardInterrupt):
            search.fit(*data, verbose=0)
    assert search.state.iteration == 1
    lc.assert_same(search.fit(*data, verbose=0), undisturbed)


@pytest.mark.usefixtures("one_step_calls")
def test_dropout_schedule_and_batch_norm_go_on_where_they_were(lc, data, tmp_path):
    rate = keras.optimizers.schedules.CosineDecay(1e-2, 12)
    settings = {
        "generator": an.generators.Dense(4, [1], norm="batch", dropout=0.3, learning_rate=rate),
        "mixture_weights": "matrix",
        "mixture_bias": True,
        "steps_per_iteration": 12,
    }
    whole = lc.small(**settings).fit(*data, verbose=0)
    search = lc.small(tmp_path, **settings)
    search.fit(*data, verbose=0, callbacks=[lc.StopAt(2, 3)])
    assert search.stop_reason == "callback"
    # The rest in a new object, from disk alone.
    lc.assert_same(lc.small(tmp_path, **settings).fit(*data, verbose=0), whole)


def test_without_a_folder_fit_goes_on_within_the_round(lc, data, undisturbed, one_step_calls):
    search = lc.small()
    search.fit(*data, verbose=0, callbacks=[lc.StopAt(1, 4)])
    assert search.leaderboard().steps.tolist() == [4]
    steps = []
    count = keras.callbacks.LambdaCallback(on_train_batch_end=lambda step, logs: steps.append(step))
    lc.assert_same(search.fit(*data, verbose=0, callbacks=[count]), undisturbed)
    assert steps[:2] == [4, 5]


# Damaged folders --------------------------------------------------------------------------------


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.fixture(scope="module")
def original(lc, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("original")
    lc.small(folder).fit(*data, verbose=0)
    return folder


@pytest.fixture
def finished(original, tmp_path):
    shutil.copytree(original, tmp_path / "finished")
    return tmp_path / "finished"


@pytest.mark.parametrize("states", [1, 2])
def test_truncated_states_fall_back(lc, data, undisturbed, finished, states):
    newest = sorted(finished.glob("state-*.json"))[-states:]
    for path in newest:
        truncate(path)
    with pytest.warns(UserWarning, match="falling back to the previous one") as caught:
        resumed = lc.small(finished).fit(*data, verbose=0)
    (told,) = [str(w.message) for w in caught if "falling back" in str(w.message)]
    assert all(path.name in told for path in newest)
    lc.assert_same(resumed, undisturbed)
    # What was written since is newer than the damaged file.
    lc.assert_same(an.AdaNet.load(finished), undisturbed)


def test_a_search_is_not_begun_anew_over_damaged_states(lc, data, finished):
    for path in finished.glob("state-*.json"):
        truncate(path)
    before = lc.contents(finished)
    for attempt in (
        lambda: lc.small(finished).fit(*data, verbose=0),
        lambda: an.AdaNet.load(finished),
    ):
        with pytest.raises(ValueError, match="state-000004.json' is truncated.*Restore") as caught:
            attempt()
        assert "\n" not in str(caught.value)
    assert lc.contents(finished) == before


def test_missing_member_falls_back(lc, data, undisturbed, finished):
    (finished / "members" / "2_1_layer_dense.keras").unlink()
    with pytest.warns(UserWarning, match=r"members/2_1_layer_dense.keras' is missing \(needed"):
        resumed = lc.small(finished).fit(*data, verbose=0)
    lc.assert_same(resumed, undisturbed)


def test_truncated_checkpoint_falls_back(lc, data, undisturbed, tmp_path, one_step_calls):
    lc.small(tmp_path).fit(*data, verbose=0, callbacks=[lc.StopAt(2, 4)])
    older, newest = sorted(tmp_path.glob("checkpoint-*.npz"))
    truncate(newest)
    steps = []
    count = keras.callbacks.LambdaCallback(on_train_batch_end=lambda step, logs: steps.append(step))
    with pytest.warns(UserWarning, match="Checkpoint .* falling back to the previous one"):
        resumed = lc.small(tmp_path).fit(*data, verbose=0, callbacks=[count])
    assert steps[0] == int(older.stem[-9:])
    lc.assert_same(resumed, undisturbed)


def test_checkpoint_of_another_round_does_not_stand_in_the_way(
    lc, data, undisturbed, finished, tmp_path, one_step_calls
):
    """A kill between a round's state and the removal of its checkpoints leaves such."""
    training = TrainingState.begin(1, 6)
    training.step = 6
    header = {"round": 1, "names": ["1_1_layer_dense"], "data": "0", **training.header()}
    ModelDir(finished).write_checkpoint(6, header, [])
    settings = {"max_iterations": 3}
    lc.small(finished, **settings).fit(*data, verbose=0, callbacks=[lc.StopAt(3, 3)])
    assert "checkpoint-000000003.npz" in {p.name for p in finished.glob("checkpoint-*")}
    steps = []
    count = keras.callbacks.LambdaCallback(on_train_batch_end=lambda step, logs: steps.append(step))
    lc.small(finished, **settings).fit(*data, verbose=0, callbacks=[count])
    assert steps[0] == 3


@pytest.mark.parametrize(("other", "age"), [(4, "a newer"), (1, "an older")])
def test_another_format_is_refused(lc, data, finished, other, age):
    newest = max(finished.glob("state-*.json"))
    stored = json.loads(newest.read_text())
    newest.write_text(json.dumps({**stored, "version": other}))
    before = lc.contents(finished)
    for attempt in (
        lambda: lc.small(finished).fit(*data, verbose=0),
        lambda: an.AdaNet.load(finished),
    ):
        with pytest.raises(ValueError, match=rf"{age} version of adaptive_nets \(format {other};"):
            attempt()
    assert lc.contents(finished) == before


@pytest.mark.parametrize(
    ("settings", "fit", "said"),
    [
        (
            {"adanet_lambda": 0.5, "training": "independent"},
            {},
            r"configuration: training: stored 'residual', now 'independent' \(the members were",
        ),
        ({"mixture_weights": "vector"}, {}, r"mixture_weights: .*\(the ensemble's weights are"),
        ({"complexity": "rademacher"}, {}, r"complexity: stored 'sqrt_depth'.*were measured so"),
        ({"seed": 1}, {"validation_split": 0.2}, r"seed: stored 0, now 1, by which validation_spl"),
        ({"head": an.heads.MultiClass(label_smoothing=0.1)}, {}, r"head.config.label_smoothing"),
    ],
)
def test_another_configuration_is_refused(lc, data, finished, settings, fit, said):
    before = lc.contents(finished)
    with pytest.raises(ValueError, match=said) as caught:
        lc.small(finished, **settings).fit(*data, verbose=0, **fit)
    assert "another configuration" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert lc.contents(finished) == before


def test_other_features_are_refused(lc, finished):
    with pytest.raises(ValueError, match=r"fit.features: stored 'float32\[6\]', now 'float32\[4"):
        lc.small(finished).fit(*lc.blobs(features=4), verbose=0)


# Going on on purpose ----------------------------------------------------------------------------


def test_more_rounds_go_on(lc, data, finished):
    whole = lc.small(max_iterations=3).fit(*data, verbose=0)
    lc.assert_same(lc.small(finished, max_iterations=3).fit(*data, verbose=0), whole)


def test_loaded_search_predicts_equal_and_goes_on(lc, data, undisturbed, finished):
    loaded = an.AdaNet.load(finished, max_iterations=3)
    lc.assert_same(loaded, undisturbed)
    x = data[0][:9]
    np.testing.assert_array_equal(loaded.predict(x, "logits"), undisturbed.predict(x, "logits"))
    whole = lc.small(max_iterations=3).fit(*data, verbose=0)
    lc.assert_same(loaded.fit(*data, verbose=0), whole)


def test_finished_search_has_nothing_left_to_do(lc, data, undisturbed, finished):
    steps = []
    count = keras.callbacks.LambdaCallback(on_train_batch_end=lambda step, logs: steps.append(step))
    lc.assert_same(lc.small(finished).fit(*data, verbose=0, callbacks=[count]), undisturbed)
    assert steps == []


def test_seed_of_an_unseeded_search_is_kept(lc, data, tmp_path):
    first = lc.small(tmp_path, seed=None)
    first.fit(*data, verbose=0, callbacks=[lc.StopAt(1, 3)])
    second = lc.small(tmp_path, seed=None).fit(*data, verbose=0)
    assert second.seed == first.seed
    lc.assert_same(second, lc.small(seed=first.seed).fit(*data, verbose=0))


def test_other_data_is_another_yardstick(lc, data, finished):
    """The previous ensemble competes with what it is worth on the data at hand."""
    x, y = data[0], (data[1] + 1) % 3
    search = lc.small(finished, max_iterations=3, force_grow=False)
    worth = an.AdaNet.load(finished).evaluate(x, y)["loss"]
    search.fit(x, y, verbose=0)
    assert [change.setting for change in search.changes] == ["force_grow"]
    board = search.leaderboard()
    previous = board[(board["round"] == 3) & (board.candidate == "previous")].iloc[0]
    assert previous.loss == pytest.approx(worth, abs=1e-5)
    assert previous.objective == pytest.approx(worth + previous.penalty, abs=1e-5)


def test_checkpoint_of_other_data_is_not_used(lc, data, tmp_path, one_step_calls):
    lc.small(tmp_path, max_iterations=1).fit(*data, verbose=0, callbacks=[lc.StopAt(1, 4)])
    steps = []
    count = keras.callbacks.LambdaCallback(on_train_batch_end=lambda step, logs: steps.append(step))
    other = lc.blobs(seed=1)
    lc.small(tmp_path, max_iterations=1).fit(*other, verbose=0, callbacks=[count])
    assert steps[0] == 0
