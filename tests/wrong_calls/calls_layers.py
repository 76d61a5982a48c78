"""Valid calls of majority kernels and their layers."""

import call_things as t
from call_kinds import (
    NAN,
    choice,
    count,
    fixed,
    is_text,
    listing,
    model,
    number,
    rows,
    whole,
)
from call_outcomes import Call
from calls_models import SEED, VERIFY, in_batches

import adaptive_nets as an

majority = an.majority


def is_sizes(value):
    """Whether a value is the shape of an output without its first axis."""
    sizes = value if isinstance(value, list | tuple) else [value]
    return all(size is None or (whole(size) and size > 0) for size in sizes)


MAJORITY = {
    "factor": count(2),
    "distribution": choice("dirichlet"),
    "scope": choice("layer"),
    "kernel_spread": fixed("independent").but("soup", NAN, -1.0, [], None, {}, True, object()),
    "bias_factor": count(1),
    "regularize": choice("mean"),
    "subspace_penalty": number(0.0).but(-1),
    "mixing_seed": SEED,
}
LAYERS = {
    "MajorityDense": {"units": count(4), "activation": choice("relu", none=True).where(callable)},
    "MajorityConv1D": {
        "filters": count(4),
        "kernel_size": count(3).but(allow=([2],)).where(is_sizes),
    },
    "MajorityConv2D": {
        "filters": count(4),
        "kernel_size": count(3).but(allow=([2],)).where(is_sizes),
    },
    "MajorityConv2DTranspose": {
        "filters": count(4),
        "kernel_size": count(3).but(allow=([2],)).where(is_sizes),
    },
    "MajorityConv3D": {
        "filters": count(4),
        "kernel_size": count(3).but(allow=([2],)).where(is_sizes),
    },
    "MajorityConvLSTM1D": {
        "filters": count(4),
        "kernel_size": count(3).but(allow=([2],)).where(is_sizes),
    },
    "MajorityConvLSTM2D": {
        "filters": count(4),
        "kernel_size": count(3).but(allow=([2],)).where(is_sizes),
    },
    "MajorityConvLSTM3D": {
        "filters": count(4),
        "kernel_size": count(3).but(allow=([2],)).where(is_sizes),
    },
    "MajorityDepthwiseConv2D": {"kernel_size": count(3).but(allow=([2],)).where(is_sizes)},
    "MajorityEinsumDense": {
        "equation": fixed("ab,bc->ac").where(is_text),
        "output_shape": fixed(4).where(is_sizes),
    },
    "MajorityEmbedding": {"input_dim": count(8), "output_dim": count(4)},
    "MajorityGRU": {"units": count(4), "dropout": number(0.1).but(-1, 2)},
    "MajorityGRUCell": {"units": count(4)},
    "MajorityLSTM": {"units": count(4), "dropout": number(0.1).but(-1, 2)},
    "MajorityLSTMCell": {"units": count(4)},
    "MajorityMultiHeadAttention": {"num_heads": count(2), "key_dim": count(4)},
    "MajoritySeparableConv2D": {
        "filters": count(4),
        "kernel_size": count(3).but(allow=([2],)).where(is_sizes),
    },
}
EXPAND = {k: v for k, v in MAJORITY.items() if k != "mixing_seed"} | {
    "model": model(t.dense),
    "kernel_spread": number(0.1).but(-1),
    "seed": SEED,
    "include": listing(["hidden"], none=True, empty=True).but("soup", ["soup"]),
    "exclude": listing(None, none=True, empty=True).but("soup", ["soup"]),
    **VERIFY,
}
CALLS = [
    Call("majority.expand", lambda: majority.expand, EXPAND),
    Call(
        "majority.collapse",
        lambda: majority.collapse,
        {
            "model": model(t.expanded),
            "sample": rows(t.X, none=True),
            "into": model(t.fresh, none=True),
            **VERIFY,
        },
    ),
    Call(
        "majority.recalibrate",
        lambda: majority.recalibrate,
        {"model": model(t.dense), "data": rows(t.X).where(in_batches), "batch_size": count(8)},
    ),
    Call(
        "majority.recalibrate_in_place",
        lambda: majority.recalibrate_in_place,
        {"model": model(t.dense), "data": rows(t.X).where(in_batches), "batch_size": count(8)},
    ),
    *(
        Call(
            f"layers.{name}", lambda name=name: getattr(an.layers, name), own | MAJORITY, tuple(own)
        )
        for name, own in LAYERS.items()
    ),
]
