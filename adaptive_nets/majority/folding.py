"""Turns stock layers into majority layers: k-fold variables that are read as one tensor."""

import contextlib
import inspect
import threading
from collections.abc import Iterator
from typing import Any

import keras
from keras import ops

from adaptive_nets._checks import (
    check_choice,
    check_integer,
    check_nesting,
    check_number,
    check_text,
    or_none,
    plain,
)
from adaptive_nets.keras_internals import call_context, full_precision, stateless_scope
from adaptive_nets.majority import kernel as kernels

DRAWS = "mixing_generator_state"
_held = threading.local()
_COUNTS = frozenset(
    ("units", "filters", "num_heads", "key_dim", "input_dim", "output_dim", "depth_multiplier")
)
_SIZES = frozenset(("kernel_size", "strides", "dilation_rate"))
_RATES = frozenset(("dropout", "recurrent_dropout"))


class Folded:
    """An attribute that is set to a k-fold variable and read as one kernel.

    In a training step it reads as that step's mixture, otherwise as the mean.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self.name, self.slot = name, f"_folded_{name.strip('_')}"

    def __set__(self, layer: Any, variable: Any) -> None:
        # Keras has already tracked it under the attribute's own name.
        vars(layer)[self.slot] = variable

    def __get__(self, layer: Any, owner: type | None = None) -> Any:
        if layer is None:
            return self
        variable = vars(layer).get(self.slot)
        if variable is None or self.slot not in layer.folds:
            return variable
        return layer.read(self.slot, variable)


class MajorityMixin:
    """Mixin placed before a stock layer's class that makes its kernels k-fold.

    A subclass lists in `folded` the names of the weights that are kernels, as passed to
    `add_weight`, and makes the attributes that hold them `Folded`.

    Args:
        factor: k, the number of kernels. Defaults to `3`.
        distribution: Distribution of the weights that mix the kernels: `"dirichlet"`,
            `"uniform"`, `"softmax_normal"` or `"mean"` (no draw, as a control). Defaults to
            "dirichlet".
        scope: `"layer"`: one draw per layer and batch; `"global"`: one draw for all layers of the
            model with this scope; `"unit"`: one draw per output unit. Defaults to `"layer"`.
        kernel_spread: `"independent"`: k draws of the initializer; `"symmetric"`: kernels around
            one draw, which is exactly their mean. Defaults to `"independent"`.
        bias_factor: Number of biases; 1 is a plain bias. Defaults to `1`.
        regularize: Whether regularizers and constraints act on the `"mean"` kernel, which is
            deployed, or on `"each"`. Defaults to `"mean"`.
        subspace_penalty: Weight of the mean squared cosine between pairs of a layer's kernels,
            which is added to the loss. With `scope="global"` this is learning subspaces (Wortsman
            et al., arXiv 2102.10472), except that cosines are per layer. Defaults to `0.0`.
        mixing_seed: Seed of the draws. Defaults to `None`: a random seed.
    """

    folded: tuple[str, ...] = ("kernel",)
    unit_axes = 1
    takes_training = False
    options = (
        "factor", "distribution", "scope", "kernel_spread", "bias_factor", "regularize",
        "subspace_penalty", "mixing_seed",
    )  # fmt: skip

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        check_nesting(args, kwargs)
        return super().__new__(cls, *args, **kwargs)

    def __init__(
        self,
        *args: Any,
        factor: int = 3,
        distribution: str = "dirichlet",
        scope: str = "layer",
        kernel_spread: str = "independent",
        bias_factor: int = 1,
        regularize: str = "mean",
        subspace_penalty: float = 0.0,
        mixing_seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        options = {
            "factor": factor, "distribution": distribution, "scope": scope,
            "kernel_spread": kernel_spread, "bias_factor": bias_factor, "regularize": regularize,
            "subspace_penalty": subspace_penalty,
        }  # fmt: skip
        options = check_options(**options)
        mixing_seed = or_none(check_integer, "mixing_seed", mixing_seed, 0)
        # Keras itself takes Python's numbers only.
        args, kwargs = plain(args), plain(kwargs)
        _check_stock(super().__init__, args, kwargs)
        super().__init__(*args, **kwargs)
        self.set_options(*options.values(), mixing_seed)

    def set_options(
        self,
        factor: int,
        distribution: str,
        scope: str,
        kernel_spread: str,
        bias_factor: int,
        regularize: str,
        subspace_penalty: float,
        mixing_seed: int | None,
    ) -> None:
        """Sets the options, which are already checked."""
        self.factor, self.distribution, self.scope = factor, distribution, scope
        self.kernel_spread, self.bias_factor = kernel_spread, bias_factor
        self.regularize = regularize
        self.subspace_penalty = subspace_penalty
        self.mixing_seed = mixing_seed
        self.mixing_generator = keras.random.SeedGenerator(mixing_seed)
        self.folds: dict[str, int] = {}

    def add_weight(
        self, shape: Any = None, initializer: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        name = kwargs.get("name")
        count = self.factor if name in self.folded else 0
        if name == "bias" and self.bias_factor > 1:
            count = self.bias_factor
        if not count:
            return super().add_weight(shape, initializer, *args, **kwargs)
        if initializer is None:
            initializer = "glorot_uniform"
        initializer = kernels.FoldedInitializer(initializer, self.kernel_spread)
        penalty = self.subspace_penalty if name in self.folded else 0.0
        if kwargs.get("regularizer") is not None or penalty:
            kwargs["regularizer"] = kernels.FoldedRegularizer(
                kwargs.get("regularizer"), self.regularize, penalty
            )
        if kwargs.get("constraint") is not None:
            kwargs["constraint"] = kernels.FoldedConstraint(kwargs["constraint"], self.regularize)
        self.folds[f"_folded_{name}"] = count
        return super().add_weight((count, *shape), initializer, *args, **kwargs)

    @property
    def kernels(self) -> dict[str, keras.Variable]:
        """The k-fold variables by the name of the weight."""
        return {slot.removeprefix("_folded_"): vars(self)[slot] for slot in self.folds}

    def variable_behind(self, name: str) -> keras.Variable | None:
        """Returns the k-fold variable behind an attribute, or `None`. Used by growth rules."""
        slot = f"_folded_{name.strip('_')}"
        return vars(self)[slot] if slot in self.folds else None

    def continue_from(self, other: "MajorityMixin") -> None:
        """Continues the random sequence of another layer. Used by growth rules."""
        self.mixing_generator.state.assign(other.mixing_generator.state)

    @property
    def grows_as(self) -> type:
        """The class of the stock layer. Used by growth rules."""
        kinds = type(self).__mro__
        return next(kind for kind in kinds if not issubclass(kind, MajorityMixin))

    def read(self, slot: str, variable: keras.Variable) -> Any:
        """Returns a k-fold variable as one tensor: a mixture in training, otherwise the mean."""
        held = getattr(_held, "layers", {}).get(id(self))
        if held is None:
            return kernels.mean(_full(variable))
        if slot not in held:
            weights = self.weights_of(slot, variable) if held["training"] else None
            full = _full(variable)
            mixed = kernels.mean(full) if weights is None else kernels.mix(weights, full)
            held[slot] = ops.cast(mixed, self.compute_dtype)
        return held[slot]

    def weights_of(self, slot: str, variable: keras.Variable) -> Any:
        """Returns the weights that mix a variable in this step."""
        count = variable.shape[0]
        shape = (count,)
        key: tuple = (self.scope, count, self.distribution, variable.dtype)
        if self.scope == "unit":
            axes = 1 if slot == "_folded_bias" else self.unit_axes
            shape = (count, *variable.shape[len(variable.shape) - axes :])
            key = (*key, slot)
        if self.scope != "global":
            key = (*key, id(self))
        known = _of_this_call(self)
        if key not in known or not _usable(known[key]):
            known[key] = kernels.draw_weights(
                self.distribution, shape, self.mixing_generator, variable.dtype
            )
        return known[key]

    @contextlib.contextmanager
    def drawn(self, training: bool | None) -> Iterator[None]:
        """Within this block kernels read as this step's mixture, each computed once."""
        if not hasattr(_held, "layers"):
            _held.layers = {}
        if id(self) in _held.layers:
            # A recurrent layer has already drawn for all time steps of its cell.
            yield
            return
        _held.layers[id(self)] = {"training": bool(training)}
        try:
            for slot in self.folds:
                self.read(slot, vars(self)[slot])
            yield
        finally:
            del _held.layers[id(self)]

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        with self.drawn(training):
            if self.takes_training:
                return super().call(inputs, training=training)
            return super().call(inputs)

    def save_own_variables(self, store: Any) -> None:
        """Stores all kernels and the state of the random sequence, so that training can resume.

        Stock layers store what they compute with, which here would be the mean.
        """
        keras.Layer.save_own_variables(self, store)
        store[DRAWS] = keras.ops.convert_to_numpy(self.mixing_generator.state)

    def load_own_variables(self, store: Any) -> None:
        """Loads the output of `save_own_variables`."""
        rest = {key: store[key] for key in list(store.keys())}
        self.mixing_generator.state.assign(rest.pop(DRAWS))
        keras.Layer.load_own_variables(self, rest)

    def enable_lora(self, *args: Any, **kwargs: Any) -> None:
        """Not supported: adapters belong to the deployed kernel."""
        raise ValueError(_refusal(self, "enable LoRA on"))

    def quantize(self, *args: Any, **kwargs: Any) -> None:
        """Not supported: quantize the deployed kernel instead."""
        raise ValueError(_refusal(self, "quantize"))

    def quantized_build(self, *args: Any, **kwargs: Any) -> None:
        """Not supported, as `quantize`."""
        raise ValueError(_refusal(self, "quantize"))

    def get_config(self) -> dict[str, Any]:
        """Returns the stock layer's configuration and the options."""
        return {**super().get_config(), **{name: getattr(self, name) for name in self.options}}


