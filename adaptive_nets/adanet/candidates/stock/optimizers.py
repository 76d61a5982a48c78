"""Optimizer settings: checked once, described as JSON, and created for every subnetwork."""

import copy
import numbers

import keras
from keras.optimizers.schedules import LearningRateSchedule

from adaptive_nets._checks import check_number, show
from adaptive_nets.serialization import make_object

OptimizerSetting = str | dict | keras.optimizers.Optimizer
RateSetting = float | dict | LearningRateSchedule | None

_NAMES = {
    name.lower(): name for name, found in vars(keras.optimizers).items() if isinstance(found, type)
}


def describe_optimizer(optimizer: OptimizerSetting) -> str | dict:
    """Returns the JSON form of an optimizer setting, without the names that Keras numbers."""
    if isinstance(optimizer, keras.optimizers.Optimizer):
        optimizer = keras.optimizers.serialize(optimizer)
        for config in _configs(optimizer):
            # The second optimizer of a process is named "adam_1", but is the same setting.
            config.pop("name", None)
    if not isinstance(optimizer, str | dict):
        raise _bad_optimizer(optimizer)
    return optimizer


def describe_rate(learning_rate: RateSetting) -> float | dict | None:
    """Returns the JSON form of a learning rate or schedule.

    Raises:
        ValueError: `learning_rate` is neither.
    """
    if learning_rate is None:
        return None
    if isinstance(learning_rate, numbers.Real):
        return check_number("learning_rate", learning_rate, 0, inclusive=False)
    try:
        if isinstance(learning_rate, LearningRateSchedule):
            return keras.optimizers.schedules.serialize(learning_rate)
        made = make_object(learning_rate, "schedule")
    except Exception as error:
        raise _bad_rate(learning_rate) from error
    if not isinstance(made, LearningRateSchedule):
        raise _bad_rate(learning_rate)
    return learning_rate


def make_optimizer(
    optimizer: OptimizerSetting, learning_rate: RateSetting = None
) -> keras.optimizers.Optimizer:
    """Creates an optimizer.

    Args:
        optimizer: Name, config, or an optimizer, which is copied.
        learning_rate: Number, schedule or its config. Defaults to `None`: the optimizer's own.

    Raises:
        ValueError: The optimizer is unknown, or the learning rate is invalid.
    """
    config = describe_optimizer(optimizer)
    config = {"class_name": config, "config": {}} if isinstance(config, str) else config
    learning_rate = describe_rate(learning_rate)
    try:
        config = copy.deepcopy(config)
        if learning_rate is not None:
            # Set in the config: an optimizer created with a schedule accepts no number afterwards.
            list(_configs(config))[-1]["learning_rate"] = learning_rate
        # Keras' own go by their names in any case.
        config["class_name"] = _NAMES.get(config["class_name"].lower(), config["class_name"])
        made = make_object(config, "optimizer")
    except Exception as error:
        raise _bad_optimizer(optimizer) from error
    # Other values than descriptions come back as they are.
    if not isinstance(made, keras.optimizers.Optimizer):
        raise _bad_optimizer(optimizer)
    return made


def _configs(serialized):
    """Yields the configuration of an optimizer, then that of the optimizer that it wraps."""
    while serialized is not None:
        yield serialized["config"]
        serialized = serialized["config"].get("inner_optimizer")


def _bad_optimizer(optimizer):
    return ValueError(
        "optimizer must be the name or config of a Keras optimizer, or an optimizer. "
        f"Received: optimizer={show(optimizer)}."
    )


def _bad_rate(learning_rate):
    return ValueError(
        "learning_rate must be a number > 0, a LearningRateSchedule, or None for the "
        f"optimizer's own. Received: learning_rate={show(learning_rate)}."
    )
