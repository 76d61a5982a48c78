"""What is asked of the state of a `model_fn`: metrics, predictions, exports."""

import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from adaptive_nets._checks import check_integer, check_path, or_none, show
from adaptive_nets._seeds import derive_seed
from adaptive_nets.data.datasets import is_dataset
from adaptive_nets.estimator import inputs
from adaptive_nets.estimator.config import RunConfig
from adaptive_nets.estimator.hooks import check_hooks
from adaptive_nets.estimator.mode_keys import ModeKeys
from adaptive_nets.estimator.model_fn.function import ModelFunction
from adaptive_nets.serving import receiver_of


class ModelFnReader:
    """The part of `ModelFnEstimator` that reads its `model_dir`.

    Attributes:
        model_fn: The function.
        config: The `RunConfig`.
        params: What `model_fn` and `input_fn` may take.
        warm_start_from: Folder whose weights training begins with, or `None`.
    """

    model_fn: Callable
    config: RunConfig
    params: dict[str, Any]
    warm_start_from: str | None

    @property
    def model_dir(self) -> str:
        """Folder of the state."""
        return self.config.model_dir

    def evaluate(
        self,
        input_fn: Callable,
        steps: int | None = None,
        hooks: Any = None,
        checkpoint_path: str | None = None,
        name: str | None = None,
    ) -> dict[str, Any]:
        """Returns the mean loss over batches, the metrics of `model_fn` and the global step.

        Args:
            input_fn: As in `train`.
            steps: Number of batches to read. Defaults to `None`: all.
            hooks: Accepted but ignored. Defaults to `None`.
            checkpoint_path: A state file. Defaults to `None`: the newest.
            name: Accepted but ignored. Defaults to `None`.
        """
        steps = or_none(check_integer, "steps", steps, 1)
        check_hooks(hooks)
        data = inputs.call(input_fn, ModeKeys.EVAL, self.config, self.params)
        data = dataset_of(data, True)
        losses, metrics, model = [], {}, self.new_function()
        for place, (features, labels) in enumerate(data if steps is None else data.take(steps)):
            if place == 0:
                self.restore(model, features, labels, ModeKeys.EVAL, checkpoint_path)
            found = model.spec(features, labels, ModeKeys.EVAL)
            losses.append(float(found.loss))
            for key, metric in (found.eval_metric_ops or {}).items():
                _add(metrics, key, metric)
        if not losses:
            raise ValueError("The data of input_fn must have a row. Received: no batch.")
        measured = {key: float(np.asarray(metric.result())) for key, metric in metrics.items()}
        return {**measured, "loss": float(np.mean(losses)), "global_step": model.step}

    def predict(
        self,
        input_fn: Callable,
        predict_keys: str | Sequence[str] | None = None,
        hooks: Any = None,
        checkpoint_path: str | None = None,
        yield_single_examples: bool = True,
    ) -> Iterator[Any]:
        """Yields the predictions of `model_fn`, row by row or batch by batch.

        Args:
            input_fn: Function that returns features; labels are ignored.
            predict_keys: Names of the predictions to return. Defaults to `None`: all.
            hooks: Accepted but ignored. Defaults to `None`.
            checkpoint_path: A state file. Defaults to `None`: the newest.
            yield_single_examples: Whether to yield rows. Defaults to `True`.
        """
        check_hooks(hooks)
        keys = [predict_keys] if isinstance(predict_keys, str) else predict_keys
        data = inputs.call(input_fn, ModeKeys.PREDICT, self.config, self.params)
        data = dataset_of(data, False)
        self._newest(checkpoint_path)
        return self._predicted(data, keys, checkpoint_path, yield_single_examples)

    def _predicted(self, data, keys, checkpoint_path, single):
        model = self.new_function()
        for place, features in enumerate(data):
            if place == 0:
                self.restore(model, features, None, ModeKeys.PREDICT, checkpoint_path)
            found = model.spec(features, None, ModeKeys.PREDICT).predictions
            if isinstance(found, dict) and keys:
                unknown = [key for key in keys if key not in found]
                if unknown:
                    raise ValueError(
                        f"predict_keys must be among {', '.join(found)}. "
                        f"Received: {', '.join(unknown)}."
                    )
                found = {key: found[key] for key in keys}
            found = keras.tree.map_structure(np.asarray, found)
            if not single:
                yield found
                continue
            for row in range(len(keras.tree.flatten(found)[0])):
                yield keras.tree.map_structure(lambda each, row=row: each[row], found)

    def export_saved_model(
        self,
        export_dir_base: str | os.PathLike,
        serving_input_receiver_fn: Callable,
        assets_extra: dict[str, str] | None = None,
        as_text: bool = False,
        checkpoint_path: str | None = None,
        experimental_mode: str = "infer",
    ) -> str:
        """Writes a SavedModel with the predictions into a folder named by a timestamp.

        Args:
            export_dir_base: Parent of the new folder.
            serving_input_receiver_fn: As in `Estimator.export_saved_model`.
            assets_extra: Not supported. Must be `None`.
            as_text: Not supported. Must be `False`.
            checkpoint_path: A state file. Defaults to `None`: the newest.
            experimental_mode: Must be `ModeKeys.PREDICT`.

        Returns:
            Path of the new folder.
        """
        if assets_extra or as_text or experimental_mode != "infer":
            raise ValueError(
                "assets_extra, as_text and experimental_mode are not supported with model_fn. "
                f"Received: assets_extra={show(assets_extra)}, as_text={show(as_text)}, "
                f"experimental_mode={show(experimental_mode)}."
            )
        base = Path(check_path("export_dir_base", export_dir_base))
        receiver, model = receiver_of(serving_input_receiver_fn), self.new_function()
        state = self._newest(checkpoint_path)

        def run(**received: Any) -> dict[str, Any]:
            found = model.spec(receiver.features(**received), None, ModeKeys.PREDICT).predictions
            found = found if isinstance(found, dict) else {"output": found}
            return {name: tf.convert_to_tensor(value) for name, value in found.items()}

        read = tf.function(receiver.features, autograph=False)
        shapes = read.get_concrete_function(**receiver.specs).structured_outputs
        model.build(keras.tree.map_structure(_one_row, shapes), None, ModeKeys.PREDICT)
        model.load(Path(state))
        served = tf.Module()
        served.held = [v.value for v in model.weights]
        function = tf.function(run, autograph=False)
        signature = function.get_concrete_function(**receiver.specs)
        taken = [int(path.name) for path in base.glob("*") if re.fullmatch(r"\d+", path.name)]
        path = base / str(max([int(time.time()), *(number + 1 for number in taken)]))
        tf.saved_model.save(served, str(path), {"serving_default": signature, "predict": signature})
        return str(path)

    def latest_checkpoint(self) -> str | None:
        """Returns the path of the newest state file, or `None`."""
        found = states_of(self.model_dir)
        return str(found[-1]) if found else None

    def new_function(self) -> ModelFunction:
        """Returns the function without layers."""
        return ModelFunction(self.model_fn, self.config, self.params)

    def _newest(self, checkpoint_path):
        path = self.latest_checkpoint() if checkpoint_path is None else (
            check_path("checkpoint_path", checkpoint_path)
        )  # fmt: skip
        if path is None or not os.path.isfile(path):
            raise ValueError(
                f"Could not find a trained model in model_dir '{self.model_dir}'. Call train first."
            )
        return path

    def restore(
        self,
        model: ModelFunction,
        features: Any,
        labels: Any,
        mode: str,
        checkpoint_path: str | None = None,
    ) -> None:
        """Builds a model and reads its state, which only training can do without."""
        seed = self.config.tf_random_seed
        if seed is not None and not states_of(self.model_dir):
            keras.utils.set_random_seed(derive_seed(seed, "model_fn"))
        model.build(features, labels, mode)
        newest = self.latest_checkpoint()
        if mode == ModeKeys.TRAIN and newest is None:
            if self.warm_start_from is not None:
                found = states_of(self.warm_start_from)
                if not found:
                    raise ValueError(
                        "warm_start_from must be the folder of an estimator of a model_fn. "
                        f"Received: '{self.warm_start_from}', without a state."
                    )
                model.take(found[-1])
            return
        model.load(self._newest(checkpoint_path))


