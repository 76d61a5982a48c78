"""Intervals of predicted numbers: how often they hold the value, and how wide they are.

`mean` and `quantiles` are `AutoRegressor(output=...)`, `quantiles_in_time` holds the last rows out,
and `quantiles_folds` has five folds, whose networks tell of the training rows as well.
`boosting` is conformalized quantile regression (Romano et al., 2019) of scikit-learn's boosted
trees: two quantiles for each coverage, and as many rows held out to correct them as
`adaptive_nets` holds out.
"""

import json
import math

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import train_test_split

from benchmarks.tabular import tasks
from benchmarks.tabular.ours import noted
from benchmarks.tabular.systems import divided, ordinal

COVERAGES = (0.8, 0.95)
OURS = ("quantiles", "mean", "quantiles_in_time", "quantiles_folds")
SYSTEMS = ("boosting", *OURS)
# Table, seconds and systems of the quick mode.
QUICK = ("diabetes", 2.0, SYSTEMS[:3])


def name_of(table):
    """The table's name for `tasks.load`."""
    return table


def times(data_dir):
    """From tables that are split by time to the column that says when."""
    if data_dir is None:
        return {}
    about = json.loads((data_dir / "tables" / "tables.json").read_text(encoding="utf-8"))
    return {k: v["split_by_time"] for k, v in about.items() if "split_by_time" in v}


def tables(data_dir):
    """Names of the tables: all regressions, those that are split by time last."""
    found = [name for name in tasks.names(data_dir) if tasks.kind(name, data_dir) == "regression"]
    return sorted(found, key=lambda name: name in times(data_dir))


def suits(system, table, data_dir):
    """Whether a system is run on a table."""
    return system != "quantiles_in_time" or table in times(data_dir)


def fit(system, table, split, seconds, seed):
    """Fits a system; returns a function that measures it on the test rows."""
    fitted = _boosting if system == "boosting" else _ours
    interval, held, note = fitted(system, split, seconds, seed)
    x, y = divided(split, split.test)

    def measure():
        figures = {"train": len(split.train), "held": held, "test": len(y), "when": split.when}
        figures |= note
        for coverage in COVERAGES:
            lower, upper = interval(x, coverage)
            name = f"{100 * coverage:g}"
            figures[f"coverage_{name}"] = float(np.mean((lower <= y) & (y <= upper)))
            figures[f"width_{name}"] = float(np.mean(upper - lower))
        return figures

    return measure


def _ours(system, split, seconds, seed):
    import adaptive_nets as an

    output, _, how = system.partition("_")
    more = {"time": split.when} if how == "in_time" else {}
    folds = 5 if how == "folds" else None
    model = an.AutoRegressor(output=output, folds=folds, time_limit=seconds, seed=seed, verbose=0)
    model.fit(split.train, split.target, **more)
    held = round(len(split.train) * _held_share(len(split.train)))

    def interval(x, coverage):
        return model.predict_interval(x, coverage).T

    return interval, held, noted(model)


def _held_share(rows):
    from adaptive_nets.automl.judging.splits import held_out_fraction

    return held_out_fraction(rows)


def _boosting(system, split, seconds, seed):
    """Quantiles are crossed by none of the rows afterwards: ends that have meet in their middle."""
    held = round(len(split.train) * _held_share(len(split.train)))
    train, calibrate = train_test_split(split.train, test_size=held, random_state=seed)
    encode, categories = ordinal(train, split.target)
    x, y = divided(split, train)
    x = encode.fit_transform(x)
    held_x, held_y = divided(split, calibrate)
    held_x = encode.transform(held_x)
    fitted = {}
    for coverage in COVERAGES:
        ends = [
            HistGradientBoostingRegressor(
                loss="quantile", quantile=level, categorical_features=categories, random_state=seed
            ).fit(x, y)
            for level in ((1 - coverage) / 2, (1 + coverage) / 2)
        ]
        low, high = (end.predict(held_x) for end in ends)
        outside = np.sort(np.maximum(low - held_y, held_y - high))
        fitted[coverage] = ends, outside[min(held, math.ceil((held + 1) * coverage)) - 1]

    def interval(rows, coverage):
        (low, high), width = fitted[coverage]
        rows = encode.transform(rows)
        lower, upper = low.predict(rows) - width, high.predict(rows) + width
        middle = (lower + upper) / 2
        return np.minimum(lower, middle), np.maximum(upper, middle)

    return interval, held, {}


def error(coverage, result):
    """The standard error of a measured coverage, by the test rows and by those held out."""
    return math.sqrt(coverage * (1 - coverage) * (1 / result["test"] + 1 / result["held"]))


def show(results):
    """One row a table: measured coverages, with a star beyond two standard errors, and widths."""
    lines = []
    for coverage in COVERAGES:
        name = f"{100 * coverage:g}"
        systems = [s for s in SYSTEMS if s in {r["system"] for r in results}]
        lines += [
            "",
            f"| {name} % | " + " | ".join(systems) + " | width / boosting's: quantiles | mean |",
            "|---" * (len(systems) + 3) + "|",
        ]
        found = {}
        for each in results:
            found.setdefault(each["table"], {}).setdefault(each["system"], []).append(each)
        for table in sorted(found, key=lambda t: (found[t]["boosting"][0]["when"] is not None, t)):
            here, cells = found[table], []
            for system in systems:
                cells.append(_coverage(here.get(system), coverage, name))
            for system in ("quantiles", "mean"):
                cells.append(_ratio(here, system, f"width_{name}"))
            when = here["boosting"][0]["when"]
            lines.append(f"| {table}{', in time' if when else ''} | " + " | ".join(cells) + " |")
    return "\n".join(lines[1:])


def _coverage(results, coverage, name):
    if not results:
        return "-"
    value = np.mean([r[f"coverage_{name}"] for r in results])
    off = abs(value - coverage) > 2 * error(coverage, results[0]) / math.sqrt(len(results))
    return f"{100 * value:.1f}{'*' if off else ''}"


def _ratio(here, system, name):
    pairs = {r["seed"]: r[name] for r in here["boosting"]}
    found = [r[name] / pairs[r["seed"]] for r in here.get(system, []) if r["seed"] in pairs]
    return f"{np.exp(np.mean(np.log(found))):.2f}" if found else "-"
