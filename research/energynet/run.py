"""Do learnt widths follow the data's complexity? On sets of graded complexity, and their controls.

python research/energynet/run.py                      # digits, bars and stripes
python research/energynet/run.py --data_dir FOLDER    # MNIST as well, from FOLDER/mnist
python research/energynet/run.py --quick              # seconds: shows that it runs, writes nothing

Each machine is trained on rows, and another on the same rows with each feature shuffled on its own,
of which there is nothing to learn but means. The settings are the same for all sets and seeds.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import itertools
import json
import pathlib
import time

import numpy as np
from sklearn.datasets import load_digits

from adaptive_nets.energy import EnergyNet

HERE = pathlib.Path(__file__).resolve().parent
BEGIN, END = "<!-- table: run.py -->", "<!-- end of table -->"
ROWS, SEEDS = 1000, (0, 1, 2)
SETTINGS = {"max_layers": 1, "max_units": 256, "steps": 2000, "gibbs_steps": 3}
QUICK = {**SETTINGS, "max_units": 8, "steps": 10, "gibbs_steps": 1}


def bars_and_stripes(size, rng):
    """Images of full rows or full columns, drawn with equal chances."""
    lines = np.array(list(itertools.product((0.0, 1.0), repeat=size)), "float32")
    rows = np.repeat(lines[:, :, None], size, axis=2)
    both = np.concatenate([rows, rows.transpose(0, 2, 1)]).reshape(-1, size * size)
    known = np.unique(both, axis=0)
    return known[rng.integers(0, len(known), ROWS)]


def classes(x, y, count, rows, rng):
    """As many rows of the first classes."""
    chosen = np.flatnonzero(y < count)
    return x[rng.choice(chosen, min(rows, len(chosen)), replace=False)]


def sets(data_dir, seed):
    """Rows by name; those of a group are of rising complexity."""
    rng = np.random.default_rng(seed)
    found = {f"bars and stripes, {size} lines": bars_and_stripes(size, rng) for size in (2, 3, 4)}
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype("float32")
    for count in (1, 3, 10):
        found[f"digits, 170 rows, {count} classes"] = classes(x, y, count, 170, rng)
    if data_dir:
        with np.load(pathlib.Path(data_dir, "mnist", "mnist.npz")) as data:
            images, labels = data["train_x"], data["train_y"]
        images = (images.reshape(len(images), -1) / 255).astype("float32")
        for count in (1, 3, 10):
            found[f"MNIST, {ROWS:,} rows, {count} classes"] = classes(
                images, labels, count, ROWS, rng
            )
    return found


def measured(rows, seed, settings):
    """What one machine found, and its control."""
    (layer,) = EnergyNet(control=True, seed=seed, **settings).fit(rows).layers
    return {"raw": layer.raw, "width": layer.width, "gain": layer.gain,
            "control": layer.control_width, "control_gain": layer.control_gain}  # fmt: skip


def table(results):
    """As Markdown: mean and range over seeds."""
    head = ("rows", "units trained", "units needed", "gain, nats", "needed, shuffled", "its gain")
    rows = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name, found in results.items():
        cells = []
        for key, digits in (
            ("raw", 0),
            ("width", 0),
            ("gain", 2),
            ("control", 0),
            ("control_gain", 2),
        ):
            values = [each[key] for each in found]
            low, mean, high = (f"{f(values):.{digits}f}" for f in (min, np.mean, max))
            cells.append(f"{mean} ({low} to {high})")
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)


def quick():
    """A machine of a few units and its control, for a few steps."""
    name = "bars and stripes, 2 lines"
    found = {name: [measured(sets(None, 0)[name], 0, QUICK)]}
    print(table(found))
    return found


def main(argv=None):
    """Runs what is not done yet, writes README.md's table, and returns the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir")
    parser.add_argument("--quick", action="store_true", help="seconds: only shows that it runs")
    given = parser.parse_args(argv)
    if given.quick:
        return quick()
    path = HERE / "results.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    for seed in SEEDS:
        for name, rows in sets(given.data_dir, seed).items():
            done = results.setdefault(name, [])
            if len(done) == SEEDS.index(seed):
                began = time.perf_counter()
                done.append(measured(rows, seed, SETTINGS))
                print(name, seed, done[-1], round(time.perf_counter() - began, 1), flush=True)
                path.write_text(json.dumps(results, indent=1) + "\n")
    readme = HERE / "README.md"
    start, rest = readme.read_text().split(BEGIN)
    readme.write_text(f"{start}{BEGIN}\n\n{table(results)}\n\n{END}{rest.split(END)[1]}")
    return results


if __name__ == "__main__":
    main()
