"""Valid calls of canned estimators, serving, distribution and reports."""

from numbers import Real
from unittest import mock

import call_things as t
import keras
import numpy as np
import tensorflow as tf
from call_kinds import (
    NAN,
    THING,
    choice,
    count,
    fixed,
    flag,
    function,
    has_rows,
    instance,
    keyed,
    lazy,
    listing,
    mapping,
    model,
    number,
    path,
    rows,
    text,
)
from call_outcomes import Call
from calls_generators import OPTIMIZER
from calls_service import ASSETS

import adaptive_nets as an
from adaptive_nets.serving import export_litert

serving, dist, report = an.serving, an.distribute, an.report


@lazy
def one_device():
    return tf.distribute.get_strategy()


@lazy
def frame():
    return t.fitted()


@lazy
def fixed_dict():
    return {}


@lazy
def units():
    found = keras.callbacks.History()
    found.history = {"units": [1, 2]}
    return found


EXPORT = {
    "model": model(t.dense),
    "head": instance(t.head),
    "path": path("out"),
    "example_spec": fixed(None).but("soup", 3, [1], {"a": 1}, object()),
    "receiver": instance(None, none=True),
    "subnetworks": model(None, none=True),
    "warmup": fixed(None)
    .but("soup", 3, object(), np.ones((2, 9)), t.X * NAN, {"a": t.X})
    .where(lambda rows: np.shape(rows)[1:] == (3,) and np.isfinite(np.asarray(rows)).all()),
    "assets_extra": ASSETS,
    "schema": instance(None, none=True),
}
# A mock is whatever it is taken for.
FEATURE_SPEC = mapping(lazy(lambda: {"x": tf.io.FixedLenFeature([3], tf.float32)})).but(
    {3: tf.io.FixedLenFeature([3], tf.float32)}
)
STRATEGY = instance(one_device).where(lambda value: isinstance(value, mock.Mock))


@lazy
def numbers():
    return [tf.feature_column.numeric_column("b")]


@lazy
def compiled():
    found = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    found.compile("sgd", "mse")
    return found


COLUMNS = fixed(numbers).but("soup", 3, None, [], [3], {"a": 1}, object(), True, NAN)
NO_COLUMNS = (
    fixed(None)
    .but("soup", 3, [3], {"a": 1}, object(), True, NAN)
    .where(lambda value: isinstance(value, list | tuple | set) and not value)
)
WIDTHS = listing([3]).but([2.5], [0], ["3"], [True], "soup")
NAMED = choice("Adam").where(
    lambda value: callable(value) or isinstance(value, dict | keras.optimizers.Optimizer)
)
CANNED = {
    "model_dir": path("run", none=True),
    "config": instance(None, none=True),
    "warm_start_from": path(None, none=True),
    "weight_column": text(None, none=True),
}
CLASSES = {
    "n_classes": count(3, 2),
    "label_vocabulary": fixed(None).but(3, "soup", [1, 2], ["a"], ["a", "a", "b"], object()),
    "loss_reduction": choice("sum_over_batch_size", none=True),
}
ACTIVATION = choice("relu", none=True).where(
    lambda value: isinstance(value, str) or callable(value)
)
NETWORK = {"dropout": number(0.1, None, 1, none=True).but(-0.1), "batch_norm": flag(False)}
DNN = {
    "hidden_units": WIDTHS, "feature_columns": COLUMNS, "optimizer": NAMED,
    "activation_fn": ACTIVATION, **NETWORK, **CANNED,
}  # fmt: skip
COMBINER = choice("sum").where(lambda value: value in ("mean", "sqrtn"))
LINEAR = {"feature_columns": COLUMNS, "optimizer": NAMED, "sparse_combiner": COMBINER, **CANNED}
COMBINED = {
    "linear_feature_columns": NO_COLUMNS, "dnn_feature_columns": COLUMNS,
    "dnn_hidden_units": WIDTHS, "linear_optimizer": NAMED, "dnn_optimizer": NAMED,
    "dnn_activation_fn": ACTIVATION, "dnn_dropout": NETWORK["dropout"],
    "batch_norm": NETWORK["batch_norm"], "linear_sparse_combiner": COMBINER, **CANNED,
}  # fmt: skip
DIMENSION = {"label_dimension": count(1), "loss_reduction": CLASSES["loss_reduction"]}
HEAD = {"head": instance(t.head)}
es = an.estimator

