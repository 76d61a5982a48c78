"""LoRA's factors, which grow beside the kernel that their product is added to."""

from collections.abc import Iterable
from typing import Any

from adaptive_nets.growth.core.rule import Call
from adaptive_nets.growth.core.weight_roles import RANK, Dimension, Keeps, Reads, Writes
from adaptive_nets.keras_internals import layers_in

MERGE = (
    "Merge LoRA's weights into the kernels first: adaptive_nets.growth.merge_lora(model); quantize "
    "after growth."
)


def is_adapted(layer: Any) -> bool:
    """Whether a layer holds LoRA's factors."""
    return bool(getattr(layer, "lora_enabled", False))


def refuse_quantized(layers: Iterable[Any], path: str) -> None:
    """Kernels of whole numbers do not grow."""
    for layer in layers:
        if getattr(layer, "quantization_mode", None):
            raise ValueError(
                f"Cannot grow {path!r}: it is quantized. Expected weights of floating-point "
                "numbers. Quantize after growth."
            )


def refuse_adapters(call: Call) -> None:
    """LoRA and quantization inside a layer, whose configuration does not say them."""
    for layer in call.layers:
        for inner in layers_in(layer):
            if is_adapted(inner) or getattr(inner, "quantization_mode", None):
                raise ValueError(
                    f"Cannot grow {call.record.path!r}: it has LoRA weights or is quantized. "
                    f"Expected plain weights. {MERGE}"
                )


def adapted_weight(
    call: Call, attribute: str, *dimensions: Dimension, fresh: float | None = None
) -> None:
    """Names a kernel, and the factors beside it: all its axes but the last by rank, and rank by it.

    Each factor reads and makes what the kernel does, so their product grows as the kernel. Where
    models are fused, the ranks of the sources stand side by side.

    Args:
        call: The call.
        attribute: Where the kernel is found.
        *dimensions: Of the kernel.
        fresh: The value of its new features, as in `Call.weight`. Defaults to `None`.
    """
    refuse_quantized(call.layers, call.record.path)
    call.weight(attribute, *dimensions, fresh=fresh)
    if not any(map(is_adapted, call.layers)):
        return
    _check_alike(call)
    made: Dimension = Keeps()
    read: Dimension = Keeps()
    if call.sources > 1:
        rank = call.axis(RANK, call.config_of("lora_rank"))
        made, read = Writes(rank), Reads(rank)
    factor = f"lora{attribute}"
    call.weight(f"{factor}_a", *dimensions[:-1], made)
    call.weight(f"{factor}_b", read, dimensions[-1], fresh=fresh)


def _check_alike(call: Call) -> None:
    shares = [
        layer.lora_alpha / layer.lora_rank if is_adapted(layer) else None for layer in call.layers
    ]
    if len(set(shares)) > 1:
        raise ValueError(
            f"Cannot fuse at {call.record.path!r}: LoRA's weights have another share, lora_alpha / "
            "lora_rank, in each source. Expected the same. Received: "
            f"{', '.join('no LoRA' if x is None else f'{x:g}' for x in shares)}. {MERGE}"
        )
