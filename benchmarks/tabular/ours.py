"""adaptive_nets as a system, as it is and with one ingredient off."""

import functools
import pathlib
import tempfile

import numpy as np

from benchmarks.tabular.measures import in_order
from benchmarks.tabular.systems import Predict, register, served_bytes, served_microseconds
from benchmarks.tabular.tasks import Split


@register
def adaptive_nets(split: Split, seconds: float, seed: int, **settings: object) -> Predict:
    """`AutoClassifier` or `AutoRegressor` with a time limit."""
    import adaptive_nets as an

    kind = an.AutoRegressor if split.classes is None else an.AutoClassifier
    model = kind(time_limit=seconds, seed=seed, verbose=0, **settings)
    model.fit(split.train, split.target)

    def predict(frame):
        rows = frame.drop(columns=split.target)
        if split.classes is None:
            return model.predict(rows)
        return in_order(model.predict_proba(rows), model.classes_, split.classes)

    predict.model = model
    predict.served = functools.partial(_served, model, split)
    return predict


adaptive_nets.needs = "adaptive_nets"


def noted(model: object) -> dict:
    """What the leaderboard notes of the model that is served, such as that it is linear."""
    return {"note": str(model.leaderboard()["note"].iloc[-1])}


def _served(model, split):
    """Size and speed of the exported model, on up to 10,000 rows."""
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(model.export(folder))
        served = tf.saved_model.load(str(path)).signatures["serving_default"]
        rows = split.test.drop(columns=split.target).head(10_000)
        given = model.schema_.read(rows)
        specs = served.structured_input_signature[1]
        columns = {name: tf.constant(np.asarray(given[name]), specs[name].dtype) for name in specs}
        micro = served_microseconds(lambda: served(**columns), len(rows))
        return {"bytes": served_bytes(path), "microseconds": round(micro, 2)}
