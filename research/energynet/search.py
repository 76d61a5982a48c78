"""AdaNet on digits with candidates of learnt structure, and with plain ones, for as many steps.

python research/energynet/search.py
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

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
    "Dense(), width 64": lambda: an.generators.Dense(),
    "Energy(init='random')": lambda: an.generators.Energy(init="random"),
    "Energy(init='energy')": lambda: an.generators.Energy(init="energy"),
}


def measured(make, seed):
    """One search: test accuracy, parameters of the ensemble, seconds."""
    x, y = load_digits(return_X_y=True)
    x, x_test, y, y_test = train_test_split(x, y, test_size=0.5, random_state=seed, stratify=y)
    search = an.AdaNet(
        an.heads.MultiClass(10), make(), max_iterations=3, steps_per_iteration=500,
        force_grow=True, seed=seed,
    )  # fmt: skip
    began = time.perf_counter()
    search.fit(x, y, verbose=0)
    accuracy = float(search.evaluate(x_test, y_test)["accuracy"])
    found = {"accuracy": accuracy, "parameters": search.ensemble.parameters}
    return {**found, "seconds": round(time.perf_counter() - began, 1)}


def main():
    """Runs all searches, and writes README.md's table."""
    results = {name: [measured(make, s) for s in SEEDS] for name, make in GENERATORS.items()}
    (HERE / "search.json").write_text(json.dumps(results, indent=1) + "\n")
    head = ("candidates", "test accuracy", "minus Dense, by seed", "parameters", "seconds")
    rows = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    base = np.array([each["accuracy"] for each in results["Dense(), width 64"]])
    for name, found in results.items():
        values = np.array([each["accuracy"] for each in found])
        cells = [name]
        for each, sign in ((values, ""), (values - base, "+")):
            error = each.std(ddof=1) / np.sqrt(len(each))
            cells.append(f"{each.mean():{sign}.4f} ± {error:.4f}")
        cells.append(f"{np.mean([each['parameters'] for each in found]):,.0f}")
        cells.append(f"{np.mean([each['seconds'] for each in found]):.0f}")
        rows.append(f"| {' | '.join(cells)} |")
    readme = HERE / "README.md"
    start, rest = readme.read_text().split(BEGIN)
    table = "\n".join(rows)
    readme.write_text(f"{start}{BEGIN}\n\n{table}\n\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
