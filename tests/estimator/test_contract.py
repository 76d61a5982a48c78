"""Every name and argument of tf.estimator 2.15 and adanet 0.9, tried, and as the page says.

python tests/estimator/test_contract.py prints the table of docs/migration.md.
"""

import functools
import pathlib
import tempfile
import warnings

import pytest

from adaptive_nets import estimator, generators, heads

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "migration.md"

HEAD = "loss_reduction loss_fn name"
EXPORTED = "export_dir_base serving_input_receiver_fn assets_extra as_text checkpoint_path"
SAVED = "name serving_input_receiver_fn assets_extra as_text"
ROUNDS = (
    "ensemblers ensemble_strategies evaluator metric_fn force_grow adanet_loss_decay "
    "worker_wait_timeout_secs model_dir config debug enable_ensemble_summaries "
    "enable_subnetwork_summaries global_step_combiner_fn max_iterations replay_config "
    "adanet_lambda adanet_beta use_bias mixture_weight_type mixture_weight_initializer "
    "warm_start_mixture_weights experimental_placement_strategy params"
)
COLUMNS = "config warm_start_from"
LABELLED = f"weight_column loss_reduction {COLUMNS}"
DEEP = "hidden_units feature_columns model_dir optimizer activation_fn dropout batch_norm"
FLAT = "feature_columns model_dir optimizer sparse_combiner"
COMBINED = (
    "model_dir linear_feature_columns linear_optimizer dnn_feature_columns dnn_optimizer "
    "dnn_hidden_units dnn_activation_fn dnn_dropout batch_norm linear_sparse_combiner"
)
CLASSES, NUMBERS = "n_classes label_vocabulary", "label_dimension"
ARRAYS = "x y batch_size num_epochs shuffle queue_capacity num_threads"

SIGNATURES = {
    "RunConfig": "model_dir tf_random_seed save_summary_steps save_checkpoints_steps "
    "save_checkpoints_secs session_config keep_checkpoint_max keep_checkpoint_every_n_hours "
    "log_step_count_steps train_distribute device_fn protocol eval_distribute "
    "experimental_distribute experimental_max_worker_delay_secs session_creation_timeout_secs "
    "checkpoint_save_graph_def",
    "TrainSpec": "input_fn max_steps hooks saving_listeners",
    "EvalSpec": "input_fn steps name hooks exporters start_delay_secs throttle_secs",
    "train_and_evaluate": "estimator train_spec eval_spec",
    "Estimator": f"head subnetwork_generator max_iteration_steps {ROUNDS} report_materializer "
    "replicate_ensemble_in_training delay_secs_per_worker max_worker_delay_secs "
    "worker_wait_secs report_dir export_subnetwork_logits export_subnetwork_last_layer "
    "warm_start_from",
    "Estimator.train": "input_fn hooks steps max_steps saving_listeners",
    "Estimator.evaluate": "input_fn steps hooks checkpoint_path name",
    "Estimator.predict": "input_fn predict_keys hooks checkpoint_path yield_single_examples",
    "Estimator.export_saved_model": f"{EXPORTED} experimental_mode",
    "Estimator.export_savedmodel": f"{EXPORTED} strip_default_attrs",
    "Estimator.experimental_export_all_saved_models": "export_dir_base input_receiver_fn_map "
    "assets_extra as_text checkpoint_path",
    "AutoEnsembleEstimator": f"head candidate_pool max_iteration_steps {ROUNDS} logits_fn "
    "last_layer_fn",
    "AutoEnsembleSubestimator": "estimator train_input_fn prediction_only",
    "Evaluator": "input_fn metric_name objective steps",
    "ReportMaterializer": "input_fn steps",
    "BinaryClassHead": f"weight_column thresholds label_vocabulary {HEAD}",
    "MultiClassHead": f"n_classes weight_column label_vocabulary {HEAD}",
    "MultiLabelHead": "n_classes weight_column thresholds label_vocabulary "
    f"classes_for_class_based_metrics {HEAD}",
    "RegressionHead": f"label_dimension weight_column inverse_link_fn {HEAD}",
    "PoissonRegressionHead": "label_dimension weight_column compute_full_loss loss_reduction name",
    "LogisticRegressionHead": "weight_column loss_reduction name",
    "MultiHead": "heads head_weights",
    "FinalExporter": SAVED,
    "LatestExporter": f"{SAVED} exports_to_keep",
    "BestExporter": f"{SAVED} event_file_pattern compare_fn exports_to_keep",
    "CheckpointSaverHook": "checkpoint_dir save_secs save_steps saver checkpoint_basename "
    "scaffold listeners save_graph_def",
    "LoggingTensorHook": "tensors every_n_iter every_n_secs at_end formatter",
    "StepCounterHook": "every_n_steps every_n_secs output_dir summary_writer",
    "StopAtStepHook": "num_steps last_step",
    "DNNClassifier": f"{DEEP} {CLASSES} {LABELLED}",
    "DNNRegressor": f"{DEEP} {NUMBERS} {LABELLED}",
    "DNNEstimator": f"head {DEEP} {COLUMNS}",
    "LinearClassifier": f"{FLAT} {CLASSES} {LABELLED}",
    "LinearRegressor": f"{FLAT} {NUMBERS} {LABELLED}",
    "LinearEstimator": f"head {FLAT} {COLUMNS}",
    "DNNLinearCombinedClassifier": f"{COMBINED} {CLASSES} {LABELLED}",
    "DNNLinearCombinedRegressor": f"{COMBINED} {NUMBERS} {LABELLED}",
    "DNNLinearCombinedEstimator": f"head {COMBINED} {COLUMNS}",
    "EstimatorSpec": "mode predictions loss train_op eval_metric_ops export_outputs "
    "training_chief_hooks training_hooks scaffold evaluation_hooks prediction_hooks",
    "inputs.numpy_input_fn": ARRAYS,
    "inputs.pandas_input_fn": f"{ARRAYS} target_column",
}

