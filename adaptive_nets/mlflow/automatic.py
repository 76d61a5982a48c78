"""`autolog`: every `fit` is logged to MLflow."""

from adaptive_nets._checks import check_bool
from adaptive_nets.adanet.monitoring.observers import observe
from adaptive_nets.mlflow.logger import MLflowLogger
from adaptive_nets.mlflow.package import require_mlflow


def autolog(*, log_models: bool = True, disable: bool = False) -> None:
    """Logs every `fit` of `AdaNet`, `AutoClassifier` and `AutoRegressor` from now on.

    Each is logged as if `MLflowLogger` were among its callbacks.

    Args:
        log_models: As for `MLflowLogger`. Defaults to `True`.
        disable: Whether to stop instead. Defaults to `False`.

    Raises:
        ImportError: MLflow is not installed.
    """
    check_bool("log_models", log_models)
    if check_bool("disable", disable):
        observe(MLflowLogger, None)
        return
    require_mlflow("autolog")
    observe(MLflowLogger, lambda: MLflowLogger(log_models))
