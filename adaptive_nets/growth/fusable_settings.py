"""Settings that all fused sources must share: the grown layer has only one of each."""

from types import FunctionType
from typing import Any

import numpy as np

from adaptive_nets.graphs.scope import settings_of
from adaptive_nets.growth.core.axis_map import AxisMap
from adaptive_nets.growth.core.calls import same
from adaptive_nets.growth.core.rule import Rule
from adaptive_nets.growth.core.segments import Segment
from adaptive_nets.growth.core.trace import Trace
from adaptive_nets.growth.core.weight_roles import LayerRecord

# What acts in training only, or before it: the first source's is kept.
_TRAINING = frozenset(
    [
        *("name", "trainable", "seed", "mixing_seed", "rate", "stddev"),
        *("noise_shape", "momentum", "build_config"),
        *("drop_path_rate", "init_values", "dropout", "recurrent_dropout", "factor", "l1", "l2"),
    ]
)
_TRAINING_ENDS = ("_initializer", "_regularizer", "_constraint")


def check_settings(trace: Trace, maps: dict[Segment, AxisMap]) -> None:
    """Refuses sources whose layers compute something else with equal weights.

    Args:
        trace: The traced sources.
        maps: The grown map of every segment.

    Raises:
        ValueError: If a layer's strides, activation, epsilon or the like differ.
    """
    for record in trace.records.values():
        _check_with_inner(record, maps)


def _check_with_inner(record: LayerRecord, maps: dict[Segment, AxisMap]) -> None:
    # A rule that makes its layer itself knows best what must agree.
    if type(record.rule).rebuild is Rule.rebuild and not record.copies:
        _check(record, maps)
    for inner in record.inner.values() if isinstance(record.inner, dict) else ():
        if isinstance(inner, LayerRecord):
            _check_with_inner(inner, maps)


def _check(record: LayerRecord, maps: dict[Segment, AxisMap]) -> None:
    first, *others = (_settings(layer, record.path) for layer in record.layers)
    differing = [
        key
        for key in dict.fromkeys(key for each in (first, *others) for key in each)
        if not all(same(first.get(key), other.get(key)) for other in others)
    ]
    if not differing:
        return
    sizes = {role: axis.map(maps) for role, axis in record.axes.items()}
    grown = record.rule.settings(record, sizes)
    for key in differing:
        # A size is another in the grown layer too; what is the first source's there is a choice.
        if key in grown and not same(_plain(grown[key]), first.get(key)):
            continue
        raise ValueError(
            f"Cannot fuse at {record.path!r}: its {key} differs between the sources, and the fused "
            f"layer can have one only. Expected the same {key} in every source. Received: "
            f"{', '.join(str(config.get(key)) for config in (first, *others))}."
        )


def _settings(layer: Any, path: str) -> dict[str, Any]:
    """What a layer computes with beside its weights; a function is itself, not its name."""
    try:
        config = settings_of(layer)
    except NotImplementedError as error:
        raise ValueError(
            f"Cannot fuse at {path!r}: {type(layer).__name__} does not say its settings, so they "
            "cannot be compared. Expected a layer with get_config(). Write it."
        ) from error
    held = {key: getattr(layer, key, None) for key in config}
    functions = {key: value for key, value in held.items() if isinstance(value, FunctionType)}
    return _computing({**config, **functions})


def _computing(config: dict[str, Any]) -> dict[str, Any]:
    """The settings without those that act in training only, also of what is made inside."""
    return {
        key: _plain(value)
        for key, value in config.items()
        if key not in _TRAINING and not key.endswith(_TRAINING_ENDS)
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return _computing(value)
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
