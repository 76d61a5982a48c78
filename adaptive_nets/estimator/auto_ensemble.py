"""Ensembles of the user's own Keras models behind the estimator API."""

import dataclasses
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import keras

from adaptive_nets._arguments import takes
from adaptive_nets._checks import (
    check_bool,
    check_dict,
    check_function,
    check_instance,
    or_none,
    show,
)
from adaptive_nets._values import tried
from adaptive_nets.adanet import AdaNet, Builder, Ensemble, Generator, Report, TrainingData
from adaptive_nets.adanet.candidates.stock.optimizers import describe_optimizer, make_optimizer
from adaptive_nets.estimator import inputs
from adaptive_nets.estimator.canned.base import CannedEstimator, ColumnReader, Network
from adaptive_nets.estimator.canned.door import ColumnDoor
from adaptive_nets.estimator.compat.contract import ESTIMATOR, SUBESTIMATOR
from adaptive_nets.estimator.config import RunConfig
from adaptive_nets.estimator.estimator import Estimator
from adaptive_nets.estimator.model_fn import ModelFnEstimator
from adaptive_nets.estimator.predictors import FrozenPredictor, frozen, is_predictor
from adaptive_nets.estimator.predictors.model_functions import ModelFnNetwork
from adaptive_nets.estimator.predictors.outputs import ReadPool
from adaptive_nets.heads import Head


@takes(SUBESTIMATOR)
@dataclasses.dataclass(frozen=True)
class AutoEnsembleSubestimator:
    """A candidate with its own training data (bagging).

    Args:
        model: A built `keras.Model`, or a function that returns a new one. It outputs logits. Or
            a canned estimator such as `DNNEstimator`, whose network and optimizer are taken. Or a
            fitted model of scikit-learn, which becomes Keras layers that are not trained. Or an
            `Estimator(model_fn)` of Keras layers, with `optimizer`: its `train_op` is not asked
            for.
        train_input_fn: Function that returns its training data, which must be finite. Defaults to
            `None`: the data passed to `train`.
        prediction_only: Whether a built `keras.Model`, or the trained model of a canned estimator,
            is taken as it is, and not trained. Defaults to `False`.
        optimizer: The candidate's optimizer. Defaults to `None`: that of the estimator.
    """

    model: Any
    train_input_fn: Callable | None = None
    prediction_only: bool = False
    optimizer: Any = None

    def __post_init__(self) -> None:
        words = "a keras.Model, a function that returns one, or a canned estimator"
        check_bool("prediction_only", self.prediction_only)
        if is_predictor(self.model):
            object.__setattr__(self, "model", FrozenPredictor(self.model))
        elif self.prediction_only:
            object.__setattr__(self, "model", _as_it_is(self.model))
        elif isinstance(self.model, ModelFnEstimator):
            if self.optimizer is None:
                raise ValueError(
                    "optimizer is missing: a candidate with a model_fn is trained on the loss of "
                    "the ensemble's head, and its train_op is not asked for. Pass "
                    "AutoEnsembleSubestimator(estimator, optimizer=...). Received: optimizer=None."
                )
            object.__setattr__(self, "model", ModelFnNetwork(self.model))
        elif isinstance(self.model, CannedEstimator):
            object.__setattr__(self, "optimizer", self.optimizer or self.model.optimizer)
            object.__setattr__(self, "model", self.model.network)
        if not isinstance(self.model, keras.Layer):
            check_instance("model", self.model, Callable, words)
        elif not self.model.built:
            raise ValueError(f"model must be built, or a function. Received: {show(self.model)}.")
        or_none(check_function, "train_input_fn", self.train_input_fn)
        if self.optimizer is not None:
            make_optimizer(describe_optimizer(self.optimizer), None)


def _as_it_is(given):
    """Returns a model that is not trained."""
    if isinstance(given, CannedEstimator) and given.latest_checkpoint() is not None:
        given = given.load(given.latest_checkpoint()).model
    if not isinstance(given, keras.Layer) or not given.built:
        raise ValueError(
            "prediction_only requires a built keras.Model, or a canned estimator that has been "
            f"trained. Received: {show(given)}."
        )
    return frozen(given)


