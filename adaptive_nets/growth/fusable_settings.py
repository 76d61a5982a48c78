"""Settings that all fused sources must share: the grown layer has only one of each."""

from typing import Any

import numpy as np

from adaptive_nets.growth.core.axis_map import AxisMap
from adaptive_nets.growth.core.rule import Rule
from adaptive_nets.growth.core.segments import Segment
from adaptive_nets.growth.core.trace import Trace
from adaptive_nets.growth.core.weight_roles import LayerRecord

# What acts in training only, or before it: the first source's is kept.
_TRAINING = frozenset(
    [
        *("name", "dtype", "trainable", "seed", "mixing_seed", "rate", "stddev"),
        *("noise_shape", "momentum"),
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
        # A rule that makes its layer itself knows best what must agree.
        if type(record.rule).rebuild is Rule.rebuild and record.grouped is None:
            _check(record, maps)


def _check(record: LayerRecord, maps: dict[Segment, AxisMap]) -> None:
    configs = [
        {key: _plain(value) for key, value in layer.get_config().items()} for layer in record.layers
    ]
    first, *others = configs
    differing = [
        key
        for key, value in first.items()
        if any(other.get(key) != value for other in others)
        and not isinstance(value, dict)
        and key not in _TRAINING
        and not key.endswith(_TRAINING_ENDS)
    ]
    if not differing:
        return
    sizes = {role: axis.map(maps) for role, axis in record.axes.items()}
    grown = record.rule.config(record, sizes)
    for key in differing:
        # A size is another in the grown layer too; what is the first source's there is a choice.
        if key in grown and _plain(grown[key]) != first[key]:
            continue
        raise ValueError(
            f"Cannot fuse at {record.path!r}: its {key} differs between the sources, and the fused "
            f"layer can have one only. Expected the same {key} in every source. Received: "
            f"{', '.join(str(config.get(key)) for config in configs)}."
        )


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
