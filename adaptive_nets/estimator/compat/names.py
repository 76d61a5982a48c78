"""Names of tf.estimator 2.15 and adanet 0.9 that are not here, and what to use instead."""

_LISTED = "a diverged subnetwork is excluded and listed on the leaderboard."
_CALLBACK = "Use a keras.callbacks.Callback, which may be passed as a hook."
_EXPORTS = "The head determines what is exported (docs/serving.md)."
_TPU = "Use RunConfig(train_distribute='tpu') with the class of the same name without TPU."
_BOOSTED = (
    "Use scikit-learn's GradientBoosting classes, fitted, as candidates, or an.AutoClassifier."
)
_DUMMY = "Use scikit-learn's DummyClassifier or DummyRegressor, also as a candidate of a pool."
_KERAS = "Use a Keras model and fit, or AutoEnsembleEstimator with it as a candidate."
_EARLY = "Use keras.callbacks.EarlyStopping as a hook, or AdaNet's early_stopping."
_ADANET = "Use adaptive_nets.estimator.adanet, which has adanet's names"

INSTEAD = {
    "BaselineClassifier": _DUMMY,
    "BaselineEstimator": _DUMMY,
    "BaselineRegressor": _DUMMY,
    "BoostedTreesClassifier": _BOOSTED,
    "BoostedTreesEstimator": _BOOSTED,
    "BoostedTreesRegressor": _BOOSTED,
    "FeedFnHook": "There are no feeds. Read the data in input_fn.",
    "FinalOpsHook": _CALLBACK,
    "GlobalStepWaiterHook": "Workers always wait for the chief. Leave it out.",
    "Head": "Derive from an.heads.Head.",
    "NanLossDuringTrainingError": f"It is not raised: {_LISTED}",
    "NanTensorHook": f"Leave it out: {_LISTED}",
    "ProfilerHook": "Use keras.callbacks.TensorBoard(profile_batch=...) as a hook.",
    "SecondOrStepTimer": _CALLBACK,
    "SessionRunArgs": "Leave it out: hooks are given global_step and loss.",
    "SummarySaverHook": "Leave it out: summaries are always written.",
    "VocabInfo": "Pass warm_start_from the folder of another search.",
    "WarmStartSettings": "Pass warm_start_from the folder of another search.",
    "add_metrics": "Pass metric_fn to Estimator.",
    "classifier_parse_example_spec": "Write a dict of tf.io.FixedLenFeature.",
    "regressor_parse_example_spec": "Write a dict of tf.io.FixedLenFeature.",
    "tpu": _TPU,
    "TPUEstimator": _TPU,
    "AutoEnsembleTPUEstimator": _TPU,
    "experimental": _EARLY,
    "replay": "Use AdaNet.replay(model_dir, x, y).",
    "distributed": f"{_ADANET}, or placement='round_robin' of Estimator.",
    "ensemble": f"{_ADANET}, or the arguments of Estimator.",
    "subnetwork": f"{_ADANET}, or an.adanet.Builder, Generator and Subnetwork.",
    "Ensemble": "Use an.adanet.Ensemble.",
    "MixtureWeightType": "Pass mixture_weight_type='scalar', 'vector' or 'matrix'.",
    "Subnetwork": f"{_ADANET}, or an.adanet.Subnetwork.",
    "Summary": "Leave it out: TensorBoard scalars are written for each subnetwork.",
    "WeightedSubnetwork": "Use AdaNet.load(model_dir), its leaderboard and its ensemble.",
}
EXPORT_INSTEAD = {
    "ClassificationOutput": _EXPORTS,
    "EvalOutput": _EXPORTS,
    "ExportOutput": _EXPORTS,
    "PredictOutput": _EXPORTS,
    "RegressionOutput": _EXPORTS,
    "TensorServingInputReceiver": _EXPORTS,
}


def missing(module: str, name: str, instead: dict[str, str]) -> AttributeError:
    """Returns the error of a name that a module lacks.

    Args:
        module: The module's public name.
        name: What was looked up.
        instead: What to use instead, by name.
    """
    why = instead.get(name, "See docs/migration.md for the names that there are.")
    return AttributeError(f"{module} has no {name}. {why}", name=name)