def _check_classes(candidates, head):
    """Checks that models that only predict have the head's classes, in its order."""
    classifies, names = hasattr(head, "class_names"), getattr(head, "class_names", None)
    for name, each in candidates.items():
        if not isinstance(each.model, FrozenPredictor):
            continue
        classes = each.model.classes
        if (classes is not None) != classifies or (names and list(names) != classes):
            raise ValueError(
                f"Candidate '{name}' must predict what head '{head.name}' does: "
                f"{'classes ' + show(names) if names else 'classes' if classifies else 'numbers'}, "
                f"in this order. Received: {'numbers' if classes is None else show(classes)}."
            )


def _estimator_arguments():
    return {**inspect.signature(Estimator).parameters, **inspect.signature(AdaNet).parameters}


@takes(ESTIMATOR, more=_estimator_arguments)
class AutoEnsembleEstimator(ColumnReader):
    """An `Estimator` whose candidates are Keras models.

    Args:
        head: A `heads.Head`.
        candidate_pool: Dict or list of candidates: built `keras.Model`s, functions that return
            new ones, canned estimators such as `LinearEstimator`, fitted models of scikit-learn, or
            `AutoEnsembleSubestimator`s.
            Or a function that returns such a dict or list: of `config`, `params` and
            `iteration_number` (from 0) those that it takes.
        max_iteration_steps: Training steps per round.
        optimizer: Optimizer of candidates without one: a name, a config or an optimizer. Defaults
            to `"adam"`.
        learning_rate: Learning rate of these candidates. Defaults to `None`: the optimizer's own.
        config: A `RunConfig`. Defaults to `None`: `RunConfig()`.
        params: Passed to functions that have such an argument. Defaults to `None`.
        logits_fn: Function of an `EstimatorSpec` that returns a candidate's logits, or a dict of
            them by head. Its `predictions` are the candidate's outputs by name; of a candidate with
            one output, it has the names `"logits"` and `"predictions"`. Defaults to `None`: the
            output named `"logits"`, otherwise `"predictions"`, otherwise all of them, by head.
        last_layer_fn: Such a function that returns a candidate's last layer, which
            `mixture_weight_type="matrix"` reads. Defaults to `None`: the logits.
        **kwargs: Further arguments of `Estimator`.

    Example:

    ```python
    import keras
    import adaptive_nets as an

    def network():
        return keras.Sequential([keras.layers.Dense(16, "relu"), keras.layers.Dense(10)])

    estimator = an.estimator.AutoEnsembleEstimator(
        head=an.heads.MultiClass(10),
        candidate_pool={"linear": lambda: keras.layers.Dense(10), "network": network},
        max_iteration_steps=100,
    )
    ```
    """

    def __init__(
        self,
        head: Head,
        candidate_pool: Any,
        max_iteration_steps: int | None,
        optimizer: Any = "adam",
        learning_rate: Any = None,
        config: RunConfig | None = None,
        params: dict | None = None,
        logits_fn: Callable | None = None,
        last_layer_fn: Callable | None = None,
        **kwargs: Any,
    ) -> None:
        or_none(check_instance, "config", config, RunConfig, "an estimator.RunConfig, or None")
        or_none(check_dict, "params", params, object, "a dict by name, or None")
        config = RunConfig() if config is None else config
        generator = PoolGenerator(
            candidate_pool, optimizer, learning_rate, config, params, logits_fn, last_layer_fn
        )
        _check_classes(generator.first, head)
        self.door = generator.door
        for name in ("evaluator", "report_materializer"):
            if name in kwargs:
                kwargs[name] = self._through(kwargs[name])
        super().__init__(
            head, generator, max_iteration_steps, config=config, params=params, **kwargs
        )


