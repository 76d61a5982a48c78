"""`Pool`: subnetworks from the user's own Keras models."""

import contextlib
import copy
import json
import re
import weakref
import zlib
from collections.abc import Callable
from typing import Any

import keras

from adaptive_nets._checks import check_dict, check_text
from adaptive_nets.adanet import Builder, Ensemble, Generator, Report, Subnetwork
from adaptive_nets.adanet.candidates.stock.layer_builder import (
    Features,
    MajoritySetting,
    check_sizes,
    describe_majority,
)
from adaptive_nets.adanet.candidates.stock.optimizers import (
    OptimizerSetting,
    RateSetting,
    describe_optimizer,
    describe_rate,
    make_optimizer,
)
from adaptive_nets.data.specs import called_by_name
from adaptive_nets.graphs.copy import fresh_copy
from adaptive_nets.graphs.state import carry_state
from adaptive_nets.keras_internals import layers_in, origin

Model = keras.Layer | Callable[[], keras.Layer]


@keras.saving.register_keras_serializable(package="adaptive_nets")
class Pool(Generator):
    """Proposes the user's own models in each round.

    A model takes the features, which are not preprocessed unless `AdaNet(preprocessing=...)` says
    so, and returns logits `(batch, units)`, without a softmax or sigmoid at the end. Its
    compilation settings are ignored.

    Args:
        models: Dict from name to a built `keras.Model`, which is copied with its weights, so
            that every round starts from them; or to a function without arguments that returns
            a new model, with new weights in every round.
        optimizer: Name, config or optimizer, which is copied; or a dict of them by model name.
            Defaults to `"adam"`.
        learning_rate: Number or schedule. Defaults to `None`, the optimizer's own.
        depths: Dict from name to depth, for the complexity. The default depth of a model is its
            number of layers with a kernel, minus one. Defaults to `None`.
        majority: Number k of kernels to train in place of each kernel (Majority Kernels), close
            to those of a model that was passed. Models are frozen with their mean. Or a dict of
            options of `majority.expand`. Defaults to 1: plain layers.

    Raises:
        ValueError: A model is invalid or cannot be copied, or a setting is out of range.

    Example:

    ```python
    import keras
    import adaptive_nets as an

    def small():
        return keras.Sequential([keras.layers.Dense(8, activation="relu"), keras.layers.Dense(3)])

    an.generators.Pool({"small": small, "linear": lambda: keras.layers.Dense(3)})
    ```
    """

    # Whether functions and layers whose inputs have no names read features by those of the data.
    by_name = False

    def __init__(
        self,
        models: dict[str, Model],
        optimizer: OptimizerSetting | dict[str, OptimizerSetting] = "adam",
        learning_rate: RateSetting = None,
        depths: dict[str, int] | None = None,
        majority: MajoritySetting = 1,
    ):
        if not isinstance(models, dict) or not models:
            raise ValueError(
                f"Pool requires a non-empty dict of models. Received: {type(models).__name__}."
            )
        for name in models:
            check_text("The name of each of models", name)
        self._descriptions = {name: _describe(name, model) for name, model in models.items()}
        self.models = dict(models)
        by_name = isinstance(optimizer, dict) and "class_name" not in optimizer
        if by_name and set(optimizer) != set(models):
            raise ValueError(
                "The keys of Pool's optimizer dict must be the names of its models: "
                f"{', '.join(map(str, models))}. "
                f"Received: {', '.join(map(str, optimizer))}."
            )
        self.optimizer = (
            {name: describe_optimizer(one) for name, one in optimizer.items()}
            if by_name
            else describe_optimizer(optimizer)
        )
        self._by_name = by_name
        self.learning_rate = describe_rate(learning_rate)
        for name in models:
            make_optimizer(self.optimizer_of(name), self.learning_rate)
        words = "a dict of integers by the name of the model, or None"
        self.depths = check_dict("depths", {} if depths is None else depths, object, words)
        for name, depth in self.depths.items():
            if name not in models:
                raise ValueError(
                    "The keys of Pool's depths must be names of its models: "
                    f"{', '.join(map(str, models))}. "
                    f"Received: {name}."
                )
            check_sizes(f"depths['{name}']", depth, least=0)
        self.majority = describe_majority(majority)
        self._majority = majority
        self._trained = weakref.WeakValueDictionary()

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_trained": None}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update({**state, "_trained": weakref.WeakValueDictionary()})

    def __deepcopy__(self, memo: dict) -> "Pool":
        # Models are copied for each subnetwork, and so are never changed.
        return copy.copy(self)

    def optimizer_of(self, name: str) -> OptimizerSetting:
        """Returns the optimizer setting of one model."""
        return self.optimizer[name] if self._by_name else self.optimizer

    def majority_of(self, name: str) -> dict | None:
        """Returns the majority options of one model; copies stay close to their kernels."""
        copied = isinstance(self.models[name], keras.Layer)
        return describe_majority(self._majority, kernel_spread=0.1 if copied else 1.0)

    def read(self, name: str, outputs: Any) -> tuple[Any, Any]:
        """Returns the logits and the last layer, or `None` for the logits, of a model's outputs.

        Args:
            name: The model's name.
            outputs: What it returns for symbolic features: the logits.
        """
        return outputs, None

    def generate(
        self, previous: Ensemble | None, iteration: int, reports: list[Report]
    ) -> list["PoolBuilder"]:
        return [PoolBuilder(name, self) for name in self.models]

    def get_config(self) -> dict:
        return {
            "models": self._descriptions,
            "optimizer": self.optimizer,
            "learning_rate": self.learning_rate,
            "depths": self.depths,
            "majority": self.majority,
        }

    @classmethod
    def from_config(cls, config: dict) -> "Pool":
        raise ValueError(
            "A Pool's models are not stored in the search's state. Pass the pool: "
            "AdaNet.load(model_dir, generator=...)."
        )

    def claim(self, name: str, model: keras.Layer) -> None:
        """Raises a `ValueError` if an earlier model trains the same weights.

        Frozen members would change otherwise.
        """
        for variable in model.trainable_variables:
            if self._trained.get(id(variable)) is variable:
                raise ValueError(
                    f"Pool model '{name}' shares trainable weights with an earlier model. "
                    "Its function must create new layers each time it is called, or freeze the "
                    "shared ones (trainable=False)."
                )
        self._trained.update({id(variable): variable for variable in model.trainable_variables})


