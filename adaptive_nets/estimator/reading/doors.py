"""`SavedEstimator`: the methods by which any estimator reads its `model_dir`."""

import abc
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from adaptive_nets._arguments import takes
from adaptive_nets._checks import (
    check_bool,
    check_choice,
    check_dict,
    check_function,
    check_integer,
    check_list,
    check_path,
    check_text,
    or_none,
    show,
)
from adaptive_nets.estimator.compat.contract import EVALUATE, EXPORT
from adaptive_nets.estimator.config import RunConfig
from adaptive_nets.estimator.evaluation import write_summary
from adaptive_nets.estimator.hooks import check_hooks
from adaptive_nets.estimator.mode_keys import ModeKeys
from adaptive_nets.estimator.reading.predictions import single_examples


class SavedEstimator(abc.ABC):
    """The methods of an estimator that need no training. Each call reads the newest state."""

    _config: RunConfig
    _params: dict

    @property
    def model_dir(self) -> str:
        """Folder of the state."""
        return self._config.model_dir

    @property
    def config(self) -> RunConfig:
        """The `RunConfig`."""
        return self._config

    @property
    def params(self) -> dict:
        """A copy of `params`."""
        return dict(self._params)

    @abc.abstractmethod
    def latest_checkpoint(self) -> str | None:
        """Returns the path of the newest state file, or `None` without one."""

    @abc.abstractmethod
    def steps_taken(self) -> int:
        """Returns the global step of the newest state, 0 without one."""

    def get_variable_names(self) -> list[str]:
        """Returns the names of the variables, and `"global_step"`."""
        return ["global_step", *self._variables()]

    def get_variable_value(self, name: str) -> np.ndarray:
        """Returns a variable's value.

        Raises:
            ValueError: There is no variable with this name.
        """
        check_text("name", name)
        found = self._variables()
        if name == "global_step":
            return np.asarray(self.steps_taken())
        if name not in found:
            raise ValueError(
                f"name must be one of get_variable_names(). Received: name={show(name)}."
            )
        return np.asarray(found[name])

    @takes(EVALUATE)
    def evaluate(
        self,
        input_fn: Callable,
        steps: int | None = None,
        hooks: Any = None,
        checkpoint_path: str | None = None,
        name: str | None = None,
    ) -> dict[str, Any]:
        """Evaluates the newest state, or another one, and writes its metrics for TensorBoard.

        Args:
            input_fn: As in `train`.
            steps: Number of batches to read. Defaults to `None`: all.
            hooks: Ignored: none are called. Defaults to `None`.
            checkpoint_path: A state file, as returned by `latest_checkpoint()`; the newest three
                are kept. Defaults to `None`: the newest.
            name: Suffix of the folder `eval_<name>` for the metrics. Defaults to `None`: `eval`.

        Returns:
            Dict of `global_step`, `loss` and metrics; of an ensemble, with `iteration` (number of
            finished rounds), `average_loss` and the head's metrics.

        Raises:
            ValueError: There is no trained model, or the features differ from those of the
                training.
        """
        steps = or_none(check_integer, "steps", steps, 1)
        name = or_none(check_text, "name", name)
        check_hooks(hooks)
        self._state_file(checkpoint_path)
        found = self._evaluated(input_fn, steps, checkpoint_path)
        write_summary(self.eval_dir(name), found)
        return found

    def eval_dir(self, name: str | None = None) -> str:
        """Returns the folder for the metrics of an evaluation."""
        return os.path.join(self.model_dir, f"eval_{name}" if name else "eval")

    @takes(EVALUATE)
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
            input_fn: Function that returns features; labels are ignored.
            predict_keys: Names of the predictions to return. Defaults to `None`: all.
            hooks: Ignored: none are called. Defaults to `None`.
            checkpoint_path: As in `evaluate`. Defaults to `None`.
            yield_single_examples: Whether to yield rows one by one instead of batches. Defaults
                to `True`.

        Yields:
            Dicts of arrays. For classification: `logits`, `probabilities`, `class_ids`, `classes`
            (bytes) and, with two classes, `logistic`. For regression: `predictions`.

        Raises:
            ValueError: There is no trained model, or a key is unknown.
        """
        check_hooks(hooks)
        check_bool("yield_single_examples", yield_single_examples)
        keys = [predict_keys] if isinstance(predict_keys, str) else predict_keys
        or_none(check_list, "predict_keys", keys, str, "names of predictions, or None")
        self._state_file(checkpoint_path)
        # An empty list means all predictions, as in tf.estimator.
        found = self._batches(input_fn, keys or None, checkpoint_path)
        return single_examples(found) if yield_single_examples else found

    @takes(EXPORT)
    def export_saved_model(
        self,
        export_dir_base: str | os.PathLike,
        serving_input_receiver_fn: Callable,
        assets_extra: dict[str, str] | None = None,
        as_text: bool = False,
        checkpoint_path: str | None = None,
        experimental_mode: str = "infer",
    ) -> str:
        """Writes a SavedModel into a folder named by a timestamp.

        Args:
            export_dir_base: Parent of the new folder.
            serving_input_receiver_fn: A function made by
                `export.build_parsing_serving_input_receiver_fn` or
                `export.build_raw_serving_input_receiver_fn`, or your own.
            assets_extra: Files to copy, by their path in `assets.extra`. Defaults to `None`.
            as_text: Not supported. Must be `False`.
            checkpoint_path: As in `evaluate`. Defaults to `None`.
            experimental_mode: Must be `ModeKeys.PREDICT`.

        Returns:
            Path of the new folder.

        Raises:
            ValueError: There is no trained model, or the receiver does not match it.
        """
        check_function("serving_input_receiver_fn", serving_input_receiver_fn)
        check_choice("experimental_mode", experimental_mode, ("infer",))
        check_bool("as_text", as_text)
        check_path("export_dir_base", export_dir_base)
        self._state_file(checkpoint_path)
        return self._exported(
            export_dir_base, serving_input_receiver_fn, assets_extra, checkpoint_path
        )

    @takes(EXPORT)
    def export_savedmodel(
        self,
        export_dir_base: str | os.PathLike,
        serving_input_receiver_fn: Callable,
        assets_extra: dict[str, str] | None = None,
        as_text: bool = False,
        checkpoint_path: str | None = None,
        strip_default_attrs: bool = True,
    ) -> str:
        """The old name of `export_saved_model`."""
        return self.export_saved_model(
            export_dir_base, serving_input_receiver_fn, assets_extra, as_text, checkpoint_path
        )

    @takes(EXPORT)
    def experimental_export_all_saved_models(
        self,
        export_dir_base: str | os.PathLike,
        input_receiver_fn_map: dict[str, Callable],
        assets_extra: dict[str, str] | None = None,
        as_text: bool = False,
        checkpoint_path: str | None = None,
    ) -> str:
        """Like `export_saved_model`, with a dict of the receiver of `ModeKeys.PREDICT`.

        Raises:
            ValueError: There is another mode: exports are for prediction.
        """
        check_dict("input_receiver_fn_map", input_receiver_fn_map, object, "a dict by mode", 1)
        if list(input_receiver_fn_map) != [ModeKeys.PREDICT]:
            raise ValueError(
                "input_receiver_fn_map must have ModeKeys.PREDICT alone: exports are for "
                f"prediction. Received: {', '.join(map(show, input_receiver_fn_map))}."
            )
        return self.export_saved_model(
            export_dir_base, input_receiver_fn_map[ModeKeys.PREDICT], assets_extra, as_text,
            checkpoint_path,
        )  # fmt: skip

    def _state_file(self, checkpoint_path=None):
        """Returns the path of a state file, by default of the newest."""
        newest = self.latest_checkpoint()
        if newest is None:
            raise ValueError(
                f"Could not find a trained model in model_dir '{self.model_dir}'. Call train first."
            )
        if checkpoint_path is None:
            return newest
        checkpoint_path = check_path("checkpoint_path", checkpoint_path)
        if not os.path.isfile(checkpoint_path):
            raise ValueError(
                f"State file {show(checkpoint_path)} does not exist: checkpoint_path must be "
                "one that latest_checkpoint() returned."
            )
        return checkpoint_path

    @abc.abstractmethod
    def _variables(self):
        """Returns the variables of the newest state by name."""

    @abc.abstractmethod
    def _evaluated(self, input_fn, steps, checkpoint_path):
        """Returns the metrics of a state, `None` for the newest, with `global_step`."""

    @abc.abstractmethod
    def _batches(self, input_fn, keys, checkpoint_path):
        """Returns an iterator over the predictions of batches, of some keys or all."""

    @abc.abstractmethod
    def _exported(self, base, receiver_fn, assets_extra, checkpoint_path):
        """Writes a SavedModel of a state; returns its path."""
