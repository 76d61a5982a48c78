"""Valid calls of the AutoML front, and of methods of objects that other calls make."""

import copy
import tempfile
import types

import call_things as t
import numpy as np
import pandas as pd
import tensorflow as tf
from call_kinds import (
    NAN,
    THING,
    choice,
    count,
    fixed,
    flag,
    has_rows,
    instance,
    is_text,
    lazy,
    listing,
    mapping,
    model,
    number,
    path,
    real,
    rows,
    text,
    whole,
)
from call_outcomes import Call
from calls_models import SEED
from calls_search import FIT, LABELS, PREDICT, method, weights

import adaptive_nets as an

growth, energy, es = an.growth, an.energy, an.estimator
ACTIONS = (
    lambda: growth.Widen(2.0),
    lambda: growth.Deepen(),
    lambda: growth.SelfFuse(),
    lambda: growth.FuseWith(t.dense()),
)
SHAPE = listing((None, 6)).but("soup", (6.5,), ("a",), (-1, -3), {})


FIT_ON = (
    fixed(None)
    .but("soup", "", 3, True, [1], {}, object(), NAN, "multi_worker", allow=("one_device",))
    .where(lambda value: isinstance(value, tf.distribute.Strategy))
)
# Without a search.
SETTINGS = {
    "time_limit": number(0.01, 0, none=True).but(allow=(float("inf"),)),
    "preset": choice("fast"),
    "metric": choice("accuracy"),
    "schema": instance(None, none=True),
    "folds": choice("auto", none=True)
    .but(1, allow=(3,))
    .where(lambda value: whole(value) and value > 1),
    # More than one needs folds.
    "repeats": count(1),
    "generator": instance(lazy(lambda: an.generators.Tabular()), none=True),
    "seed": count(1, 0, none=True),
    "verbose": FIT["verbose"].where(lambda value: value in (0, 1, 2)),
    "distribute": FIT_ON,
    "placement": choice("replicated"),
}


def classifier(**settings):
    return an.AutoClassifier(**settings).fit(t.X, t.Y)


def divided(**given):
    return an.AutoClassifier(time_limit=0.01, seed=0, verbose=0).fit(t.X, t.Y, **given)


def regressor(**settings):
    return an.AutoRegressor(**{**settings, "metric": "auto"}).fit(t.X, t.TARGETS)


def three_columns(value):
    """Whether a value is numbers, perhaps as text, in as many columns as were trained on."""
    if isinstance(value, pd.DataFrame):
        # With holes too.
        value = value.apply(pd.to_numeric).astype("float64")
    array = np.asarray(value)
    return array.ndim == 2 and array.shape[1] == 3 and array.dtype.kind in "biuf"


TABLE = (
    fixed(t.X)
    .but("soup", 3, None, t.X[:, :2], {}, object(), {"a": t.X}, t.X * 1j)
    .where(three_columns)
    .where(lambda value: is_like_x(value))
)
ROWS = {"X": TABLE, "y": LABELS.but(t.X, allow=())}
NOT_ROWS = ("soup", 3, THING, True, NAN, [1, 2], {}, [THING], np.full(24, None), t.X)
HANDED_ON = ("X", "y", "sample_weight")


def is_like_x(value):
    """Whether a table or an array has as many columns as the training data."""
    return np.ndim(value) == 2 and np.shape(value)[1] == t.X.shape[1]


COSTS = fixed(None).but(
    "soup", 3, [1.0], {7: 1.0}, {(0, 7): 1.0}, {(0, 1): -1.0}, {(0, 1): "a"}, {(0, 1): NAN}, {},
    np.ones((3, 3)), np.eye(3), np.ones((2, 3)), [[0, 1, NAN], [1, 0, 1], [1, 1, 0]], True,
    object(), NAN,
)  # fmt: skip
# Columns with few different values among the rows held out.
BY = fixed(None).but("soup", 3, True, ["x0"], {}, THING, NAN, allow=("x0", "x1", "x2"))
COVERED = {
    "X": fixed(t.X).where(is_like_x),
    "coverage": number(0.5, 0, 1).but(0.999),
    "by": BY,
}


