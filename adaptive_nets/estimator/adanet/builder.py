"""`Builder` and `Subnetwork` of adanet 0.9."""

import abc
import dataclasses
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import keras

from adaptive_nets import adanet
from adaptive_nets._arguments import Ignored, takes
from adaptive_nets._checks import check_dict, check_instance, check_list, show
from adaptive_nets._values import tried
from adaptive_nets.estimator import inputs
from adaptive_nets.estimator.adanet.constants import NONE, constant, number
from adaptive_nets.estimator.adanet.previous import PERSISTED, SHARED, seen
from adaptive_nets.estimator.adanet.reports import Report
from adaptive_nets.estimator.adanet.summary import Summary
from adaptive_nets.estimator.compat.graphs import only_in_graphs
from adaptive_nets.estimator.hooks import PlayedHooks, SessionRunHook

_OPTIMIZER = (
    "build_subnetwork_train_op must return a new Keras optimizer, such as "
    "keras.optimizers.Adam(1e-3): the search minimises the loss by it"
)


@takes({"local_init_ops": Ignored("there are no sessions", (None, [], ()))})
@dataclasses.dataclass(frozen=True)
class Subnetwork:
    """What `build_subnetwork` returns.

    Args:
        last_layer: KerasTensor `(batch, n)` that `"matrix"` mixture weights read.
        logits: KerasTensor `(batch, logits_dimension)`; with several heads also a dict of them by
            the head's name.
        complexity: The measure r >= 0 of the objective: a number.
        persisted_tensors: KerasTensors and constants by name, which later subnetworks read from
            `previous_ensemble`. Defaults to `None`.
        shared: A constant, or a dict of constants and KerasTensors, which later builders read, and
            generators without the tensors. Defaults to `None`.
        local_init_ops: Ignored. Defaults to `None`.
    """

    last_layer: Any
    logits: Any
    complexity: Any
    persisted_tensors: dict[str, Any] | None = None
    shared: Any = None
    local_init_ops: Any = None

    def core(self, attributes: dict[str, Any]) -> adanet.Subnetwork:
        """Returns it as a subnetwork of the search.

        Args:
            attributes: Further attributes.

        Raises:
            TypeError: `complexity` is not a number, or something that is shared is neither a
                constant nor a KerasTensor in a dict.
        """
        check_dict("persisted_tensors", self.persisted_tensors or {}, object, "a dict by name")
        kept, tensors = dict(attributes), []
        for key, given in ((PERSISTED, self.persisted_tensors or {}), (SHARED, self.shared)):
            if given is not None and given != {}:
                kept[key] = _described(key, given, tensors)
        return adanet.Subnetwork(
            self.logits,
            self.last_layer,
            tensors or None,
            complexity=number("complexity", self.complexity),
            attributes=kept,
        )


def _described(name, given, tensors):
    """Returns constants as they are, and tensors by their place among the hidden layers."""
    found = constant(given)
    if found is not NONE:
        return {"constants": found}
    read = {}
    for key, value in given.items() if isinstance(given, dict) else [(name, given)]:
        if isinstance(value, keras.KerasTensor) and isinstance(given, dict):
            places = [place for place, each in enumerate(tensors) if each is value]
            read[str(key)] = places[0] if places else len(tensors)
            tensors += [] if places else [value]
        elif (known := constant(value)) is not NONE:
            read[str(key)] = {"constant": known}
        else:
            raise TypeError(
                f"{name} must be constants, such as numbers and text, or a dict of constants and "
                f"KerasTensors. Received: {key}={show(value)}."
            )
    return {"tensors": read}


@takes({})
@dataclasses.dataclass(frozen=True)
class TrainOpSpec:
    """An optimizer with hooks.

    Args:
        train_op: A Keras optimizer.
        chief_hooks: `SessionRunHook`s, called while this subnetwork is trained, whose
            `request_stop` stops it alone. Defaults to `None`.
        hooks: Further ones. Defaults to `None`.
    """

    train_op: Any
    chief_hooks: Sequence[Any] | None = None
    hooks: Sequence[Any] | None = None

    def __post_init__(self) -> None:
        for name in ("chief_hooks", "hooks"):
            given = getattr(self, name)
            found = check_list(
                name, [] if given is None else given, SessionRunHook, "estimator.SessionRunHooks"
            )
            object.__setattr__(self, name, found)


