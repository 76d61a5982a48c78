"""Valid calls of estimators, serving, distribution and reports."""

import call_things as t
import keras
import pandas as pd
from call_kinds import (
    NAN,
    choice,
    count,
    fixed,
    flag,
    function,
    instance,
    is_none_in_an_array,
    is_text,
    keyed,
    lazy,
    listed,
    listing,
    mapping,
    model,
    number,
    path,
    text,
)
from call_outcomes import Call
from calls_generators import OPTIMIZER, RATE
from calls_search import SEARCH, method

import adaptive_nets as an

es, serving = an.estimator, an.serving
INPUT_FN = function(t.input_fn)
HOOKS = listing(None, none=True, empty=True).but("soup", [3], {}, allow=({"a": 1},))
STEPS = count(2, none=True)
PARAMS = (
    mapping(None, none=True, empty=True)
    .but(allow=({"a": t.RNG}, dict))
    .where(lambda value: isinstance(value, dict))
)
RECEIVER = function(t.receiver_fn)
ASSETS = mapping(None, none=True, empty=True).where(lambda v: isinstance(v, dict))
LISTENERS = fixed(None).but("soup", 3, [3], object()).where(lambda v: not list(v))
LOSS_IN_FULL = flag(True).but(allow=(None,)).where(lambda v: bool(v in (0, 1)))
EXPORTER = {
    "name": text("best").but("a/b"),
    "serving_input_receiver_fn": function(lambda: None),
    "assets_extra": ASSETS,
    "as_text": flag(False).but(True),
    "exports_to_keep": count(1, none=True),
}
FINAL = {k: v for k, v in EXPORTER.items() if k != "exports_to_keep"}
EVALUATOR = {
    "input_fn": INPUT_FN,
    "metric_name": text("loss"),
    "objective": choice("minimize"),
    "steps": STEPS,
}
SEARCHED = {
    "head": instance(t.head),
    "max_iteration_steps": count(2, none=True),
    "force_grow": flag(False),
    "ensemble_strategies": SEARCH["ensemble_strategies"],
    "metric_fn": function(None, none=True),
    "model_dir": path("run", none=True).where(lambda value: hasattr(value, "__fspath__")),
    "max_iterations": count(1, none=True),
    "config": instance(None, none=True),
    "params": PARAMS,
    "export_subnetwork_logits": flag(False),
    "export_subnetwork_last_layer": flag(False),
    "mixture_weight_type": choice("scalar"),
    "adanet_lambda": number(0.1).but(-1),
    "adanet_beta": number(0.1).but(-1),
    "use_bias": flag(False),
    "warm_start_from": path(None, none=True),
    "evaluator": instance(None, none=True),
    "report_materializer": instance(None, none=True),
    "ensemblers": instance(None, none=True).but([]),
}


@lazy
def subnetworks():
    return an.generators.Dense(4)


@lazy
def train_spec():
    return es.TrainSpec(t.input_fn, max_steps=2)


@lazy
def eval_spec():
    return es.EvalSpec(t.input_fn)


def new_estimator():
    return es.Estimator(t.head(), subnetworks(), 2, max_iterations=1)


