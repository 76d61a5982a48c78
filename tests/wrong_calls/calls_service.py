"""Valid calls of estimators, serving, distribution and reports."""

import numpy as np
import tensorflow as tf
from wrong_calls import things as t
from wrong_calls.calls_search import SEARCH, method
from wrong_calls.kinds import (
    NAN,
    choice,
    count,
    fixed,
    flag,
    function,
    instance,
    lazy,
    listing,
    mapping,
    model,
    number,
    path,
    rows,
    text,
)
from wrong_calls.outcomes import Call

import adaptive_nets as an
from adaptive_nets.serving import export_litert

es, serving, dist, report = an.estimator, an.serving, an.distribute, an.report
INPUT_FN = function(t.input_fn)
HOOKS = listing(None, none=True, empty=True).but("soup", [3], {}, allow=({"a": 1},))
STEPS = count(2, none=True)
PARAMS = mapping(None, none=True, empty=True).but(allow=({"a": t.RNG}, dict))
RECEIVER = function(t.receiver_fn)
ASSETS = mapping(None, none=True, empty=True)
EXPORTER = {
    "name": text("best").but("a/b"),
    "serving_input_receiver_fn": function(lambda: None),
    "assets_extra": ASSETS,
    "as_text": flag(False).but(True),
    "exports_to_keep": count(1, none=True),
}
FINAL = {k: v for k, v in EXPORTER.items() if k != "exports_to_keep"}
EVALUATOR = {
    "input_fn": INPUT_FN, "metric_name": text("loss"), "objective": choice("minimize"), "steps": STEPS,
}  # fmt: skip
SEARCHED = {
    "head": instance(t.head), "max_iteration_steps": count(2), "force_grow": flag(False),
    "ensemble_strategies": SEARCH["ensemble_strategies"], "metric_fn": function(None, none=True),
    "model_dir": path("run", none=True), "max_iterations": count(1, none=True),
    "config": instance(None, none=True), "params": PARAMS,
    "export_subnetwork_logits": flag(False), "export_subnetwork_last_layer": flag(False),
    "mixture_weight_type": choice("scalar"), "adanet_lambda": number(0.1).but(-1),
    "adanet_beta": number(0.1).but(-1), "use_bias": flag(False),
    "warm_start_from": path(None, none=True), "evaluator": instance(None, none=True),
    "report_materializer": instance(None, none=True), "ensemblers": instance(None, none=True).but([]),
}  # fmt: skip


@lazy
def subnetworks():
    return an.generators.Dense(4)


@lazy
def train_spec():
    return es.TrainSpec(t.input_fn, max_steps=2)


@lazy
def eval_spec():
    return es.EvalSpec(t.input_fn)


@lazy
def one_device():
    return tf.distribute.get_strategy()


@lazy
def frame():
    return t.fitted()


def new_estimator():
    return es.Estimator(t.head(), subnetworks(), 2, max_iterations=1)