def _check_stock(make: Any, args: tuple, kwargs: dict[str, Any]) -> None:
    """Checks those arguments of the stock layers that Keras compares unchecked."""
    given = inspect.signature(make).bind_partial(*args, **kwargs).arguments
    for name in _COUNTS.intersection(given):
        check_integer(name, given[name], 1)
    for name in _SIZES.intersection(given):
        value = given[name]
        for size in value if isinstance(value, list | tuple) else [value]:
            check_integer(name, size, 1)
    if "equation" in given:
        check_text("equation", given["equation"])
    if {"equation", "output_shape"} <= given.keys():
        sizes = given["output_shape"]
        for size in sizes if isinstance(sizes, list | tuple) else [sizes]:
            or_none(check_integer, "output_shape", size, 1)
    for name in _RATES.intersection(given):
        check_number(name, given[name], 0, 1)


def check_options(**options: Any) -> dict[str, Any]:
    """Checks the options of a majority layer. Returns them as Python's values.

    Raises:
        ValueError: A factor is not an integer >= 1, or a name is unknown.
    """
    allowed = {
        "distribution": kernels.DISTRIBUTIONS,
        "scope": kernels.SCOPES,
        "kernel_spread": kernels.SPREADS,
        "regularize": kernels.TARGETS,
    }
    for name, value in options.items():
        if name in allowed:
            check_choice(name, value, allowed[name])
        elif name == "subspace_penalty":
            check_number(name, value, 0)
        else:
            check_integer(name, value, 1)
    return plain(options)


