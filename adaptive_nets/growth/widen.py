"""Wider layers that compute what the narrow ones did."""

import math
import warnings
from collections.abc import Mapping
from numbers import Integral
from typing import Any

import keras
import numpy as np

from adaptive_nets._checks import (
    check_choice,
    check_dict,
    check_integer,
    check_number,
    or_none,
    show,
)
from adaptive_nets._seeds import new_seed
from adaptive_nets._values import tried
from adaptive_nets.growth.core.axis_map import AxisMap
from adaptive_nets.growth.core.plan import GrowthPlan, apply, settle
from adaptive_nets.growth.core.segments import Segment
from adaptive_nets.growth.core.trace import Trace
from adaptive_nets.growth.core.weight_roles import LayerRecord

METHODS = ("zero", "replicate")


def widen(
    model: keras.Model,
    widths: float | Mapping[str, int | float],
    method: str = "zero",
    noise: float = 0.0,
    preserve: str = "exact",
    round_to: int = 1,
    seed: int | None = None,
    verify: bool | str = "auto",
) -> keras.Model:
    """Widens layers; the model computes what it did.

    Args:
        model: A built Sequential or Functional model. It is not changed.
        widths: A factor for every hidden axis that can grow exactly, as a float such as `2.0`; or,
            by layer name, a number of units (int) or a factor (float). Layers that a graph ties
            together (residual sums, shared layers) grow together, so naming one of them is enough.
            What has no growth rule is carried as it is, and what it reads and gives stays.
        method: "zero": new units read at random and are not read yet (where a root mean square
            norm stands behind them: are zero, and are read at random). "replicate": new units are
            copies of old ones, whose readers share the load (Net2Wider).
        noise: With "replicate", noise on the readers of copies that sums to zero over the copies
            of a unit, so the function stays; in units of the kernel's standard deviation. Must
            be 0 with "zero".
        preserve: "exact" refuses what would change the function; "approximate" does it and
            reports the gap (use `plan_widen` and `apply` to see the report).
        round_to: Widths that come from a factor are rounded up to a multiple.
        seed: Makes all draws repeatable. Default: one drawn from NumPy's entropy.
        verify: Whether outputs are compared before and after: True, False, or "auto", which does
            it where it takes no longer than the growth did (`adaptive_nets.growth.apply`).

    Returns:
        The wider model, compiled like `model` if that was compiled.

    Raises:
        ValueError: If a layer shrinks, is unknown, is an output, or cannot grow exactly; if the
            model is not built; if `widths` is an integer, which could mean units or a factor.

    Example:

    ```python
    import keras
    from adaptive_nets import growth

    model = keras.Sequential([
        keras.Input((8,)), keras.layers.Dense(16, "relu", name="hidden"), keras.layers.Dense(3)
    ])
    wider = growth.widen(model, {"hidden": 64})
    ```

    Reference: Chen, Goodfellow, Shlens, "Net2Net", arXiv 1511.05641, section 2.2, for "replicate".
    """
    plan = plan_widen(model, widths, method, noise, preserve, round_to, seed)
    return apply(plan, verify=verify)[0]


def plan_widen(
    model: keras.Model,
    widths: float | Mapping[str, int | float],
    method: str = "zero",
    noise: float = 0.0,
    preserve: str = "exact",
    round_to: int = 1,
    seed: int | None = None,
) -> GrowthPlan:
    """The plan of `widen`, with the same arguments; nothing is changed.

    Returns:
        A plan; `print(plan)` shows which layers grow, `adaptive_nets.growth.apply` does it.
    """
    noise, round_to = check_widening(widths, method, noise, preserve, round_to, seed)
    trace = Trace([model])
    seed = new_seed(seed)
    segments = trace.segments()
    maps = {segment: AxisMap.identity(segment.sizes[0]) for segment in segments}
    remarks: list[str] = []
    wanted = requested(trace, segments, widths, round_to, remarks)
    for segment, (size, named) in wanted.items():
        if size == segment.sizes[0]:
            continue
        reason = _obstacle(segment, size, method)
        if reason is None:
            maps[segment] = _grown(segment, size, method, seed)
        elif named is not None:
            raise ValueError(f"Cannot grow {named!r} from {segment.sizes[0]} to {size}: {reason}.")
        else:
            remarks.append(f"{', '.join(segment.owners)} stays at {segment.sizes[0]}: {reason}")
    settle(trace, maps, {s for s, (_, named) in wanted.items() if named}, remarks)
    if isinstance(widths, float) and widths > 1 and all(m.is_identity for m in maps.values()):
        fixed = (segment.fixed for segment in segments if not segment.output)
        reasons = dict.fromkeys([*remarks, *filter(None, fixed)])
        warnings.warn(
            f"widen({model.name!r}, {widths}) changes nothing: "
            f"{'; '.join(reasons) or 'no hidden axis can grow'}.",
            stacklevel=3,
        )
    return GrowthPlan(
        "widen", trace, maps, preserve, noise=noise, seed=seed, remarks=tuple(remarks)
    )


def check_widening(
    widths: Any, method: Any, noise: Any, preserve: Any, round_to: Any, seed: Any
) -> tuple[float, int]:
    """Checks the arguments of `widen` that hold for every model.

    Returns:
        `noise` and `round_to` as Python's numbers.

    Raises:
        ValueError: If one is out of range or of the wrong type.
    """
    check_choice("method", method, METHODS)
    check_choice("preserve", preserve, ("exact", "approximate"))
    or_none(check_integer, "seed", seed, 0)
    if isinstance(widths, Mapping):
        check_dict("widths", widths, object, "a factor, or a dict of widths by layer name", 1)
        for name, width in widths.items():
            _check_width(width, name)
    elif isinstance(widths, Integral) and not isinstance(widths, bool):
        raise ValueError(
            f"widths={show(widths)} could mean a factor or a number of units. Expected a float for "
            "a factor, or units by layer name. "
            f"Pass {tried(lambda: float(widths))}, or {{layer name: {show(widths)}}}."
        )
    else:
        _check_width(widths, "every layer")
    noise = check_number("noise", noise, 0)
    if noise and method != "replicate":
        raise ValueError(
            "noise is drawn for copies, which method='replicate' makes; without copies it would "
            f"change what the model computes. Received: noise={noise:g} with method={method!r}. "
            "Pass method='replicate', or leave noise at 0."
        )
    return noise, check_integer("round_to", round_to, 1)


