"""Valid calls of searches, heads, generators and data."""

import numpy as np
from wrong_calls import things as t
from wrong_calls.kinds import (
    choice,
    count,
    fixed,
    flag,
    function,
    instance,
    lazy,
    listing,
    mapping,
    number,
    path,
    rows,
    text,
)
from wrong_calls.outcomes import Call

import adaptive_nets as an

ad, heads, generators, data = an.adanet, an.heads, an.generators, an.data
NAN = float("nan")
WEIGHTS = np.ones(24)
# A weight per row is a number; nothing else is.
BAD_WEIGHTS = (
    "soup", 3, [1.0], {"a": WEIGHTS}, -WEIGHTS, WEIGHTS * NAN, WEIGHTS * 0, np.ones((24, 2)),
    np.full(24, "a"), np.full(24, None), WEIGHTS * 1j, True, object(),
)  # fmt: skip
LABELS = rows(t.Y.astype("float32"), width=False).but(t.Y[:5], t.Y + 0.5, np.eye(3)[t.Y], t.Y[:0])
FEATURES = rows(t.X, width=False).but(
    t.X[:5], t.X[:0], np.zeros((24, 0)), {}, [], {"a": t.X[:2], "b": t.X}
)
DATASETS = {"x": FEATURES, "y": LABELS}
DEPTHS = count(lazy(lambda: [1]), 0, none=True).but([], [1.5], ["a"], [-1], [True], allow=([2],))


def weights(none=True):
    return fixed(WEIGHTS).but(*BAD_WEIGHTS)


