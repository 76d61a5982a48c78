"""Deep Fusion: trained small models side by side in a big one."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from adaptive_nets._checks import (
    check_choice,
    check_integer,
    check_list,
    check_number,
    check_path,
    or_none,
    show,
)
from adaptive_nets._seeds import new_seed
from adaptive_nets.files.models import load_model, reading
from adaptive_nets.growth.core.axis_map import SHARED, AxisMap
from adaptive_nets.growth.core.grown_values import maps_of, written_in_part
from adaptive_nets.growth.core.plan import GrowthPlan, apply
from adaptive_nets.growth.core.registry import find_rule
from adaptive_nets.growth.core.segments import Segment
from adaptive_nets.growth.core.trace import Trace
from adaptive_nets.growth.core.weight_roles import Reads, Scales, Writes, variable_of
from adaptive_nets.growth.fusable_settings import check_settings
from adaptive_nets.growth.fused_axes import allowed_maps, bent_by, bent_ends


def fuse(
    models: Sequence[keras.Model],
    cross: float | str = "zero",
    norm: str = "joint",
    output: str = "mean",
    preserve: str = "exact",
    seed: int | None = None,
    *,
    custom_objects: Mapping[str, Any] | None = None,
    trust: bool = False,
    verify: bool | str = "auto",
) -> keras.Model:
    """Joins trained models of one topology into a big one that starts where they ended.

    Args:
        models: Two or more built models, or paths of `.keras` files, with the same layers, joined
            in the same way; widths may differ. They are not changed. A layer that has no growth
            rule, or would mix the sources' features, is kept once per source.
        cross: What stands between the sources' halves: "zero" keeps the function; "random" is
            the layers' own initialisation; a number is noise of that many times 1/sqrt(fan_in).
        norm: Where features are normalised together (layer norms): "joint" is one stock layer
            over all sources, which is not exact; "grouped" keeps one layer a source, exact.
        output: "mean" or "sum" of the sources' outputs; "concatenate" puts their features side by
            side, for models that end in features, which are on the last axis unless the models
            move them. Where the sources end in a softmax, a sigmoid or another function, the last
            layer is kept once per source, and what these give is mixed; outputs that the models
            read as well are mixed behind the graph. With `preserve="approximate"` there is one
            last layer, which is mixed before the function: the softmax of mean logits is not the
            mean of probabilities.
        preserve: "exact" refuses what would not give the mixture of the sources' outputs;
            "approximate" does it and reports the gap.
        seed: Makes all draws repeatable.
        custom_objects: Classes and functions by name that the files may name besides those that
            are registered. Defaults to `None`.
        trust: Whether the files may hold and name code, which then runs. Use it only for files
            that you, or people you trust, have written. Defaults to `False`.
        verify: Whether outputs are compared before and after: True, False, or "auto", which does
            it where it takes no longer than the growth did (`adaptive_nets.growth.apply`).

    Returns:
        The fused model, not compiled. All its parameters are trainable as the sources' were.

    Raises:
        ValueError: If the sources differ in inputs, outputs, depth or topology, are not built, or
            cannot be fused exactly.

    Example:

    ```python
    import keras
    from adaptive_nets import growth

    def small():
        return keras.Sequential(
            [keras.Input((8,)), keras.layers.Dense(16, "relu"), keras.layers.Dense(3)]
        )

    big = growth.fuse([small(), small()])
    ```

    Reference: Mazzawi et al., "Deep Fusion", arXiv 2306.11903, section 3.
    """
    plan = plan_fuse(
        models, cross, norm, output, preserve, seed, custom_objects=custom_objects, trust=trust
    )
    return apply(plan, verify=verify)[0]


def plan_fuse(
    models: Sequence[keras.Model],
    cross: float | str = "zero",
    norm: str = "joint",
    output: str = "mean",
    preserve: str = "exact",
    seed: int | None = None,
    *,
    custom_objects: Mapping[str, Any] | None = None,
    trust: bool = False,
) -> GrowthPlan:
    """The plan of `fuse`, with the same arguments; nothing is changed."""
    words = "a list of two or more models, or paths of .keras files"
    models = check_list("models", models, keras.Model | str | os.PathLike, words)
    with reading(custom_objects, trust):
        models = [loaded(model) for model in models]
    if len(models) < 2:
        raise ValueError(
            f"Cannot fuse {len(models)} model(s). Expected two or more. To fuse a model with "
            f"itself call adaptive_nets.growth.self_fuse. Received: {len(models)} in models."
        )
    return _plan(models, cross, norm, output, preserve, seed, identical=False)


def loaded(model: keras.Model | str | os.PathLike) -> keras.Model:
    """The model itself, or that of a `.keras` file."""
    if isinstance(model, str | os.PathLike):
        path = check_path("models", model)
        if not os.path.isfile(path):
            raise ValueError(f"models must be models or .keras files. Received: no file {path!r}.")
        return load_model(path)
    return model


def self_fuse(
    model: keras.Model,
    copies: int = 2,
    cross: float | str = 0.1,
    norm: str = "joint",
    preserve: str = "approximate",
    seed: int | None = None,
    verify: bool | str = "auto",
) -> keras.Model:
    """Fuses a model with itself.

    Args:
        model: A built model. It is not changed.
        copies: How many copies stand side by side. The outputs are their mean; those of a model
            that ends in features (a keras-hub backbone) stand side by side as well.
        cross: As for `fuse`. With "zero" the function is kept to rounding, but all copies get
            the same gradients and stay equal, so nothing is gained; hence the default 0.1.
        norm: As for `fuse`; "joint" is exact here, for all copies are equal.
        preserve: "approximate" by default, for `cross` changes the outputs a little.
        seed: Makes all draws repeatable.
        verify: Whether outputs are compared before and after: True, False, or "auto", which does
            it where it takes no longer than the growth did (`adaptive_nets.growth.apply`).

    Returns:
        The fused model.
    """
    return apply(plan_self_fuse(model, copies, cross, norm, preserve, seed), verify=verify)[0]


def plan_self_fuse(
    model: keras.Model,
    copies: int = 2,
    cross: float | str = 0.1,
    norm: str = "joint",
    preserve: str = "approximate",
    seed: int | None = None,
) -> GrowthPlan:
    """The plan of `self_fuse`, with the same arguments; nothing is changed."""
    copies = check_integer("copies", copies, 2)
    rule = find_rule(type(model))
    output = "concatenate" if rule is not None and rule.ends_in_features else "mean"
    plan = _plan([model] * copies, cross, norm, output, preserve, seed, identical=True)
    if not plan.cross:
        note = "all copies are equal and will stay equal: pass cross=0.1 to gain capacity"
        plan.remarks = (*plan.remarks, note)
    return plan


def check_fusion(cross: Any, norm: Any, output: Any, preserve: Any, seed: Any) -> float | str:
    """Checks the arguments of `fuse` that hold for all models. Returns `cross`.

    Raises:
        ValueError: If one is out of range or of the wrong type.
    """
    check_choice("norm", norm, ("joint", "grouped"))
    check_choice("output", output, ("mean", "sum", "concatenate"))
    check_choice("preserve", preserve, ("exact", "approximate"))
    or_none(check_integer, "seed", seed, 0)
    if isinstance(cross, str):
        return check_choice("cross", cross, ("zero", "random"))
    try:
        return check_number("cross", cross, 0)
    except ValueError:
        raise ValueError(
            f"cross must be 'zero', 'random' or a number >= 0. Received: cross={show(cross)}."
        ) from None


def _plan(
    models: list[keras.Model],
    cross: float | str,
    norm: str,
    output: str,
    preserve: str,
    seed: int | None,
    identical: bool,
) -> GrowthPlan:
    cross = check_fusion(cross, norm, output, preserve, seed)
    cross = 0.0 if cross == "zero" else cross
    trace = Trace(models, norm, identical)
    mixed = not identical and preserve == "exact" and output != "concatenate"
    bent = bent_ends(trace, output) if mixed else {}
    if bent:
        trace.keep_apart(bent)
    maps = allowed_maps(trace, output, mixed)
    count = len(models)
    if not identical:
        check_settings(trace, maps)
        _check_shared(trace, maps)
    parted = [number for number, x in enumerate(trace.outputs) if x.parted]
    if parted and output == "concatenate":
        raise ValueError(
            f"Cannot fuse {models[0].name!r} with output='concatenate': output {parted[0]} has no "
            "axis of known length behind the batch. Expected one. Pass output='mean' or 'sum'."
        )
    if output != "concatenate":
        _check_outputs(trace, identical, output)
    else:
        trace.reordered = _orders(trace, maps)
    for path, function, *_ in trace.mixing if output == "concatenate" else ():
        _mark(trace, path, f"{function} mixes the features of all sources")
    share = 1 / count if output == "mean" else 1.0
    alone = not any(record.inexact for record in trace.records.values())
    return GrowthPlan(
        "fuse",
        trace,
        maps,
        preserve,
        mix=(share,) * count,
        cross=cross,
        seed=new_seed(seed),
        gradient=(share,) * count,
        advice=", or cross='zero', which is exact" if alone else "",
    )


def _orders(trace: Trace, maps: dict[Segment, AxisMap]) -> dict[int, tuple[int, np.ndarray]]:
    """The axis and the order by which all features of a source stand before those of the next.

    Where features of several layers meet, the sources of each layer stand side by side.
    """
    found = {}
    for number, x in enumerate(trace.outputs):
        mapped = {i: axis.map(maps) for i, axis in enumerate(x.axes) if axis is not None}
        apart = {i: each for i, each in mapped.items() if not each.is_shared}
        if len(apart) > 1:
            raise ValueError(
                f"Cannot fuse {trace.models[0].name!r} with output='concatenate': features are on "
                f"several axes of output {number}. Expected one. Pass output='mean' or 'sum'."
            )
        for axis, each in apart.items():
            places = [each.positions(source) for source in range(len(trace.models))]
            order = np.concatenate([place[np.argsort(taken)] for place, taken in places])
            if not np.array_equal(order, np.arange(each.size)):
                found[number] = axis, order
    return found


def _check_shared(trace: Trace, maps: dict[Segment, AxisMap]) -> None:
    """A weight on features that all sources share must have one value.

    Only what reads and writes such features is summed instead.
    """
    for record in trace.records.values():
        for weight in record.weights.values() if not record.copies else ():
            kinds = weight.dimensions
            variables = [variable_of(layer, weight.attribute) for layer in record.layers]
            found = maps_of(weight, [tuple(each.shape) for each in variables], maps)
            written = [each for each, d in zip(found, kinds, strict=True) if isinstance(d, Writes)]
            scales = any(isinstance(d, Scales) for d in kinds)
            if written and not scales and all(each.is_shared for each in written):
                continue
            if written_in_part(weight, found) and any(isinstance(d, Reads) for d in kinds):
                reason = "writes some features that all sources share beside their own"
                record.inexact = record.inexact or reason
            pairs = [(each, np.flatnonzero(each.lineage == SHARED)) for each in found]
            if not all(len(at) for _, at in pairs):
                continue
            values = map(np.asarray, variables)
            first, *rest = (
                value[np.ix_(*(each.index[source][at] for each, at in pairs))] if kinds else value
                for source, value in enumerate(values)
            )
            if not all(np.array_equal(first, other) for other in rest):
                reason = f"has another {weight.attribute!r} in each source on shared features"
                record.inexact = record.inexact or reason


def _check_outputs(trace: Trace, identical: bool, output: str) -> None:
    """Outputs are mixed where they are written; what follows must let a mixture pass."""
    for number, features in enumerate(trace.outputs):
        name = f"output {number}"
        if "float" not in features.dtype:
            raise ValueError(
                f"Cannot fuse: {name} is of {features.dtype}, of which there is no mixture. "
                "Expected outputs of floating numbers. Round them behind the fused model."
            )
        axes = [axis for axis in features.axes if axis is not None]
        if not axes and output == "sum" and not features.parted:
            raise ValueError(
                f"Cannot fuse: {name} is the same in all sources, and would be summed. Expected an "
                "output that a layer with weights writes, or output='mean'."
            )
        for axis in axes:
            if number in trace.mixed_behind:
                continue
            bent = bent_by(axis, output)
            if bent is not None and not identical:
                _mark(trace, axis.segments()[0].owners[0], f"is mixed before {bent}")
            for segment in axis.segments():
                if segment.readers and not identical:
                    reader = segment.readers[0]
                    _mark(trace, segment.owners[0], f"is read by {reader!r} once mixed")


def _mark(trace: Trace, path: str, reason: str) -> None:
    """Notes why a layer is not exact; one inside a wrapper has no record of its own."""
    holders = [r for r in trace.records.values() if f"{path}/".startswith(f"{r.path}/")]
    if not holders:
        raise ValueError(f"Cannot fuse at {path!r}: it {reason}. Expected a layer of the graph.")
    record = max(holders, key=lambda each: len(each.path))
    record.inexact = record.inexact or reason
