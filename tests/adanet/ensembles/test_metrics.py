"""Losses and metrics of many logits, which are read piece by piece."""

import numpy as np
import pytest

from adaptive_nets import _pieces as pieces
from adaptive_nets import heads
from adaptive_nets._pieces import RowWise
from adaptive_nets.adanet.ensembles.metrics import evaluate_logits, mean_loss
from adaptive_nets.adanet.objective.defined import check_defined
from adaptive_nets.data.rows import Rows

RNG = np.random.default_rng(0)
ROWS = 101
CASES = {
    "binary": (heads.BinaryClass(["no", "yes"]), RNG.integers(0, 2, (ROWS, 1)).astype("float32")),
    "classes": (heads.MultiClass(7), RNG.integers(0, 7, ROWS).astype("int32")),
    "regression": (heads.Regression(2), RNG.normal(size=(ROWS, 2)).astype("float32")),
    "labels": (heads.MultiLabel(3), RNG.integers(0, 2, (ROWS, 3)).astype("float32")),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_pieces_measure_what_all_rows_do(case, weighted, monkeypatch):
    head, y = CASES[case]
    w = RNG.uniform(0.5, 1.5, ROWS) if weighted else None
    rows = Rows(np.zeros((ROWS, 1)), y, None if w is None else (w / w.mean()).astype("float32"))
    logits = RNG.normal(size=(ROWS, head.units)).astype("float32")
    whole = evaluate_logits(head, logits, rows)
    monkeypatch.setattr(pieces, "PIECE_NUMBERS", 10 * head.units)
    read = []

    def compute(sources):
        read.append(len(sources[0]["logits"]))
        return np.asarray(sources[0]["logits"], "float64")

    found = evaluate_logits(head, RowWise(compute, [{"logits": logits}]), rows)
    assert read == [10] * 10 + [1]
    assert list(found) == list(whole) == ["loss", *head.metrics()]
    np.testing.assert_allclose(list(found.values()), list(whole.values()), rtol=2e-6)
    assert found["loss"] == pytest.approx(whole["loss"], rel=1e-13)
    assert mean_loss(head, logits, rows) == found["loss"]


@pytest.mark.parametrize("case", CASES)
def test_a_metric_is_defined_on_all_rows_if_not_on_each_piece(case, monkeypatch):
    head, y = CASES[case]
    order = np.argsort(y if y.ndim == 1 else y[:, 0], kind="stable")
    monkeypatch.setattr(pieces, "PIECE_NUMBERS", 10 * head.units)
    for metric in head.metrics():
        check_defined(head, metric, Rows(np.zeros((ROWS, 1)), y[order]))


def test_a_metric_that_no_piece_defines_is_refused(monkeypatch):
    monkeypatch.setattr(pieces, "PIECE_NUMBERS", 10)
    head = heads.BinaryClass(["no", "yes"])
    rows = Rows(np.zeros((ROWS, 1)), np.ones((ROWS, 1), "float32"))
    with pytest.raises(ValueError, match="'auc' is undefined on the rows"):
        check_defined(head, "auc", rows)
