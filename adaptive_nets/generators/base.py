"""What the stock generators share: depths that follow the ensemble, and optimizers."""

import keras

from adaptive_nets.adanet import Builder, Generator


def make_optimizer(optimizer, learning_rate) -> keras.optimizers.Optimizer:
    """A fresh optimizer from a name, a config, or one to be copied; rate or schedule on top."""
    if isinstance(optimizer, keras.optimizers.Optimizer):
        config = keras.optimizers.serialize(optimizer)
    else:
        config = (
            {"class_name": optimizer, "config": {}} if isinstance(optimizer, str) else optimizer
        )
    made = keras.optimizers.deserialize(config)
    if learning_rate is not None:
        if isinstance(learning_rate, dict):
            learning_rate = keras.optimizers.schedules.deserialize(learning_rate)
        made.learning_rate = learning_rate
    return made


class OptimizedBuilder(Builder):
    """A builder that makes its optimizer from its generator's settings."""

    rescale_output = True

    def __init__(self, name, generator, **hyperparameters):
        self.name, self.generator = name, generator
        self._hyperparameters = hyperparameters

    def optimizer(self):
        return make_optimizer(self.generator.optimizer, self.generator.learning_rate)

    def hyperparameters(self):
        return self._hyperparameters


class DepthGenerator(Generator):
    """Proposes networks of given depths, or of the ensemble's depth and one more.

    Args:
        depths: List of depths to propose each round; `None` for the paper's rule: the depth
            of the deepest member, and one more.
        optimizer: Name, config or `keras.optimizers.Optimizer` to be copied.
        learning_rate: Number or `LearningRateSchedule`.
    """

    standardize = True

    def __init__(self, depths, optimizer, learning_rate):
        self.depths = None if depths is None else check_sizes("depths", depths, least=0)
        schedule = keras.optimizers.schedules.LearningRateSchedule
        if isinstance(learning_rate, schedule):
            learning_rate = keras.optimizers.schedules.serialize(learning_rate)
        if isinstance(optimizer, keras.optimizers.Optimizer):
            optimizer = keras.optimizers.serialize(optimizer)
        self.optimizer, self.learning_rate = optimizer, learning_rate
        # A wrong name or rate is refused here, not in the first round.
        make_optimizer(optimizer, learning_rate)

    def next_depths(self, previous) -> list[int]:
        """Depths of a round's candidates."""
        if self.depths is not None:
            return self.depths
        deepest = previous.depth if previous is not None else 1
        return [deepest, deepest + 1]

    def get_config(self):
        return {
            "depths": self.depths,
            "optimizer": self.optimizer,
            "learning_rate": self.learning_rate,
        }


def check_sizes(name, values, least=1) -> list[int]:
    """A list of integers from one or several, none below `least`."""
    listed = [values] if isinstance(values, int) else list(values)
    wrong = [v for v in listed if isinstance(v, bool) or int(v) != v or v < least]
    if wrong or not listed:
        raise ValueError(f"{name} must be integers >= {least}. Received: {name}={values!r}.")
    return [int(v) for v in listed]


def check_rate(name, value) -> float:
    """A dropout rate."""
    if not 0 <= value < 1:
        raise ValueError(f"{name} must be in [0, 1). Received: {name}={value!r}.")
    return float(value)


def flatten_features(inputs, names=None):
    """All features as one floating-point vector a row."""
    listed = [inputs[k] for k in inputs] if isinstance(inputs, dict) else [inputs]
    for tensor in listed:
        if tensor.dtype == "string":
            raise ValueError(
                f"Feature '{tensor.name}' holds strings, which this generator cannot read. "
                "Encode them first (keras.utils.FeatureSpace) or use generators.Pool."
            )
    floats = [
        t if keras.backend.is_float_dtype(t.dtype) else keras.layers.Rescaling(1.0)(t)
        for t in listed
    ]
    flat = [t if len(t.shape) == 2 else keras.layers.Flatten()(t) for t in floats]
    return flat[0] if len(flat) == 1 else keras.layers.Concatenate()(flat)
