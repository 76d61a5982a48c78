"""Counts and positive numbers: the mean deviance of test rows, by families of scikit-learn.

`linear` is `PoissonRegressor`, `GammaRegressor` or `TweedieRegressor(power=1.5)`, whose penalty is
chosen by five folds; `boosting` is boosted trees with the loss of the family, Poisson for Tweedie.
"""

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import GammaRegressor, PoissonRegressor, TweedieRegressor
from sklearn.metrics import make_scorer, mean_tweedie_deviance
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from benchmarks.tabular.ours import noted
from benchmarks.tabular.systems import dense, divided, ordinal

OURS = ("adaptive_nets",)
SYSTEMS = ("linear", "boosting", *OURS)
POWERS = {"poisson": 1.0, "gamma": 2.0, "tweedie": 1.5}
# Table, seconds and systems of the quick mode.
QUICK = ("claims_number poisson", 2.0, SYSTEMS)
_LEAST = 1e-9


def name_of(table):
    """The table's name for `tasks.load`: the second word is the loss."""
    return table.partition(" ")[0]


def tables(data_dir):
    """Tables with losses."""
    claims = ["claims_number poisson", "claims_amount tweedie"]
    if data_dir is None:
        return claims
    real = ["bike_hour poisson", "insurance gamma", "deliveries gamma"]
    return [*real, *claims, "bike_hour gamma", "insurance tweedie"]


def suits(system, table, data_dir):
    """Whether a system is run on a table."""
    return True


def fit(system, table, split, seconds, seed):
    """Fits a system; returns a function that measures it on the test rows."""
    loss = table.partition(" ")[2]
    fitted = {"linear": _linear, "boosting": _boosting, "adaptive_nets": _ours}[system]
    predict, note = fitted(loss, split, seconds, seed)
    x, y = divided(split, split.test)

    def measure():
        predicted = np.maximum(predict(x), _LEAST)
        found = mean_tweedie_deviance(y.astype("float64"), predicted, power=POWERS[loss])
        return {"deviance": float(found), **note}

    return measure


def _ours(loss, split, seconds, seed):
    import adaptive_nets as an

    model = an.AutoRegressor(loss=loss, time_limit=seconds, seed=seed, verbose=0)
    model.fit(split.train, split.target)
    return lambda x: model.predict(x).astype("float64"), noted(model)


def _linear(loss, split, seconds, seed):
    kinds = {
        "poisson": PoissonRegressor(max_iter=1000),
        "gamma": GammaRegressor(max_iter=1000),
        "tweedie": TweedieRegressor(power=1.5, link="log", max_iter=1000),
    }

    def scored(y, predicted):
        return mean_tweedie_deviance(y, np.maximum(predicted, _LEAST), power=POWERS[loss])

    scorer = make_scorer(scored, greater_is_better=False)
    search = GridSearchCV(kinds[loss], {"alpha": np.logspace(-4, 1, 6)}, scoring=scorer)
    x, y = divided(split, split.train)
    return make_pipeline(dense(split.train, split.target), search).fit(x, y).predict, {}


def _boosting(loss, split, seconds, seed):
    encode, categories = ordinal(split.train, split.target)
    model = HistGradientBoostingRegressor(
        loss="gamma" if loss == "gamma" else "poisson", categorical_features=categories,
        random_state=seed,
    )  # fmt: skip
    x, y = divided(split, split.train)
    model.fit(encode.fit_transform(x), y)
    return lambda rows: model.predict(encode.transform(rows)), {}


def show(results):
    """Mean deviances, one row a table."""
    found = pd.DataFrame(results).pivot_table("deviance", "table", "system")
    names = [name for name in ("adaptive_nets", "boosting", "linear") if name in found]
    lines = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    lines += [
        f"| {table} | " + " | ".join(f"{row[name]:.4g}" for name in names) + " |"
        for table, row in found.iterrows()
    ]
    return "\n".join(lines)