FRONT = [
    Call(
        "AutoClassifier",
        lambda: classifier,
        {**SETTINGS, "class_weight": FIT["class_weight"], "costs": COSTS},
    ),
    Call("AutoClassifier.predict_set", method(t.front, "predict_set"), COVERED, HANDED_ON),
    Call(
        "AutoClassifier.set_threshold",
        lambda: copy.copy(t.two_front()).set_threshold,
        {
            "threshold": number(0.3, 0, 1)
            .but(-0.1, 2, allow=(0, 1))
            .where(lambda value: real(value) and 0 <= value <= 1)
        },
    ),
    Call(
        "AutoRegressor",
        lambda: regressor,
        {k: v for k, v in SETTINGS.items() if k != "metric"}
        | {
            "loss": choice("squared_error").but("soup", allow=("gamma", "poisson", "tweedie")),
            "output": choice("mean").but("soup", allow=("quantiles", "distribution")),
        },
    ),
    Call(
        "AutoClassifier.fit",
        lambda: divided,
        {"groups": fixed(np.arange(24) % 8).but(*NOT_ROWS, np.ones(24)).where(has_rows)},
    ),
    Call(
        "AutoClassifier.fit",
        lambda: divided,
        {
            "time": fixed(np.arange(24)).but(*NOT_ROWS, np.ones(24), ["a"] * 24).where(has_rows),
            "gap": number(2, none=True).but(-1, 100),
        },
    ),
    Call(
        "AutoRegressor.predict_interval",
        method(t.numbers_front, "predict_interval"),
        COVERED,
        HANDED_ON,
    ),
    Call(
        "AutoClassifier.evaluate",
        method(t.front, "evaluate"),
        {**ROWS, "sample_weight": weights()},
        HANDED_ON,
    ),
    Call(
        "AutoClassifier.importances",
        method(t.front, "importances"),
        {
            **ROWS,
            "repeats": count(1),
            "coverage": number(0.9, 0, 1),
            "group_correlated": choice(False)
            .but(3, {"a": "soup"}, allow=(True, None, 0.5, {}))
            .where(lambda value: isinstance(value, float) and 0 < value < 1),
            "time_limit": number(9, 0, none=True),
            "seed": count(1, 0),
        },
        HANDED_ON,
    ),
    Call(
        "AutoClassifier.partial_dependence",
        method(t.front, "partial_dependence"),
        {
            "X": fixed(t.X).where(is_like_x),
            "column": choice("x0").but("soup", allow=("x1", "x2")),
            "kind": choice("average").but("soup", allow=("individual", "both")),
            "points": count(2, 2),
            "rows": count(9, none=True),
            "seed": count(1, 0),
        },
        HANDED_ON,
    ),
    Call(
        "AutoClassifier.explain",
        method(t.front, "explain"),
        {
            "X": fixed(t.X).where(is_like_x),
            "background": fixed(t.X).but(allow=(None,)).where(is_like_x),
            "draws": count(2),
            "seed": count(1, 0),
        },
        ("X", "background"),
    ),
    Call(
        "AutoClassifier.refit",
        method(t.front, "refit"),
        {**ROWS, "sample_weight": weights()},
        HANDED_ON,
    ),
    Call(
        "AutoClassifier.distil",
        method(t.front, "distil"),
        {
            "X": fixed(t.X).but(allow=(None,)).where(is_like_x),
            "size": count(2),
            "time_limit": number(0.1, 0, none=True),
        },
        ("X",),
    ),
    Call("AutoClassifier.predict", method(t.front, "predict"), {"X": TABLE}, HANDED_ON),
    Call("AutoClassifier.predict_proba", method(t.front, "predict_proba"), {"X": TABLE}, HANDED_ON),
    Call("AutoClassifier.save", method(t.front, "save"), {"path": path("kept")}),
    Call("automl.load", lambda: an.automl.load, {"path": path(t.saved_front)}),
]


