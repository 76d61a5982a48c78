"""Candidates from the user's own Keras models."""

import keras

from adaptive_nets.adanet import Builder, Generator, Subnetwork
from adaptive_nets.generators.base import make_optimizer


@keras.saving.register_keras_serializable(package="adaptive_nets")
class Pool(Generator):
    """Proposes the same models of the user's each round.

    Args:
        models: Dict from name to a built `keras.Model`, which is copied with its weights, so
            that every round starts from them; or to a function without arguments that returns
            a new model, with fresh weights every round. A model takes the features and gives
            logits `(batch, units)`.
        optimizer: Name, config or optimizer to be copied; or a dict of them by model name.
            Defaults to `"adam"`.
        learning_rate: Number, schedule or `None` for the optimizer's own. Defaults to `None`.
        depths: Dict from name to depth, for the complexity; a model not in it has as many
            hidden layers as it has layers with a kernel, less one.

    Example:

    ```python
    import keras
    import adaptive_nets as an

    def small():
        return keras.Sequential([keras.layers.Dense(8, activation="relu"), keras.layers.Dense(3)])

    an.generators.Pool({"small": small, "linear": lambda: keras.layers.Dense(3)})
    ```
    """

    def __init__(self, models, optimizer="adam", learning_rate=None, depths=None):
        if not isinstance(models, dict) or not models:
            raise ValueError(
                f"Pool needs a non-empty dict of models. Received: {type(models).__name__}."
            )
        for name, model in models.items():
            if not isinstance(model, keras.Layer) and not callable(model):
                raise ValueError(
                    f"Pool model '{name}' must be a keras.Model or a function that returns one. "
                    f"Received: {type(model).__name__}."
                )
            if isinstance(model, keras.Layer) and not model.built:
                raise ValueError(
                    f"Pool model '{name}' is not built. Give it an Input, or pass a function."
                )
        self.models, self.optimizer, self.learning_rate = dict(models), optimizer, learning_rate
        self.depths = dict(depths or {})
        for name in models:
            make_optimizer(self.optimizer_of(name), learning_rate)

    def optimizer_of(self, name):
        """The optimizer setting of one model."""
        if isinstance(self.optimizer, dict) and name in self.optimizer:
            return self.optimizer[name]
        return self.optimizer

    def generate(self, previous, iteration, reports):
        return [PoolBuilder(name, self) for name in self.models]

    def get_config(self):
        def one(model):
            if isinstance(model, keras.Layer):
                return keras.saving.serialize_keras_object(model)
            return f"{model.__module__}.{model.__qualname__}"

        def optimizer(value):
            if isinstance(value, keras.optimizers.Optimizer):
                return keras.optimizers.serialize(value)
            if isinstance(value, dict):
                return {k: optimizer(v) for k, v in value.items()}
            return value

        rate = self.learning_rate
        if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
            rate = keras.optimizers.schedules.serialize(rate)
        return {
            "models": {name: one(model) for name, model in self.models.items()},
            "optimizer": optimizer(self.optimizer),
            "learning_rate": rate,
            "depths": self.depths,
        }

    @classmethod
    def from_config(cls, config):
        raise ValueError(
            "A Pool's models are the user's own and are not kept in the search's state. Pass "
            "the pool: AdaNet.load(model_dir, generator=...)."
        )


class PoolBuilder(Builder):
    """One of the user's models."""

    def __init__(self, name, pool):
        self.name, self.pool = name, pool

    def build(self, inputs, units, previous=None):
        given = self.pool.models[self.name]
        if isinstance(given, keras.Layer):
            model = keras.models.clone_model(given) if isinstance(given, keras.Model) else (
                type(given).from_config(given.get_config())
            )  # fmt: skip
        else:
            model = given()
        logits = model(inputs)
        if isinstance(given, keras.Layer):
            model.set_weights(given.get_weights())
        if not hasattr(logits, "shape") or tuple(logits.shape) != (None, units):
            raise ValueError(
                f"Pool model '{self.name}' gives {getattr(logits, 'shape', logits)}; the head "
                f"needs logits of shape (None, {units}), without a final softmax or sigmoid."
            )
        kernels = sum(hasattr(layer, "kernel") for layer in model._flatten_layers())
        depth = self.pool.depths.get(self.name, max(kernels - 1, 0))
        return Subnetwork(logits, depth=depth)

    def optimizer(self):
        return make_optimizer(self.pool.optimizer_of(self.name), self.pool.learning_rate)

    def hyperparameters(self):
        return {"model": self.name}
