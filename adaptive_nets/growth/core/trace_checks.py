"""What a trace refuses: sources that do not fit together, and features that cannot be one."""

from collections.abc import Sequence
from typing import Any

import keras

from adaptive_nets.growth.core.calls import UnruledError
from adaptive_nets.growth.core.rule import Call
from adaptive_nets.growth.core.segments import Features
from adaptive_nets.growth.core.weight_roles import LayerRecord


def check_ends(graphs: Sequence[Any]) -> None:
    """Sources have inputs of the same shapes, and as many outputs' axes."""
    for what in ("inputs", "outputs"):
        shapes = [[tuple(t.shape) for t in getattr(g, what)] for g in graphs]
        if any(each != shapes[0] for each in shapes) and not (
            what == "outputs" and len({len(each) for each in shapes}) == 1
        ):
            raise ValueError(
                f"Cannot fuse models of different {what}. Expected the same shapes in every "
                f"source. Received: {', '.join(map(str, shapes))}."
            )


def parted(path: str, does: str) -> UnruledError:
    """The error for a tensor that has no axis on which sources could stand side by side."""
    reason = f"it {does} what each source has on its own, which cannot stand side by side"
    return UnruledError(
        f"Cannot fuse at {path!r}: {reason}. Expected tensors with an axis of known length.", reason
    )


def tie_calls(one: Features, other: Features, path: str, sources: int) -> None:
    """A model that is called twice has one input, which grows at each call or never."""
    reason = "it is called on features that grow and on some that do not"
    for a, b in zip(one.axes, other.axes, strict=True):
        if a is not None and b is not None:
            a.tie(b)
        elif (a is not None or b is not None) and sources > 1:
            message = f"Cannot fuse at {path!r}: {reason}. Expected the same at each call."
            raise UnruledError(message, reason)
        elif a is not None or b is not None:
            (b if a is None else a).fix(f"{path!r}: {reason}")


def check_shared_alike(record: LayerRecord, operations: Sequence[Any]) -> None:
    """What is one layer in the first source is one in every source."""
    if any(one is not other for one, other in zip(record.layers, operations, strict=True)):
        raise ValueError(
            f"Cannot fuse at {record.path!r}: the first source calls one layer more than once, "
            "where another source has several layers. Expected layers that are shared in the same "
            "way. Name a source whose layers are not shared first."
        )


def check_masks(call: Call) -> None:
    """A layer has one mask, not one per source."""
    for x in call.flat_inputs if isinstance(call.layer, keras.Layer) else ():
        if call.sources > 1 and x.dtype == "bool" and any(x.axes):
            reason = "each source has another mask"
            raise UnruledError(
                f"Cannot fuse at {call.record.path!r}: {reason}. Expected one for all.", reason
            )


def check_sizes(path: str, outputs: Sequence[Features]) -> None:
    """An axis that does not grow is as long in the fused model as in every source."""
    for features in outputs:
        for number, axis in enumerate(features.axes):
            sizes = features.sizes(number)
            if axis is None and len(set(sizes)) > 1 and not features.parted:
                raise ValueError(
                    f"Cannot fuse at {path!r}: axis {number} of its output is of another length "
                    f"in each source. Expected the same. Received: {', '.join(map(str, sizes))}."
                )
