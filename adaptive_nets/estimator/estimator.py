"""`Estimator`: adanet.Estimator's contract over the same search."""

import json
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging

from adaptive_nets.adanet import AdaNet, Ensembler, Evaluator, Generator
from adaptive_nets.adanet.state import ModelDir
from adaptive_nets.estimator import inputs
from adaptive_nets.estimator.config import RunConfig
from adaptive_nets.estimator.evaluation import evaluate_search, write_summary
from adaptive_nets.estimator.export import export_timestamped
from adaptive_nets.estimator.hooks import CheckpointSaverHook, StopAtStepHook, callbacks_of
from adaptive_nets.estimator.predictions import batches, single_examples
from adaptive_nets.heads import Head

# Rounds where adanet has no limit.
UNLIMITED = 1_000_000
# Arguments of adanet 0.9's Estimator that have nothing to do here, and why.
IDLE = {
    "replicate_ensemble_in_training": "frozen members run as in inference",
    "adanet_loss_decay": "candidates are judged on all training rows, not on a moving average",
    "delay_secs_per_worker": "workers need no delay",
    "max_worker_delay_secs": "workers need no delay",
    "worker_wait_secs": "workers wait for the chief by themselves",
    "worker_wait_timeout_secs": "workers wait for the chief by themselves",
    "report_dir": "reports are in model_dir",
    "debug": "values that are not finite are always found",
    "enable_ensemble_summaries": "summaries are always written",
    "enable_subnetwork_summaries": "summaries are always written",
    "global_step_combiner_fn": "all candidates take the same steps",
    "mixture_weight_initializer": "mixture weights are solved, not trained",
    "warm_start_mixture_weights": "mixture weights are solved, not trained",
}