OPTIMIZER = choice("adam").but({"a": 1}, [], allow=({},))
RATE = number(0.1, 0, none=True)
MAJORITY = count(2, 1, none=True).but({"soup": 3}, {"factor": "a"}, allow=({},))
FIT = {
    "x": DATASETS["x"],
    "y": LABELS.but(np.zeros(24, int)),
    "sample_weight": weights(),
    "class_weight": fixed(None).but(
        "soup", 3, [1.0], {7: 1.0}, {0: -1.0}, {0: "a"}, {0: NAN}, {None: 1.0}, np.ones((3, 1)),
        {"a": 1.0}, True, object(), NAN,
    ),
    "validation_data": fixed(None).but(
        "soup", 3, t.X, (t.X,), (t.X, t.Y, WEIGHTS, 1), (t.X[:3], t.Y[:4]), {}, object(), [], True,
        (t.X[:, :2], t.Y), (t.X, t.Y + 7), (t.X * NAN, t.Y),
    ),
    "validation_split": number(0.25, None, 1, none=True).but(-0.1, 1.5, 1),
    "report_data": fixed(None).but("soup", 3, t.X, (t.X,), (t.X[:3], t.Y[:4]), object(), True),
    "batch_size": count(8),
    "time_limit": number(60.0, 0, none=True).but(allow=(float("inf"),)),
    "max_steps": count(100, none=True),
    "callbacks": listing([], none=True, empty=True).but("soup", [3], {}, allow=({"a": 1},)),
    "verbose": choice(0).but(7, -1, 2.5, allow=(True,)),
}  # fmt: skip
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
    "training": choice("residual"),
    "refit": choice("all"),
    "adanet_lambda": number(0.1, None).but(-0.1),
    "adanet_beta": number(0.1, None).but(-0.1),
    "complexity": choice("sqrt_depth"),
    "evaluator": instance(lazy(lambda: ad.Evaluator(t.X, t.Y)), none=True),
    "force_grow": flag(False),
    "penalize_training": flag(False),
    "preprocessing": choice("auto", none=True),
    "distribute": choice(None, none=True)
    if False
    else fixed(None).but("soup", 3, [], {}, object(), True, NAN),
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
    "norm_bound": number(1.0, 0).but([1.0], [-1, 1], ["a", "b"], [], allow=([0.5], np.ndarray)),
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
PREDICT["x"] = rows(t.X).but(t.X[:, :2], {}, {"a": t.X})
CALLS = [
    Call("AdaNet", lambda: an.AdaNet, SEARCH),
    Call("AdaNet.fit", method(t.search, "fit"), FIT),
    Call("AdaNet.predict", method(t.fitted, "predict"), PREDICT),
    Call("AdaNet.predict_proba", method(t.fitted, "predict_proba"), {"x": PREDICT["x"]}),
    Call("AdaNet.evaluate", method(t.fitted, "evaluate"), {
        **DATASETS, "sample_weight": weights(), "batch_size": count(8),
        "model": instance(None, none=True),
    }),
    Call("AdaNet.score", method(t.fitted, "score"), {**DATASETS, "sample_weight": weights()}),
    Call("AdaNet.set_params", method(t.search, "set_params"), {
        k: v for k, v in SEARCH.items() if k in ("max_iterations", "training", "seed", "model_dir")
    }),
    Call("AdaNet.fuse", method(t.fitted, "fuse"), {"name": text("net")}),
    Call("AdaNet.export", method(t.fitted, "export"), {
        "path": path("out"), "fuse": flag(False),
        "subnetworks": fixed(()).but("soup", 3, ["soup"], [3], {}, None, True, object()),
        "example_spec": fixed(None).but("soup", 3, [], {"a": 1}, object()),
        "receiver": instance(None, none=True),
        "warmup": fixed(None).but("soup", 3, object(), np.ones((2, 9)), t.X * NAN),
        "assets_extra": mapping(None, none=True, empty=True),
    }),
    Call("AdaNet.load", lambda: an.AdaNet.load, {
        "model_dir": path(t.stored), "state_file": path(None, none=True),
        "max_iterations": count(3),
    }),
    Call("AdaNet.replay", lambda: an.AdaNet.replay, {
        "model_dir": path(t.stored), **DATASETS, "verbose": FIT["verbose"],
        "settings": fixed(None).but("soup", 3, [1], {"soup": 1}, {"seed": "a"}, object(), True),
    }),
    Call("adanet.Candidate", lambda: ad.Candidate, {
        "name": text("a"), "previous": flag(True),
        "new": listing(("a",), empty=True).but("soup", (3,), allow=()),
    }),
    Call("adanet.ConvexAdaNet", lambda: fitted_kernel, KERNEL),
    Call("adanet.ConvexAdaNet.fit", lambda: ad.ConvexAdaNet(max_iterations=2).fit, {
        "X": rows(t.X, width=False), "y": fixed(t.FLAGS).but(
            "soup", 3, None, t.FLAGS[:3], t.Y, t.FLAGS * 0, t.TARGETS, object(), t.X),
        "sample_weight": weights(),
    }, ("X", "y", "sample_weight")),
    Call("adanet.ConvexAdaNet.predict", method(t.convex, "predict"), {"X": rows(t.X)}, ("X",)),
    Call("adanet.ConvexAdaNet.to_keras", method(t.convex, "to_keras"), {"dtype": choice("float32")}),
    Call("adanet.Evaluator", lambda: ad.Evaluator, {
        "x": fixed(t.X), "y": fixed(t.Y), "sample_weight": fixed(None),
        "metric": text("loss"), "mode": choice("auto"),
    }),
    Call("adanet.MixtureEnsembler", lambda: ad.MixtureEnsembler, {
        "kind": choice("scalar"), "gamma": function(ad.Penalty(0.1)), "use_bias": flag(False),
        "refit": choice("all"), "tolerance": number(1e-6, 0), "max_iterations": count(5),
    }),
    Call("adanet.UniformEnsembler", lambda: ad.UniformEnsembler, {
        "gamma": function(ad.Penalty(0.1), none=True)}),
    Call("adanet.NormBall", lambda: ad.NormBall, {
        "p": number(2.0).but(0.5, -1, allow=(float("inf"),)), "max_norm": number(1.0, 0)}),
    Call("adanet.Penalty", lambda: ad.Penalty, {
        "adanet_lambda": number(0.1).but(-1), "adanet_beta": number(0.1).but(-1)}),
    Call("adanet.Rademacher", lambda: ad.Rademacher, {
        "p": number(2.0).but(0.5, allow=(float("inf"),)), "norm_bound": KERNEL["norm_bound"].but(allow=([1.0],))}),
    Call("adanet.TrainingData", lambda: ad.TrainingData, {
        "indices": fixed(None).but("soup", 3, [], {}, object(), ["a"], [1.5], [-1], np.ones((2, 2), int)),
        "sample_weight": fixed(WEIGHTS).but(
            "soup", 3, {}, object(), -WEIGHTS, WEIGHTS * NAN, np.full(24, "a"), WEIGHTS * 0),
    }),
    Call("adanet.generalization_bound", lambda: ad.generalization_bound, {
        "search": instance(t.fitted), "delta": number(0.05, 0, 1), "rho": number(0.1, 0),
        "x": FEATURES, "y": LABELS, "sample_weight": weights(), "enforced": flag(False),
    }),
    # Heads
    Call("heads.BinaryClass", lambda: heads.BinaryClass, {
        "class_names": fixed(["a", "b"]).but("ab", 3, ["a"], ["a", "a"], [1, "b"], [1.5, 2], ["a", "b", "c"],
            [None, "a"], object(), True),
        "label_smoothing": number(0.1, None, 1).but(-0.1), "name": text("a"),
        "surrogate": choice("logistic"),
    }),
    Call("heads.MultiClass", lambda: heads.MultiClass, {
        "n_classes": count(3, 2, none=True), "label_smoothing": number(0.1, None, 1).but(-0.1),
        "class_names": fixed(None).but("ab", 3, ["a"], ["a", "a", "b"], [1, "b", 2], object(), True),
        "name": text("a"),
    }),
    Call("heads.MultiLabel", lambda: heads.MultiLabel, {
        "n_classes": count(3, 1, none=True), "label_smoothing": number(0.1, None, 1).but(-0.1),
        "class_names": fixed(None).but("ab", 3, [], ["a", "a", "b"], [1, "b", 2], object(), True),
        "name": text("a"), "boolean": flag(False),
    }),
    Call("heads.Regression", lambda: heads.Regression, {
        "dim": count(1, none=True), "name": text("a"), "loss": choice("huber"),
    }),
    Call("heads.Multi", lambda: heads.Multi, {
        "heads": mapping(lazy(lambda: {"a": heads.BinaryClass(), "b": heads.Regression()})).but(
            {"a/b": heads.BinaryClass()}, [heads.BinaryClass(), heads.BinaryClass()]),
        "weights": fixed([1.0, 2.0]).but("ab", 3, [1.0], [1, "a"], [-1, 1], [0, 1], {"c": 1}, object(), [1, NAN]),
        "name": text("a"),
    }),
    Call("heads.Multi.attach_weights", method(t.multi, "attach_weights"), {
        "labels": fixed(np.zeros((24, 2), "float32")).but("soup", 3, None, [], np.zeros(24), np.zeros((24, 5))),
        "weights": fixed({"a": WEIGHTS}).but(
            "soup", 3, None, [1], {"c": WEIGHTS}, {"a": WEIGHTS[:3]}, {"a": -WEIGHTS}, {"a": "x"}, {"a": WEIGHTS * 0}),
    }),
    *(
        Call(f"heads.{type(head).__name__}.{name}", method(lambda head=head: head, name), {"y": labels})
        for name in ("adapt", "encode")
        for head, labels in (
            (heads.BinaryClass(["a", "b"]), rows(t.FLAGS.astype("float32"), width=False).but(
                t.Y, t.FLAGS + 0.5, np.eye(2)[t.FLAGS], np.array(["a", "c"]), allow=(True, 3))),
            (heads.MultiClass(3), LABELS.but(allow=(np.ndarray,)).but(
                -t.Y - 1, t.Y + 0.5, np.eye(3)[t.Y], t.Y * 1j)),
            (heads.MultiLabel(3), rows(np.eye(3)[t.Y], width=True).but(t.Y, np.eye(3) * 2)),
            (heads.Regression(1), rows(t.TARGETS, width=False).but(t.X, ["a"])),
        )
    ),
    # Generators
    Call("generators.Dense", lambda: generators.Dense, {
        "widths": count(4).but([], [0], ["a"], [1.5], [True], allow=([2],)), "depths": DEPTHS,
        "activation": choice("relu", none=True), "norm": choice("batch", none=True),
        "dropout": number(0.1, None, 1).but(-0.1), "optimizer": OPTIMIZER, "learning_rate": RATE,
        "connect": choice("none"), "connection_dropout": number(0.1, None, 1).but(-0.1),
        "kernel_constraint": choice("max_norm", none=True), "majority": MAJORITY,
    }),
    Call("generators.Conv", lambda: generators.Conv, {
        "filters": count(4).but([], [0], ["a"], [1.5], allow=([2],)), "depths": DEPTHS,
        "dropout": number(0.1, None, 1).but(-0.1), "optimizer": OPTIMIZER, "learning_rate": RATE,
        "connect": choice("none"), "connection_dropout": number(0.1, None, 1).but(-0.1),
        "majority": MAJORITY,
    }),
    Call("generators.Energy", lambda: generators.Energy, {
        "max_layers": count(1), "max_units": count(4), "steps": count(2), "rows": count(100),
        "init": choice("energy"), "activation": choice("relu", none=True), "optimizer": OPTIMIZER,
        "learning_rate": RATE, "majority": MAJORITY, "seed": count(0, 0),
    }),
    Call("generators.Growth", lambda: generators.Growth, {
        "generator": instance(lazy(lambda: generators.Dense(4)), none=True),
        "transforms": fixed(("widen",)).but("soup", 3, [], ["soup"], None, [3], {}, object(), True),
        "factor": number(2.0, 1), "layers": count(1), "fresh": flag(False),
        "max_parameters": count(10, none=True), "optimizer": OPTIMIZER, "learning_rate": RATE,
        "majority": MAJORITY,
    }),
    Call("generators.Pool", lambda: generators.Pool, {
        "models": mapping(lazy(lambda: {"a": t.dense()})).but({"a": "soup"}, {"": t.dense()}),
        "optimizer": OPTIMIZER, "learning_rate": RATE,
        "depths": mapping(None, none=True, empty=True).but({"a": -1}, {"a": 1.5}, {"b": 1}),
        "majority": MAJORITY,
    }),
    Call("generators.Bagging", lambda: generators.Bagging, {
        "generator": instance(lazy(lambda: generators.Dense(4))),
        "fraction": number(0.5, 0), "replacement": flag(True),
    }),
    # Data
    Call("data.Feature", lambda: data.Feature, {
        "name": text("a"), "key": text("a"), "kind": choice("number"), "dtype": choice("float32"),
        "shape": listing((3,), empty=True).but("soup", (-1,), (1.5,), ("a",), {}, allow=({"a": 1},)),
        "missing": flag(False), "source": text("array"),
    }),
    Call("data.Schema", lambda: data.Schema, {
        "features": listing(lazy(lambda: t.schema().features)).but("soup"), "layout": choice("array"),
    }),
    Call("data.Schema.infer", lambda: data.Schema.infer, {
        "x": rows(t.X, width=False, finite=False).but({}, [], np.zeros((24, 0)), {"a": t.X[:2], "b": t.X}),
    }),
    Call("data.Schema.read", lambda: t.schema().read, {"x": PREDICT["x"]}),
    Call("data.Schema.from_json", lambda: data.Schema.from_json, {
        "text": fixed(lazy(lambda: t.schema().to_json())).but("soup", 3, None, "{}", "[]", "3", b"\0", {}, object(),
            '{"layout": "array"}', '{"layout": "array", "features": [1]}'),
    }),
    Call("data.Schema.from_dict", lambda: data.Schema.from_dict, {
        "values": fixed(lazy(lambda: t.schema().to_dict())).but(
            "soup", 3, None, {}, [], object(), {"layout": "array"}, {"layout": "array", "features": [1]},
            {"layout": "array", "features": [{"name": "a"}]}, {"layout": "soup", "features": []}),
    }),
]  # fmt: skip
