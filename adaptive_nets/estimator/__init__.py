"""The API of tf.estimator and adanet on top of `AdaNet`, for scripts that lost their library."""

from typing import Any

from adaptive_nets.estimator import columns, export, inputs
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
from adaptive_nets.estimator.compat.heads import (
    BinaryClassHead,
    LogisticRegressionHead,
    MultiClassHead,
    MultiHead,
    MultiLabelHead,
    PoissonRegressionHead,
    RegressionHead,
)
from adaptive_nets.estimator.compat.names import INSTEAD, missing
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
    CheckpointSaverListener,
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

# tf.estimator's names.
SessionRunContext = RunContext
SessionRunValues = RunValues

__all__ = [
    "AutoEnsembleEstimator",
    "AutoEnsembleSubestimator",
    "BestExporter",
    "BinaryClassHead",
    "CheckpointSaverHook",
    "CheckpointSaverListener",
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
    "LogisticRegressionHead",
    "ModeKeys",
    "ModelFnEstimator",
    "MultiClassHead",
    "MultiHead",
    "MultiLabelHead",
    "PoissonRegressionHead",
    "RegressionHead",
    "ReportMaterializer",
    "RunConfig",
    "RunContext",
    "RunValues",
    "SessionRunContext",
    "SessionRunHook",
    "SessionRunValues",
    "StepCounterHook",
    "StopAtStepHook",
    "TrainSpec",
    "columns",
    "export",
    "from_keras",
    "inputs",
    "train_and_evaluate",
]


def __getattr__(name: str) -> Any:
    raise missing("adaptive_nets.estimator", name, INSTEAD)