def _refusal(layer: Any, what: str) -> str:
    return (
        f"Cannot {what} {layer.name!r}: it trains {layer.factor} kernels and deploys only their "
        "mean. Expected a stock layer. Received: "
        f"{type(layer).__name__}. Call adaptive_nets.majority.collapse(model) first."
    )


def _full(variable: keras.Variable) -> Any:
    """Returns a variable's value in its own precision, even under mixed precision."""
    with full_precision():
        return ops.convert_to_tensor(variable)


def _of_this_call(layer: Any) -> dict:
    """Returns the store for the outermost call's draws: one draw per batch, however often read."""
    scope = stateless_scope()
    if scope is not None:
        # Under JAX, a pass of the model is one such scope, without a call of the model itself.
        return vars(scope).setdefault("majority_draws", {})
    context = call_context()
    if context is None:
        return _held.layers[id(layer)].setdefault("draws", {})
    return vars(context).setdefault("majority_draws", {})


def _usable(tensor: Any) -> bool:
    """Returns whether a tensor can be read here: TensorFlow's belong to their own graph."""
    graph = getattr(tensor, "graph", None) if keras.backend.backend() == "tensorflow" else None
    if graph is None:
        return True
    import tensorflow as tf

    here = tf.compat.v1.get_default_graph()
    while here is not None:
        if here is graph:
            return True
        here = getattr(here, "outer_graph", None)
    return False
