"""Results of all systems in one table."""

import numpy as np
import pandas as pd

from benchmarks.tabular.ablation import FULL, VARIANTS
from benchmarks.tabular.systems import TIMED

# What losses are compared with.
BASE = "hist_gradient_boosting"


def losses(results: list[dict]) -> pd.DataFrame:
    """Loss by table, split and system; a system that is given a time has a column for each."""
    frame = pd.DataFrame(results)
    timed = frame["system"].str.partition(":")[0].isin(TIMED)
    names = frame["system"] + np.where(timed, frame["seconds"].map(" {:g} s".format), "")
    return frame.assign(system=names).pivot_table("loss", ["table", "seed"], "system")


def figures(results: list[dict]) -> pd.DataFrame:
    """Figures over all splits of tables, one row a system, the best first.

    `rank` is the mean rank among the systems on splits that all of them have; `ratio` is the
    geometric mean of the loss divided by boosting's (without it, by the first system's), and
    `better` the share of splits on which it is lower; `seconds` are medians.
    """
    found = losses(results)
    base = BASE if BASE in found else found.columns[0]
    ratios = found.div(found[base], axis=0)
    taken = pd.DataFrame(results).groupby("system")["taken"].median()
    rows = {
        name: {
            "splits": int(found[name].notna().sum()),
            "rank": found.dropna().rank(axis=1)[name].mean(),
            "ratio": float(np.exp(np.log(ratios[name].dropna()).mean())),
            "better": float((ratios[name].dropna() < 1).mean()),
            "seconds": taken[name.partition(" ")[0]],
        }
        for name in found
    }
    return pd.DataFrame(rows).T.sort_values("rank")


def table(results: list[dict]) -> str:
    """Mean losses by table, then the figures, as text."""
    if not results:
        return "no results"
    means = losses(results).groupby("table").mean()
    shown = means.to_string(float_format="{:.4g}".format)
    return f"{shown}\n\n{figures(results).to_string(float_format='{:.3g}'.format)}"


def paired(results: list[dict]) -> pd.DataFrame:
    """Losses of variants beside those of the full system on the same split and in the same time.

    One row a variant, the most harmful first. `ratio` is the geometric mean of the variant's loss
    divided by the full system's: above 1, the variant is worse. `error` is the standard error of
    its logarithm over the pairs; `worse` and `better` count pairs.
    """
    frame = pd.DataFrame(results).pivot_table("loss", ["table", "seed", "seconds"], "system")
    rows = {}
    for name, about in VARIANTS.items():
        if f"{FULL}:{name}" not in frame:
            continue
        logs = np.log((frame[f"{FULL}:{name}"] / frame[FULL]).dropna())
        rows[name] = {
            "what": about.about,
            "ratio": float(np.exp(logs.mean())),
            "error": float(logs.std() / np.sqrt(len(logs))),
            "worse": int((logs > 0).sum()),
            "better": int((logs < 0).sum()),
        }
    return pd.DataFrame(rows).T.sort_values("ratio", ascending=False)


def ablation(results: list[dict]) -> str:
    """The paired figures as the Markdown table of the README."""
    if FULL not in {result["system"] for result in results}:
        return "no results"
    lines = ["| | loss / full system's | standard error | worse : better |", "|---|---|---|---|"]
    for name, row in paired(results).iterrows():
        error = "-" if np.isnan(row["error"]) else f"{row['error']:.3f}"
        counts = f"{row['worse']} : {row['better']}"
        lines.append(f"| `{name}`: {row['what']} | {row['ratio']:.3f} | {error} | {counts} |")
    return "\n".join(lines)