CALLS = [
    Call(
        "estimator.CheckpointSaverHook",
        lambda: es.CheckpointSaverHook,
        {
            "checkpoint_dir": path("run", none=True),
            "save_secs": number(5.0, 0, none=True),
            "save_steps": count(None, none=True),
        },
    ),
    # Feature columns and canned estimators
    Call("estimator.DNNClassifier", lambda: es.DNNClassifier, {**DNN, **CLASSES}),
    Call("estimator.DNNRegressor", lambda: es.DNNRegressor, {**DNN, **DIMENSION}),
    Call("estimator.DNNEstimator", lambda: es.DNNEstimator, {**DNN, **HEAD}),
    Call("estimator.LinearClassifier", lambda: es.LinearClassifier, {**LINEAR, **CLASSES}),
    Call("estimator.LinearRegressor", lambda: es.LinearRegressor, {**LINEAR, **DIMENSION}),
    Call("estimator.LinearEstimator", lambda: es.LinearEstimator, {**LINEAR, **HEAD}),
    Call(
        "estimator.DNNLinearCombinedClassifier",
        lambda: es.DNNLinearCombinedClassifier,
        {**COMBINED, **CLASSES},
    ),
    Call(
        "estimator.DNNLinearCombinedRegressor",
        lambda: es.DNNLinearCombinedRegressor,
        {**COMBINED, **DIMENSION},
    ),
    Call(
        "estimator.DNNLinearCombinedEstimator",
        lambda: es.DNNLinearCombinedEstimator,
        {**COMBINED, **HEAD},
    ),
    Call(
        "estimator.from_keras",
        lambda: es.from_keras,
        {
            "keras_model": model(compiled),
            "keras_model_path": fixed(None).but("soup.keras"),
            "model_dir": path("run", none=True),
            "config": instance(None, none=True),
            "head": instance(None, none=True),
            "optimizer": OPTIMIZER.but(allow=(type(None),)),
        },
    ),
    Call(
        "estimator.EstimatorSpec",
        lambda: es.EstimatorSpec,
        {
            "mode": choice("train").where(lambda value: value in ("eval", "infer")),
            "predictions": fixed(None)
            .but("soup", 3, [1], {"a": 1}, object())
            .where(lambda value: keras.ops.is_tensor(value) or isinstance(value, np.ndarray)),
            "loss": fixed(1.0)
            .but(None, "soup", [1.0], object())
            .where(lambda value: isinstance(value, Real) and not isinstance(value, bool)),
            "train_op": fixed(keras.optimizers.SGD)
            .but("soup", 3, None, [1], {}, object())
            .where(callable),
            "eval_metric_ops": mapping(None, none=True, empty=True),
            "training_hooks": fixed(None).but([3], "soup"),
        },
    ),
    Call(
        "estimator.ModelFnEstimator",
        lambda: es.ModelFnEstimator,
        {
            "model_fn": function(lambda features: features).but(lambda x: x),
            "model_dir": path("run", none=True),
            "config": instance(None, none=True),
            "params": mapping(None, none=True, empty=True)
            .but(allow=({"a": THING},))
            .where(lambda value: isinstance(value, dict)),
            "warm_start_from": path(None, none=True),
        },
    ),
    # Serving
    Call("serving.export_saved_model", lambda: serving.export_saved_model, EXPORT),
    Call(
        "serving.export_litert",
        lambda: export_litert,
        {"model": model(t.dense), "head": instance(t.head), "path": path("a.tflite")},
    ),
    Call(
        "serving.export_onnx",
        lambda: serving.export_onnx,
        {
            "model": model(t.dense),
            "head": instance(t.head),
            "path": path("a.onnx"),
            "schema": instance(None, none=True),
        },
    ),
    Call(
        "serving.receiver_of",
        lambda: serving.receiver_of,
        {
            "serving_input_receiver_fn": function(t.receiver_fn()).but(
                lambda: 3, lambda: None, lambda x: x
            )
        },
    ),
    Call("serving.named_outputs", lambda: serving.named_outputs, {"head": instance(t.head)}),
    Call("serving.read_class_names", lambda: serving.read_class_names, {"folder": path("out")}),
    Call(
        "serving.build_raw_serving_input_receiver_fn",
        lambda: serving.build_raw_serving_input_receiver_fn,
        {
            "features": mapping(lazy(lambda: {"x": tf.TensorSpec([None, 3])}))
            .but(allow=([1],))
            .where(has_rows)
            .where(lambda value: isinstance(value, dict) and [*value.values()] == [[1, 2]])
            .where(lambda value: len(value.shape) > 0 and value.dtype is not object),
            "default_batch_size": count(None, none=True),
        },
    ),
    Call(
        "serving.build_parsing_serving_input_receiver_fn",
        lambda: serving.build_parsing_serving_input_receiver_fn,
        {"feature_spec": FEATURE_SPEC, "default_batch_size": count(None, none=True)},
    ),
    # Distribution
    Call(
        "distribute.make_strategy",
        lambda: dist.make_strategy,
        {
            "distribute": fixed(None)
            .but("soup", "", 3, -1.5, True, [1], {}, object(), NAN, np.ones(2))
            .where(lambda value: isinstance(value, tf.distribute.Strategy))
        },
    ),
    Call(
        "distribute.share_of",
        lambda: dist.share_of,
        {"batch_size": count(8), "strategy": instance(one_device)},
    ),
    Call(
        "distribute.is_multi_worker",
        lambda: dist.is_multi_worker,
        {"strategy": STRATEGY},
    ),
    Call("distribute.Group", lambda: dist.Group, {"strategy": STRATEGY}),
    Call(
        "distribute.Ray",
        lambda: dist.Ray,
        {
            "address": text(None, none=True),
            "workers": count(1, none=True),
            "options": mapping(lazy(lambda: {"num_cpus": 1}), empty=True)
            .but(allow=({"a": THING},))
            .where(keyed(lambda value: True)),
        },
    ),
    Call(
        "distribute.Task",
        lambda: dist.Task,
        {
            "kind": choice("chief"),
            "index": count(0, 0),
            "workers": count(1),
            "cluster": mapping(fixed_dict, empty=True),
        },
    ),
    Call(
        "distribute.task_from_environment",
        lambda: dist.task_from_environment,
        {
            "text": fixed("{}")
            .but("soup", 3, "[]", "3", '{"cluster": 3}', object(), [], True)
            .where(lambda value: value is None or (isinstance(value, str) and not value.strip()))
        },
    ),
    # Reports
    Call(
        "report.plot_architecture",
        lambda: report.plot_architecture,
        {
            "source": instance(frame),
            "path": path("a.png").but("a.soup", "a"),
            "mixture_weights": instance(None, none=True),
        },
    ),
    Call(
        "report.plot_learning_curves",
        lambda: report.plot_learning_curves,
        {"source": instance(frame), "path": path("a.png").but("a.soup", "a")},
    ),
    Call(
        "report.plot_mixture_weights",
        lambda: report.plot_mixture_weights,
        {"source": instance(frame), "path": path("a.png").but("a.soup", "a")},
    ),
    Call(
        "report.plot_filters",
        lambda: report.plot_filters,
        {
            "machine": instance(t.machine),
            "path": path("a.png").but("a.soup"),
            "shape": listing((2, 3), none=True).but((2, 2), (2,), (-2, -3), "soup", (1.5, 4)),
            "most": count(4),
        },
    ),
    Call(
        "report.plot_energies",
        lambda: report.plot_energies,
        {
            "machine": instance(t.machine),
            "x": rows(t.BITS),
            "path": path("a.png").but("a.soup"),
            "samples": count(4),
        },
    ),
    Call(
        "report.plot_units",
        lambda: report.plot_units,
        {
            "history": fixed(units).but(
                {"units": [1]}, "soup", 3, None, {}, [], {"a": [1]}, object(), True
            ),
            "path": path("a.png").but("a.soup"),
        },
    ),
    Call(
        "report.write_report",
        lambda: report.write_report,
        {
            "source": instance(report.Report("title", "verdict", ())),
            "path": path("out.json").but("a.pdf", "a.png"),
            "x": fixed(None).but(3, object()),
            "y": fixed(None).but(3, object()),
        },
    ),
    Call(
        "report.report_data",
        lambda: report.report_data,
        {
            "source": instance(report.Report("title", "verdict", ())),
            "x": fixed(None).but(3, object()),
            "y": fixed(None).but(3, object()),
        },
    ),
]
