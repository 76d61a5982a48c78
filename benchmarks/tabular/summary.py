"""Results of all systems in one table."""

import numpy as np
import pandas as pd

from benchmarks.tabular.systems import TIMED

# What losses are compared with.
BASE = "hist_gradient_boosting"


def losses(results: list[dict]) -> pd.DataFrame:
    """Mean loss by table and system; a system that is given a time has a column for each."""
    frame = pd.DataFrame(results)
    timed = frame["system"].str.partition(":")[0].isin(TIMED)
    names = frame["system"] + np.where(timed, frame["seconds"].map(" {:g} s".format), "")
    return frame.assign(system=names).pivot_table("loss", "table", "system")


def figures(results: list[dict]) -> pd.DataFrame:
    """Figures over all tables, one row a system, the best first.

    `rank` is the mean rank among the systems; `ratio` is the geometric mean of the loss divided by
    boosting's, and `better` the share of tables on which it is lower; `seconds` are medians.
    """
    found = losses(results)
    ratios = found.div(found[BASE], axis=0)
    taken = pd.DataFrame(results).groupby("system")["taken"].median()
    rows = {
        name: {
            "tables": int(found[name].notna().sum()),
            "rank": found.dropna().rank(axis=1)[name].mean(),
            "ratio": float(np.exp(np.log(ratios[name].dropna()).mean())),
            "better": float((ratios[name].dropna() < 1).mean()),
            "seconds": taken[name.partition(" ")[0]],
        }
        for name in found
    }
    return pd.DataFrame(rows).T.sort_values("rank")


def table(results: list[dict]) -> str:
    """Losses by table, then the figures, as text."""
    if not results:
        return "no results"
    shown = losses(results).to_string(float_format="{:.4g}".format)
    return f"{shown}\n\n{figures(results).to_string(float_format='{:.3g}'.format)}"
