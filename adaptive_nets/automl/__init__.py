"""AutoML for tables: raw columns in, an accurate, served model out."""

from adaptive_nets.automl.classifier import AutoClassifier
from adaptive_nets.automl.load import load
from adaptive_nets.automl.regressor import AutoRegressor

__all__ = ["AutoClassifier", "AutoRegressor", "load"]
