"""Valid calls of heads, and of `from_config`."""

import call_things as t
import numpy as np
from call_kinds import (
    choice,
    count,
    fixed,
    flag,
    is_none_in_an_array,
    is_none_of,
    is_text,
    lazy,
    listed,
    mapping,
    number,
    rows,
    text,
    whole,
)
from call_outcomes import Call
from calls_search import LABELS, NAN, WEIGHTS, method

import adaptive_nets as an

heads, generators, data = an.heads, an.generators, an.data
# Text and whatever reads as such.
NAMES = listed(lambda v: is_text(v) or whole(v) or isinstance(v, bool), empty=False)
# A function of labels and logits, with these names.
LOSS = (
    fixed(None)
    .but(3, "soup", [], {}, abs, True, object(), lambda logits, labels: logits)
    .where(callable)
)
# Classes whose `from_config` is tried.
CONFIGURED = (
    heads.BinaryClass, heads.MultiClass, heads.MultiLabel, heads.Regression, heads.Gamma,
    heads.Logistic, heads.NegativeBinomial, heads.Ordinal, heads.Poisson, heads.Quantile,
    heads.Distribution, heads.Tweedie, heads.Multi, generators.Dense, generators.Conv,
    generators.Energy, generators.Tabular, generators.Growth, generators.Bagging,
    an.adanet.MixtureEnsembler, an.adanet.GreedyEnsembler, an.adanet.ProbabilityEnsembler,
    an.adanet.UniformEnsembler, an.growth.Widen, an.growth.Deepen,
)  # fmt: skip


def made(kind):
    """An object of a class, with as few arguments as it takes."""
    if kind is heads.Multi:
        return t.multi()
    if kind is an.adanet.MixtureEnsembler:
        return kind("scalar", an.adanet.Penalty(0.1))
    return kind(generators.Dense(4)) if kind is generators.Bagging else kind()


