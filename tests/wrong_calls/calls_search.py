"""Valid calls of searches, heads, generators and data."""

import call_things as t
import keras
import numpy as np
from call_kinds import (
    THING,
    choice,
    count,
    fixed,
    flag,
    function,
    instance,
    is_none_of,
    is_some,
    keyed,
    lazy,
    listed,
    listing,
    mapping,
    number,
    path,
    real,
    rows,
    text,
    whole,
)
from call_outcomes import Call

import adaptive_nets as an

ad, generators = an.adanet, an.generators
NAN = float("nan")
WEIGHTS = np.ones(24)
# A weight per row is a number; nothing else is.
BAD_WEIGHTS = (
    "soup",
    3,
    [1.0],
    {"a": WEIGHTS},
    -WEIGHTS,
    WEIGHTS * NAN,
    WEIGHTS * 0,
    np.ones((24, 2)),
    np.full(24, "a"),
    np.full(24, None),
    WEIGHTS * 1j,
    True,
    object(),
)
LABELS = rows(t.Y.astype("float32"), width=False).but(t.Y[:5], t.Y + 0.5, np.eye(3)[t.Y], t.Y[:0])
FEATURES = rows(t.X, width=False).but(
    t.X[:5], t.X[:0], np.zeros((24, 0)), {}, [], {"a": t.X[:2], "b": t.X}
)
DATASETS = {"x": FEATURES, "y": LABELS}


def is_weights(value):
    """Whether a value is 24 weights of rows, or none."""
    numbers = np.ones(24) if value is None else np.asarray(value, float)
    return numbers.shape in ((24,), (24, 1)) and np.isfinite(numbers).all() and min(numbers) >= 0


def weights(none=True):
    return fixed(WEIGHTS).but(*BAD_WEIGHTS).where(is_weights)


NOT_CLASS_WEIGHTS = (
    "soup", 3, [1.0], {7: 1.0}, {0: -1.0}, {0: "a"}, {0: NAN}, {None: 1.0}, np.ones((3, 1)),
    {"a": 1.0}, True, object(), NAN,
)  # fmt: skip
FIT = {
    "x": DATASETS["x"],
    "y": LABELS.but(np.zeros(24, int)),
    "sample_weight": weights(),
    "class_weight": fixed(None).but(*NOT_CLASS_WEIGHTS),
    "validation_data": fixed(None).but(
        "soup",
        3,
        t.X,
        (t.X,),
        (t.X, t.Y, WEIGHTS, 1),
        (t.X[:3], t.Y[:4]),
        {},
        object(),
        [],
        True,
        (t.X[:, :2], t.Y),
        (t.X, t.Y + 7),
        (t.X * NAN, t.Y),
    ),
    "validation_split": number(0.25, None, 1, none=True).but(-0.1, 1.5, 1),
    "report_data": fixed(None).but("soup", 3, t.X, (t.X,), (t.X[:3], t.Y[:4]), object(), True),
    "batch_size": count(8),
    "time_limit": number(60.0, 0, none=True).but(allow=(float("inf"),)),
    "max_steps": count(100, none=True),
    "lock_timeout": number(0.5),
    # They need folds, which this search does not have.
    "groups": fixed(None).but("soup", 3, [], {}, object(), t.X, t.Y, NAN, True),
    "callbacks": listing([], none=True, empty=True).but("soup", [3], {}, allow=([None],)),
    "verbose": choice(0)
    .but(7, -1, 2.5, allow=(True, np.bool_))
    .where(lambda value: whole(value) and value in (0, 1, 2)),
}
# What a file of others may name.
OF_FILES = {
    "custom_objects": mapping(None, none=True, empty=True)
    .but(allow=({"a": THING},))
    .where(keyed(callable)),
    "trust": flag(False),
}
SEARCH = {
    "head": instance(t.head),
    "generator": instance(lazy(lambda: generators.Dense(4)), none=True),
    "max_iterations": count(2),
    "steps_per_iteration": count(5),
    "ensemble_strategies": fixed(("grow",)).but(
        "soup", 3, [], [3], ["soup"], None, {}, True, object()
    ),
    "mixture_weights": choice("scalar"),
    "mixture_bias": flag(False),
    "mixture_data": choice("train"),
    "training": choice("residual"),
    "refit": choice("all"),
    "adanet_lambda": number(0.1, None).but(-0.1),
    "adanet_beta": number(0.1, None).but(-0.1),
    "complexity": choice("sqrt_depth"),
    "evaluator": instance(lazy(lambda: ad.Evaluator(t.X, t.Y)), none=True),
    "early_stopping": count(50, none=True),
    "folds": count(3, 2, none=True),
    "repeats": count(1),
    "force_grow": flag(False),
    "penalize_training": flag(False),
    "preprocessing": choice("auto", none=True),
    "distribute": fixed(None).but("soup", 3, [], {}, object(), True, NAN),
    "placement": choice("replicated"),
    "model_dir": path("run", none=True),
    "seed": count(1, 0, none=True),
    "jit_compile": flag(False).but("soup"),
    "checkpoint_seconds": number(5.0, None).but(-1),
    "cache_bytes": count(1 << 20),
}
KERNEL = {
    "surrogate": choice("logistic"),
    "p": number(2.0).but(0.5, 2.5),
    "norm_bound": number(1.0, 0)
    .but([1.0], [-1, 1], ["a", "b"], [], allow=([0.5], np.ndarray))
    .where(listed(lambda v: real(v) and v > 0, empty=False)),
    "adanet_lambda": number(0.1).but(-1),
    "adanet_beta": number(0.1).but(-1),
    "complexity": choice("sqrt_depth"),
    "max_iterations": count(2),
    "max_depth": count(2),
    "activation": choice("relu"),
    "corrective_passes": count(1, 0),
    "fit_intercept": flag(True),
    "tolerance": number(0.1).but(-1),
}


