"""`WandbLogger`: a search in Weights & Biases."""

import sys
from typing import Any

from adaptive_nets._checks import show
from adaptive_nets.callbacks.tracking.tracker import Tracker


class WandbLogger(Tracker):
    """Logs to a run of Weights & Biases.

    Arguments become the run's configuration, and the metrics of each round are logged with the
    round's number as the step. At the end the leaderboard is logged as a table, and the
    summary gets the status and what was reached last.
    The run is yours: this callback neither starts nor finishes it.

    Args:
        run: What `wandb.init(...)` returns.

    Raises:
        TypeError: It is something else.

    Example:

    ```python
    import types

    import adaptive_nets as an
    from sklearn.datasets import load_wine

    # import wandb; run = wandb.init(project="wines")
    run = types.SimpleNamespace(config={}, summary={}, log=print)

    x, y = load_wine(return_X_y=True)
    search = an.AdaNet(an.heads.MultiClass(), max_iterations=2, steps_per_iteration=50, seed=0)
    search.fit(x, y, validation_split=0.2, callbacks=[an.callbacks.WandbLogger(run)], verbose=0)
    ```
    """

    def __init__(self, run: Any) -> None:
        super().__init__()
        parts = (getattr(run, "log", None), getattr(getattr(run, "config", None), "update", None))
        if not all(map(callable, parts)) or not hasattr(run, "summary"):
            raise TypeError(
                "run must be a run of Weights & Biases, as wandb.init(...) returns it. "
                f"Received: run={show(run)}."
            )
        self._run = run

    def start(self, parameters: dict[str, Any]) -> None:
        self._run.config.update(parameters)

    def log(self, metrics: dict[str, float], step: int) -> None:
        self._run.log(metrics, step=step)

    def finish(self, found: Any, failed: bool) -> None:
        self._run.summary.update({"status": "failed" if failed else "finished"})
        if failed or not hasattr(found, "leaderboard"):
            return
        board = found.leaderboard()
        # A run comes from the package, which is loaded then; a stand-in may do without tables.
        wandb = sys.modules.get("wandb")
        if wandb is not None:
            self._run.log({"leaderboard": wandb.Table(dataframe=board)})
        reason = getattr(found, "stop_reason_", None) or getattr(found, "stop_reason", "")
        self._run.summary.update({"stop_reason": reason, "candidates": len(board)})
