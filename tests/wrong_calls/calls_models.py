"""Valid calls of growth, majority kernels, energy, callbacks and layers."""

import call_things as t
import keras
import numpy as np
from call_kinds import (
    NAN,
    choice,
    count,
    fixed,
    flag,
    has_rows,
    instance,
    keyed,
    lazy,
    listing,
    mapping,
    model,
    number,
    path,
    real,
    rows,
    text,
    whole,
)
from call_outcomes import Call
from calls_search import OF_FILES, method

import adaptive_nets as an

growth, majority, energy, callbacks = an.growth, an.majority, an.energy, an.callbacks
SEED = count(0, 0, none=True).but("a")
PRESERVE = choice("approximate")
AFTER = (
    fixed("hidden")
    .but("soup", -1, 2.5, [], ["soup"], {}, True, object(), NAN)
    .where(lambda value: value is None or (whole(value) and value >= 0))
)
CROSS = number(0.1, None).but(-0.1, "soup", allow=("0.5",))
WIDTHS = number(2.0, 0).but(0.5, {}, {"soup": 3}, {"hidden": 0}, {"hidden": "a"}, {"hidden": NAN})
PAIR = listing(lazy(lambda: [t.dense(), t.dense()])).but("soup", ["soup", "soup"], {}, lazy)
FUSE = {
    "models": PAIR,
    "cross": CROSS,
    "norm": choice("grouped"),
    "output": choice("mean"),
    "preserve": PRESERVE,
    "seed": SEED,
    **OF_FILES,
}
SELF_FUSE = {
    "model": model(t.dense),
    "copies": count(2, 2),
    "cross": CROSS,
    "norm": choice("joint"),
    "preserve": PRESERVE,
    "seed": SEED,
}
DEEPEN = {
    "model": model(t.dense),
    "after": AFTER,
    "method": choice("auto"),
    "preserve": PRESERVE,
    "seed": SEED,
    "times": count(2, 2),
}
WIDEN = {
    "model": model(t.dense),
    "widths": WIDTHS,
    "method": choice("zero"),
    "noise": number(0.0).but(-1),
    "preserve": PRESERVE,
    "round_to": count(1),
    "seed": SEED,
}


VERIFY = {"verify": flag("auto").where(lambda value: isinstance(value, str) and value == "auto")}


def without(arguments, *names):
    return {name: value for name, value in arguments.items() if name not in names}


ACTION = instance(lazy(lambda: growth.Widen(2.0)))


def in_batches(value):
    """Whether a value yields batches, which are read later."""
    return hasattr(value, "element_spec") or hasattr(value, "__next__")


