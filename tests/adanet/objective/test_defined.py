"""Metrics that cannot judge are refused before training."""

import numpy as np
import pytest

from adaptive_nets import heads
from adaptive_nets.adanet.objective.defined import check_defined
from adaptive_nets.data.rows import make_rows

RNG = np.random.default_rng(0)


def rows(head, labels, weights=None):
    n = len(labels) if not isinstance(labels, dict) else len(next(iter(labels.values())))
    return make_rows(np.zeros((n, 1), "float32"), labels, head, weights)


@pytest.mark.parametrize(
    ("head", "known", "labels", "metric", "shown"),
    [
        (heads.BinaryClass(), [0, 1], [1, 1, 1], "auc", "no number"),
        (heads.BinaryClass(), [0, 1], [0, 0], "recall", "always 0"),
        (heads.BinaryClass(), [0, 1], [0, 0], "precision", "always 0"),
        (heads.MultiLabel(2), [[0, 1], [1, 0]], [[0, 1], [0, 1]], "auc", "no number"),
        (heads.Regression(), [0.0, 1.0], [2.0, 2.0], "r2", "always 0"),
        (
            heads.Multi({"a": heads.BinaryClass(), "b": heads.Regression()}),
            {"a": [0, 1], "b": [0.0, 1.0]}, {"a": [1, 1], "b": [0.0, 2.0]}, "a/auc", "no number",
        ),
    ],
)  # fmt: skip
def test_undefined_metrics_are_refused(head, known, labels, metric, shown):
    head.adapt(known)
    with pytest.raises(
        ValueError, match=rf"\AThe Evaluator's metric '{metric}' is.*{shown}[^\n]*\Z"
    ):
        check_defined(head, metric, rows(head, labels))


def test_rows_of_weight_0_do_not_count():
    head = heads.BinaryClass().adapt([0, 1])
    check_defined(head, "auc", rows(head, [0, 1, 1], [1.0, 1.0, 1.0]))
    with pytest.raises(ValueError, match="auc"):
        check_defined(head, "auc", rows(head, [0, 1, 1], [0.0, 1.0, 1.0]))


@pytest.mark.parametrize(
    ("head", "labels"),
    [
        (heads.BinaryClass(), RNG.integers(0, 2, 40)),
        (heads.BinaryClass(), [0, 1]),
        (heads.MultiClass(), RNG.integers(0, 20, 60)),
        (heads.MultiLabel(3), RNG.integers(0, 2, (30, 3))),
        (heads.Regression(), RNG.normal(size=(30, 2))),
        (heads.Regression(), [1e6, 1e6 + 1]),
    ],
)
def test_metrics_that_can_judge_pass(head, labels):
    given = rows(head.adapt(labels), labels)
    for metric in ["loss", *head.metrics()]:
        check_defined(head, metric, given)


def test_one_row_can_have_an_accuracy():
    head = heads.MultiClass().adapt(np.arange(25))
    check_defined(head, "accuracy", rows(head, [21]))
    check_defined(head, "top_5_accuracy", rows(head, [3]))
    binary = heads.BinaryClass().adapt([0, 1])
    check_defined(binary, "accuracy", rows(binary, [1]))
