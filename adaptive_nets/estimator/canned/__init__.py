"""The canned estimators of tf.estimator: feature columns, one Keras network, one round."""

from adaptive_nets.estimator.canned.base import CannedEstimator, ColumnReader
from adaptive_nets.estimator.canned.combined import (
    DNNLinearCombinedClassifier,
    DNNLinearCombinedEstimator,
    DNNLinearCombinedRegressor,
)
from adaptive_nets.estimator.canned.dnn import DNNClassifier, DNNEstimator, DNNRegressor
from adaptive_nets.estimator.canned.from_keras import from_keras
from adaptive_nets.estimator.canned.linear import (
    LinearClassifier,
    LinearEstimator,
    LinearRegressor,
)

__all__ = [
    "CannedEstimator",
    "ColumnReader",
    "DNNClassifier",
    "DNNEstimator",
    "DNNLinearCombinedClassifier",
    "DNNLinearCombinedEstimator",
    "DNNLinearCombinedRegressor",
    "DNNRegressor",
    "LinearClassifier",
    "LinearEstimator",
    "LinearRegressor",
    "from_keras",
]
