"""Optimizer settings: checked once, described as JSON, and made anew for every candidate."""

import copy
import numbers

import keras
from keras.optimizers.schedules import LearningRateSchedule

from adaptive_nets._checks import check_number

OptimizerSetting = str | dict | keras.optimizers.Optimizer
RateSetting = float | dict | LearningRateSchedule | None


def describe_optimizer(optimizer: OptimizerSetting) -> str | dict:
    """The JSON form of an optimizer setting, without the names that Keras numbers as it goes."""
    if isinstance(optimizer, keras.optimizers.Optimizer):
        optimizer = keras.optimizers.serialize(optimizer)
        for config in _configs(optimizer):
            # A second optimizer of a process is called "adam_1", and is the same setting.
            config.pop("name", None)
    return optimizer


def describe_rate(learning_rate: RateSetting) -> float | dict | None:
    """The JSON form of a learning rate or schedule.

    Raises:
        ValueError: It is neither.
    """
    if learning_rate is None:
        return None
    if isinstance(learning_rate, numbers.Real):
        return check_number("learning_rate", learning_rate, 0, inclusive=False)
    try:
        if isinstance(learning_rate, LearningRateSchedule):
            return keras.optimizers.schedules.serialize(learning_rate)
        made = keras.optimizers.schedules.deserialize(copy.deepcopy(learning_rate))
    except Exception as error:
        raise _bad_rate(learning_rate) from error
    if not isinstance(made, LearningRateSchedule):
        raise _bad_rate(learning_rate)
    return learning_rate


def make_optimizer(
    optimizer: OptimizerSetting, learning_rate: RateSetting = None
) -> keras.optimizers.Optimizer:
    """A fresh optimizer.

    Args:
        optimizer: Name, config, or an optimizer to be copied.
        learning_rate: Number, schedule or its config; `None` for the optimizer's own.

    Raises:
        ValueError: There is no such optimizer, or the rate is not one.
    """
    config = describe_optimizer(optimizer)
    # Keras writes into what it is given to deserialize.
    config = {"class_name": config, "config": {}} if isinstance(config, str) else config
    config = copy.deepcopy(config)
    learning_rate = describe_rate(learning_rate)
    try:
        if learning_rate is not None:
            # Set here and not afterwards: an optimizer made with a schedule takes no number.
            list(_configs(config))[-1]["learning_rate"] = learning_rate
        made = keras.optimizers.deserialize(config)
    except Exception as error:
        raise _bad_optimizer(optimizer) from error
    # An unknown name comes back as it went in.
    if not isinstance(made, keras.optimizers.Optimizer):
        raise _bad_optimizer(optimizer)
    return made


def _configs(serialized):
    """The configuration of an optimizer, then of the one that it wraps."""
    while serialized is not None:
        yield serialized["config"]
        serialized = serialized["config"].get("inner_optimizer")


def _bad_optimizer(optimizer):
    return ValueError(
        "optimizer must be the name of a Keras optimizer, its config, or an optimizer to be "
        f"copied. Received: optimizer={optimizer!r}."
    )


def _bad_rate(learning_rate):
    return ValueError(
        "learning_rate must be a number > 0, a LearningRateSchedule, or None for the "
        f"optimizer's own. Received: learning_rate={learning_rate!r}."
    )
