"""Models that are trained elsewhere, as networks of Keras layers that are never trained."""

from adaptive_nets.estimator.predictors.frozen import FrozenPredictor, frozen, is_predictor

__all__ = ["FrozenPredictor", "frozen", "is_predictor"]