EXPORT = {
    "model": model(t.dense), "head": instance(t.head), "path": path("out"),
    "example_spec": fixed(None).but("soup", 3, [1], {"a": 1}, object()),
    "receiver": instance(None, none=True), "subnetworks": model(None, none=True),
    "warmup": fixed(None).but("soup", 3, object(), np.ones((2, 9)), t.X * NAN, {"a": t.X}),
    "assets_extra": ASSETS, "schema": instance(None, none=True),
}  # fmt: skip
FEATURE_SPEC = mapping(lazy(lambda: {"x": tf.io.FixedLenFeature([3], tf.float32)})).but(
    {3: tf.io.FixedLenFeature([3], tf.float32)}
)
CALLS = [
    Call("estimator.Estimator", lambda: es.Estimator, {
        "subnetwork_generator": instance(subnetworks), **SEARCHED}),
    Call("estimator.AutoEnsembleEstimator", lambda: es.AutoEnsembleEstimator, {
        "candidate_pool": mapping(lazy(lambda: {"a": t.dense()})).but({"": t.dense()}, [t.dense(), 3]),
        "optimizer": choice("adam").but({"a": 1}), "learning_rate": number(0.1, 0, none=True),
        "head": SEARCHED["head"], "max_iteration_steps": count(2), "config": SEARCHED["config"],
        "params": PARAMS,
    }),
    Call("estimator.AutoEnsembleSubestimator", lambda: es.AutoEnsembleSubestimator, {
        "model": model(t.dense).but(allow=(type(lambda: 0),)),
        "train_input_fn": function(None, none=True), "optimizer": choice("adam", none=True)}),
    Call("estimator.Estimator.train", lambda: new_estimator().train, {
        "input_fn": INPUT_FN, "hooks": HOOKS, "steps": count(2, none=True),
        "saving_listeners": fixed(None)}),
    Call("estimator.Estimator.evaluate", method(t.estimator, "evaluate"), {
        "input_fn": INPUT_FN, "steps": STEPS, "hooks": HOOKS,
        "checkpoint_path": path(None, none=True).but("no_such_file"), "name": text("a", none=True)}),
    Call("estimator.Estimator.predict", method(t.estimator, "predict"), {
        "input_fn": function(t.features_fn), "hooks": HOOKS,
        "predict_keys": listing(None, none=True).but("soup", ["soup"], allow=([], ())),
        "checkpoint_path": path(None, none=True).but("no_such_file"),
        "yield_single_examples": flag(True)}),
    Call("estimator.Estimator.export_saved_model", method(t.estimator, "export_saved_model"), {
        "export_dir_base": path("out"), "serving_input_receiver_fn": function(t.receiver_fn()),
        "assets_extra": ASSETS, "as_text": flag(False).but(True),
        "checkpoint_path": path(None, none=True).but("no_such_file"),
        "experimental_mode": choice("infer")}),
    Call("estimator.Estimator.get_variable_value", method(t.estimator, "get_variable_value"), {
        "name": text("global_step").but("soup")}),
    Call("estimator.BestExporter", lambda: es.BestExporter, {
        **EXPORTER, "compare_fn": function(max), "event_file_pattern": fixed(None)}),
    Call("estimator.LatestExporter", lambda: es.LatestExporter, EXPORTER),
    Call("estimator.FinalExporter", lambda: es.FinalExporter, FINAL),
    Call("estimator.Exporter", lambda: es.Exporter, {"name": EXPORTER["name"]}),
    Call("estimator.CheckpointSaverHook", lambda: es.CheckpointSaverHook, {
        "checkpoint_dir": path("run", none=True), "save_secs": number(5.0, 0, none=True),
        "save_steps": count(None, none=True)}),
    Call("estimator.LoggingTensorHook", lambda: es.LoggingTensorHook, {
        "tensors": listing(("loss",)), "every_n_iter": count(5, none=True),
        "every_n_secs": fixed(None).but("soup", -1.0, NAN, object()), "at_end": flag(False),
        "formatter": function(str, none=True)}),
    Call("estimator.StepCounterHook", lambda: es.StepCounterHook, {
        "every_n_steps": count(5, none=True), "every_n_secs": fixed(None).but("soup", -1.0, NAN, object()),
        "output_dir": path(None, none=True)}),
    Call("estimator.StopAtStepHook", lambda: es.StopAtStepHook, {"num_steps": count(5)}),
    Call("estimator.StopAtStepHook.last", lambda: es.StopAtStepHook, {"last_step": count(5)}),
    Call("estimator.Evaluator", lambda: es.Evaluator, EVALUATOR),
    Call("estimator.InputFnEvaluator", lambda: es.InputFnEvaluator, EVALUATOR),
    Call("estimator.ReportMaterializer", lambda: es.ReportMaterializer, {
        "input_fn": INPUT_FN, "steps": STEPS}),
    Call("estimator.TrainSpec", lambda: es.TrainSpec, {
        "input_fn": INPUT_FN, "max_steps": STEPS, "hooks": HOOKS}),
    Call("estimator.EvalSpec", lambda: es.EvalSpec, {
        "input_fn": INPUT_FN, "steps": STEPS, "name": text("a", none=True), "hooks": HOOKS,
        "exporters": listing(None, none=True, empty=True).but("soup", [3]),
        "start_delay_secs": number(1.0).but(-1), "throttle_secs": number(1.0).but(-1)}),
    Call("estimator.RunConfig", lambda: es.RunConfig, {
        "model_dir": path("run", none=True), "tf_random_seed": count(1, 0, none=True),
        "save_summary_steps": count(100, none=True), "save_checkpoints_steps": count(None, none=True),
        "save_checkpoints_secs": number(5.0, 0, none=True), "keep_checkpoint_max": count(5, 0, none=True),
        "log_step_count_steps": count(5, none=True),
        "train_distribute": fixed(None).but("soup", 3, [1], {}, object()),
        "experimental_distribute": fixed(None).but("soup", 3, object()),
        "eval_distribute": fixed(None).but("soup", 3, object())}),
    Call("estimator.train_and_evaluate", lambda: es.train_and_evaluate, {
        "estimator": instance(lazy(new_estimator)), "train_spec": instance(train_spec),
        "eval_spec": instance(eval_spec)}),
    Call("estimator.export.build_raw_serving_input_receiver_fn",
         lambda: es.export.build_raw_serving_input_receiver_fn, {
        "features": mapping(lazy(lambda: {"x": tf.TensorSpec([None, 3])})),
        "default_batch_size": count(None, none=True)}),
    Call("serving.build_parsing_serving_input_receiver_fn",
         lambda: serving.build_parsing_serving_input_receiver_fn, {
        "feature_spec": FEATURE_SPEC, "default_batch_size": count(None, none=True)}),
    Call("estimator.export.export_timestamped", lambda: es.export.export_timestamped, {
        "search": instance(t.fitted), "export_dir_base": path("out"),
        "serving_input_receiver_fn": function(t.receiver_fn()), "assets_extra": ASSETS,
        "subnetworks": fixed(()).but("soup", 3, ["soup"], [3], {}, None, True, object())}),
    Call("estimator.export.exports_in", lambda: es.export.exports_in, {"folder": path("out")}),
    # Serving
    Call("serving.export_saved_model", lambda: serving.export_saved_model, EXPORT),
    Call("serving.export_litert", lambda: export_litert, {
        "model": model(t.dense), "head": instance(t.head), "path": path("a.tflite")}),
    Call("serving.receiver_of", lambda: serving.receiver_of, {
        "serving_input_receiver_fn": function(t.receiver_fn()).but(lambda: 3, lambda: None, lambda x: x)}),
    # Distribution
    Call("distribute.make_strategy", lambda: dist.make_strategy, {
        "distribute": fixed(None).but("soup", "", 3, -1.5, True, [1], {}, object(), NAN, np.ones(2))}),
    Call("distribute.share_of", lambda: dist.share_of, {
        "batch_size": count(8), "strategy": instance(one_device)}),
    Call("distribute.is_multi_worker", lambda: dist.is_multi_worker, {"strategy": instance(one_device)}),
    Call("distribute.Group", lambda: dist.Group, {"strategy": instance(one_device)}),
    Call("distribute.Ray", lambda: dist.Ray, {
        "address": text(None, none=True), "workers": count(1, none=True),
        "options": mapping(lazy(lambda: dict()), empty=True)}),
    Call("distribute.Task", lambda: dist.Task, {
        "kind": choice("chief"), "index": count(0, 0), "workers": count(1),
        "cluster": mapping(lazy(lambda: dict()), empty=True)}),
    Call("distribute.task_from_environment", lambda: dist.task_from_environment, {
        "text": fixed("{}").but("soup", 3, "[]", "3", '{"task": 3}', '{"cluster": 3}', object(), [], True)}),
    # Reports
    Call("report.plot_architecture", lambda: report.plot_architecture, {
        "source": instance(frame), "path": path("a.png").but("a.soup", "a"),
        "mixture_weights": instance(None, none=True)}),
    Call("report.plot_learning_curves", lambda: report.plot_learning_curves, {
        "source": instance(frame), "path": path("a.png").but("a.soup", "a")}),
    Call("report.plot_mixture_weights", lambda: report.plot_mixture_weights, {
        "source": instance(frame), "path": path("a.png").but("a.soup", "a")}),
    Call("report.plot_filters", lambda: report.plot_filters, {
        "machine": instance(t.machine), "path": path("a.png").but("a.soup"),
        "shape": listing((2, 3), none=True).but((2, 2), (2,), (-2, -3), "soup", (1.5, 4)),
        "most": count(4)}),
    Call("report.plot_energies", lambda: report.plot_energies, {
        "machine": instance(t.machine), "x": rows(t.BITS), "path": path("a.png").but("a.soup"),
        "samples": count(4)}),
    Call("report.plot_units", lambda: report.plot_units, {
        "history": fixed({"units": [1, 2]}).but("soup", 3, None, {}, [], {"a": [1]}, object(), True),
        "path": path("a.png").but("a.soup")}),
    Call("report.write_report", lambda: report.write_report, {
        "search": instance(frame), "folder": path("out")}),
]  # fmt: skip
