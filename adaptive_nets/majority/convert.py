"""Converts between stock models and majority models."""

import time
import warnings
import weakref
from typing import Any

import keras
import numpy as np

from adaptive_nets._checks import check_integer, check_number, or_none
from adaptive_nets.graphs.compile import compile_like
from adaptive_nets.graphs.inventory import carry_attributes
from adaptive_nets.graphs.loadable import loadable
from adaptive_nets.graphs.read import check_inputs, check_model
from adaptive_nets.graphs.rewrite import Rewriter, class_of, made_as, serialized
from adaptive_nets.graphs.state import carry_extras, matched
from adaptive_nets.growth.core.compare import (
    Verification,
    check_gap,
    check_verify,
    gap_to,
    verify_growth,
)
from adaptive_nets.growth.core.registry import find_rule
from adaptive_nets.keras_internals import layers_in, own_variables
from adaptive_nets.majority.choice import Chosen, Which
from adaptive_nets.majority.composite import MajorityComposite
from adaptive_nets.majority.folding import MajorityMixin, check_options
from adaptive_nets.majority.kernel import mean
from adaptive_nets.majority.layers import MAJORITY, STOCK
from adaptive_nets.majority.pairs import layer_pairs
from adaptive_nets.majority.refusals import check_graph
from adaptive_nets.majority.report import CollapseReport, flops, sizes

# What makes models of the class that was expanded, where that is not their layers' graph alone.
_MAKERS: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()


def expand(
    model: keras.Model,
    factor: int = 3,
    include: Which = None,
    exclude: Which = None,
    distribution: str = "dirichlet",
    scope: str = "layer",
    kernel_spread: float = 0.1,
    bias_factor: int = 1,
    regularize: str = "mean",
    subspace_penalty: float = 0.0,
    seed: int | None = None,
    verify: bool | str = "auto",
) -> keras.Model:
    """Gives each layer k kernels. At inference, the result computes the same as the model.

    The kernels of a layer are spread around its old kernel, which is exactly their mean.

    Args:
        model: A built Sequential or Functional model, trained or not. It is not changed.
        factor: k, the number of kernels. Defaults to `3`.
        include: Names or classes of the layers to expand. Defaults to `None`: all layers that
            have a majority version, except embeddings.
        exclude: Names or classes of layers to leave unchanged. Defaults to `None`.
        distribution: Distribution of the mixing weights, as in the majority layers. Defaults to
            "dirichlet".
        scope: What shares a draw: `"layer"`, `"global"` or `"unit"`. Defaults to `"layer"`.
        kernel_spread: Standard deviation of the kernels around the old one, relative to that of
            the old kernel's own weights. Defaults to `0.1`.
        bias_factor: Number of biases per layer. Defaults to `1`.
        regularize: Whether penalties and constraints act on the `"mean"` kernel or on `"each"`.
            Defaults to `"mean"`.
        subspace_penalty: Weight of the mean squared cosine between pairs of a layer's kernels
            (learning subspaces). Defaults to `0.0`.
        seed: Seed of all draws. Defaults to `None`: a random seed.
        verify: Whether outputs are compared before and after, on inputs drawn from the shapes of
            the model's inputs: `True`, `False`, or `"auto"`, which does it where it takes no longer
            than the expansion did. Defaults to `"auto"`.

    Returns:
        The majority model. Its layers keep their names, and it is compiled as `model` is, with a
        new optimizer. For a class of keras-hub it is a plain Functional model; after training,
        `collapse(bigger, into=model)` gives the class its weights. It can be loaded once
        `adaptive_nets.layers` is imported; after `collapse`, it can be loaded anywhere.

    Raises:
        ValueError: An option is out of range, the model is subclassed or not built, there is no
            layer with a given name, there is nothing to expand, or the result computes something
            else.
        TypeError: `model` is not a Keras model.

    Example:

    ```python
    import keras
    import adaptive_nets as an

    layers = [keras.layers.Dense(16, "relu"), keras.layers.Dense(3)]
    model = keras.Sequential([keras.Input((8,)), *layers])
    bigger = an.majority.expand(model, factor=3)
    # bigger.compile(...); bigger.fit(...)
    small, report = an.majority.collapse(bigger)
    ```

    Reference: Mazzawi et al., "Majority Kernels", arXiv 2402.05033.
    """
    options = {
        "factor": factor, "distribution": distribution, "scope": scope,
        "kernel_spread": kernel_spread, "bias_factor": bias_factor, "regularize": regularize,
        "subspace_penalty": subspace_penalty,
    }  # fmt: skip
    options, verify = check_expansion(**options), check_verify(verify)
    check_graph(model, "expand")
    started = time.perf_counter()
    chosen = Chosen(model, include, exclude)
    rng = np.random.default_rng(or_none(check_integer, "seed", seed, 0))
    options["kernel_spread"] = "symmetric"

    def here() -> dict[str, Any]:
        return {**options, "mixing_seed": int(rng.integers(2**31))}

    def change(layer: Any) -> Any:
        if not chosen.has([layer]):
            return None
        if type(layer) in MAJORITY:
            return made_as(MAJORITY[type(layer)], {**layer.get_config(), **here()}, layer)
        return MajorityComposite(rewriter.rebuilt(layer, rewriter.given(layer)), **here())

    def inside(form: dict[str, Any], layers: list[Any]) -> dict[str, Any] | None:
        kind = class_of(form)
        if kind not in MAJORITY or not chosen.has(layers):
            return None
        return serialized(MAJORITY[kind], {**form["config"], **here()}, form)

    rewriter = Rewriter(change, inside, chosen.within, "expand")
    expanded = rewriter.model(model)
    pairs = list(layer_pairs(model, expanded))
    chosen.check_exchanged(pairs)
    for old, new in pairs:
        _expand_weights(old, new, float(kernel_spread), rng)
        carry_extras(old, new)
    expanded = _loadable(expanded, model)
    carry_attributes(model, expanded)
    compile_like(model, expanded)
    rule = find_rule(type(model))
    maker = None if rule is None else rule.maker(model)
    if maker is not None:
        _MAKERS[expanded] = maker
    _verified(model, expanded, verify, started, "expand")
    return expanded


