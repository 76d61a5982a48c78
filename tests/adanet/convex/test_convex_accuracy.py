"""ConvexAdaNet on real data, held out, beside logistic regression."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from adaptive_nets.adanet.convex.classifier import ConvexAdaNet


def tasks():
    """Data, and how many splits tell the two apart."""
    x, y = load_breast_cancer(return_X_y=True)
    yield pytest.param(x, y, 10, id="breast_cancer")
    x, digit = load_digits(return_X_y=True)
    pair = np.isin(digit, (3, 8))
    yield pytest.param(x[pair], digit[pair], 10, id="digits 3 or 8")
    yield pytest.param(x, digit % 2, 3, id="digits even or odd")


@pytest.mark.parametrize(("x", "y", "splits"), tasks())
def test_defaults_are_as_accurate_as_logistic_regression(x, y, splits):
    """Means over held-out parts of 30 %, standardised alike."""
    ours, theirs = [], []
    for train, test in StratifiedShuffleSplit(splits, test_size=0.3, random_state=100).split(x, y):
        scaler = StandardScaler().fit(x[train])
        a, b = scaler.transform(x[train]), scaler.transform(x[test])
        ours.append(ConvexAdaNet().fit(a, y[train]).score(b, y[test]))
        theirs.append(LogisticRegression().fit(a, y[train]).score(b, y[test]))
    print(f"ConvexAdaNet {np.mean(ours):.4f}, logistic regression {np.mean(theirs):.4f}")
    assert np.mean(ours) >= np.mean(theirs)


def test_a_second_layer_lowers_the_objective_and_the_error():
    x, digit = load_digits(return_X_y=True)
    y, half = digit % 2, len(digit) // 2
    models = [
        make_pipeline(StandardScaler(), ConvexAdaNet(max_depth=depth, adanet_lambda=0.01)).fit(
            x[:half], y[:half]
        )
        for depth in (1, 2)
    ]
    one, two = (model[-1].objective_path_[-1] for model in models)
    assert two < one - 0.02
    shallow, deep = (model.score(x[half:], y[half:]) for model in models)
    assert deep > shallow + 0.005