class PoolBuilder(Builder):
    """Builds one of the user's models."""

    by_name = True

    def __init__(self, name: str, pool: Pool):
        self.name, self.pool = name, pool
        self.majority = pool.majority_of(name)

    def build(self, inputs: Features, units: int, previous: Ensemble | None = None) -> Subnetwork:
        given = self.pool.models[self.name]
        copied = isinstance(given, keras.Layer)
        if copied:
            # Unlike `clone_model`, this does not need the loss.
            with _copying(self.name):
                model = fresh_copy(given)
        else:
            model = self._make(given)
        try:
            outputs = model(_fitting(model, inputs, self.pool.by_name))
        except Exception as error:
            raise ValueError(
                f"Pool model '{self.name}' cannot be called on the features: {_first_line(error)}"
            ) from error
        if copied:
            with _copying(self.name):
                carry_state(given, model)
        logits, last_layer = self.pool.read(self.name, outputs)
        if not isinstance(logits, dict):
            listed = keras.tree.flatten(outputs)
            place = next((k for k, each in enumerate(listed) if each is logits), None)
            logits = _flat(logits, units)
            self._check(model, logits, units, place)
        self.pool.claim(self.name, model)
        layers = layers_in(model)
        kernels = sum(getattr(layer, "kernel", None) is not None for layer in layers)
        depth = self.pool.depths.get(self.name, max(kernels - 1, 0))
        return Subnetwork(logits, last_layer, depth=depth)

    def optimizer(self) -> keras.optimizers.Optimizer:
        return make_optimizer(self.pool.optimizer_of(self.name), self.pool.learning_rate)

    def hyperparameters(self) -> dict:
        return {"model": self.name}

    def _make(self, function):
        model = function()
        if not isinstance(model, keras.Layer):
            raise ValueError(
                f"Pool model '{self.name}': its function must return a Keras model. "
                f"Received: {type(model).__name__}."
            )
        return model

    def _check(self, model, logits, units, place):
        shape = getattr(logits, "shape", None)
        if shape is None or tuple(shape) != (None, units):
            got = type(logits).__name__ if shape is None else tuple(shape)
            raise ValueError(
                f"Pool model '{self.name}' must return logits of shape (None, {units}), the head's "
                f"units. Received: {got}. End it with Dense({units})."
            )
        activation = None if place is None else _final_activation(model, place)
        if activation is not None:
            raise ValueError(
                f"Pool model '{self.name}' must return logits, but ends with a {activation}, which "
                "the head applies itself. Remove it, or append Activation('linear') if its "
                "outputs are the intended logits."
            )