def check_expansion(kernel_spread: float = 0.1, **options: Any) -> dict[str, Any]:
    """Checks options of `expand`.

    Args:
        kernel_spread: As in `expand`. Defaults to `0.1`.
        **options: The other options.

    Returns:
        The options as Python's values.

    Raises:
        ValueError: An option is out of range.
    """
    spread = check_number("kernel_spread", kernel_spread, 0)
    return {**check_options(**options), "kernel_spread": spread}


def collapse(
    model: keras.Model,
    sample: Any = None,
    verify: bool | str = "auto",
    into: keras.Model | None = None,
) -> tuple[keras.Model, CollapseReport]:
    """Replaces majority layers by stock layers with the mean kernels, for deployment.

    Args:
        model: A model with majority layers. It is not changed.
        sample: Inputs to compare both models on and to count FLOPs with, both shown in the
            report. Defaults to `None`: neither is measured.
        verify: Whether outputs are compared before and after, on the sample or on inputs drawn
            from the shapes of the model's inputs: `True`, `False`, or `"auto"`, which does it where
            it takes no longer than the collapse did. What it cost, or why it was left, is in the
            report. Defaults to `"auto"`.
        into: The model that was expanded, or one whose layers are of the same names, which gets
            the weights and is returned: so a keras-hub task has its `generate()` and `backbone`
            again. It stays compiled as it is. Defaults to `None`: a new model, which is of the
            class that was expanded where that was a keras-hub model that grows by its class, in
            the same process; elsewhere a plain Functional one.

    Returns:
        The stock model and a `CollapseReport`. The model is compiled as `model` is, with a new
        optimizer, because the slots of k kernels are not those of their mean.

    Raises:
        ValueError: The model has no majority layers, is subclassed or not built, the sample does
            not match its inputs, `into` has other layers, or the result computes something else.
        TypeError: `model` is not a Keras model.

    Reference: Mazzawi et al., "Majority Kernels", arXiv 2402.05033.
    """
    check_majority(model, "collapse")
    verify = check_verify(verify)
    into = None if into is None else check_model("into", into)
    if sample is not None:
        check_inputs("sample", sample)
    expected = None if sample is None else _outputs(model, sample)

    def change(layer: Any) -> Any:
        if isinstance(layer, MajorityComposite):
            new = rewriter.changed(layer.layer)
            whole = rewriter.rebuilt(layer.layer, rewriter.given(layer.layer))
            return whole if new is None else new
        if type(layer) not in STOCK:
            return None
        return made_as(STOCK[type(layer)], _stock(layer.get_config()), layer)

    def inside(form: dict[str, Any], layers: list[Any]) -> dict[str, Any] | None:
        kind = class_of(form)
        return serialized(STOCK[kind], _stock(form["config"]), form) if kind in STOCK else None

    started = time.perf_counter()
    rewriter = Rewriter(change, inside, has_majority, "collapse")
    collapsed, rows = rewriter.model(model), []
    copy_means(model, collapsed)
    for old, new in layer_pairs(model, collapsed):
        if isinstance(old, MajorityMixin) and old.folds:
            counts = [sum(int(np.prod(v.shape)) for v in own_variables(x)) for x in (old, new)]
            rows.append(
                (old.path.removeprefix(f"{model.name}/"), type(new).__name__, old.factor, *counts)
            )
    if into is None:
        collapsed = _loadable(_of_its_class(model, collapsed), model)
        carry_attributes(model, collapsed)
        compile_like(model, collapsed)
    else:
        collapsed = _moved(collapsed, into)
    gap, counts, verified = None, (None, None), None
    if expected is None:
        verified = _verified(model, collapsed, verify, started, "collapse")
    else:
        gap = gap_to(expected, collapsed, sample)
        if gap is not None and verify:
            check_gap([model], collapsed, sample, gap, "collapse")
        counts = flops(model, sample), flops(collapsed, sample)
    counted = *sizes(model), *sizes(collapsed)
    return collapsed, CollapseReport(tuple(rows), *counted, gap, *counts, verified)


