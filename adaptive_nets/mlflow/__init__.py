"""Models and searches in MLflow (extra `mlflow`)."""

from adaptive_nets.mlflow.automatic import autolog
from adaptive_nets.mlflow.flavor import load_model, log_model, save_model
from adaptive_nets.mlflow.logger import MLflowLogger

__all__ = ["MLflowLogger", "autolog", "load_model", "log_model", "save_model"]