def _describe(name, model):
    """Returns a description that is the same for equal models in two processes."""
    if not isinstance(model, keras.Layer):
        if not callable(model):
            raise ValueError(
                f"Pool model '{name}' must be a keras.Model or a function that returns one. "
                f"Received: {type(model).__name__}."
            )
        function = getattr(model, "__qualname__", type(model).__qualname__)
        return f"{getattr(model, '__module__', '')}.{function}"
    if not model.built:
        raise ValueError(
            f"Pool model '{name}' must be built. Start it with an Input, or pass a function."
        )
    try:
        config = model.get_config()
        text = json.dumps(_renamed(config, {}), sort_keys=True, default=str)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise ValueError(
            f"Pool model '{name}' cannot be copied: {type(model).__name__} or one of its layers "
            "has no get_config. Pass a function that returns a new model."
        ) from error
    return (
        f"{type(model).__name__} of {model.count_params()} parameters, "
        f"configuration {zlib.crc32(text.encode()):08x}"
    )


def _renamed(config, known):
    """Returns the config with layers renamed by position, as Keras names depend on history."""
    if isinstance(config, dict):
        if isinstance(config.get("name"), str):
            known.setdefault(config["name"], f"layer {len(known)}")
        return {key: _renamed(value, known) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return [_renamed(value, known) for value in config]
    return known.get(config, config) if isinstance(config, str) else config


@contextlib.contextmanager
def _copying(name):
    """Names the model in errors of copying it."""
    try:
        yield
    except Exception as error:
        raise ValueError(
            f"Pool model '{name}' cannot be copied. Pass a function that returns a new model. "
            f"Received: {_first_line(error)}"
        ) from error


def _fitting(model, inputs, by_name):
    """Returns the inputs as a model takes them: in a list, if they came in one, or by its names."""
    given = getattr(model, "inputs", None) or ()
    unnamed = isinstance(inputs, dict) and list(inputs) == [
        f"input_{number}" for number in range(1, len(inputs) + 1)
    ]
    if unnamed and len(given) == len(inputs) and {each.name for each in given} != set(inputs):
        return list(inputs.values())
    return called_by_name(model, inputs, by_name)


def _flat(logits, units):
    """Returns logits without an axis of length 1, which a text layer to tf-idf only announces."""
    if tuple(getattr(logits, "shape", ())) == (None, 1, units):
        return keras.layers.Reshape((units,))(logits)
    return logits


def _final_activation(model, place):
    """Returns `"softmax"` or `"sigmoid"` if an output of a model ends with it, otherwise `None`."""
    while isinstance(model, keras.Model):
        if isinstance(model, keras.Sequential):
            model = model.layers[-1]
        elif getattr(model, "outputs", None):
            model = origin(model.outputs[place])[0]
            place = 0
        else:
            return None
    if isinstance(model, keras.layers.Softmax):
        return "softmax"
    found = getattr(model, "activation", None)
    named = {keras.activations.softmax: "softmax", keras.activations.sigmoid: "sigmoid"}
    return named.get(found) if callable(found) else None


def _first_line(error):
    """Returns the first line of a Keras error, which may be long and in bold."""
    lines = re.sub(r"\x1b\[\d*m", "", str(error)).splitlines()
    told = [line for line in lines if line and not line.startswith("Exception encountered")]
    return told[0] if told else type(error).__name__