def requested(
    trace: Trace,
    segments: list[Segment],
    widths: float | Mapping[str, int | float],
    round_to: int,
    remarks: list[str],
) -> dict[Segment, tuple[int, str | None]]:
    """The wanted size of each segment, and the name by which it was asked for."""
    if not isinstance(widths, Mapping):
        return {
            segment: (_target(segment, widths, round_to, "every layer"), None)
            for segment in segments
            if segment.fixed is None and not segment.output and not segment.only_named
        }
    by_name: dict[str, list[LayerRecord]] = {}
    for record in trace.records.values():
        for key in {record.path, record.layers[0].name}:
            by_name.setdefault(key, []).append(record)
    wanted: dict[Segment, tuple[int, str | None]] = {}
    for name, width in widths.items():
        name, _, role = str(name).partition(":")
        # A path comes before a name, which several layers may have.
        found = by_name.get(name, [])
        found = [each for each in found if each.path == name] or found
        if len(found) > 1:
            raise ValueError(
                f"Cannot grow {name!r}: {len(found)} layers have this name. Expected one of their "
                f"paths: {', '.join(repr(each.path) for each in found)}."
            )
        record = found[0] if found else None
        if record is None:
            raise ValueError(
                f"Cannot grow {name!r}: the model has no such layer. Expected one of "
                f"{sorted(r.path for r in trace.records.values() if r.axes)}. "
                f"Received: {name!r} among the widths."
            )
        axes = {role: record.axes[role]} if role in record.axes else dict(record.axes)
        if not axes or (role and role not in record.axes):
            raise ValueError(
                f"Cannot grow {name!r}: {type(record.layers[0]).__name__} has no axis "
                f"{role or 'of its own'}. Expected {sorted(record.axes) or 'another layer'}."
            )
        # Without a role it is the first axis: a layer's units, heads or filters.
        axes = dict(list(axes.items())[:1])
        for axis in axes.values():
            if len(axis.resolved()) > 1:
                raise ValueError(
                    f"Cannot grow {name!r} as a whole: its features meet those of "
                    f"{', '.join(o for s in axis.segments() for o in s.owners)} in parts. "
                    "Pass a factor for the whole model."
                )
            segment = axis.segments()[0]
            target = _target(segment, width, round_to, name)
            if segment in wanted and wanted[segment][0] != target:
                raise ValueError(
                    f"Cannot grow {name!r} to {target}: it grows together with "
                    f"{wanted[segment][1]!r}, which is asked for {wanted[segment][0]}. Name one "
                    "of them, or give both the same width."
                )
            wanted[segment] = (target, name)
    return wanted


def _check_width(width: Any, name: str) -> None:
    """Refuses what is neither a number of units nor a factor by which a layer grows."""
    number = isinstance(width, int | float | np.number) and not np.iscomplexobj(width)
    if isinstance(width, bool) or not number:
        raise TypeError(
            f"Cannot grow {name!r}: a width is a number of units (int) or a factor (float). "
            f"Received: {show(width)}."
        )
    if not width >= 1 or not math.isfinite(width):
        raise ValueError(
            f"Cannot grow {name!r} by a factor of {width}: growth never shrinks. Pass a finite "
            f"factor >= 1. Received: {width}."
        )


def _target(segment: Segment, width: float, round_to: int, name: str) -> int:
    size = segment.sizes[0]
    if isinstance(width, Integral):
        if width < size:
            raise ValueError(
                f"Cannot grow {name!r} from {size} to {width} units: growth never shrinks. Pass "
                f"units >= {size}. Received: units={width}."
            )
        return int(width)
    target = round(size * width)
    step = math.lcm(round_to, segment.block)
    return size if target <= size else -(-target // step) * step


def _obstacle(segment: Segment, size: int, method: str) -> str | None:
    old = segment.sizes[0]
    if segment.output:
        return "it is an output of the model, and outputs keep their shape"
    if segment.fixed is not None:
        return segment.fixed
    if segment.only_new and method == "replicate":
        return f"{segment.only_new}, so copies would change it; expected method='zero'"
    if segment.only_copied and method == "zero":
        return f"{segment.only_copied}; expected method='replicate'"
    if size % segment.block:
        return (
            f"features grow in whole blocks of {segment.block}; expected a multiple of it, "
            f"received {size}"
        )
    if segment.only_uniform and (method == "zero" or size % old):
        return (
            f"{segment.only_uniform!r} normalises over all features, so only whole multiples of "
            "copies keep the function; expected method='replicate' and a whole factor"
        )
    if segment.only_silent and method == "replicate" and size % old:
        return (
            f"{segment.only_silent!r} takes a mean over all features; expected a whole factor, or "
            "method='zero'"
        )
    return None


def _grown(segment: Segment, size: int, method: str, seed: int) -> AxisMap:
    old = AxisMap.identity(segment.sizes[0])
    if method == "zero":
        return old.widened(size, silent=segment.only_silent is not None)
    rng = np.random.default_rng((seed, segment.sizes[0], size))
    return old.replicated(size, segment.block, rng)