DATA = {
    "x": rows(t.X).where(lambda x: np.shape(x) == (24, 3)),
    "y": fixed(t.Y)
    .but("soup", None, t.Y[:3], object(), np.full(24, "a"))
    .where(lambda y: np.isfinite(np.asarray(y, float)).all() and len(y) == 24),
}
# Batches are not looked at before they are read, nor rows that are read at the end.
BATCHES = rows(t.X, none=True, width=False, finite=False, text=True).where(has_rows)
BATCHES = BATCHES.where(in_batches)
RBM = {
    "units": count(4),
    "visible": choice("binary"),
    "method": choice("pcd"),
    "gibbs_steps": count(1),
    "chains": count(4),
    "kernel_initializer": choice("zeros")
    .but(allow=(None, np.ndarray))
    .where(lambda value: hasattr(value, "shape") or callable(value)),
    "kernel_regularizer": choice("l2", none=True).where(callable),
    "seed": SEED,
}
BITS = rows(t.BITS)
GROWING = {
    "slots": choice("carry"),
    "warmup_steps": count(0, 0),
    "backup_dir": path(None, none=True),
    "restart": listing((), empty=True).but("soup", [3], {}, allow=({"a": 1},)),
    "seed": count(0, 0),
    "verbose": count(0, 0).but(allow=(True,)),
    **VERIFY,
}
CALLS = [
    Call("growth.widen", lambda: growth.widen, WIDEN | VERIFY),
    Call("growth.plan_widen", lambda: growth.plan_widen, WIDEN),
    Call(
        "growth.Widen",
        lambda: growth.Widen,
        without(WIDEN, "model") | {"widths": WIDTHS.but(allow=({"soup": 3},)).where(keyed(real))},
    ),
    Call("growth.deepen", lambda: growth.deepen, DEEPEN | VERIFY),
    Call("growth.merge_lora", lambda: growth.merge_lora, {"model": model(t.adapted)}),
    Call("growth.plan_deepen", lambda: growth.plan_deepen, DEEPEN),
    Call("growth.Deepen", lambda: growth.Deepen, without(DEEPEN, "model", "after")),
    Call("growth.fuse", lambda: growth.fuse, FUSE | VERIFY),
    Call("growth.plan_fuse", lambda: growth.plan_fuse, FUSE),
    Call(
        "growth.FuseWith",
        lambda: growth.FuseWith,
        {"other": model(t.dense), **without(FUSE, "models", *OF_FILES)},
    ),
    Call("growth.self_fuse", lambda: growth.self_fuse, SELF_FUSE | VERIFY),
    Call("growth.plan_self_fuse", lambda: growth.plan_self_fuse, SELF_FUSE),
    Call("growth.SelfFuse", lambda: growth.SelfFuse, without(SELF_FUSE, "model")),
    Call(
        "growth.apply",
        lambda: growth.apply,
        {
            "plan": instance(lazy(lambda: growth.plan_widen(t.dense(), 2.0))),
            "sample": rows(t.X, none=True),
            **VERIFY,
        },
    ),
    Call(
        "growth.grow_in_place",
        lambda: in_place(t.fresh()),
        {
            "plan": instance(None, none=True),
            "slots": choice("carry"),
            "model": model(None, none=True),
        },
    ),
    Call(
        "growth.distillation_targets",
        lambda: growth.distillation_targets,
        {"sources": PAIR, **DATA, "batch_size": count(8)},
    ),
    Call(
        "growth.DistillationLoss",
        lambda: growth.DistillationLoss,
        {
            "loss": choice("mse", none=True).where(callable),
            "weight": number(0.5).but(-1, 2),
            "temperature": number(2.0, 0),
            "name": text("a"),
        },
    ),
    Call(
        "growth.register_rule",
        lambda: lambda classes: growth.register_rule(classes),
        {
            "classes": fixed(keras.layers.Dense)
            .but("soup", 3, None, object(), [])
            .where(lambda kind: isinstance(kind, type) and issubclass(kind, keras.Layer))
        },
    ),
    Call(
        "growth.carry",
        lambda: lambda classes: growth.carry(classes),
        {
            "classes": fixed(keras.layers.GaussianNoise)
            .but("soup", 3, None, object(), [])
            .where(lambda kind: isinstance(kind, type) and issubclass(kind, keras.Layer))
        },
    ),
    Call(
        "growth.dynamics.diagnose",
        lambda: growth.dynamics.diagnose,
        {
            "model": model(t.compiled),
            **DATA,
            "learning_rate": number(0.1, 0, none=True),
            "loss": choice(None, none=True).but(allow=("None_",)),
            "batch_size": count(8),
            "batches": count(2, none=True),
            "plan": instance(None, none=True),
            "second_rate": number(0.1, 0, none=True),
        },
    ),
    # Energy
    Call("energy.RBM", lambda: energy.RBM, RBM),
    Call(
        "energy.InfiniteRBM",
        lambda: energy.InfiniteRBM,
        {
            "beta": number(1.1, 1),
            "max_units": count(4, none=True),
            "regroup": flag(False),
            "l1": number(0.0).but(-1),
            "capacity": count(4),
            **without(RBM, "units"),
        },
    ),
    Call("energy.OrderedRBM", lambda: energy.OrderedRBM, {"beta": number(1.1, 1), **RBM}),
    Call(
        "energy.RBM.fit",
        lambda: energy.RBM(4).fit,
        {
            "x": rows(t.BITS, width=False).where(in_batches).where(lambda x: hasattr(x, "nnz")),
            "batch_size": count(8, none=True).where(lambda value: True),
        },
    ),
    Call(
        "energy.RBM.adapt",
        lambda: energy.RBM(4).adapt,
        {"x": rows(t.BITS, width=False).but(t.BITS * NAN).where(lambda x: hasattr(x, "nnz"))},
    ),
    *(
        Call(f"energy.RBM.{name}", method(t.machine, name), {"x": BITS})
        for name in ("free_energy", "reconstruct", "pseudo_likelihood", "log_likelihood")
    ),
    Call(
        "energy.RBM.transform", method(t.machine, "transform"), {"x": BITS, "batch_size": count(8)}
    ),
    Call(
        "energy.RBM.effective_units",
        method(t.machine, "effective_units"),
        {"x": BITS, "tolerance": number(0.1).but(-1, 2)},
    ),
    Call(
        "energy.RBM.sample",
        method(t.machine, "sample"),
        {"rows": count(2), "steps": count(2), "start": rows(None, none=True), "seed": SEED},
    ),
    Call(
        "energy.log_likelihood",
        lambda: energy.log_likelihood,
        {
            "model": instance(t.machine),
            "x": BITS,
            "method": choice("exact"),
            "chains": count(4),
            "temperatures": count(4),
            "seed": SEED,
        },
    ),
    Call(
        "energy.EnergyNet",
        lambda: energy.EnergyNet,
        {
            "max_layers": count(1),
            "max_units": count(4),
            "beta": number(1.1, 1),
            "tolerance": number(0.1, None, 1).but(-1),
            "min_gain": number(0.1).but(-1),
            "steps": count(2),
            "learning_rate": number(0.1, 0),
            "batch_size": count(8),
            "gibbs_steps": count(1),
            "validation_split": number(0.2, 0, 1),
            "control": flag(False),
            "model_dir": path(None, none=True),
            "seed": count(0, 0),
        },
    ),
    Call(
        "energy.EnergyNet.fit",
        method(t.structure, "fit"),
        {"x": rows(t.X, width=False).but(t.X[0])},
    ),
    Call(
        "energy.EnergyNet.build",
        lambda: t.learnt().build,
        {"head": instance(t.head).but(allow=(3,)).where(whole), "init": choice("random")},
    ),
    # Callbacks
    Call(
        "callbacks.GrowthSchedule",
        lambda: callbacks.GrowthSchedule,
        {
            "schedule": mapping(lazy(lambda: {1: growth.Widen(2.0)})).but(
                {-1: growth.Widen(2.0)}, {1: "widen"}, {1.5: growth.Widen(2.0)}
            ),
            "unit": choice("epoch"),
            **GROWING,
        },
    ),
    Call(
        "callbacks.GrowOnPlateau",
        lambda: callbacks.GrowOnPlateau,
        {
            "monitor": text("loss"),
            "action": ACTION,
            "patience": count(1),
            "max_growths": count(1, none=True),
            "max_parameters": count(9, none=True),
            "min_delta": number(0.0).but(-1),
            "mode": choice("auto"),
            **GROWING,
        },
    ),
    Call(
        "callbacks.CollapseOnEnd",
        lambda: callbacks.CollapseOnEnd,
        {
            "calibration_data": BATCHES,
            "sample": BATCHES,
            "verbose": count(0, 0).but(allow=(True,)),
        },
    ),
    Call(
        "callbacks.CollapsedCheckpoint",
        lambda: callbacks.CollapsedCheckpoint,
        {
            "filepath": path("a.keras"),
            "monitor": text("loss"),
            "validation_data": fixed((t.X, t.Y))
            .but("soup", 3, (t.X, t.Y, t.Y, t.Y), object(), [])
            .where(in_batches),
            "calibration_data": BATCHES,
            "batch_size": count(8),
        },
    ),
]


def in_place(new):
    """Returns a function that grows a new model, by its own plan unless another is given."""

    def grow(plan, slots, model=None):
        grown = new if model is None else model
        plan = growth.plan_widen(grown, 2.0) if plan is None else plan
        return growth.grow_in_place(grown, plan, slots)

    return grow