def states_of(folder: str | os.PathLike) -> list[Path]:
    """Returns the state files of a folder, oldest first."""
    pairs = [(re.fullmatch(r"model_fn-(\d+)\.npz", path.name), path)
             for path in Path(folder).glob("model_fn-*.npz")]  # fmt: skip
    return [path for _, path in sorted((int(m[1]), path) for m, path in pairs if m)]


def dataset_of(found: Any, labelled: bool) -> tf.data.Dataset:
    """Returns a dataset of features and labels, or of features."""
    if not is_dataset(found):
        parts = tuple(found) if isinstance(found, tuple | list) else (found,)
        endless = tf.data.Dataset.from_tensors(parts if labelled else parts[0])
        found = endless.repeat() if labelled and len(parts) == 2 else endless
    pair = isinstance(found.element_spec, tuple)
    if labelled and not (pair and len(found.element_spec) == 2):
        raise ValueError(
            "input_fn must return a tf.data.Dataset of (features, labels), or such a pair. "
            f"Received: {show(found.element_spec)}."
        )
    return found.map(lambda features, *rest: features) if pair and not labelled else found


def _add(metrics, key, metric):
    """Adds what a metric has counted in one batch."""
    if not type(metric).__module__.startswith("keras."):
        raise ValueError(
            f"eval_metric_ops must be metrics of keras.metrics. Received: '{key}': {show(metric)}."
        )
    if key not in metrics:
        metrics[key] = metric
        return
    for total, one in zip(metrics[key].variables, metric.variables, strict=True):
        total.assign_add(one)


def _one_row(spec):
    shape = [1 if size is None else size for size in spec.shape]
    return tf.fill(shape, "") if spec.dtype == tf.string else tf.zeros(shape, spec.dtype)