def _verified(
    model: keras.Model, new: keras.Model, verify: bool | str, started: float, verb: str
) -> Verification:
    seconds = time.perf_counter() - started
    return verify_growth([model], new, (1.0,), verify, seconds, 0, verb)


def _loadable(new: keras.Model, model: keras.Model) -> keras.Model:
    new, left = loadable(new, model)
    for note in left:
        warnings.warn(f"{new.name!r} was made, but {note}.", stacklevel=3)
    return new


def _of_its_class(model: keras.Model, collapsed: keras.Model) -> keras.Model:
    """The collapsed model as one of the class that was expanded, if a rule can make one."""
    try:
        return _moved(collapsed, _MAKERS[model]()) if model in _MAKERS else collapsed
    except ValueError:
        return collapsed  # Layers were exchanged since.


def _moved(collapsed: keras.Model, into: keras.Model) -> keras.Model:
    """Gives a model with the layers of another the other's weights, or refuses it unchanged."""
    refusal = (
        f"Cannot collapse into {into.name!r}: {{}}. Expected the model that was expanded, or one "
        "whose layers are of the same names. Pass into=None for a new model."
    )
    check_graph(into, "collapse into")
    try:
        layers = list(layer_pairs(into, collapsed))
        pairs = [p for a, b in layers for p in matched(own_variables(a), own_variables(b))]
    except (KeyError, ValueError) as error:
        raise ValueError(refusal.format("its layers are others")) from error
    found = {id(old): new for old, new in pairs}
    if len({id(new) for new in found.values()}) < len(found):
        raise ValueError(refusal.format("several of its weights have one counterpart"))
    for old, new in pairs:
        other = found[id(old)]
        if other is not new and not np.array_equal(*map(keras.ops.convert_to_numpy, (new, other))):
            what = f"its weight {old.path!r} stands for several, which are not alike any more"
            raise ValueError(refusal.format(what))
    for weight in into.weights:
        new = found.get(id(weight))
        if new is None or tuple(new.shape) != tuple(weight.shape):
            what = f"its weight {weight.path!r} has no counterpart of its shape"
            raise ValueError(refusal.format(what))
    for old, new in pairs:
        old.assign(keras.ops.copy(keras.ops.convert_to_tensor(new)))
    for old, new in layers:
        carry_extras(new, old)
    return into


