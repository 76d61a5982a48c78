"""Converts between stock models and majority models."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from adaptive_nets._checks import check_integer, check_list, check_number, or_none, show
from adaptive_nets.graphs.compile import compile_like
from adaptive_nets.graphs.read import check_inputs
from adaptive_nets.graphs.rewrite import class_of, rewritten, serialized
from adaptive_nets.graphs.state import carry_extras, matched
from adaptive_nets.keras_internals import layers_in, own_variables
from adaptive_nets.majority.composite import LEAVES, MajorityComposite
from adaptive_nets.majority.folding import MajorityMixin, check_options
from adaptive_nets.majority.kernel import mean
from adaptive_nets.majority.layers import MAJORITY, STOCK
from adaptive_nets.majority.refusals import check_graph
from adaptive_nets.majority.report import CollapseReport, flops

Which = str | type | Iterable[str | type] | None


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

    Returns:
        The majority model. Its layers keep their names, and it is compiled as `model` is, with a
        new optimizer. For a keras-hub backbone it is a plain Functional model. It can be loaded
        once `adaptive_nets.layers` is imported; after `collapse`, it can be loaded anywhere.

    Raises:
        ValueError: An option is out of range, the model is subclassed or not built, there is no
            layer with a given name, or there is nothing to expand.
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
    options = check_expansion(**options)
    check_graph(model, "expand")
    chosen = _Chosen(model, include, exclude)
    rng = np.random.default_rng(or_none(check_integer, "seed", seed, 0))
    options["kernel_spread"] = "symmetric"

    def change(config: dict[str, Any]) -> dict[str, Any] | None:
        if config["config"].get("name") not in chosen.names:
            return None
        here = {**options, "mixing_seed": int(rng.integers(2**31))}
        kind = class_of(config)
        if kind in MAJORITY:
            return serialized(MAJORITY[kind], {**config["config"], **here}, config)
        return serialized(MajorityComposite, {"layer": _alone(config), **here}, config)

    expanded = rewritten(model, change)
    for old, new in _pairs(model, expanded):
        _expand_weights(old, new, float(kernel_spread), rng)
        carry_extras(old, new)
    compile_like(model, expanded)
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


def collapse(model: keras.Model, sample: Any = None) -> tuple[keras.Model, CollapseReport]:
    """Replaces majority layers by stock layers with the mean kernels, for deployment.

    Args:
        model: A model with majority layers. It is not changed.
        sample: Inputs to compare both models on and to count FLOPs with, both shown in the
            report. Defaults to `None`: neither is measured.

    Returns:
        The stock model and a `CollapseReport`. The model is compiled as `model` is, with a new
        optimizer, because the slots of k kernels are not those of their mean.

    Raises:
        ValueError: The model has no majority layers, is subclassed or not built, or the sample
            does not match its inputs.
        TypeError: `model` is not a Keras model.

    Reference: Mazzawi et al., "Majority Kernels", arXiv 2402.05033.
    """
    check_majority(model, "collapse")
    if sample is not None:
        check_inputs("sample", sample)
    expected = None if sample is None else _outputs(model, sample)

    def change(config: dict[str, Any]) -> dict[str, Any] | None:
        kind = class_of(config)
        if kind is MajorityComposite:
            # Its calls are stored next to its configuration.
            return {**config, **config["config"]["layer"]}
        if kind not in STOCK:
            return None
        kept = {k: v for k, v in config["config"].items() if k not in MajorityMixin.options}
        return serialized(STOCK[kind], kept, config)

    collapsed, rows = rewritten(model, change), []
    copy_means(model, collapsed)
    for old, new in _pairs(model, collapsed):
        if isinstance(old, MajorityMixin) and old.folds:
            sizes = [sum(int(np.prod(v.shape)) for v in own_variables(x)) for x in (old, new)]
            rows.append(
                (old.path.removeprefix(f"{model.name}/"), type(new).__name__, old.factor, *sizes)
            )
    compile_like(model, collapsed)
    gap, counts = None, (None, None)
    if expected is not None:
        pairs = zip(_outputs(collapsed, sample), expected, strict=True)
        gap = max(float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-30)) for a, b in pairs)
        counts = flops(model, sample), flops(collapsed, sample)
    sizes = *_sizes(model), *_sizes(collapsed)
    return collapsed, CollapseReport(tuple(rows), *sizes, gap, *counts)


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
    for old, new in _pairs(model, collapsed):
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


def _alone(config: dict[str, Any]) -> dict[str, Any]:
    """Returns a layer's serialized form without its calls and its build config."""
    names = ("module", "class_name", "config", "registered_name")
    return {name: config[name] for name in names} | {"build_config": None}


