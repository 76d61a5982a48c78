"""What the layers inside a composite layer mean, named by the path to their weights."""

import dataclasses
from typing import Any

import keras
import numpy as np

from adaptive_nets.growth.core.axis_map import AxisMap
from adaptive_nets.growth.core.rule import Call
from adaptive_nets.growth.core.segments import Axis, Features, Segment, UnruledError
from adaptive_nets.growth.core.weight_roles import Keeps, Reads, Scales, Writes
from adaptive_nets.growth.rules.kernels.adapters import refuse_adapters


def kept_share(grown: AxisMap) -> float:
    """The features that are not silent, over all: what a mean of squares shrinks by."""
    return 1.0 - float(grown.silent.mean())


@dataclasses.dataclass(frozen=True)
class Normalised:
    """All features stand under one norm, so all must be copied equally often.

    Args:
        axis: What is normalised.
        path: The layer.
        silent: Whether zeros may be added, as to a root mean square whose gain makes up for them.
    """

    axis: Axis
    path: str
    silent: bool

    def broken(self, maps: dict[Segment, AxisMap]) -> str | None:
        """Why the maps are not allowed, or None."""
        grown = self.axis.map(maps)
        copies = {int(n) for source in range(len(grown.sizes)) for n in grown.copies(source)}
        if len(copies) == 1 and not grown.fresh.any() and (self.silent or not grown.silent.any()):
            return None
        allowed = "zeros or whole multiples of copies" if self.silent else "whole multiples"
        return f"{self.path!r} normalises over all features; expected {allowed} of all of them"

    def segments(self) -> list[Segment]:
        """What is constrained."""
        return self.axis.segments()


def constrain(call: Call, constraint: Any) -> None:
    """Adds a constraint once, also where a layer is shared."""
    if constraint not in call.trace.constraints:
        call.trace.constraints.append(constraint)


def refuse(call: Call, names: tuple[str, ...]) -> None:
    """Adapters, and arguments that hold tensors of another pass."""
    refuse_adapters(call)
    for name in names:
        if call.kwargs.get(name) is not None:
            raise ValueError(
                f"Cannot grow {call.record.path!r}: it is called with {name!r}. Expected a model "
                "that keeps no cache between calls. Build it without a cache."
            )


def argument(call: Call, name: str, position: int) -> Any:
    """An argument of the call, by position or by name."""
    if len(call.args) > position:
        return call.args[position]
    return call.kwargs.get(name)


def same(call: Call, what: str, sizes: tuple[Any, ...]) -> Any:
    """What must be equal in every source."""
    if len(set(sizes)) > 1:
        raise ValueError(
            f"Cannot fuse at {call.record.path!r}: the sources' {what} differ. Expected one "
            f"{what} in every source. Received: {list(sizes)}."
        )
    return sizes[0]


def hidden_of(call: Call, x: Features) -> Features:
    """The features of a residual stream; positions are not features."""
    x = call.separate(x, -1)
    for axis in x.axes[:-1]:
        call.fix(axis, "positions are not features")
    return x


def dense(call: Call, name: str, reads: Axis | None, writes: Axis | None, bias: bool) -> None:
    """A Dense layer inside."""
    call.weight(f"{name}._kernel", Reads(reads), Writes(writes))
    if bias:
        call.weight(f"{name}.bias", Writes(writes))


def attention(
    call: Call, name: str, query: Axis | None, value: Axis | None, heads: Axis, out: Axis | None
) -> None:
    """A MultiHeadAttention inside: kernels [features, heads, key] and [heads, key, features]."""
    for part, axis in (("query", query), ("key", value), ("value", value)):
        call.weight(f"{name}._{part}_dense._kernel", Reads(axis), Writes(heads), Keeps())
        call.weight(f"{name}._{part}_dense.bias", Writes(heads), Keeps())
    call.weight(f"{name}._output_dense._kernel", Reads(heads), Keeps(), Writes(out))
    call.weight(f"{name}._output_dense.bias", Writes(out))


def _joint(call: Call, axis: Axis, silent: bool) -> None:
    if call.sources > 1 and not call.trace.identical:
        reason = "normalises the features of all sources together"
        if call.trace.norm == "grouped":
            raise UnruledError(
                f"Cannot fuse at {call.record.path!r}: it {reason}. Expected one layer a source.",
                f"it {reason}",
            )
        call.inexact(f"{reason} (norm='grouped' keeps one layer a source)")
    constrain(call, Normalised(Axis(axis.runs), call.record.path, silent))


def layer_norm(call: Call, name: str, axis: Axis | None) -> Axis | None:
    """A LayerNormalization inside; returns the axis behind it."""
    call.weight(f"{name}.gamma", Scales(axis))
    call.weight(f"{name}.beta", Scales(axis))
    if axis is None:
        return None
    _need_uniform(call, axis)
    _joint(call, axis, silent=False)
    return axis.after("norm", False)


def root_norm(call: Call, attribute: str, axis: Axis | None) -> Axis | None:
    """A root mean square norm inside, by its gain; returns the axis behind it.

    Among D features of which d are not zero, the root of the mean square shrinks by sqrt(d/D), so
    the gain shrinks with it, and epsilon by d/D, which the layer's configuration must say.
    """
    call.weight(
        attribute, Scales(axis), scale=lambda maps: float(np.sqrt(kept_share(maps[0]))), fresh=None
    )
    if axis is None:
        return None

    def need_silent(segment: Segment) -> None:
        segment.only_silent = segment.only_silent or call.record.path

    if axis.zero_kept:
        axis.constrain(need_silent)
    else:
        _need_uniform(call, axis)
    _joint(call, axis, silent=axis.zero_kept)
    return axis.after("norm", True)


def _need_uniform(call: Call, axis: Axis) -> None:
    def need(segment: Segment) -> None:
        segment.only_uniform = segment.only_uniform or call.record.path

    axis.constrain(need)


def task_like(task: keras.Model, backbone: keras.Model) -> keras.Model:
    """A task of the same settings with another backbone; not compiled."""
    return type(task).from_config({**task_settings(task), "backbone": backbone})


def task_settings(task: keras.Model) -> dict[str, Any]:
    """The settings of a task, except for its backbone."""
    config = {name: value for name, value in task.get_config().items() if name != "backbone"}
    return {**config, "preprocessor": task.preprocessor, "compile": False}
