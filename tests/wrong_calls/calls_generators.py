"""Valid calls of generators."""

import call_things as t
import keras
from call_kinds import choice, count, fixed, flag, instance, lazy, listed, mapping, number, whole
from call_outcomes import Call

import adaptive_nets as an

generators = an.generators
DEPTHS = (
    count(lazy(lambda: [1]), 0, none=True)
    .but([], [1.5], ["a"], [-1], [True], allow=([2],))
    .where(listed(lambda v: whole(v) and v >= 0, empty=False))
)
OPTIMIZER = (
    choice("adam")
    .but({"a": 1}, [], allow=({},))
    .where(lambda value: isinstance(value, keras.optimizers.Optimizer))
)
SCHEDULE = keras.optimizers.schedules.LearningRateSchedule
RATE = number(0.1, 0, none=True).where(lambda value: isinstance(value, SCHEDULE))
MAJORITY = count(2, 1, none=True).but({"soup": 3}, {"factor": "a"}, allow=({},))

CALLS = [
    Call(
        "generators.Dense",
        lambda: generators.Dense,
        {
            "widths": count(4)
            .but([], [0], ["a"], [1.5], [True], allow=([2],))
            .where(listed(lambda v: whole(v) and v > 0, empty=False)),
            "depths": DEPTHS,
            "activation": choice("relu", none=True),
            "norm": choice("batch", none=True),
            "dropout": number(0.1, None, 1).but(-0.1),
            "optimizer": OPTIMIZER,
            "learning_rate": RATE,
            "connect": choice("none"),
            "connection_dropout": number(0.1, None, 1).but(-0.1),
            "kernel_constraint": choice("max_norm", none=True).where(callable),
            "majority": MAJORITY,
        },
    ),
    Call(
        "generators.Conv",
        lambda: generators.Conv,
        {
            "filters": count(4)
            .but([], [0], ["a"], [1.5], allow=([2],))
            .where(listed(lambda v: whole(v) and v > 0, empty=False)),
            "depths": DEPTHS,
            "dropout": number(0.1, None, 1).but(-0.1),
            "optimizer": OPTIMIZER,
            "learning_rate": RATE,
            "connect": choice("none"),
            "connection_dropout": number(0.1, None, 1).but(-0.1),
            "majority": MAJORITY,
        },
    ),
    Call(
        "generators.Energy",
        lambda: generators.Energy,
        {
            "max_layers": count(1),
            "max_units": count(4),
            "steps": count(2),
            "rows": count(100),
            "init": choice("energy"),
            "activation": choice("relu", none=True),
            "optimizer": OPTIMIZER,
            "learning_rate": RATE,
            "majority": MAJORITY,
            "seed": count(0, 0),
        },
    ),
    Call(
        "generators.Tabular",
        lambda: generators.Tabular,
        {
            "kinds": choice("auto")
            .but([], ["soup"], [3], allow=("tabm", ["mlp"]))
            .where(listed(lambda v: v in ("tabm", "mlp", "realmlp", "wide"), empty=False)),
            "members": count(2),
            "width": count(8, none=True).but("wide", allow=("energy",)),
            "dropout": number(0.1, None, 1, none=True).but(-0.1),
            "majority": MAJORITY,
            "seed": count(0, 0),
        },
    ),
    Call(
        "generators.Growth",
        lambda: generators.Growth,
        {
            "generator": instance(lazy(lambda: generators.Dense(4)), none=True),
            "transforms": fixed(("widen",)).but(
                "soup", 3, [], ["soup"], None, [3], {}, object(), True
            ),
            "factor": number(2.0, 1),
            "layers": count(1),
            "fresh": flag(False),
            "max_parameters": count(10, none=True),
            "optimizer": OPTIMIZER,
            "learning_rate": RATE,
            "majority": MAJORITY,
        },
    ),
    Call(
        "generators.Pool",
        lambda: generators.Pool,
        {
            "models": mapping(lazy(lambda: {"a": t.dense()})).but({"a": "soup"}, {"": t.dense()}),
            "optimizer": OPTIMIZER,
            "learning_rate": RATE,
            "depths": mapping(None, none=True, empty=True).but({"a": -1}, {"a": 1.5}, {"b": 1}),
            "majority": MAJORITY,
        },
    ),
    Call(
        "generators.FirstRound",
        lambda: generators.FirstRound,
        {
            "generator": instance(lazy(lambda: generators.Dense(4))),
            "builders": instance([], none=True, kind=(list, tuple)).but([3]),
        },
    ),
    Call(
        "generators.Bagging",
        lambda: generators.Bagging,
        {
            "generator": instance(lazy(lambda: generators.Dense(4))),
            "fraction": number(0.5, 0),
            "replacement": flag(True),
        },
    ),
]