class _Chosen:
    """The names of the layers to expand."""

    def __init__(self, model: keras.Model, include: Which, exclude: Which) -> None:
        layers = layers_in(model, include_self=False)
        models = [x for x in layers if isinstance(x, keras.Model)]
        outer = [*model.layers, *(x for m in models for x in m.layers)]
        known = [x for x in layers if type(x) in MAJORITY or _holds_leaves(x, outer)]
        names = {x.name for x in layers if not isinstance(x, keras.layers.InputLayer)}
        include, exclude = _listed("include", include), _listed("exclude", exclude) or []
        for each in [*(include or ()), *exclude]:
            if isinstance(each, str) and each not in names:
                raise ValueError(
                    f"Cannot expand {model.name!r}: it has no layer {show(each)}. Expected one of "
                    f"{', '.join(sorted(names))}. Received: {show(each)}."
                )
        if include is None:
            chosen = [x for x in known if type(x) is not keras.layers.Embedding]
        else:
            chosen = [x for x in known if _matches(x, include)]
        self.names = {x.name for x in chosen if not _matches(x, exclude)}
        if not self.names:
            raise ValueError(
                f"Cannot expand {model.name!r}: no layer was selected for expansion. Expected at "
                f"least one of {', '.join(sorted(k.__name__ for k in MAJORITY))}. Received layers: "
                f"{', '.join(sorted({type(x).__name__ for x in layers}))}."
            )


def _holds_leaves(layer: Any, outer: Sequence[Any]) -> bool:
    """Returns whether a layer is a custom one that contains stock layers."""
    if isinstance(layer, keras.Model) or type(layer).__module__.split(".")[0] == "keras":
        return False
    inner = layers_in(layer, include_self=False)
    return any(layer is x for x in outer) and any(type(x) in LEAVES for x in inner)


def _listed(name: str, which: Which) -> list[str | type] | None:
    listed = [which] if isinstance(which, str | type) else which
    return or_none(check_list, name, listed, str | type, "names or classes of layers, or None")


def _matches(layer: Any, which: Sequence[str | type]) -> bool:
    return any(layer.name == x if isinstance(x, str) else isinstance(layer, x) for x in which)


def _pairs(old: keras.Model, new: keras.Model) -> Iterator[tuple[Any, Any]]:
    """Yields corresponding layers of two models; a composite is replaced by its inner layers."""
    for layer in old.layers:
        other = new.get_layer(layer.name)
        if isinstance(layer, keras.Model):
            yield layer, other
            yield from _pairs(layer, other)
        else:
            yield from zip(_inside(layer), _inside(other), strict=True)


def _inside(layer: Any) -> list[Any]:
    layer = layer.layer if isinstance(layer, MajorityComposite) else layer
    return layers_in(layer)


def _expand_weights(old: Any, new: Any, spread: float, rng: np.random.Generator) -> None:
    for source, variable in matched(own_variables(old), own_variables(new)):
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


def _sizes(model: keras.Model) -> tuple[int, int]:
    counts = [(int(np.prod(v.shape)), np.dtype(_numpy(v.dtype)).itemsize) for v in model.weights]
    return sum(n for n, _ in counts), sum(n * size for n, size in counts)


def _numpy(dtype: str) -> str:
    return "float16" if dtype == "bfloat16" else dtype
