"""Probabilities: calibration error and log loss of test rows, before and after a temperature.

`adaptive_nets` is `AutoClassifier` as it is. `boosting` is scikit-learn's boosted trees before, and
`CalibratedClassifierCV` of them after, with its defaults: five folds, sigmoids.
"""

import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import KFold, StratifiedKFold

from benchmarks.tabular import tasks
from benchmarks.tabular.measures import LEAST, in_order
from benchmarks.tabular.ours import noted
from benchmarks.tabular.systems import divided, ordinal

OURS = ("adaptive_nets",)
SYSTEMS = ("boosting", *OURS)
# Table, seconds and systems of the quick mode.
QUICK = ("mixed", 2.0, SYSTEMS)
_FOLDS = 5


def name_of(table):
    """The table's name for `tasks.load`."""
    return table


def tables(data_dir):
    """Names of the tables: all those of classes."""
    return [name for name in tasks.names(data_dir) if tasks.kind(name, data_dir) != "regression"]


def suits(system, table, data_dir):
    """Whether a system is run on a table."""
    return True


def fit(system, table, split, seconds, seed):
    """Fits a system; returns a function that measures it on the test rows."""
    fitted = _boosting if system == "boosting" else _ours
    probabilities, about = fitted(split, seconds, seed)
    x, y = divided(split, split.test)
    codes = np.searchsorted(split.classes, y)

    def measure():
        figures = dict(about)
        for name, predicted in probabilities(x).items():
            figures |= {f"{k}_{name}": v for k, v in measured(codes, predicted).items()}
        return figures

    return measure


def _ours(split, seconds, seed):
    import adaptive_nets as an

    model = an.AutoClassifier(time_limit=seconds, seed=seed, verbose=0)
    model.fit(split.train, split.target)
    try:
        value = float(model.calibration_.loc["after", "temperature"])
    except AttributeError:
        value = 1.0

    def probabilities(x):
        after = model.predict_proba(x)
        # Logits are divided by the temperature: what was before is their multiple.
        logits = value * np.log(np.maximum(after.astype("float64"), 1e-30))
        before = np.exp(logits - logits.max(axis=1, keepdims=True))
        before /= before.sum(axis=1, keepdims=True)
        found = {"before": before, "after": after}
        return {k: in_order(p, model.classes_, split.classes) for k, p in found.items()}

    return probabilities, {"temperature": value, **noted(model)}


def _boosting(split, seconds, seed):
    encode, categories = ordinal(split.train, split.target)
    x, y = divided(split, split.train)
    x, codes = encode.fit_transform(x), np.searchsorted(split.classes, y)
    model = HistGradientBoostingClassifier(categorical_features=categories, random_state=seed)
    rare = np.unique(codes, return_counts=True)[1].min() < _FOLDS
    # A class of fewer rows than folds is in some of them only, which folds by class refuse.
    folds = (KFold if rare else StratifiedKFold)(_FOLDS, shuffle=True, random_state=seed)
    calibrated = CalibratedClassifierCV(model, cv=list(folds.split(x, codes))).fit(x, codes)
    model.fit(x, codes)

    def probabilities(rows):
        rows, every = encode.transform(rows), np.arange(len(split.classes))
        found = {"before": model, "after": calibrated}
        return {k: in_order(m.predict_proba(rows), m.classes_, every) for k, m in found.items()}

    return probabilities, {}


def measured(codes, predicted):
    """Expected calibration error, of 15 bins of the predicted class's probability; log loss."""
    confidence, right = predicted.max(axis=1), predicted.argmax(axis=1) == codes
    place = np.minimum((15 * confidence).astype(int), 14)
    gaps = np.bincount(place, right - confidence, 15)
    clipped = np.clip(predicted, LEAST, 1.0)
    own = (clipped / clipped.sum(axis=1, keepdims=True))[np.arange(len(codes)), codes]
    return {
        "ece": float(np.abs(gaps).sum() / len(codes)),
        "log_loss": float(-np.mean(np.log(own))),
    }


def show(results):
    """One row a table, and how often a measure is not higher after than before."""
    names = ["ece_before", "ece_after", "log_loss_before", "log_loss_after"]
    # Perhaps only one of the systems has run.
    frame = pd.DataFrame(results).reindex(columns=["table", "system", "temperature", *names])
    ours = frame[frame["system"] == "adaptive_nets"].groupby("table")[["temperature", *names]]
    theirs = frame[frame["system"] == "boosting"].groupby("table")[names]
    lines = [
        "| | T | ECE before | after | log loss before | after | boosting: ECE before | after "
        "| log loss before | after |",
        "|---" * 10 + "|",
    ]
    both = ours.mean().join(theirs.mean(), rsuffix="_boosting")
    for table, row in both.iterrows():
        lines.append(f"| {table} | {row['temperature']:.3f} | " + " | ".join(
            f"{row[name + more]:.4f}" for more in ("", "_boosting") for name in names
        ) + " |")  # fmt: skip
    counts = []
    for name in ("ece", "log_loss"):
        good = int((both[f"{name}_after"] <= both[f"{name}_before"] + 1e-6).sum())
        better = int((both[f"{name}_after"] <= both[f"{name}_after_boosting"]).sum())
        counts.append(
            f"{name}: not higher after than before on {good} of {len(both)} tables, not higher "
            f"than calibrated boosting's on {better}"
        )
    return "\n".join([*lines, "", *counts])