def check_majority(model: Any, verb: str) -> None:
    """Checks that a model is a built Sequential or Functional model with majority layers.

    Args:
        model: The model to check.
        verb: The operation, for the error message.
    """
    check_graph(model, verb)
    if not has_majority(model):
        raise ValueError(
            f"Cannot {verb} {model.name!r}: it has no majority layers. Expected a model made "
            "by adaptive_nets.majority.expand, or one with layers of adaptive_nets.layers."
        )


def copy_means(model: keras.Model, collapsed: keras.Model) -> None:
    """Copies the mean weights of a majority model to its collapsed model.

    Args:
        model: The majority model.
        collapsed: Its collapsed model, changed in place.
    """
    for old, new in layer_pairs(model, collapsed):
        for source, variable in matched(own_variables(old), own_variables(new)):
            value = keras.ops.convert_to_tensor(source)
            if tuple(value.shape) != tuple(variable.shape):
                value = mean(value)  # Bit for bit what the majority model computes with.
            # JAX training donates its arrays, so none may be shared.
            variable.assign(keras.ops.copy(value))
        carry_extras(old, new)


def has_majority(model: keras.Model) -> bool:
    """Returns whether a model has majority layers."""
    return any(isinstance(layer, MajorityMixin) for layer in layers_in(model))


def _stock(config: dict[str, Any]) -> dict[str, Any]:
    """A majority layer's configuration without what a stock layer does not know."""
    return {k: v for k, v in config.items() if k not in MajorityMixin.options}


def _expand_weights(old: Any, new: Any, spread: float, rng: np.random.Generator) -> None:
    olds, news = own_variables(old), own_variables(new)
    pairs = matched(olds, news)
    if len(pairs) != len(olds) or len(olds) != len(news):
        raise ValueError(
            f"Cannot expand {old.name!r}: made again from its configuration, it has weights of "
            f"shapes {[tuple(w.shape) for w in news]}. Expected {[tuple(w.shape) for w in olds]}. "
            "Let get_config() return all that shapes them, or pass exclude=."
        )
    for source, variable in pairs:
        value = keras.ops.convert_to_numpy(source)
        if value.shape != tuple(variable.shape):
            value = _around(value, tuple(variable.shape), spread, rng)
        variable.assign(value)


def _around(
    middle: np.ndarray, shape: tuple[int, ...], spread: float, rng: np.random.Generator
) -> np.ndarray:
    """Returns k kernels around one that is their mean, exactly as the layer computes it."""
    noise = rng.normal(scale=spread * middle.std(), size=shape)
    kernels = (middle + (noise - noise.mean(axis=0))).astype(middle.dtype)
    for _ in range(4):
        left = middle - keras.ops.convert_to_numpy(mean(keras.ops.convert_to_tensor(kernels)))
        if not left.any():
            break
        # The sum has fewer digits than its parts, so a few iterations may be needed.
        kernels[rng.integers(len(kernels))] += len(kernels) * left
    return kernels


def _outputs(model: keras.Model, sample: Any) -> list[np.ndarray]:
    try:
        found = model(sample, training=False)
    except Exception as error:
        raise ValueError(
            f"The sample does not match {model.name!r}. Expected inputs of shapes "
            f"{', '.join(str(tuple(x.shape)) for x in model.inputs)}. Received: "
            f"{keras.tree.map_structure(lambda x: getattr(x, 'shape', type(x).__name__), sample)}."
        ) from error
    return [keras.ops.convert_to_numpy(y).astype("float64") for y in keras.tree.flatten(found)]