class Estimator:
    """Searches an ensemble of subnetworks behind tf.estimator's methods.

    Everything is in `model_dir`: each call of a method reads the newest state there, so that one
    process may evaluate, predict and export while another trains, and `train` goes on where a
    killed process ended.

    Args:
        head: A `heads.Head`.
        subnetwork_generator: An `adanet.Generator`.
        max_iteration_steps: Training steps of a round.
        ensemblers: An `adanet.Ensembler`, or a list of one. Defaults to `None`: mixture weights
            as the arguments below say.
        ensemble_strategies: As of `AdaNet`. Defaults to `"grow"`.
        evaluator: An `estimator.Evaluator` or `adanet.Evaluator` that candidates are chosen by.
        report_materializer: An `estimator.ReportMaterializer`: what reports are measured on.
        metric_fn: Function of `labels` and `predictions` that returns a dict of more metrics:
            numbers or `keras.metrics.Metric`s.
        force_grow: Whether a round's best candidate is taken even if the objective rises.
        model_dir: Folder of the state. Defaults to the config's, or a temporary one.
        config: A `RunConfig`.
        max_iterations: Rounds at most. Defaults to `None`: until nothing gets better.
        export_subnetwork_logits: Whether exports give those of each subnetwork, too.
        export_subnetwork_last_layer: Whether exports give these. Defaults to `False`.
        mixture_weight_type: `"scalar"`, `"vector"`, `"matrix"`. Defaults to `"scalar"`.
        adanet_lambda: λ of the objective. Defaults to 0.
        adanet_beta: β of the objective. Defaults to 0.
        use_bias: Whether the mixture has a bias.
        params: Passed to an `input_fn` that has such an argument.
        warm_start_from: Folder of another search, with whose ensemble an empty `model_dir` begins.
        **kwargs: More settings of `AdaNet`, such as `complexity`, `preprocessing` or `placement`;
            or arguments of adanet 0.9 that have nothing to do here, which is warned of.

    Raises:
        ValueError: A setting is out of range.
        TypeError: An argument is unknown, or of the wrong type.

    Example:

    ```python
    import tensorflow as tf
    from sklearn.datasets import load_digits
    import adaptive_nets as an

    x, y = load_digits(return_X_y=True)

    def input_fn():
        return tf.data.Dataset.from_tensor_slices((x, y)).shuffle(2000).repeat().batch(64)

    estimator = an.estimator.Estimator(
        head=an.heads.MultiClass(10),
        subnetwork_generator=an.generators.Dense(16, 1),
        max_iteration_steps=50,
    )
    estimator.train(input_fn, max_steps=100)
    estimator.evaluate(input_fn, steps=5)["accuracy"]
    ```
    """

    def __init__(
        self,
        head: Head,
        subnetwork_generator: Generator,
        max_iteration_steps: int,
        ensemblers: Ensembler | Sequence[Ensembler] | None = None,
        ensemble_strategies: Any = "grow",
        evaluator: Any = None,
        report_materializer: Any = None,
        metric_fn: Callable | None = None,
        force_grow: bool = False,
        model_dir: str | os.PathLike | None = None,
        config: RunConfig | None = None,
        max_iterations: int | None = None,
        export_subnetwork_logits: bool = False,
        export_subnetwork_last_layer: bool = False,
        mixture_weight_type: str = "scalar",
        adanet_lambda: float = 0.0,
        adanet_beta: float = 0.0,
        use_bias: bool = False,
        params: dict | None = None,
        warm_start_from: str | os.PathLike | None = None,
        **kwargs: Any,
    ) -> None:
        for name in [name for name in kwargs if name in IDLE]:
            warnings.warn(f"{name} has nothing to do here: {IDLE[name]}.", stacklevel=2)
            del kwargs[name]
        if kwargs.pop("replay_config", None) is not None:
            raise ValueError("replay_config is AdaNet.replay(model_dir, x, y) here.")
        if ensemblers is not None:
            listed = list(ensemblers) if isinstance(ensemblers, list | tuple) else [ensemblers]
            if len(listed) != 1:
                raise ValueError(f"Pass one ensembler. Received: {len(listed)} ensemblers.")
            mixture_weight_type = listed[0]
        self._config = config or RunConfig()
        found = model_dir or self._config.model_dir
        if model_dir and self._config.model_dir and str(model_dir) != str(self._config.model_dir):
            raise ValueError(
                "model_dir stands in the config too, and differs: "
                f"{model_dir!r} and {self._config.model_dir!r}."
            )
        if found is None:
            found = tempfile.mkdtemp()
            logging.warning("Using a temporary folder as model_dir: %s", found)
        self._config = self._config.replace(model_dir=os.fspath(found))
        self._params, self.metric_fn = dict(params or {}), metric_fn
        self.report_materializer, self._warm_start = report_materializer, warm_start_from
        self._subnetworks = [
            name
            for name, wanted in (
                ("logits", export_subnetwork_logits),
                ("last_layer", export_subnetwork_last_layer),
            )
            if wanted
        ]
        self._evaluator = evaluator
        self._settings = {
            "head": head,
            "generator": subnetwork_generator,
            "max_iterations": max_iterations or UNLIMITED,
            "steps_per_iteration": max_iteration_steps,
            "ensemble_strategies": ensemble_strategies,
            "mixture_weights": mixture_weight_type,
            "mixture_bias": use_bias,
            "adanet_lambda": adanet_lambda,
            "adanet_beta": adanet_beta,
            "force_grow": force_grow,
            "model_dir": self.model_dir,
            "seed": self._config.tf_random_seed,
            "distribute": self._config.train_distribute if self._config.trains else None,
            "checkpoint_seconds": self._config.checkpoint_seconds,
            **kwargs,
        }
        self._decided: dict[str, bool] = {}
        self._loaded: tuple[str | None, AdaNet | None] = (None, None)
        # It refuses wrong settings, before any data is asked for.
        AdaNet(**self._settings, evaluator=Evaluator() if evaluator is not None else None)

    # What it is -------------------------------------------------------------------------------

    @property
    def model_dir(self) -> str:
        """Folder of the state."""
        return self._config.model_dir

    @property
    def config(self) -> RunConfig:
        """The settings of runs."""
        return self._config

    @property
    def params(self) -> dict:
        """A copy of `params`."""
        return dict(self._params)

    def latest_checkpoint(self) -> str | None:
        """Path of the newest state file with an ensemble, or `None` before there is one."""
        folder = Path(self.model_dir)
        # The first is written before anything is trained.
        files = sorted(folder.glob("state-*.json"), reverse=True)
        return next((str(file) for file in files if self._is_decided(file)), None)

    def get_variable_names(self) -> list[str]:
        """Names of the ensemble's variables, and `"global_step"`."""
        return ["global_step", *self._variables()]

    def get_variable_value(self, name: str) -> np.ndarray:
        """A variable's value.

        Raises:
            ValueError: There is none of this name.
        """
        if name == "global_step":
            return np.asarray(self._trained().global_step)
        found = self._variables()
        if name not in found:
            raise ValueError(f"There is no variable {name!r}; see get_variable_names().")
        return np.asarray(found[name])

    # Training ---------------------------------------------------------------------------------

    def train(
        self,
        input_fn: Callable,
        hooks: Sequence[Any] | None = None,
        steps: int | None = None,
        max_steps: int | None = None,
        saving_listeners: Any = None,
    ) -> "Estimator":
        """Trains on, from the newest state.

        Args:
            input_fn: Function that returns a batched `tf.data.Dataset` of `(features, labels)` or
                a pair of tensors; it may have arguments `mode`, `config` and `params`. Data that
                ends, ends the training.
            hooks: `SessionRunHook`s or Keras callbacks.
            steps: More steps.
            max_steps: Steps in all, those of earlier calls among them.
            saving_listeners: Not supported; must be `None`.

        Returns:
            The estimator.

        Raises:
            ValueError: Both `steps` and `max_steps` are given, or data have another structure.
        """
        if saving_listeners:
            raise ValueError("saving_listeners are not supported; use hooks or Keras callbacks.")
        if steps is not None and max_steps is not None:
            raise ValueError("Pass steps or max_steps, not both.")
        for name, value in (("steps", steps), ("max_steps", max_steps)):
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be > 0. Received: {name}={value!r}.")
        self.train_search(input_fn, hooks, steps, max_steps)
        return self

    def train_search(
        self,
        input_fn: Callable,
        hooks: Sequence[Any] | None = None,
        steps: int | None = None,
        max_steps: int | None = None,
    ) -> AdaNet:
        """As `train`; returns the search as it was left, with its `stop_reason`."""
        callbacks = callbacks_of(hooks)
        self._warm_start_once()
        began = 0 if self.latest_checkpoint() is None else self._trained().global_step
        if max_steps is not None and began >= max_steps:
            logging.info("Training ended before: global step %d of %d.", began, max_steps)
            return self._trained()
        given = inputs.for_training(input_fn, self._config, self._params)
        limits = [began + more for more in (steps, given.steps) if more is not None]
        limits += [] if max_steps is None else [max_steps]
        settings = dict(self._settings)
        for hook in hooks or ():
            if isinstance(hook, StopAtStepHook):
                limits.append(hook.limit(began))
            if isinstance(hook, CheckpointSaverHook):
                settings["checkpoint_seconds"] = float(hook.save_secs)
        if limits and min(limits) <= began:
            return self._trained()
        search = AdaNet(**settings, evaluator=self._judge())
        reported = self.report_materializer
        search.fit(
            **given.arguments,
            max_steps=min(limits) if limits else None,
            report_data=reported and reported.dataset(self._config, self._params),
            callbacks=callbacks,
            verbose=0,
        )
        logging.info("Global step %d: %s.", search.global_step, search.stop_reason)
        return search

    # Results ----------------------------------------------------------------------------------

    def evaluate(
        self,
        input_fn: Callable,
        steps: int | None = None,
        hooks: Any = None,
        checkpoint_path: str | None = None,
        name: str | None = None,
    ) -> dict[str, Any]:
        """Measures the ensemble, and writes the numbers for TensorBoard.

        Args:
            input_fn: As for `train`.
            steps: Batches to be read. Defaults to `None`: all.
            hooks: Accepted for old scripts.
            checkpoint_path: A state file, as `latest_checkpoint()` gave it; the newest three are
                kept. Defaults to `None`: the newest.
            name: Of the folder `eval_<name>` that the numbers go to. Defaults to `None`: `eval`.

        Returns:
            Dict of `global_step`, `iteration` (rounds that are decided), `loss`, `average_loss`
            and the head's metrics.

        Raises:
            ValueError: There is no trained model, or the features are not those of the training.
        """
        search = self._trained(checkpoint_path)
        dataset = inputs.for_evaluation(input_fn, steps, self._config, self._params)
        inputs.check_features(dataset, search.feature_spec)
        found = evaluate_search(search, dataset, self.metric_fn)
        write_summary(self.eval_dir(name), found)
        return found

    def eval_dir(self, name: str | None = None) -> str:
        """Where the numbers of an evaluation go."""
        return os.path.join(self.model_dir, f"eval_{name}" if name else "eval")

    def predict(
        self,
        input_fn: Callable,
        predict_keys: str | Sequence[str] | None = None,
        hooks: Any = None,
        checkpoint_path: str | None = None,
        yield_single_examples: bool = True,
    ) -> Iterator[dict[str, np.ndarray]]:
        """Yields predictions.

        Args:
            input_fn: Gives features; labels beside them are ignored.
            predict_keys: Which predictions. Defaults to `None`: all.
            hooks: Accepted for old scripts.
            checkpoint_path: As for `evaluate`.
            yield_single_examples: Whether rows are yielded one by one, or in batches.

        Yields:
            Dicts of arrays. Of classes: `logits`, `probabilities`, `class_ids`, `classes` (bytes)
            and, of two, `logistic`; of numbers: `predictions`.

        Raises:
            ValueError: There is no trained model, or a key is unknown.
        """
        search = self._trained(checkpoint_path)
        dataset = inputs.for_prediction(input_fn, self._config, self._params)
        inputs.check_features(dataset, search.feature_spec)
        found = batches(search, dataset, predict_keys)
        return single_examples(found) if yield_single_examples else found

    def export_saved_model(
        self,
        export_dir_base: str | os.PathLike,
        serving_input_receiver_fn: Callable,
        assets_extra: dict[str, str] | None = None,
        as_text: bool = False,
        checkpoint_path: str | None = None,
        experimental_mode: str = "infer",
    ) -> str:
        """Writes a SavedModel into a folder that is named by the time.

        Args:
            export_dir_base: The folder above it.
            serving_input_receiver_fn: As `export.build_parsing_serving_input_receiver_fn` and
                `export.build_raw_serving_input_receiver_fn` make them, or of your own.
            assets_extra: Files to copy, by their path in `assets.extra`.
            as_text: Not supported; must be `False`.
            checkpoint_path: As for `evaluate`.
            experimental_mode: Must be `ModeKeys.PREDICT`.

        Returns:
            The folder's path.

        Raises:
            ValueError: There is no trained model, or the receiver does not match it.
        """
        if as_text or experimental_mode != "infer":
            raise ValueError("Only binary SavedModels for prediction are written.")
        search = self._trained(checkpoint_path)
        return export_timestamped(
            search, export_dir_base, serving_input_receiver_fn, assets_extra, self._subnetworks
        )

    # ------------------------------------------------------------------------------------------

    def _trained(self, checkpoint_path=None):
        newest = self.latest_checkpoint()
        if newest is None:
            raise ValueError(
                f"Could not find a trained model in model_dir '{self.model_dir}': call train first."
            )
        wanted = os.path.basename(checkpoint_path or newest)
        # What a state file holds never changes.
        if self._loaded[0] != wanted:
            given = {k: v for k, v in self._settings.items() if k not in ("model_dir", "seed")}
            given["distribute"], given["placement"] = None, "replicated"
            if self._evaluator is not None:
                given["evaluator"] = Evaluator()
            found = AdaNet.load(self.model_dir, state_file=checkpoint_path, **given)
            self._loaded = (wanted, found)
        return self._loaded[1]

    def load(self, checkpoint_path: str) -> AdaNet:
        """The search as a state file holds it."""
        return self._trained(checkpoint_path)

    def _is_decided(self, file):
        """Whether there is an ensemble in a state file, which never changes."""
        if file.name not in self._decided:
            try:
                record = json.loads(file.read_text(encoding="utf-8"))["record"]
            except (OSError, ValueError, KeyError):
                return False
            self._decided[file.name] = bool(record["ensemble"] or record["partial"])
        return self._decided[file.name]

    def _judge(self):
        judge = self._evaluator
        return judge.evaluator(self._config, self._params) if hasattr(judge, "input_fn") else judge

    def _warm_start_once(self):
        if self._warm_start is None:
            return
        folder = ModelDir(self.model_dir)
        if not folder.has_state():
            folder.begin_from(self._warm_start)

    def _variables(self):
        members = self._trained().ensemble.members
        # By place: Keras counts layers' names up as long as a process lives.
        return {
            f"{m.name}/{place}/{variable.name}": variable
            for m in members
            for place, variable in enumerate(m.model.weights)
        }
