"""Systems that have an environment of their own: what each of them needs is in the README.

Their packages are imported by name, since this project's environment does not have them.
"""

import importlib
import importlib.util

import numpy as np

from benchmarks.tabular.measures import in_order
from benchmarks.tabular.systems import Predict, dense, divided, register
from benchmarks.tabular.tasks import Split


def installed(package: str) -> bool:
    """Whether a package can be imported."""
    return importlib.util.find_spec(package) is not None


@register
def autogluon(split: Split, seconds: float, seed: int) -> Predict:
    """AutoGluon's tables, preset "medium", without neural networks."""
    import tempfile

    predictor_class = importlib.import_module("autogluon.tabular").TabularPredictor
    regression = split.classes is None
    predictor = predictor_class(
        split.target,
        problem_type=split.task,
        eval_metric="root_mean_squared_error" if regression else "log_loss",
        path=tempfile.mkdtemp(),
        verbosity=0,
    ).fit(
        split.train,
        time_limit=seconds,
        presets="medium_quality",
        excluded_model_types=["NN_TORCH", "FASTAI"],
        num_cpus=2,
    )

    def predict(frame):
        if regression:
            return predictor.predict(frame).to_numpy()
        found = predictor.predict_proba(frame)
        return in_order(found.to_numpy(), np.asarray(found.columns), split.classes)

    return predict


autogluon.needs = "autogluon.tabular"


@register
def realmlp(split: Split, seconds: float, seed: int) -> Predict:
    """RealMLP-TD of pytabkit, its defaults; it knows no time limit.

    Those for classes are for accuracy. For log loss, its authors advise what is set here. Missing
    numbers, which it refuses, become medians.
    """
    pytabkit = importlib.import_module("pytabkit")
    x, y = divided(split, split.train)
    medians = x.median(numeric_only=True)
    x = x.fillna(medians)
    settings = {"device": "cpu", "random_state": seed, "n_threads": 2, "verbosity": 0}
    if split.classes is None:
        model = pytabkit.RealMLP_TD_Regressor(**settings)
    else:
        settings |= {"val_metric_name": "cross_entropy", "use_ls": False}
        model = pytabkit.RealMLP_TD_Classifier(**settings)
    model.fit(x, y)

    def predict(frame):
        rows = frame.drop(columns=split.target, errors="ignore").fillna(medians)
        if split.classes is None:
            return model.predict(rows)
        return in_order(model.predict_proba(rows), model.classes_, split.classes)

    return predict


realmlp.needs = "pytabkit"


@register
def keras_tuner(split: Split, seconds: float, seed: int) -> Predict:
    """Random search of a multi-layer perceptron with KerasTuner, until the time is over."""
    import tempfile
    import time

    import keras

    kt = importlib.import_module("keras_tuner")

    began = time.perf_counter()
    x, y = divided(split, split.train)
    encode = dense(split.train, split.target)
    x = np.asarray(encode.fit_transform(x), "float32")
    mean, spread = 0.0, 1.0
    if split.classes is None:
        mean, spread = y.mean(), y.std()
        y = (y - mean) / spread
    else:
        y = np.searchsorted(split.classes, y)
    order = np.random.default_rng(seed).permutation(len(x))
    stop, fit = order[: len(x) // 5], order[len(x) // 5 :]

    def build(space):
        layers = [
            keras.layers.Dense(space.Choice("units", [64, 128, 256, 512]), "relu")
            for _ in range(space.Int("layers", 1, 4))
        ]
        dropout = keras.layers.Dropout(space.Float("dropout", 0.0, 0.5))
        units = 1 if split.classes is None else len(split.classes)
        last = keras.layers.Dense(units, None if split.classes is None else "softmax")
        model = keras.Sequential([*layers, dropout, last])
        rate = space.Float("rate", 1e-4, 1e-2, sampling="log")
        loss = "mse" if split.classes is None else "sparse_categorical_crossentropy"
        model.compile(keras.optimizers.Adam(rate), loss)
        return model

    class UntilTime(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if time.perf_counter() - began > seconds:
                self.model.stop_training = True

    class Timed(kt.RandomSearch):
        def on_trial_end(self, trial):
            super().on_trial_end(trial)
            if time.perf_counter() - began > seconds:
                # 0 would mean that there is no limit.
                self.oracle.max_trials = len(self.oracle.trials)

    tuner = Timed(build, "val_loss", max_trials=10_000, seed=seed, directory=tempfile.mkdtemp())
    stopping = keras.callbacks.EarlyStopping("val_loss", patience=5, restore_best_weights=True)
    tuner.search(
        x[fit], y[fit], validation_data=(x[stop], y[stop]), epochs=200, batch_size=256,
        callbacks=[stopping, UntilTime()], verbose=0,
    )  # fmt: skip
    model = tuner.get_best_models()[0]

    def predict(frame):
        rows = np.asarray(encode.transform(frame.drop(columns=split.target, errors="ignore")))
        found = model.predict(rows.astype("float32"), batch_size=4096, verbose=0)
        return found[:, 0] * spread + mean if split.classes is None else found

    return predict


keras_tuner.needs = "keras_tuner"
