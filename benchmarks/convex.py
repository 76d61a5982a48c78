"""`ConvexAdaNet` beside logistic regression on binary tasks made of handwritten digits.

    python benchmarks/convex.py [--quick] [--raw]

Parities, primes, intervals, remainders and pairs of digits of scikit-learn's `load_digits`. In each
split a third of the rows is held out, by class, and read once. Both have default settings, and
features standardised on the training rows (`--raw`: as they are). Printed is, for each task, the
paired difference of the accuracies with its standard error over the splits.
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from adaptive_nets.adanet import ConvexAdaNet

POSITIVE = {
    "odd": (1, 3, 5, 7, 9),
    "prime": (2, 3, 5, 7),
    "5 to 9": (5, 6, 7, 8, 9),
    "3 to 6": (3, 4, 5, 6),
    "0 to 2": (0, 1, 2),
    "divisible by 3": (0, 3, 6, 9),
    "has a loop": (0, 6, 8, 9),
    "is 8": (8,),
}
PAIRS = ((3, 8), (4, 9), (1, 7), (5, 9), (1, 8))
SEEDS = 5


def tasks():
    """Yields the name, rows and labels of each task."""
    x, digit = load_digits(return_X_y=True)
    for name, positive in POSITIVE.items():
        yield name, x, np.isin(digit, positive)
    for one, other in PAIRS:
        rows = np.isin(digit, (one, other))
        yield f"{one} or {other}", x[rows], digit[rows] == other


def accuracies(x, y, seed, raw):
    """Accuracy of both on held-out rows."""
    x, x_test, y, y_test = train_test_split(x, y, test_size=1 / 3, random_state=seed, stratify=y)
    found = []
    for model in (ConvexAdaNet(), LogisticRegression(max_iter=100 if not raw else 5000)):
        model = model if raw else make_pipeline(StandardScaler(), model)
        found.append(model.fit(x, y).score(x_test, y_test))
    return found


def compare(seeds=SEEDS, raw=False, most=0):
    """Prints a line for each task; returns differences and standard errors by task."""
    differences = {}
    for name, x, y in list(tasks())[-most:]:
        ours, theirs = np.transpose([accuracies(x, y, seed, raw) for seed in range(seeds)])
        difference = ours - theirs
        error = difference.std(ddof=1) / np.sqrt(seeds)
        differences[name] = (difference.mean(), error)
        print(
            f"{name:15} ConvexAdaNet {ours.mean():.4f}   logistic regression {theirs.mean():.4f}   "
            f"difference {difference.mean():+.4f} ± {error:.4f}",
            flush=True,
        )
    behind = [name for name, (mean, error) in differences.items() if mean < -error]
    print(f"behind by more than a standard error: {', '.join(behind) or 'none'}")
    return differences


def main(argv=None):
    """All tasks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="seconds: only shows that it runs")
    parser.add_argument("--raw", action="store_true", help="features as they are")
    given = parser.parse_args(argv)
    if given.quick:
        return compare(seeds=2, raw=given.raw, most=1)
    return compare(raw=given.raw)


if __name__ == "__main__":
    main()
