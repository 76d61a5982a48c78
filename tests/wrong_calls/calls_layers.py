"""Valid calls of majority kernels and their layers, of adanet's names, and of what needs extras."""

import call_things as t
import keras
import numpy as np
from call_kinds import (
    NAN,
    choice,
    count,
    fixed,
    flag,
    is_text,
    lazy,
    listing,
    mapping,
    model,
    number,
    path,
    rows,
    text,
    whole,
)
from call_outcomes import Call
from calls_models import SEED, VERIFY, in_batches

import adaptive_nets as an
from adaptive_nets.estimator.adanet import distributed, ensemble, subnetwork

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
ENSEMBLERS = lazy(
    lambda: [
        an.adanet.UniformEnsembler(),
        an.adanet.MixtureEnsembler("scalar", an.adanet.Penalty()),
    ]
)
BUILDERS = lazy(lambda: an.generators.Dense(4, 1).generate(None, 1, []))


def constants(value):
    """Whether a value is a dict by name of what may be a constant."""
    return all(isinstance(k, str) and v is not None for k, v in value.items())


def later(value):
    """Whatever it is, it is accepted now and checked later."""
    return True


OF_ADANET = [
    Call("adanet.SeveralEnsemblers", lambda: an.adanet.SeveralEnsemblers, {
        "ensemblers": listing(ENSEMBLERS),
    }),
    Call("subnetwork.SimpleGenerator", lambda: subnetwork.SimpleGenerator, {
        "subnetwork_builders": listing(BUILDERS),
    }),
    Call("subnetwork.Report", lambda: subnetwork.Report, {
        "hparams": mapping({"a": 1}, none=True, empty=True).where(constants),
        "attributes": mapping({"a": 1}, none=True, empty=True).where(constants),
        "metrics": mapping({"a": 1}, none=True, empty=True),
    }),
    Call("subnetwork.TrainOpSpec", lambda: subnetwork.TrainOpSpec, {
        "train_op": fixed(lazy(lambda: keras.optimizers.SGD(0.1))).where(later),
        "chief_hooks": listing(None, none=True, empty=True),
        "hooks": listing(None, none=True, empty=True),
    }),
    # Checked when it is built, with the builder's name.
    Call("subnetwork.Subnetwork", lambda: subnetwork.Subnetwork, {
        "last_layer": fixed(None).where(later), "logits": fixed(None).where(later),
        "complexity": fixed(1.0).where(later),
    }),
    Call("ensemble.ComplexityRegularizedEnsembler",
         lambda: ensemble.ComplexityRegularizedEnsembler, {
        "mixture_weight_type": choice("scalar"),
        "model_dir": path("runs", none=True),
        "adanet_lambda": number(0.1).but(-1.0),
        "adanet_beta": number(0.1).but(-1.0),
        "use_bias": flag(False),
        "name": text("a", none=True),
    }),
    Call("ensemble.MeanEnsembler", lambda: ensemble.MeanEnsembler, {
        "name": text("a", none=True),
    }),
    Call("distributed.RoundRobinStrategy", lambda: distributed.RoundRobinStrategy, {
        "drop_remainder": fixed(False),
    }),
]  # fmt: skip

CALLS = [
    *OF_ADANET,
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
    # What needs tensorflow-probability or Optuna
    Call(
        "heads.Distribution",
        lambda: an.heads.Distribution,
        {
            "family": choice("student_t"),
            "levels": fixed([0.1, 0.9])
            .but("ab", 3, [], [0.9, 0.1], [0, 0.5], object())
            .where(lambda value: value is None or list(value) == [0.5]),
            "df": number(3.0, 2, 1e7, none=True),
            "location": number(1.0, none=True),
            "scale": number(1.0, 0, none=True),
            "name": text("a"),
        },
    ),
    Call(
        "heads.Distribution.distribution",
        lambda: an.heads.Distribution(location=0.0, scale=1.0).distribution,
        {
            "logits": fixed(np.ones((3, 2), "float32")).but(
                "ab", None, 3, [], np.ones(3), np.ones((3, 3)), [["a", "b"]], object()
            )
        },
    ),
    Call(
        "generators.Tuned",
        lambda: an.generators.Tuned,
        {
            "space": choice("realmlp").but({}, {"a": 1}, [], object()),
            "sampler": choice("random"),
            "candidates_per_round": count(2),
            "seed": count(0, 0),
            "study_name": text("a"),
        },
    ),
    Call(
        "generators.Tuned.study",
        lambda: an.generators.Tuned("realmlp").study,
        {"reports": fixed([]).but("ab", 3, None, [3], object())},
    ),
]
