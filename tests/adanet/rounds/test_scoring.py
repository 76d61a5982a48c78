"""The number by which candidates are chosen."""

import numpy as np
import pytest

import adaptive_nets as an


@pytest.mark.parametrize("own", [False, True], ids=["validation", "own data"])
def test_an_evaluator_s_value_is_the_objective(lc, own):
    x, y = lc.blobs()
    evaluator = an.adanet.Evaluator(*((x[:50], y[:50]) if own else ()), metric="accuracy")
    search = lc.small(evaluator=evaluator, max_iterations=1)
    search.fit(x[50:], y[50:], validation_data=(x[:50], y[:50]), verbose=0)
    table = search.leaderboard()
    np.testing.assert_allclose(-table["objective"], table["val_accuracy"], rtol=1e-6)
    assert (table["val_accuracy"] > 0).all()
