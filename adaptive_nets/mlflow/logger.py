"""`MLflowLogger`: a search in MLflow."""

import re
from typing import Any

import keras
import numpy as np

from adaptive_nets._checks import check_bool
from adaptive_nets.adanet import AdaNet
from adaptive_nets.callbacks.tracking.tracker import Tracker
from adaptive_nets.mlflow.flavor import log_model
from adaptive_nets.mlflow.package import require_mlflow

# What names of metrics and parameters may not hold.
_FOREIGN = re.compile(r"[^\w\-./ ]")


class MLflowLogger(Tracker):
    """Logs a search to MLflow.

    It logs the arguments as parameters, the metrics of each round with the round as their step
    (`val_...` on held-out rows), and at the end the leaderboard and the schema as artifacts, and
    the model. For an `AutoClassifier` or `AutoRegressor`, the metrics of the served model on
    held-out rows are logged too, as `served_...`. Without an active run, one is started and ended;
    in an active run that already holds the parameters of another fit, a nested one.

    Args:
        log_models: Whether the model is logged. Defaults to `True`.

    Raises:
        ImportError: MLflow is not installed.

    Example:

    ```python
    import os

    import mlflow
    from sklearn.datasets import load_wine

    import adaptive_nets as an

    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    mlflow.set_tracking_uri("file:./mlruns")
    x, y = load_wine(return_X_y=True)
    search = an.AdaNet(an.heads.MultiClass(), max_iterations=2, steps_per_iteration=50, seed=0)
    search.fit(x, y, validation_split=0.2, callbacks=[an.mlflow.MLflowLogger()], verbose=0)
    ```
    """

    def __init__(self, log_models: bool = True) -> None:
        super().__init__()
        self._log_models = check_bool("log_models", log_models)
        self._mlflow = require_mlflow("MLflowLogger")
        self._started = False

    def start(self, parameters: dict[str, Any]) -> None:
        mlflow, given = self._mlflow, {_named(k): v for k, v in parameters.items()}
        run = mlflow.active_run()
        known = mlflow.MlflowClient().get_run(run.info.run_id).data.params if run else {}
        self._started = run is None or bool(known.keys() & given.keys())
        if self._started:
            mlflow.start_run(nested=run is not None)
        mlflow.log_params(given)

    def log(self, metrics: dict[str, float], step: int) -> None:
        self._mlflow.log_metrics({_named(k): v for k, v in metrics.items()}, step=step)

    def finish(self, found: Any, failed: bool) -> None:
        try:
            if not isinstance(found, keras.Model):
                self._log_results(found, failed)
        finally:
            if self._started:
                self._mlflow.end_run("FAILED" if failed else "FINISHED")

    def _log_results(self, found, failed):
        is_search = isinstance(found, AdaNet)
        if failed and not is_search:
            # Nothing is known of it, or only what an earlier fit has found.
            return
        board = found.leaderboard()
        self._mlflow.log_text(board.to_csv(index=False), "leaderboard.csv")
        schema = found.schema if is_search else found.schema_
        if schema is not None:
            self._mlflow.log_text(schema.to_json(), "schema.json")
        if "kind" in board.columns:
            served = board[board.kind == "served"].iloc[-1].drop(["model", "kind", "note"])
            values = {_named(f"served_{k}"): float(v) for k, v in served.items()}
            self._mlflow.log_metrics({k: v for k, v in values.items() if np.isfinite(v)})
        if self._log_models and not failed:
            log_model(found)


def _named(name: Any) -> str:
    """Returns a name that MLflow accepts."""
    return _FOREIGN.sub("_", str(name))