def method(make, name):
    """Returns a function that gets a method of something made when it is called."""
    return lambda: getattr(make(), name)


def fitted_kernel(**settings):
    return ad.ConvexAdaNet(**settings).fit(t.X, t.FLAGS)


PREDICT = {
    "x": FEATURES.but(t.X[:, :2], allow=({},)),
    "output": choice("classes", none=True).but(allow=("",)),
    "batch_size": count(8),
}
# Any number of rows is right where there are no labels.
PREDICT["x"] = (
    rows(t.X)
    .but(t.X[:, :2], {}, {"a": t.X})
    .where(is_none_of)
    .where(lambda v: np.shape(v) == (24, 3) and np.isfinite(np.asarray(v, float)).all())
)
CALLS = [
    Call("AdaNet", lambda: an.AdaNet, SEARCH),
    Call("AdaNet.fit", method(t.search, "fit"), FIT),
    Call("AdaNet.predict", method(t.fitted, "predict"), PREDICT),
    Call("AdaNet.predict_proba", method(t.fitted, "predict_proba"), {"x": PREDICT["x"]}),
    Call(
        "AdaNet.evaluate",
        method(t.fitted, "evaluate"),
        {
            **DATASETS,
            "sample_weight": weights(),
            "batch_size": count(8),
            "model": instance(None, none=True),
        },
    ),
    Call("AdaNet.score", method(t.fitted, "score"), {**DATASETS, "sample_weight": weights()}),
    Call(
        "AdaNet.set_params",
        method(t.search, "set_params"),
        {
            k: v
            for k, v in SEARCH.items()
            if k in ("max_iterations", "training", "seed", "model_dir")
        },
    ),
    Call("AdaNet.fuse", method(t.fitted, "fuse"), {"name": text("net")}),
    Call(
        "AdaNet.export",
        method(t.fitted, "export"),
        {
            "path": path("out"),
            "fuse": flag(False),
            "subnetworks": fixed(()).but("soup", 3, ["soup"], [3], None, True, object()),
            "example_spec": fixed(None).but("soup", 3, [], {"a": 1}, object()),
            "receiver": instance(None, none=True),
            "warmup": fixed(None)
            .but("soup", 3, object(), np.ones((2, 9)), t.X * NAN)
            .where(lambda rows: np.shape(rows)[1:] == (3,) and np.isfinite(np.asarray(rows)).all()),
            "assets_extra": mapping(None, none=True, empty=True),
            "format": choice("saved_model"),
        },
    ),
    Call(
        "AdaNet.load",
        lambda: an.AdaNet.load,
        {
            "model_dir": path(t.stored),
            "state_file": path(None, none=True),
            **OF_FILES,
            "max_iterations": count(3),
        },
    ),
    Call(
        "AdaNet.replay",
        lambda: an.AdaNet.replay,
        {
            "model_dir": path(t.stored),
            **DATASETS,
            "verbose": FIT["verbose"],
            **OF_FILES,
            "settings": fixed(None).but("soup", 3, [1], {"soup": 1}, {"seed": "a"}, object(), True),
        },
    ),
    Call(
        "adanet.Candidate",
        lambda: ad.Candidate,
        {
            "name": text("a"),
            "previous": flag(True),
            "new": listing(("a",), empty=True).but("soup", (3,), allow=()),
        },
    ),
    Call("adanet.ConvexAdaNet", lambda: fitted_kernel, KERNEL),
    Call(
        "adanet.ConvexAdaNet.fit",
        lambda: ad.ConvexAdaNet(max_iterations=2).fit,
        {
            "X": rows(t.X, width=False).where(lambda x: np.asarray(x, float).shape[:1] == (24,)),
            "y": fixed(t.FLAGS)
            .but("soup", 3, None, t.FLAGS[:3], t.Y, t.FLAGS * 0, t.TARGETS, object(), t.X)
            .where(lambda y: len(y) == 24 and len(y.categories) == 2),
            "sample_weight": weights(),
        },
        ("X", "y", "sample_weight"),
    ),
    Call("adanet.ConvexAdaNet.predict", method(t.convex, "predict"), {"X": PREDICT["x"]}, ("X",)),
    Call(
        "adanet.ConvexAdaNet.to_keras", method(t.convex, "to_keras"), {"dtype": choice("float32")}
    ),
    Call(
        "adanet.Evaluator",
        lambda: ad.Evaluator,
        {
            "x": fixed(t.X).where(is_some).where(lambda x: hasattr(x, "__next__")),
            "y": fixed(t.Y).where(is_some),
            "sample_weight": fixed(None).where(is_some),
            "metric": text("loss"),
            "mode": choice("auto"),
        },
    ),
    Call(
        "adanet.EarlyStopping",
        lambda: ad.EarlyStopping,
        {
            "patience": count(50).but("soup"),
            "every": count(5).but("soup"),
            "average": number(0.9, None).but(1.0, -0.1),
            "min_delta": number(0.1, None).but(-0.1),
        },
    ),
    Call(
        "adanet.RoundSchedule",
        lambda: ad.RoundSchedule,
        {
            "schedule": instance(
                lazy(lambda: keras.optimizers.schedules.CosineDecay(0.1, 1)),
                kind=keras.optimizers.schedules.LearningRateSchedule,
            ),
            "steps": number(1.0, 0),
        },
    ),
    Call(
        "adanet.MixtureEnsembler",
        lambda: ad.MixtureEnsembler,
        {
            "kind": choice("scalar"),
            "gamma": function(ad.Penalty(0.1)),
            "use_bias": flag(False),
            "refit": choice("all"),
            "tolerance": number(1e-6, 0),
            "max_iterations": count(5),
        },
    ),
    Call(
        "adanet.UniformEnsembler",
        lambda: ad.UniformEnsembler,
        {"gamma": function(ad.Penalty(0.1), none=True)},
    ),
    Call(
        "adanet.GreedyEnsembler",
        lambda: ad.GreedyEnsembler,
        {"gamma": function(ad.Penalty(0.1), none=True), "steps": count(5)},
    ),
    Call(
        "adanet.ProbabilityEnsembler",
        lambda: ad.ProbabilityEnsembler,
        {
            "gamma": function(ad.Penalty(0.1), none=True),
            "refit": choice("all"),
            "shrinkage": number(1.0, 0),
            "tolerance": number(1e-6, 0),
            "max_iterations": count(5),
        },
    ),
    Call(
        "adanet.NormBall",
        lambda: ad.NormBall,
        {"p": number(2.0).but(0.5, -1, allow=(float("inf"),)), "max_norm": number(1.0, 0)},
    ),
    Call(
        "adanet.Penalty",
        lambda: ad.Penalty,
        {"adanet_lambda": number(0.1).but(-1), "adanet_beta": number(0.1).but(-1)},
    ),
    Call(
        "adanet.Rademacher",
        lambda: ad.Rademacher,
        {
            "p": number(2.0).but(0.5, allow=(float("inf"),)),
            "norm_bound": KERNEL["norm_bound"].but(allow=([1.0],)),
        },
    ),
    Call(
        "adanet.TrainingData",
        lambda: ad.TrainingData,
        {
            "indices": fixed(None)
            .but("soup", 3, [], {}, object(), ["a"], [1.5], [-1], np.ones((2, 2), int))
            .where(lambda v: np.asarray(v).dtype.kind in "iu" and min(np.ravel(v)) >= 0),
            "sample_weight": fixed(WEIGHTS)
            .but("soup", 3, {}, object(), -WEIGHTS, WEIGHTS * NAN, np.full(24, "a"), WEIGHTS * 0)
            .where(lambda v: is_weights(np.resize(np.ravel(np.asarray(v, float)), 24))),
        },
    ),
    Call(
        "adanet.connect",
        lambda: ad.connect,
        {
            "x": instance(lazy(lambda: t.dense().layers[1].output)),
            "previous": instance(None, none=True),
            "layer": count(1),
            "which": choice("all"),
            "dropout": number(0.1, None, 1).but(-0.1),
        },
    ),
    Call(
        "adanet.generalization_bound",
        lambda: ad.generalization_bound,
        {
            "search": instance(t.bounded),
            "delta": number(0.05, 0, 1),
            "rho": number(0.1, 0),
            "x": PREDICT["x"],
            "sample_weight": weights(),
            "enforced": flag(False),
            "y": fixed(t.FLAGS).but(
                "soup", 3, t.FLAGS[:3], t.Y, t.FLAGS + 0.5, object(), t.FLAGS * NAN
            ),
        },
    ),
]
