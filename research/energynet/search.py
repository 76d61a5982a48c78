"""AdaNet on digits with candidates of learnt structure, and with plain ones, for as many steps.

python research/energynet/search.py
python research/energynet/search.py --quick    # seconds: shows that it runs, writes nothing
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import json
import pathlib
import time

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import adaptive_nets as an

HERE = pathlib.Path(__file__).resolve().parent
BEGIN, END = "<!-- table: search.py -->", "<!-- end of the search's table -->"
SEEDS = (0, 1, 2, 3, 4)
GENERATORS = {
    "Dense(), width 64": an.generators.Dense,
    "Energy(init='random')": lambda **settings: an.generators.Energy(init="random", **settings),
    "Energy(init='energy')": lambda **settings: an.generators.Energy(init="energy", **settings),
}
SETTINGS = {"max_iterations": 3, "steps_per_iteration": 500}
QUICK = {"max_iterations": 1, "steps_per_iteration": 5}


def measured(generator, seed, settings):
    """One search: test accuracy, parameters of the ensemble, seconds."""
    x, y = load_digits(return_X_y=True)
    x, x_test, y, y_test = train_test_split(x, y, test_size=0.5, random_state=seed, stratify=y)
    head = an.heads.MultiClass(10)
    search = an.AdaNet(head, generator, force_grow=True, seed=seed, **settings)
    began = time.perf_counter()
    search.fit(x, y, verbose=0)
    accuracy = float(search.evaluate(x_test, y_test)["accuracy"])
    found = {"accuracy": accuracy, "parameters": search.ensemble.parameters}
    return {**found, "seconds": round(time.perf_counter() - began, 1)}


def table(results):
    """As Markdown: mean and standard error over seeds."""
    head = ("candidates", "test accuracy", "minus Dense, by seed", "parameters", "seconds")
    rows = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    base = np.array([each["accuracy"] for each in results["Dense(), width 64"]])
    for name, found in results.items():
        values = np.array([each["accuracy"] for each in found])
        cells = [name]
        for each, sign in ((values, ""), (values - base, "+")):
            error = each.std(ddof=1) / np.sqrt(len(each)) if len(each) > 1 else np.nan
            cells.append(f"{each.mean():{sign}.4f} ± {error:.4f}")
        cells.append(f"{np.mean([each['parameters'] for each in found]):,.0f}")
        cells.append(f"{np.mean([each['seconds'] for each in found]):.0f}")
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def quick():
    """A search of one short round with the first and the last of the generators."""
    names = ("Dense(), width 64", "Energy(init='energy')")
    options = ({}, {"max_layers": 1, "max_units": 8, "steps": 5})
    results = {
        name: [measured(GENERATORS[name](**each), 0, QUICK)]
        for name, each in zip(names, options, strict=True)
    }
    print(table(results))
    return results


def main(argv=None):
    """Runs all searches, writes README.md's table, and returns the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="seconds: only shows that it runs")
    if parser.parse_args(argv).quick:
        return quick()
    results = {
        name: [measured(make(), seed, SETTINGS) for seed in SEEDS]
        for name, make in GENERATORS.items()
    }
    (HERE / "search.json").write_text(json.dumps(results, indent=1) + "\n")
    readme = HERE / "README.md"
    start, rest = readme.read_text().split(BEGIN)
    readme.write_text(f"{start}{BEGIN}\n\n{table(results)}\n\n{END}{rest.split(END)[1]}")
    return results


if __name__ == "__main__":
    main()
