"""Every callback of `keras.callbacks` does in a search what it is for, or is refused before it."""

import csv
import inspect
import pathlib
import re
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

import adaptive_nets as an
from adaptive_nets.adanet.monitoring.check_callbacks import Training, check_callbacks

kc = keras.callbacks
PAGE = pathlib.Path(__file__).resolve().parents[3] / "docs" / "callbacks.md"
# One call that each class takes in a search; `None` for those that need another package.
WORKING = {
    "Callback": lambda folder: kc.Callback(),
    "LambdaCallback": lambda folder: kc.LambdaCallback(
        on_epoch_end=lambda epoch, logs: (folder / f"epoch_{epoch}").touch()
    ),
    "CallbackList": lambda folder: kc.CallbackList([kc.History()]),
    "EarlyStopping": lambda folder: kc.EarlyStopping(
        "objective", patience=9, restore_best_weights=True
    ),
    "ReduceLROnPlateau": lambda folder: kc.ReduceLROnPlateau(
        "val_loss", factor=0.9, patience=1, min_delta=10
    ),
    "LearningRateScheduler": lambda folder: kc.LearningRateScheduler(lambda _, rate: rate * 0.8),
    "ModelCheckpoint": lambda folder: kc.ModelCheckpoint(folder / "{epoch}.keras"),
    "BackupAndRestore": lambda folder: kc.BackupAndRestore(folder / "backup"),
    "TensorBoard": lambda folder: kc.TensorBoard(
        folder / "board", histogram_freq=1, write_images=True, update_freq="batch",
        write_steps_per_second=True,
    ),
    "CSVLogger": lambda folder: kc.CSVLogger(folder / "rounds.csv"),
    "History": lambda folder: kc.History(),
    "RemoteMonitor": lambda folder: kc.RemoteMonitor("http://monitor"),
    "ProgbarLogger": lambda folder: kc.ProgbarLogger(),
    "TerminateOnNaN": lambda folder: kc.TerminateOnNaN(),
}  # fmt: skip
REFUSED = {"SwapEMAWeights": lambda: kc.SwapEMAWeights(), "OrbaxCheckpoint": None}


@pytest.fixture(scope="module")
def data(lc):
    return lc.blobs()


@pytest.fixture(scope="module")
def fitted(lc, data, tmp_path_factory):
    """One search that all working callbacks follow."""
    folder, sent, shown = tmp_path_factory.mktemp("callbacks"), [], []
    remote = inspect.getmodule(kc.RemoteMonitor)
    with pytest.MonkeyPatch.context() as patch:
        post = lambda url, data, headers: sent.append(data["data"])  # noqa: E731
        exceptions = types.SimpleNamespace(RequestException=OSError)
        patch.setattr(remote, "requests", types.SimpleNamespace(post=post, exceptions=exceptions))
        progbar = inspect.getmodule(kc.ProgbarLogger)
        patch.setattr(progbar.io_utils, "print_msg", lambda text, **_: shown.append(text))
        given = {name: make(folder) for name, make in WORKING.items()}
        # `ReduceLROnPlateau` acts last, on what `LearningRateScheduler` has set.
        given["ReduceLROnPlateau"] = given.pop("ReduceLROnPlateau")
        backed_up = kc.LambdaCallback(
            on_epoch_end=lambda *_: sent.append(
                sorted(p.name for p in (folder / "backup").iterdir())
            )
        )
        search = lc.small(max_iterations=3)
        search.fit(*data, validation_split=0.25, callbacks=[*given.values(), backed_up])
    return types.SimpleNamespace(search=search, folder=folder, sent=sent, shown=shown, **given)


def test_the_table_of_the_documentation_names_every_class():
    classes = {
        name
        for name, value in vars(kc).items()
        if isinstance(value, type) and issubclass(value, kc.Callback)
    }
    rows = re.findall(r"^\| (`.*`) \| (works|refused) \|", PAGE.read_text(), re.MULTILINE)
    table = {name: how for names, how in rows for name in re.findall(r"`(\w+)`", names)}
    assert classes == table.keys() - ({"OrbaxCheckpoint"} - classes)
    assert {name for name, how in table.items() if how == "works"} == WORKING.keys()
    assert {name for name, how in table.items() if how == "refused"} == REFUSED.keys()


def test_all_rounds_are_trained_and_told(fitted):
    search, folder = fitted.search, fitted.folder
    assert search.stop_reason == "max_iterations"
    assert sorted(p.name for p in folder.glob("epoch_*")) == ["epoch_0", "epoch_1", "epoch_2"]
    history = fitted.History.history
    best = [e.measured for e in search.state.entries if e.status == "selected"]
    assert history["val_accuracy"] == [m["val_accuracy"] for m in best]
    assert fitted.CallbackList.callbacks[0].history["val_loss"] == history["val_loss"]
    with open(folder / "rounds.csv") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["val_loss"]) for row in rows] == history["val_loss"]
    sent = [text for text in fitted.sent if isinstance(text, str)]
    assert len(sent) == 3 and '"epoch": 2' in sent[-1]
    assert [text for text in fitted.shown if text.startswith("Epoch ")] == [
        "Epoch 1/3", "Epoch 2/3", "Epoch 3/3",
    ]  # fmt: skip
    assert fitted.EarlyStopping.best == min(history["objective"])