# Names without arguments, or whose arguments are those of a constructor without rules.
OTHERS = (
    "Exporter ModeKeys SessionRunContext SessionRunHook SessionRunValues "
    "CheckpointSaverListener export.ServingInputReceiver "
    "export.build_parsing_serving_input_receiver_fn "
    "export.build_raw_serving_input_receiver_fn"
)
# Public names that are missing.
MISSING = (
    "BaselineClassifier BaselineEstimator BaselineRegressor BoostedTreesClassifier "
    "BoostedTreesEstimator BoostedTreesRegressor FeedFnHook FinalOpsHook "
    "GlobalStepWaiterHook Head NanLossDuringTrainingError "
    "NanTensorHook ProfilerHook SecondOrStepTimer SessionRunArgs "
    "SummarySaverHook VocabInfo WarmStartSettings add_metrics "
    "classifier_parse_example_spec regressor_parse_example_spec tpu experimental "
    "export.ClassificationOutput export.EvalOutput export.ExportOutput "
    "export.PredictOutput export.RegressionOutput export.TensorServingInputReceiver "
    "TPUEstimator AutoEnsembleTPUEstimator Ensemble MixtureWeightType Subnetwork Summary "
    "WeightedSubnetwork distributed ensemble replay subnetwork"
)


def find(name):
    """What a name of the table stands for in `adaptive_nets.estimator`."""
    found = estimator
    for part in name.split("."):
        found = getattr(found, part)
    return found


@functools.cache
def made():
    """An estimator that has learnt nothing."""
    config = estimator.RunConfig(tempfile.mkdtemp())
    return estimator.Estimator(heads.BinaryClass(), generators.Dense(2, 1), 2, config=config)


def called(name):
    """What is called under a name; methods are those of an object."""
    owner, _, method = name.rpartition("Estimator.")
    return getattr(made(), method) if _ and not owner else find(name)


def fate(name, argument):
    """What becomes of an argument: "works", "ignored", "refused" or "unknown"."""

    class Odd:
        """What is not a value of any argument."""

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            called(name)(**{argument: Odd()})
            text = ""
        except (TypeError, ValueError, AttributeError) as error:
            text = str(error)
    if f"has no argument {argument}" in text:
        return "unknown"
    if any(f"{argument} is accepted but ignored" in str(w.message) for w in caught):
        return "ignored"
    if text.startswith(f"{argument} is not supported by"):
        return "refused"
    assert "unexpected keyword" not in text, (name, argument, text)
    # Python's own errors do not say what was received.
    assert not text or "Received" in text or "Call train first" in text, (name, argument, text)
    return "works"


def table():
    """The rows of the page: names, and their arguments by what becomes of them."""
    rows = []
    for name, arguments in SIGNATURES.items():
        cells = {"works": [], "ignored": [], "refused": []}
        for argument in arguments.split():
            cells[fate(name, argument)].append(f"`{argument}`")
        rows.append(f"| `{name}` | {' | '.join(', '.join(c) or '-' for c in cells.values())} |")
    return rows


def test_the_page_says_what_becomes_of_each_argument():
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]
    for row in table():
        assert row in rows
    assert {name for name in SIGNATURES if "." not in name} <= set(estimator.__all__)


def test_names_are_here_or_say_what_to_use_instead():
    page = PAGE.read_text("utf-8")
    for name in OTHERS.split():
        assert find(name) is not None
    for name in MISSING.split():
        with pytest.raises(
            AttributeError, match=rf"has no {name.rpartition('.')[2]}\. [A-Z].{{20,}}"
        ):
            find(name)
        assert name.rpartition(".")[2] in page, name
    with pytest.raises(AttributeError, match=r"has no Soup\. See docs/migration\.md"):
        _ = estimator.Soup


@pytest.mark.parametrize("name", SIGNATURES)
def test_other_arguments_are_refused_by_name(name):
    assert fate(name, "soup") == "unknown"
    with pytest.raises(TypeError, match="It takes .* Received: "):
        called(name)(*range(40))


def test_both_names_of_one_argument_are_refused():
    with pytest.raises(ValueError, match="takes estimator as model: pass only one"):
        estimator.AutoEnsembleSubestimator(estimator=len, model=len)


if __name__ == "__main__":
    print("\n".join(table()))