# Told to tools that people follow experiments with.
def _autolog(**given):
    """Logs every fit, and stops at once: other calls are not to be logged."""
    try:
        an.mlflow.autolog(**given)
    finally:
        an.mlflow.autolog(disable=True)


RUN = types.SimpleNamespace(config={}, summary={}, log=print)
TRACKED = [
    Call("callbacks.HParams", lambda: an.callbacks.HParams, {"log_dir": path("logs")}),
    Call(
        "callbacks.WandbLogger",
        lambda: an.callbacks.WandbLogger,
        {"run": instance(RUN).where(lambda value: callable(value.log))},
    ),
    Call("mlflow.MLflowLogger", lambda: an.mlflow.MLflowLogger, {"log_models": flag(True)}),
    Call(
        "mlflow.autolog",
        lambda: _autolog,
        {"log_models": flag(True), "disable": flag(True)},
    ),
    Call(
        "mlflow.save_model",
        lambda: an.mlflow.save_model,
        {
            "model": instance(t.front),
            "path": path(lazy(tempfile.mkdtemp)),
            "pyfunc_predict_fn": choice("predict"),
            "pip_requirements": listing(None, none=True, empty=True).but("soup", [3]),
            "metadata": mapping(None, none=True, empty=True).but("soup", 3),
        },
    ),
    Call(
        "mlflow.log_model",
        lambda: an.mlflow.log_model,
        {"model": instance(t.front), "name": text("model")},
    ),
    Call(
        "mlflow.load_model",
        lambda: an.mlflow.load_model,
        {"model_uri": path(t.saved_front).but("soup")},
    ),
]

CALLS = [
    *FRONT,
    *TRACKED,
    *(
        Call(
            f"growth.{type(make()).__name__}.plan",
            method(make, "plan"),
            {"model": model(t.dense), "seed": SEED},
        )
        for make in ACTIONS
    ),
    Call(
        "growth.Plan.apply",
        lambda: growth.plan_widen(t.dense(), 2.0).apply,
        {"sample": rows(t.X, none=True).where(has_rows)},
    ),
    Call(
        "energy.RBM.build", lambda: energy.RBM(4).build, {"input_shape": SHAPE.but(iter((None, 6)))}
    ),
    Call(
        "data.Feature.read",
        method(lambda: t.schema().features[0], "read"),
        {"values": PREDICT["x"]},
    ),
    Call(
        "data.Schema.from_spec",
        lambda: an.data.Schema.from_spec,
        {"spec": fixed(lazy(lambda: t.fitted().context.spec)).but("soup", 3, None, [], object())},
    ),
    Call(
        "estimator.RunConfig.replace",
        lambda: es.RunConfig().replace,
        {
            "model_dir": fixed("run")
            .but(3, "", [])
            .where(lambda v: v is None or is_text(v) or hasattr(v, "__fspath__")),
            "tf_random_seed": count(1, 0, none=True),
            "keep_checkpoint_max": count(5, 0, none=True),
        },
    ),
    Call(
        "adanet.Evaluator.from_config",
        lambda: an.adanet.Evaluator.from_config,
        {
            "config": fixed(lazy(lambda: an.adanet.Evaluator().get_config())).but(
                "soup", 3, None, [], {}, {"metric": 3}, {"mode": "soup"}, object()
            )
        },
    ),
    Call(
        "growth.DistillationLoss.from_config",
        lambda: growth.DistillationLoss.from_config,
        {
            "config": fixed(lazy(lambda: growth.DistillationLoss("mse").get_config()))
            .but("soup", 3, None, [], {"soup": 1}, {"temperature": "a"}, object())
            # All arguments have defaults.
            .where(lambda value: type(value) is dict and value == {})
        },
    ),
    *(
        Call(
            f"growth.{kind}.from_config",
            lambda kind=kind: getattr(growth, kind).from_config,
            {
                "config": fixed(lazy(lambda kind=kind: getattr(growth, kind)().get_config())).but(
                    "soup", 3, None, [], {"soup": 1}, object()
                )
            },
        )
        for kind in ("SelfFuse",)
    ),
]
