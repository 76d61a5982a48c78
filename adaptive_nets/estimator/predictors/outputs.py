"""`ReadPool`: which of a candidate's outputs are its logits and its last layer."""

from collections.abc import Callable
from typing import Any

import keras

from adaptive_nets._checks import check_function, or_none, show
from adaptive_nets._values import tried
from adaptive_nets.estimator.mode_keys import ModeKeys
from adaptive_nets.estimator.model_fn.spec import EstimatorSpec
from adaptive_nets.generators import Pool


class ReadPool(Pool):
    """A `Pool` of models that may have several outputs.

    Args:
        *arguments: Those of `Pool`.
        logits_fn: Function of an `EstimatorSpec`, whose `predictions` are a candidate's outputs by
            name, that returns the logits, or a dict of them by head. Of a candidate with one
            output, it has the names `"logits"` and `"predictions"`. Defaults to `None`: the output
            named `"logits"`, otherwise `"predictions"`, otherwise all of them, by head.
        last_layer_fn: Such a function that returns the last layer, which `"matrix"` mixture weights
            read. Defaults to `None`: the logits.
    """

    by_name = True

    def __init__(
        self,
        *arguments: Any,
        logits_fn: Callable | None = None,
        last_layer_fn: Callable | None = None,
    ) -> None:
        self.logits_fn = or_none(check_function, "logits_fn", logits_fn)
        self.last_layer_fn = or_none(check_function, "last_layer_fn", last_layer_fn)
        super().__init__(*arguments)

    def read(self, name: str, outputs: Any) -> tuple[Any, Any]:
        one = not isinstance(outputs, dict)
        named = {"logits": outputs, "predictions": outputs} if one else dict(outputs)
        spec = EstimatorSpec(ModeKeys.PREDICT, predictions=named)
        logits = named.get("logits", named.get("predictions", named))
        if self.logits_fn is not None:
            logits = _called("logits_fn", self.logits_fn, name, spec)
        if self.last_layer_fn is None:
            return logits, None
        return logits, _called("last_layer_fn", self.last_layer_fn, name, spec)

    def get_config(self) -> dict:
        given = {"logits_fn": self.logits_fn, "last_layer_fn": self.last_layer_fn}
        # A search in a folder goes on only with the same functions, which these texts name.
        told = {name: _told(function) for name, function in given.items() if function is not None}
        return {**super().get_config(), **told}


def _told(function):
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{getattr(function, '__module__', '')}.{name}"


def _called(argument, function, name, spec):
    """Returns what a function returns for a candidate's spec, checked."""
    names = ", ".join(spec.predictions)
    try:
        found = function(spec)
    except KeyError as error:
        raise ValueError(
            f"{argument} asks for {error}, which candidate '{name}' does not return. Its outputs "
            f"are {names}."
        ) from error
    listed = list(found.values()) if isinstance(found, dict) else [found]
    if not listed or not all(isinstance(each, keras.KerasTensor) for each in listed):
        raise ValueError(
            f"{argument} must return one of the outputs of candidate '{name}', or a dict of them "
            f"by head: its spec.predictions has {names}. Received: {tried(lambda: show(found))}."
        )
    return found
