"""`CannedEstimator`: one Keras network over feature columns behind the methods of an estimator."""

import dataclasses
import json
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from adaptive_nets._checks import check_instance, check_path, or_none, show
from adaptive_nets.adanet import AdaNet
from adaptive_nets.adanet.candidates.stock.optimizers import describe_optimizer
from adaptive_nets.adanet.rounds.timing.budget import ENDLESS_STEPS
from adaptive_nets.estimator.canned.door import ColumnDoor, shapes_of
from adaptive_nets.estimator.canned.network import ColumnNetwork, ColumnPool
from adaptive_nets.estimator.config import RunConfig
from adaptive_nets.estimator.estimator import Estimator
from adaptive_nets.estimator.evaluation import InputFnEvaluator, ReportMaterializer
from adaptive_nets.heads import Head


class Network:
    """A function that returns a new network with the same settings, for a `Pool`.

    Args:
        settings: Arguments of `ColumnNetwork`.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        # Checks them, and describes the columns.
        self.config = ColumnNetwork(**settings).get_config()
        for name in ("name", "dtype", "trainable"):
            self.config.pop(name, None)
        # A search in a folder goes on only with the same candidates, which this names.
        self.__qualname__ = f"ColumnNetwork, configuration {zlib.crc32(_text(self.config)):08x}"
        self.__module__ = "adaptive_nets.estimator"

    def __call__(self) -> keras.Layer:
        return ColumnNetwork(**self.config)

    @property
    def columns(self) -> list[dict[str, Any]]:
        """Descriptions of the feature columns."""
        parts = (self.config["deep_columns"], self.config["linear_columns"])
        return [column for part in parts for column in part or ()]


def _text(config):
    return json.dumps(config, sort_keys=True, default=str).encode()


class ColumnReader(Estimator):
    """An `Estimator` whose features may be those that feature columns read."""

    door: ColumnDoor | None = None

    def train_search(
        self,
        input_fn: Callable,
        hooks: Sequence[Any] | None = None,
        steps: int | None = None,
        max_steps: int | None = None,
        saving_listeners: Sequence[Any] | None = None,
    ) -> AdaNet:
        source = self._read(input_fn)
        return super().train_search(source, hooks, steps, max_steps, saving_listeners)

    def evaluate(
        self,
        input_fn: Callable,
        steps: int | None = None,
        hooks: Any = None,
        checkpoint_path: str | None = None,
        name: str | None = None,
    ) -> dict[str, Any]:
        return super().evaluate(self._read(input_fn), steps, hooks, checkpoint_path, name)

    def predict(
        self,
        input_fn: Callable,
        predict_keys: str | Sequence[str] | None = None,
        hooks: Any = None,
        checkpoint_path: str | None = None,
        yield_single_examples: bool = True,
    ) -> Iterator[dict[str, np.ndarray]]:
        return super().predict(
            self._read(input_fn), predict_keys, hooks, checkpoint_path, yield_single_examples
        )

    def export_saved_model(
        self,
        export_dir_base: str | os.PathLike,
        serving_input_receiver_fn: Callable,
        *arguments: Any,
        **options: Any,
    ) -> str:
        if self.door is not None and callable(serving_input_receiver_fn):
            path = arguments[2] if len(arguments) > 2 else options.get("checkpoint_path")
            shapes = shapes_of(self._trained(path).schema)
            serving_input_receiver_fn = self.door.receiver(serving_input_receiver_fn, shapes)
        return super().export_saved_model(
            export_dir_base, serving_input_receiver_fn, *arguments, **options
        )

    def _read(self, input_fn):
        plain = self.door is None or not callable(input_fn)
        return input_fn if plain else self.door.function(input_fn)

    def _through(self, judge):
        """Returns an evaluator or a report materializer that reads through the door."""
        if self.door is None or not isinstance(judge, InputFnEvaluator | ReportMaterializer):
            return judge
        return dataclasses.replace(judge, input_fn=self.door.function(judge.input_fn))


class CannedEstimator(ColumnReader):
    """One network over feature columns, trained in one round.

    Args:
        head: A `heads.Head`.
        name: Name of the network.
        network: Arguments of `ColumnNetwork`, without `units`.
        optimizer: A Keras optimizer.
        model_dir: Folder of the state, or `None`.
        config: A `RunConfig`, or `None`.
        warm_start_from: Folder of another search, or `None`.
        weight_column: Name of the feature with the weights of rows, or `None`.
    """

    def __init__(
        self,
        head: Head,
        name: str,
        network: dict[str, Any],
        optimizer: keras.optimizers.Optimizer,
        model_dir: Any,
        config: RunConfig | None,
        warm_start_from: Any,
        weight_column: str | None,
    ) -> None:
        check_instance("head", head, Head, "a heads.Head")
        if type(warm_start_from).__name__ == "WarmStartSettings":
            raise ValueError(
                "warm_start_from must be the folder of another estimator: WarmStartSettings is "
                f"not supported. Received: {show(warm_start_from)}."
            )
        or_none(check_path, "model_dir", model_dir)
        self.network = Network({"units": head.units, **network})
        self.optimizer = describe_optimizer(optimizer)
        self.door = ColumnDoor(self.network.columns, weight_column)
        super().__init__(
            head,
            ColumnPool({name: self.network}, self.optimizer),
            ENDLESS_STEPS,
            model_dir=model_dir,
            config=config,
            max_iterations=1,
            mixture_weight_type="uniform",
            warm_start_from=warm_start_from,
            preprocessing=None,
            jit_compile=False,
        )