CALLS = [
    # Heads
    Call(
        "heads.BinaryClass",
        lambda: heads.BinaryClass,
        {
            "class_names": fixed(["a", "b"])
            .but(
                "ab",
                3,
                ["a"],
                ["a", "a"],
                [1, "b"],
                [1.5, 2],
                ["a", "b", "c"],
                [None, "a"],
                object(),
                True,
            )
            .where(lambda v: NAMES(v) and len(v) == 2),
            "label_smoothing": number(0.1, None, 1).but(-0.1),
            "name": text("a"),
            "surrogate": choice("logistic"),
            "loss_fn": LOSS,
        },
    ),
    Call(
        "heads.MultiClass",
        lambda: heads.MultiClass,
        {
            "n_classes": count(3, 2, none=True),
            "label_smoothing": number(0.1, None, 1).but(-0.1),
            "class_names": fixed(None)
            .but("ab", 3, ["a"], ["a", "a", "b"], [1, "b", 2], object(), True)
            .where(NAMES),
            "name": text("a"),
            "loss_fn": LOSS,
        },
    ),
    Call(
        "heads.MultiLabel",
        lambda: heads.MultiLabel,
        {
            "n_classes": count(3, 1, none=True),
            "label_smoothing": number(0.1, None, 1).but(-0.1),
            "class_names": fixed(None)
            .but("ab", 3, [], ["a", "a", "b"], [1, "b", 2], object(), True)
            .where(NAMES),
            "name": text("a"),
            "boolean": flag(False),
            "loss_fn": LOSS,
        },
    ),
    Call(
        "heads.Regression",
        lambda: heads.Regression,
        {
            "dim": count(1, none=True),
            "name": text("a"),
            "loss": choice("huber").where(callable),
        },
    ),
    *(
        Call(
            f"heads.{kind.__name__}",
            lambda kind=kind: kind,
            {"dim": count(1, none=True), "name": text("a"), **more},
        )
        for kind, more in (
            (heads.Gamma, {}),
            (heads.Logistic, {}),
            (heads.NegativeBinomial, {"dispersion": number(0.5, 0, 1e7, none=True)}),
            (heads.Poisson, {}),
            (heads.Tweedie, {"power": number(1.5, 1, 2)}),
        )
    ),
    Call(
        "heads.Quantile",
        lambda: heads.Quantile,
        {
            "levels": fixed([0.1, 0.9]).but(
                "ab",
                3,
                [],
                [0.9, 0.1],
                [0.5, 0.5],
                [0, 0.5],
                [0.5, 1],
                [NAN],
                ["a"],
                {0.5: 1},
                {0.5},
                object(),
                True,
                None,
            ),
            "name": text("a"),
        },
    ),
    Call(
        "heads.Ordinal",
        lambda: heads.Ordinal,
        {
            "classes": fixed(["a", "b"])
            .but("ab", 1, ["a"], ["a", "a"], [1, "b"], {"a", "b"}, object(), True, 2.5)
            .where(NAMES)
            .where(lambda value: value is None or is_none_in_an_array(value))
            .where(lambda value: whole(value) and value >= 2),
            "name": text("a"),
        },
    ),
    Call(
        "heads.Multi",
        lambda: heads.Multi,
        {
            "heads": mapping(lazy(lambda: {"a": heads.BinaryClass(), "b": heads.Regression()})).but(
                {"a/b": heads.BinaryClass()}, [heads.BinaryClass(), heads.BinaryClass()]
            ),
            "weights": fixed([1.0, 2.0]).but(
                "ab", 3, [1.0], [1, "a"], [-1, 1], [0, 1], {"c": 1}, object(), [1, NAN]
            ),
            "name": text("a"),
        },
    ),
    Call(
        "heads.Multi.attach_weights",
        method(t.multi, "attach_weights"),
        {
            "labels": fixed(np.zeros((24, 2), "float32")).but(
                "soup", 3, None, [], np.zeros(24), np.zeros((24, 5))
            ),
            "weights": fixed({"a": WEIGHTS})
            .but(
                "soup",
                3,
                None,
                [1],
                {"c": WEIGHTS},
                {"a": WEIGHTS[:3]},
                {"a": -WEIGHTS},
                {"a": "x"},
                {"a": WEIGHTS * 0},
            )
            .where(lambda weights: isinstance(weights, dict) and not weights),
        },
    ),
    *(
        Call(
            f"heads.{type(head).__name__}.{name}",
            method(lambda head=head: head, name),
            {"y": labels.where(is_none_of) if name == "encode" else labels},
        )
        for name in ("adapt", "encode")
        for head, labels in (
            (
                heads.BinaryClass(["a", "b"]),
                rows(t.FLAGS.astype("float32"), width=False)
                .but(t.Y, t.FLAGS + 0.5, np.eye(2)[t.FLAGS], np.array(["a", "c"]), allow=(True, 3))
                .where(lambda y: {str(v) for v in np.ravel(np.asarray(y))} <= {"a", "b", "b'a'"})
                .where(lambda y: np.isin(np.asarray(y, float), (0, 1)).all()),
            ),
            (
                heads.MultiClass(3),
                LABELS.but(allow=(np.ndarray,))
                .but(-t.Y - 1, t.Y + 0.5, np.eye(3)[t.Y], t.Y * 1j)
                .where(lambda y: np.isin(np.asarray(y, float), (0, 1, 2)).all()),
            ),
            (
                heads.MultiLabel(3),
                rows(np.eye(3)[t.Y], width=True)
                .but(t.Y, np.eye(3) * 2)
                .where(lambda y: np.isin(np.asarray(y, float), (0, 1)).all()),
            ),
            (heads.Regression(1), rows(t.TARGETS, width=False).but(t.X, ["a"])),
            (heads.Quantile(), rows(t.TARGETS, width=False).but(t.X, ["a"])),
            (heads.Distribution(), rows(t.TARGETS, width=False).but(t.X, ["a"])),
            *(
                (head, rows(values, width=False).but(t.X, ["a"], -values - 1.0))
                for head, values in (
                    (heads.Distribution("lognormal"), t.Y + 1.0),
                    (heads.Poisson(1), t.Y.astype("float32")),
                    (heads.NegativeBinomial(1, 0.5), t.Y.astype("float32")),
                    (heads.Tweedie(1.5, 1), t.Y.astype("float32")),
                    (heads.Gamma(1), t.Y + 1.0),
                    (heads.Logistic(1), t.Y / 2.0),
                )
            ),
            (
                heads.Ordinal(3),
                LABELS.but(allow=(np.ndarray,))
                .but(-t.Y - 1, t.Y + 0.5, np.eye(3)[t.Y], t.Y * 1j)
                .where(lambda y: np.isin(np.asarray(y, float), (0, 1, 2)).all()),
            ),
        )
    ),
    *(
        Call(
            f"{kind.__module__.split('.')[1]}.{kind.__name__}.from_config",
            lambda kind=kind: kind.from_config,
            {
                "config": fixed(lazy(lambda kind=kind: made(kind).get_config()))
                .but("soup", 3, None, [], {"soup": 1}, object(), True, {"nome": 3})
                # All arguments have defaults.
                .where(lambda value: type(value) is dict and value == {})
            },
        )
        for kind in CONFIGURED
    ),
]
