"""Settings of RealMLP, chosen by TPE, by chance, or left as they are, in the same time.

`tpe` and `random` are `generators.Tuned` over its space for RealMLP; `usual` tries in every round
the settings that it begins with elsewhere. All are candidates of the same search.
"""

import numpy as np
import pandas as pd

from benchmarks.tabular.measures import in_order, measure
from benchmarks.tabular.systems import divided

SYSTEMS = OURS = ("tpe", "random", "usual")
# Table, seconds and systems of the quick mode.
QUICK = ("mixed", 8.0, SYSTEMS[:1])
_TABLES = ("phoneme", "california_housing", "concrete", "spambase", "abalone", "wine_quality")


def name_of(table):
    """The table's name for `tasks.load`."""
    return table


def tables(data_dir):
    """Names of the tables: six of few to many rows, of classes and of numbers."""
    return [QUICK[0]] if data_dir is None else list(_TABLES)


def suits(system, table, data_dir):
    """Whether a system is run on a table."""
    return True


def _generator(system, seed):
    import adaptive_nets as an

    if system != "usual":
        return an.generators.Tuned(sampler=system, seed=seed)

    class Usual(an.generators.Tabular):
        """Proposes the same in every round."""

        def generate(self, previous, iteration, reports):
            return super().generate(None, 1, [])

    return Usual(["realmlp"])


def fit(system, table, split, seconds, seed):
    """Fits a search; returns a function that measures it on the test rows."""
    import adaptive_nets as an

    kind = an.AutoRegressor if split.classes is None else an.AutoClassifier
    model = kind(
        generator=_generator(system, seed), time_limit=seconds, seed=seed, verbose=0
    ).fit(split.train, split.target)  # fmt: skip
    x, y = divided(split, split.test)

    def measured():
        if split.classes is None:
            predicted = model.predict(x)
        else:
            predicted = in_order(model.predict_proba(x), model.classes_, split.classes)
        # In too little time there is no search.
        reports = model.search_.state.reports if hasattr(model, "search_") else []
        return {
            **measure(split.task, y, predicted, split.classes),
            "candidates": len(reports),
            "rounds": max((report.iteration for report in reports), default=0),
            "ended": model.stop_reason_,
        }

    return measured


def show(results):
    """Losses by table, and paired ratios to `usual` with their standard error."""
    frame = pd.DataFrame(results)
    found = frame.pivot_table("loss", ["table", "seed", "seconds"], "system")
    names = [name for name in SYSTEMS if name in found]
    lines = ["| | " + " | ".join(names) + " | candidates |", "|---" * (len(names) + 2) + "|"]
    tried = frame.pivot_table("candidates", "table", "system")
    for table, row in found.groupby("table").mean().iterrows():
        numbers = " / ".join(f"{tried.loc[table, name]:.0f}" for name in names)
        cells = " | ".join(f"{row[name]:.4g}" for name in names)
        lines.append(f"| {table} | {cells} | {numbers} |")
    for one, other in (("tpe", "random"), ("tpe", "usual"), ("random", "usual")):
        if one in found and other in found:
            logs = np.log((found[one] / found[other]).dropna())
            error = logs.std() / np.sqrt(len(logs))
            lines += [
                "",
                f"{one} / {other}: {np.exp(logs.mean()):.3f}, standard error of its logarithm "
                f"{error:.3f}, lower on {(logs < 0).sum()} of {len(logs)}",
            ]
    return "\n".join(lines)
