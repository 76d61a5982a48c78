"""The API of tf.estimator and adanet on top of `AdaNet`, for scripts that lost their library."""

from adaptive_nets.estimator import columns, export
from adaptive_nets.estimator.auto_ensemble import AutoEnsembleEstimator, AutoEnsembleSubestimator
from adaptive_nets.estimator.canned import (
    DNNClassifier,
    DNNEstimator,
    DNNLinearCombinedClassifier,
    DNNLinearCombinedEstimator,
    DNNLinearCombinedRegressor,
    DNNRegressor,
    LinearClassifier,
    LinearEstimator,
    LinearRegressor,
    from_keras,
)
from adaptive_nets.estimator.config import RunConfig
from adaptive_nets.estimator.estimator import Estimator
from adaptive_nets.estimator.evaluation import Evaluator, InputFnEvaluator, ReportMaterializer
from adaptive_nets.estimator.exporters import (
    BestExporter,
    Exporter,
    FinalExporter,
    LatestExporter,
)
from adaptive_nets.estimator.hooks import (
    CheckpointSaverHook,
    LoggingTensorHook,
    RunContext,
    RunValues,
    SessionRunHook,
    StepCounterHook,
    StopAtStepHook,
)
from adaptive_nets.estimator.mode_keys import ModeKeys
from adaptive_nets.estimator.model_fn import EstimatorSpec, ModelFnEstimator
from adaptive_nets.estimator.specs import EvalSpec, TrainSpec
from adaptive_nets.estimator.training import train_and_evaluate

__all__ = [
    "AutoEnsembleEstimator",
    "AutoEnsembleSubestimator",
    "BestExporter",
    "CheckpointSaverHook",
    "DNNClassifier",
    "DNNEstimator",
    "DNNLinearCombinedClassifier",
    "DNNLinearCombinedEstimator",
    "DNNLinearCombinedRegressor",
    "DNNRegressor",
    "Estimator",
    "EstimatorSpec",
    "EvalSpec",
    "Evaluator",
    "Exporter",
    "FinalExporter",
    "InputFnEvaluator",
    "LatestExporter",
    "LinearClassifier",
    "LinearEstimator",
    "LinearRegressor",
    "LoggingTensorHook",
    "ModeKeys",
    "ModelFnEstimator",
    "ReportMaterializer",
    "RunConfig",
    "RunContext",
    "RunValues",
    "SessionRunHook",
    "StepCounterHook",
    "StopAtStepHook",
    "TrainSpec",
    "columns",
    "export",
    "from_keras",
    "train_and_evaluate",
]