@keras.saving.register_keras_serializable(package="adaptive_nets")
class PoolGenerator(Generator):
    """A `generators.Pool` in which candidates may have their own training data.

    Args:
        candidates: As `candidate_pool` of `AutoEnsembleEstimator`.
        optimizer: Optimizer of candidates without one. Defaults to `"adam"`.
        learning_rate: Learning rate of these candidates. Defaults to `None`: the optimizer's own.
        config: Passed to functions that have such an argument. Defaults to `None`.
        params: Passed to `input_fn`s that have such an argument. Defaults to `None`.
        logits_fn: As in `AutoEnsembleEstimator`. Defaults to `None`.
        last_layer_fn: As in `AutoEnsembleEstimator`. Defaults to `None`.

    Raises:
        ValueError: `candidates` is empty or of the wrong type.
    """

    def __init__(
        self,
        candidates: Any,
        optimizer: Any = "adam",
        learning_rate: Any = None,
        config: RunConfig | None = None,
        params: dict | None = None,
        logits_fn: Callable | None = None,
        last_layer_fn: Callable | None = None,
    ) -> None:
        self.config, self.params = config or RunConfig(), params
        self._hooks = {"logits_fn": logits_fn, "last_layer_fn": last_layer_fn}
        self._candidates, self._chosen = candidates, (optimizer, learning_rate)
        self._data: dict[tuple[int, str], TrainingData] = {}
        # Checks the first round's before any data is read.
        self.first, self.pool = self._pool(1)
        models = [each.model for each in self.first.values()]
        networks = [model for model in models if isinstance(model, Network)]
        columns = [column for network in networks for column in network.columns]
        # Models of another kind may read other features.
        self.door = ColumnDoor(columns, None, len(networks) < len(models)) if networks else None

    def generate(
        self, previous: Ensemble | None, iteration: int, reports: list[Report]
    ) -> list[Builder]:
        candidates, pool = self._pool(iteration)
        builders = pool.generate(previous, iteration, reports)
        for builder in builders:
            function = candidates[builder.name].train_input_fn
            if function is not None:
                builder.training_data = self._training_data(iteration, builder.name, function)
        return builders

    def get_config(self) -> dict:
        return self.pool.get_config()

    @classmethod
    def from_config(cls, config: dict) -> "PoolGenerator":
        """Raises an error, as `Pool` does: the models belong to the user."""
        return ReadPool.from_config(config)

    def _pool(self, iteration):
        """Returns the candidates of a round by name, and the generator of their models."""
        found, optimizer = self._candidates, self._chosen[0]
        if callable(found) and not isinstance(found, keras.Layer):
            found = self._called(found, iteration - 1)
        candidates = {name: _candidate(each) for name, each in _named(found).items()}
        models = {name: each.model for name, each in candidates.items()}
        own = {name: each.optimizer for name, each in candidates.items()}
        mixed = any(each is not None for each in own.values())
        chosen = {name: optimizer if each is None else each for name, each in own.items()}
        settings = models, chosen if mixed else optimizer, self._chosen[1]
        return candidates, ReadPool(*settings, **self._hooks)

    def _called(self, function, iteration):
        known = {"config": self.config, "params": self.params, "iteration_number": iteration}
        needed = tried(
            lambda: [
                name
                for name, p in inspect.signature(function).parameters.items()
                if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
            ]
        )
        if needed and len(needed) == 1 and needed[0] not in known:
            # adanet passes the config by position.
            return function(self.config)
        return inputs.call_named("candidate_pool", function, **known)

    def _training_data(self, iteration, name, function):
        def data(rows, seed):
            key = (iteration, name)
            if key not in self._data:
                source = self.door.function(function) if self.door else function
                given = inputs.for_training(source, self.config, self.params, finite=lambda: True)
                x, y = given.arguments["x"], given.arguments.get("y")
                self._data[key] = TrainingData(x=x, y=y)
            return self._data[key]

        return data


def _named(found):
    if isinstance(found, dict) and found:
        return {str(name): each for name, each in found.items()}
    if isinstance(found, Sequence) and not isinstance(found, str) and found:
        return {f"candidate_{i}": each for i, each in enumerate(found)}
    raise ValueError(
        "candidate_pool must be a non-empty dict or list of Keras models, or a function that "
        f"returns one. Received: {type(found).__name__}."
    )


def _candidate(each):
    if isinstance(each, AutoEnsembleSubestimator):
        return each
    return AutoEnsembleSubestimator(each)
