"""`HParams`: the candidates of a search in TensorBoard's HParams tab."""

import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import keras
from absl import logging

from adaptive_nets._checks import check_path
from adaptive_nets.files.names import for_tensorflow


class HParams(keras.callbacks.Callback):
    """Writes one HParams session for each candidate of a search.

    TensorBoard's HParams tab then compares subnetworks by their hyperparameters and by what they
    reached: `objective` of the best ensemble with it, its own `loss` and, with early stopping,
    `held_out_loss`. Sessions of candidates that diverged are marked as failed.

    Args:
        log_dir: Folder to write to, with a folder for each round and candidate below it. The
            `tensorboard` folder of a `model_dir` is a good place: the losses of each candidate
            are there already.

    Raises:
        ImportError: The package tensorboard is not installed.
        ValueError: `log_dir` is not a path.

    Example:

    ```python
    import adaptive_nets as an
    from sklearn.datasets import load_wine

    x, y = load_wine(return_X_y=True)
    search = an.AdaNet(an.heads.MultiClass(), max_iterations=2, steps_per_iteration=50, seed=0)
    search.fit(x, y, callbacks=[an.callbacks.HParams("logs")], verbose=0)
    # tensorboard --logdir logs
    ```
    """

    def __init__(self, log_dir: str | os.PathLike) -> None:
        super().__init__()
        self._folder = Path(check_path("log_dir", log_dir))
        if importlib.util.find_spec("tensorboard") is None:
            raise ImportError(
                "HParams needs the package tensorboard, which is not installed: "
                "pip install tensorboard"
            )
        self._failed = False

    def on_train_begin(self, logs: dict | None = None) -> None:
        if not hasattr(self.model, "search"):
            raise ValueError(
                "HParams follows the candidates of a search. Expected AdaNet.fit(callbacks=...) or "
                "fit of AutoClassifier or AutoRegressor. Received: a model that is trained by "
                "keras.Model.fit; use tensorboard's own hparams callback there."
            )

    def on_round_end(self, iteration: int, logs: dict | None = None) -> None:
        """Called when a round is decided and saved."""
        search = self.model.search
        if not search.is_chief or self._failed:
            return
        for report in search.state.current.reports:
            if report.iteration == iteration:
                self._try(report)

    def _try(self, report):
        import tensorflow as tf

        folder = self._folder / f"round_{report.iteration}" / report.name
        try:
            _write_session(folder, report)
        except (OSError, tf.errors.OpError) as error:
            self._failed = True
            logging.warning(
                "HParams cannot write to '%s' (%s): training goes on without it.",
                folder, str(error).partition("\n")[0],
            )  # fmt: skip


def _write_session(folder: Path, report: Any) -> None:
    import tensorflow as tf
    from tensorboard.plugins.hparams import api_pb2, summary, summary_v2

    from adaptive_nets.adanet.monitoring.tensorboard import write_scalar

    def write(pb):
        tf.summary.experimental.write_raw_pb(pb.SerializeToString(), step=0)

    given = {name: _value(value) for name, value in report.hyperparameters.items()}
    given["round"] = report.iteration
    status = api_pb2.STATUS_SUCCESS if report.status == "trained" else api_pb2.STATUS_FAILURE
    name = f"round_{report.iteration}/{report.name}"
    with tf.summary.create_file_writer(for_tensorflow(folder)).as_default(report.iteration):
        write(summary_v2.hparams_pb(given, trial_id=name))
        for metric, value in report.metrics.items():
            write_scalar(metric, float(value))
        write(summary.session_end_pb(status))
        tf.summary.flush()


def _value(value: Any) -> bool | float | str:
    """Returns a hyperparameter as TensorBoard takes it."""
    return value if isinstance(value, bool | int | float | str) else json.dumps(value)
