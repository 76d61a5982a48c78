"""Model functions of tf.estimator, written with Keras layers and TensorFlow."""

from adaptive_nets.estimator.model_fn.dispatch import TakesModelFn
from adaptive_nets.estimator.model_fn.estimator import ModelFnEstimator
from adaptive_nets.estimator.model_fn.spec import EstimatorSpec

__all__ = ["EstimatorSpec", "ModelFnEstimator", "TakesModelFn"]
