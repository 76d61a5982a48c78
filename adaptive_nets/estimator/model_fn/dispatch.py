"""`Estimator(model_fn=...)`: one name for two constructors, as in a script's imports."""

from types import FunctionType, MethodType
from typing import Any

from adaptive_nets.estimator.model_fn.estimator import ModelFnEstimator


class TakesModelFn:
    """Base of `Estimator`: given a `model_fn`, it makes a `ModelFnEstimator` instead."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        given = "model_fn" in kwargs or (args and isinstance(args[0], FunctionType | MethodType))
        # Not for what is derived from Estimator, whose arguments are its own.
        if given and cls.__mro__[1] is TakesModelFn:
            return ModelFnEstimator(*args, **kwargs)
        return super().__new__(cls)
