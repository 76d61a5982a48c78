"""A run that is killed before, between and after growths goes on to the same weights."""

import textwrap

import numpy as np
import pytest

SCRIPT = textwrap.dedent(
    """
    import os, sys
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras, numpy as np
    from sklearn.datasets import load_digits
    import adaptive_nets as an

    out, backup, unit, *kills = sys.argv[1:]
    kills = [int(kill) for kill in kills]
    x, y = load_digits(return_X_y=True)
    x = (x[:512] / 16).astype("float32")

    def run(folder, die):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([
            keras.Input((64,)), keras.layers.Dense(8, "relu", name="a"), keras.layers.Dense(10)])
        model.compile(keras.optimizers.Adam(0.003, use_ema=True),
                      keras.losses.SparseCategoricalCrossentropy(from_logits=True))

        class Die(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                if die is not None and epoch == die:
                    os._exit(9)
            def on_train_batch_end(self, batch, logs=None):
                # In the middle of the epoch: what is behind the last backup is lost.
                if die is not None and 100 + int(self.model.optimizer.iterations) == die:
                    os._exit(9)

        scale = 1 if unit == "epoch" else 8
        schedule = an.callbacks.GrowthSchedule(
            {2 * scale: an.growth.Widen(2.0), 4 * scale: an.growth.Widen({"a": 24})},
            unit, backup_dir=folder)
        model.fit(x, y[:512], epochs=6, batch_size=64, shuffle=False, verbose=0, callbacks=[
            schedule, keras.callbacks.BackupAndRestore(folder, delete_checkpoint=False), Die()])
        return model

    die = kills[0] if kills else None
    model = run(backup, None if die == -1 else die)
    assert model.get_layer("a").units == 24
    np.savez(out, *model.get_weights(), *[np.array(v) for v in model.optimizer.variables])
    """
)


@pytest.fixture
def run(tmp_path, python):
    def started(folder, unit, kill=-1):
        out = tmp_path / f"{folder}.npz"
        return out, python.run("-c", SCRIPT, out, tmp_path / folder, unit, kill, check=False)

    return started


@pytest.mark.parametrize(
    ("unit", "kills"), [("epoch", [1, 3, 128, 5]), ("step", [2, 120])], ids=["epochs", "steps"]
)
def test_killed_runs_end_as_undisturbed_ones(run, unit, kills):
    expected, done = run("whole", unit)
    assert done.returncode == 0, done.stderr
    for kill in kills:
        _, done = run("killed", unit, kill)
        assert done.returncode == 9, f"kill {kill}: {done.stderr}"
    found, done = run("killed", unit)
    assert done.returncode == 0, done.stderr
    with np.load(expected) as whole, np.load(found) as killed:
        assert whole.files == killed.files
        for name in whole.files:
            np.testing.assert_array_equal(whole[name], killed[name])


def test_a_backup_of_another_model_is_refused(tmp_path):
    import keras

    import adaptive_nets as an

    def model(units):
        made = keras.Sequential(
            [keras.Input((3,)), keras.layers.Dense(units, name="a"), keras.layers.Dense(1)]
        )
        made.compile("sgd", "mse")
        return made

    x = np.ones((8, 3), "float32")
    backup = keras.callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
    model(5).fit(x, x[:, :1], verbose=0, callbacks=[backup])
    schedule = an.callbacks.GrowthSchedule({1: an.growth.Widen(2.0)}, backup_dir=tmp_path)
    with pytest.raises(ValueError, match=r"Cannot go on from .* no growth of this schedule"):
        model(4).fit(x, x[:, :1], verbose=0, callbacks=[schedule])