def test_learning_rates_are_those_of_both_callbacks(fitted):
    # 0.8 in each round, and 0.9 after the second and third, which do not improve by 10.
    assert fitted.search.state.rate_factor == pytest.approx(0.8**3 * 0.9**2, rel=1e-5)
    rates = [0.1 * 0.8, 0.1 * 0.8**2, 0.1 * 0.8**3 * 0.9]
    assert fitted.History.history["learning_rate"] == pytest.approx(rates, rel=1e-5)


def test_each_round_s_model_is_saved_as_plain_keras(fitted, data):
    saved = [keras.models.load_model(fitted.folder / f"{n}.keras") for n in (1, 2, 3)]
    logits = fitted.search.predict(data[0], "logits")
    np.testing.assert_allclose(saved[2].predict(data[0], verbose=0), logits, rtol=1e-5, atol=1e-5)
    sizes = [model.count_params() for model in saved]
    assert sizes == sorted(set(sizes))


def test_the_backup_is_the_search_s_state_until_the_end(fitted):
    listed = [names for names in fitted.sent if isinstance(names, list)]
    assert len(listed) == 3 and all(any(n.startswith("state-") for n in names) for names in listed)
    assert not (fitted.folder / "backup").exists()


def test_tensorboard_has_scalars_and_histograms_of_each_round(fitted):
    steps = {}
    for part in ("train", "validation"):
        for file in (fitted.folder / "board" / part).glob("events*"):
            for event in tf.compat.v1.train.summary_iterator(str(file)):
                for value in event.summary.value:
                    steps.setdefault((part, value.tag.rpartition("/")[2]), set()).add(event.step)
    for key in (("train", "epoch_loss"), ("validation", "epoch_accuracy"), ("train", "histogram")):
        assert steps[key] == {0, 1, 2}
    assert ("train", "batch_loss") in steps and ("train", "epoch_steps_per_second") in steps


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        (kc.SwapEMAWeights(), "SwapEMAWeights: .*use_ema=True"),
        (kc.EarlyStopping(), "EarlyStopping: it monitors 'val_loss'.*Pass validation_data"),
        (kc.ReduceLROnPlateau("acc"), "ReduceLROnPlateau: it monitors 'acc'.*accuracy"),
        (kc.ModelCheckpoint("x.keras", save_best_only=True), "ModelCheckpoint: it monitors"),
        (kc.ModelCheckpoint("{val_acc}.keras"), "ModelCheckpoint: filepath .*'val_acc'"),
        (kc.ModelCheckpoint("{batch}.keras"), "ModelCheckpoint: filepath .*'batch'"),
        (kc.ModelCheckpoint("x.keras", save_freq=10), "ModelCheckpoint: save_freq=10"),
        (kc.TensorBoard(embeddings_freq=1), "TensorBoard: embeddings_freq"),
        (type("Mine", (kc.BackupAndRestore,), {})("x"), "Mine: .*model_dir"),
        (type("Mine", (kc.EarlyStopping,), {})("auc"), "Mine: it monitors 'auc'"),
        (kc.CallbackList([kc.SwapEMAWeights()]), "SwapEMAWeights"),
        (an.callbacks.GrowOnPlateau(), "GrowOnPlateau: .*generators.Growth"),
        (an.callbacks.CollapseOnEnd(), "CollapseOnEnd: .*majority=k"),
        (an.callbacks.CollapsedCheckpoint("x.keras"), "CollapsedCheckpoint: .*majority=k"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_before_training(lc, data, tmp_path, callback, message):
    search, begun = lc.small(tmp_path / "search"), []
    watch = kc.LambdaCallback(on_train_begin=lambda logs: begun.append(1))
    with pytest.raises(ValueError, match=f"AdaNet.fit cannot use the callback {message}"):
        search.fit(*data, verbose=0, callbacks=[watch, callback])
    assert not begun and search.state.iteration == 0 and not (tmp_path / "search").exists()


@pytest.mark.parametrize("callbacks", [kc.EarlyStopping, [kc.History], "EarlyStopping", [3], {}])
def test_what_is_no_callback_is_refused_by_name(lc, data, callbacks):
    with pytest.raises(TypeError, match="callbacks must be Keras callbacks. Received: "):
        lc.small().fit(*data, verbose=0, callbacks=callbacks)


@pytest.mark.parametrize(
    "callback", [kc.LearningRateScheduler(lambda epoch: 0.1), kc.ReduceLROnPlateau("loss")]
)
def test_rates_do_not_reach_other_processes(callback):
    with pytest.raises(ValueError, match="placement='ray' trains subnetworks in other processes"):
        check_callbacks([callback], Training({"loss": "down"}, False, "ray"))


def test_packages_that_callbacks_need_are_asked_for_before_training(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for callback, package in ((kc.TensorBoard(), "tensorboard"), (kc.RemoteMonitor(), "requests")):
        with pytest.raises(ImportError, match=f"{type(callback).__name__} needs .*{package}"):
            check_callbacks([callback], Training({"loss": "down"}, False))