COLUMN = fixed("w").but("", 3, [1], object()).where(lambda v: v is None or is_text(v))
NOTHING = fixed(None).but("soup", 3, object()).where(is_none_in_an_array)
OF_HEADS = {
    "loss_reduction": fixed("sum_over_batch_size")
    .but("soup", 3, object())
    .where(lambda value: value is None or is_none_in_an_array(value)),
    "name": text("a", none=True),
}
OF_NUMBERS = {"label_dimension": count(1), "weight_column": COLUMN, **OF_HEADS}
LOSS = fixed(None).but(3, "soup", [], abs, object(), lambda logits, labels: logits).where(callable)
THRESHOLDS = (
    fixed([0.3])
    .but("ab", 3, [1.5], ["a"], [NAN], object())
    .where(lambda value: not isinstance(value, str) and not list(value))
)
VOCABULARY = fixed(["a", "b"]).but("ab", 3, ["a"], [1, "b"], object())
OF_ARRAYS = {
    "batch_size": count(2),
    "num_epochs": count(1, none=True),
    "shuffle": flag(True),
}
CALLS = [
    Call(
        "estimator.BinaryClassHead",
        lambda: es.BinaryClassHead,
        {
            "weight_column": COLUMN,
            "thresholds": THRESHOLDS,
            "label_vocabulary": VOCABULARY,
            "loss_fn": LOSS,
            **OF_HEADS,
        },
    ),
    Call(
        "estimator.MultiClassHead",
        lambda: es.MultiClassHead,
        {"n_classes": count(2, 2), "weight_column": COLUMN, "loss_fn": LOSS, **OF_HEADS},
    ),
    Call(
        "estimator.MultiLabelHead",
        lambda: es.MultiLabelHead,
        {
            "n_classes": count(2),
            "weight_column": COLUMN,
            "thresholds": THRESHOLDS,
            "label_vocabulary": VOCABULARY.but(allow=(["a"],)),
            "loss_fn": LOSS,
            **OF_HEADS,
        },
    ),
    Call("estimator.RegressionHead", lambda: es.RegressionHead, OF_NUMBERS),
    Call(
        "estimator.PoissonRegressionHead",
        lambda: es.PoissonRegressionHead,
        OF_NUMBERS | {"compute_full_loss": LOSS_IN_FULL},
    ),
    Call(
        "estimator.LogisticRegressionHead",
        lambda: es.LogisticRegressionHead,
        {"weight_column": COLUMN, **OF_HEADS},
    ),
    Call(
        "estimator.MultiHead",
        lambda: es.MultiHead,
        {
            "heads": mapping(lazy(lambda: {"a": an.heads.BinaryClass()})).but({"a/b": 3}),
            "head_weights": fixed([1.0])
            .but("ab", 3, [-1], [NAN], {"c": 1}, object())
            .where(lambda value: isinstance(value, list) and value == [1])
            .where(lambda value: not dict(value) or dict(value) == {"a": 1}),
        },
    ),
    Call(
        "estimator.inputs.numpy_input_fn",
        lambda: es.inputs.numpy_input_fn,
        {"x": fixed({"a": [1.0, 2.0]}).but({"a": [1.0]}), "y": fixed([0, 1]).but([0]), **OF_ARRAYS},
    ),
    Call(
        "estimator.inputs.pandas_input_fn",
        lambda: es.inputs.pandas_input_fn,
        {
            "x": fixed(pd.DataFrame({"a": [1.0, 2.0]})).but("soup", 3, {"a": [1.0]}, object()),
            "target_column": text("b"),
            **OF_ARRAYS,
        },
    ),
    Call(
        "estimator.Estimator",
        lambda: es.Estimator,
        {"subnetwork_generator": instance(subnetworks), **SEARCHED},
    ),
    Call(
        "estimator.AutoEnsembleEstimator",
        lambda: es.AutoEnsembleEstimator,
        {
            "candidate_pool": mapping(lazy(lambda: {"a": t.dense()}))
            .but({"": t.dense()}, [t.dense(), 3])
            .where(lambda pool: keyed(callable)(pool) or listed(callable)(pool) or callable(pool)),
            "optimizer": OPTIMIZER,
            "learning_rate": RATE,
            "head": SEARCHED["head"],
            "max_iteration_steps": count(2, none=True),
            "config": SEARCHED["config"],
            "params": PARAMS,
            "logits_fn": function(None, none=True),
            "last_layer_fn": function(None, none=True),
        },
    ),
    Call(
        "estimator.AutoEnsembleSubestimator",
        lambda: es.AutoEnsembleSubestimator,
        {
            "model": model(t.dense)
            .but(allow=(type(lambda: 0), type, type(keras.layers.Dense)))
            .where(callable),
            "train_input_fn": function(None, none=True),
            "prediction_only": flag(False),
            "optimizer": OPTIMIZER.but(allow=(type(None),)),
        },
    ),
    Call(
        "estimator.Estimator.train",
        lambda: new_estimator().train,
        {
            "input_fn": INPUT_FN,
            "hooks": HOOKS,
            "steps": count(2, none=True),
            "saving_listeners": fixed(None)
            .but("soup", 3, [3], object())
            .where(lambda v: not list(v)),
        },
    ),
    Call(
        "estimator.Estimator.evaluate",
        method(t.estimator, "evaluate"),
        {
            "input_fn": INPUT_FN,
            "steps": STEPS,
            "hooks": HOOKS,
            "checkpoint_path": path(None, none=True).but("no_such_file"),
            "name": text("a", none=True),
        },
    ),
    Call(
        "estimator.Estimator.predict",
        method(t.estimator, "predict"),
        {
            "input_fn": function(t.features_fn),
            "hooks": HOOKS,
            "predict_keys": listing(None, none=True)
            .but("soup", ["soup"], allow=([], ()))
            .where(lambda value: len(value) == 0),
            "checkpoint_path": path(None, none=True).but("no_such_file"),
            "yield_single_examples": flag(True),
        },
    ),
    Call(
        "estimator.Estimator.export_saved_model",
        method(t.estimator, "export_saved_model"),
        {
            "export_dir_base": path("out"),
            "serving_input_receiver_fn": function(t.receiver_fn()),
            "assets_extra": ASSETS,
            "as_text": flag(False).but(True),
            "checkpoint_path": path(None, none=True).but("no_such_file"),
            "experimental_mode": choice("infer"),
        },
    ),
    Call(
        "estimator.Estimator.experimental_export_all_saved_models",
        method(t.estimator, "experimental_export_all_saved_models"),
        {
            "export_dir_base": path("out"),
            "input_receiver_fn_map": mapping({"infer": t.receiver_fn()}).but({"train": max}),
        },
    ),
    Call(
        "estimator.Estimator.get_variable_value",
        method(t.estimator, "get_variable_value"),
        {"name": text("global_step").but("soup")},
    ),
    Call(
        "estimator.BestExporter",
        lambda: es.BestExporter,
        {**EXPORTER, "compare_fn": function(max), "event_file_pattern": fixed(None).where(is_text)},
    ),
    Call("estimator.LatestExporter", lambda: es.LatestExporter, EXPORTER),
    Call("estimator.FinalExporter", lambda: es.FinalExporter, FINAL),
    Call("estimator.Exporter", lambda: es.Exporter, {"name": EXPORTER["name"]}),
    Call(
        "estimator.LoggingTensorHook",
        lambda: es.LoggingTensorHook,
        {
            "tensors": listing(("loss",)),
            "every_n_iter": count(5, none=True),
            "every_n_secs": fixed(None).but("soup", -1.0, NAN, object()),
            "at_end": flag(False),
            "formatter": function(str, none=True),
        },
    ),
    Call(
        "estimator.StepCounterHook",
        lambda: es.StepCounterHook,
        {
            "every_n_steps": count(5, none=True),
            "every_n_secs": number(None, none=True),
            "output_dir": path(None, none=True),
        },
    ),
    Call("estimator.StopAtStepHook", lambda: es.StopAtStepHook, {"num_steps": count(5)}),
    Call("estimator.StopAtStepHook.last", lambda: es.StopAtStepHook, {"last_step": count(5)}),
    Call("estimator.Evaluator", lambda: es.Evaluator, EVALUATOR),
    Call("estimator.InputFnEvaluator", lambda: es.InputFnEvaluator, EVALUATOR),
    Call(
        "estimator.ReportMaterializer",
        lambda: es.ReportMaterializer,
        {"input_fn": INPUT_FN, "steps": STEPS},
    ),
    Call(
        "estimator.TrainSpec",
        lambda: es.TrainSpec,
        {
            "input_fn": INPUT_FN,
            "max_steps": STEPS,
            "hooks": HOOKS,
            "saving_listeners": fixed(None)
            .but("soup", 3, [3], object())
            .where(lambda v: not list(v)),
        },
    ),
    Call(
        "estimator.EvalSpec",
        lambda: es.EvalSpec,
        {
            "input_fn": INPUT_FN,
            "steps": STEPS,
            "name": text("a", none=True),
            "hooks": HOOKS,
            "exporters": listing(None, none=True, empty=True).but("soup", [3]),
            "start_delay_secs": number(1.0).but(-1),
            "throttle_secs": number(1.0).but(-1),
        },
    ),
    Call(
        "estimator.RunConfig",
        lambda: es.RunConfig,
        {
            "model_dir": path("run", none=True),
            "tf_random_seed": count(1, 0, none=True),
            "save_summary_steps": count(100, none=True),
            "save_checkpoints_steps": count(None, none=True),
            "save_checkpoints_secs": number(5.0, 0, none=True),
            "keep_checkpoint_max": count(5, 0, none=True),
            "log_step_count_steps": count(5, none=True),
            "train_distribute": NOTHING.but([1], {}).where(lambda v: v.extended),
            "experimental_distribute": NOTHING,
            "eval_distribute": NOTHING,
        },
    ),
    Call(
        "estimator.train_and_evaluate",
        lambda: es.train_and_evaluate,
        {
            "estimator": instance(lazy(new_estimator)),
            "train_spec": instance(train_spec),
            "eval_spec": instance(eval_spec),
        },
    ),
    Call(
        "estimator.export.export_timestamped",
        lambda: es.export.export_timestamped,
        {
            "search": instance(t.fitted),
            "export_dir_base": path("out"),
            "serving_input_receiver_fn": function(t.receiver_fn()),
            "assets_extra": ASSETS,
            "subnetworks": fixed(())
            .but("soup", 3, ["soup"], [3], {}, None, True, object())
            .where(lambda value: len(value) == 0),
        },
    ),
    Call("estimator.export.exports_in", lambda: es.export.exports_in, {"folder": path("out")}),
]