class Builder(adanet.Builder):
    """A builder with the methods of adanet's.

    Subclasses set `name` and implement `build_subnetwork` and `build_subnetwork_train_op`. Of the
    arguments below each method gets those that it has.

    Example:

    ```python
    import keras
    from adaptive_nets.estimator import adanet

    class Linear(adanet.subnetwork.Builder):
        name = "linear"

        def build_subnetwork(
            self, features, logits_dimension, training, iteration_step, summary,
            previous_ensemble=None,
        ):
            logits = keras.layers.Dense(logits_dimension)(features["x"])
            return adanet.Subnetwork(last_layer=features["x"], logits=logits, complexity=1)

        def build_subnetwork_train_op(
            self, subnetwork, loss, var_list, labels, iteration_step, summary, previous_ensemble
        ):
            return keras.optimizers.SGD(0.1)
    ```
    """

    by_name = True
    _built: tuple[Any, Summary, Any] = (None, Summary(), None)
    _played: PlayedHooks | None = None

    @abc.abstractmethod
    def build_subnetwork(self, *arguments: Any, **named: Any) -> Subnetwork:
        """Builds the subnetwork of Keras layers.

        Args:
            *arguments: Not used: arguments are passed by name.
            **named: `features`, KerasTensors by name; `logits_dimension`; `training`, which is
                `None`, so that layers know by themselves; `iteration_step` and `labels`, which are
                `None`; `summary`, a `Summary`; `previous_ensemble`; `config`, which is `None`.
        """

    @abc.abstractmethod
    def build_subnetwork_train_op(self, *arguments: Any, **named: Any) -> Any:
        """Returns a Keras optimizer, or a `TrainOpSpec` of one.

        Args:
            *arguments: Not used: arguments are passed by name.
            **named: `subnetwork`, `summary` and `previous_ensemble` as in `build_subnetwork`; and
                `loss`, `var_list`, `labels` and `iteration_step`, which are `None`.
        """

    def prune_previous_ensemble(self, previous_ensemble: Any) -> Sequence[int]:
        """Returns the places of the previous ensemble's members to keep. Defaults to all.

        Args:
            previous_ensemble: The previous ensemble.
        """
        return range(len(previous_ensemble.weighted_subnetworks))

    def build_subnetwork_report(self) -> Report:
        """Returns a `Report` of constants. Defaults to an empty one."""
        return Report()

    def build(
        self, inputs: Any, units: int, previous: "adanet.Ensemble | None" = None
    ) -> adanet.Subnetwork:
        summary, before = Summary(), seen(previous)
        built = _called(
            self.build_subnetwork, features=inputs, logits_dimension=units, training=None,
            iteration_step=None, summary=summary, previous_ensemble=before, labels=None,
            config=None,
        )  # fmt: skip
        self._built = (built, summary, before)
        if isinstance(built, adanet.Subnetwork):
            return built
        check_instance("build_subnetwork", built, Subnetwork, "an adanet.Subnetwork")
        return built.core({**summary.constants, **self._report().kept()})

    def optimizer(self) -> keras.optimizers.Optimizer:
        subnetwork, summary, before = self._built
        try:
            found = _called(
                self.build_subnetwork_train_op, subnetwork=subnetwork, loss=None, var_list=None,
                labels=None, iteration_step=None, summary=summary, previous_ensemble=before,
                config=None,
            )  # fmt: skip
        except Exception as error:
            # What minimises a loss is given none.
            if "minimize" not in str(error) and "loss" not in str(error):
                raise
            raise TypeError(f"{_OPTIMIZER}. Received: {show(error)}.") from error
        self._played = None
        if isinstance(found, TrainOpSpec):
            self._played = PlayedHooks([*found.chief_hooks, *found.hooks])
            found = found.train_op
        self.steps_per_call = self._played and self._played.steps_per_call
        if not isinstance(found, keras.optimizers.Optimizer):
            raise TypeError(f"{_OPTIMIZER}. Received: {show(found)}.")
        # A script may return the same one for each subnetwork.
        return type(found).from_config(found.get_config())

    def after_steps(self, step: int, loss: float, done: bool) -> bool:
        return self._played.after_steps(step, loss, done)

    def keeps(self, previous: "adanet.Ensemble") -> Sequence[str]:
        places = self.prune_previous_ensemble(seen(previous))
        count, words = len(previous.members), "places of members of the previous ensemble"
        given = check_list("prune_previous_ensemble", list(places), Integral, words)
        if not all(0 <= place < count for place in given):
            raise ValueError(
                f"prune_previous_ensemble must return {words}, from 0 to {count - 1}. "
                f"Received: {show(given)}."
            )
        return [previous.members[place].name for place in given]

    def hyperparameters(self) -> dict:
        return self._report().hparams

    def _report(self):
        found = self.build_subnetwork_report()
        return check_instance("build_subnetwork_report", found, Report, "an adanet Report")


def _called(method, **known):
    name = tried(lambda: method.__name__) or "build_subnetwork"
    with only_in_graphs(name):
        return inputs.call_named(name, method, **known)
