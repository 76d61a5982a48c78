"""Held-out likelihoods of machines of 500 units and of infinitely many, beside published ones.

python research/energynet/likelihood.py --data_dir FOLDER    # with binarized_mnist, caltech101_...
python research/energynet/likelihood.py --quick              # seconds: shows that it runs

Eight machines are trained for as many steps each, half an hour in all on two cores. A machine that
is done is in likelihood.json, and is not trained again.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import io
import json
import pathlib
import time

import keras
import matplotlib
import numpy as np

import adaptive_nets as an

matplotlib.use("Agg")
import matplotlib.pyplot as plt

HERE = pathlib.Path(__file__).resolve().parent
BEGIN, END = "<!-- table: likelihood.py -->", "<!-- end of the likelihoods' table -->"
STEPS, LOOKS = 4200, 6
SHARED = {"gibbs_steps": 10, "seed": 0}
# Chains and temperatures that the partition function is estimated with: on the way, at the end.
AIS = ((256, 500), (512, 4000))
MACHINES = {
    "RBM, 500 units": lambda: an.energy.RBM(500, **SHARED),
    "ordered, 500 units": lambda: an.energy.OrderedRBM(500, 1.01, **SHARED),
    "infinite": lambda: an.energy.InfiniteRBM(1.01, capacity=512, **SHARED),
    "infinite, regrouped, at most 500 units": lambda: an.energy.InfiniteRBM(
        1.01, max_units=500, capacity=500, regroup=True, **SHARED
    ),
}
# Negative log-likelihoods in nats: Côté, Larochelle, arXiv 1502.02476, tables 1 and 2.
PUBLISHED = {
    "binarised MNIST": {"RBM, 500 units": 86.5, "ordered, 500 units": 88.15, "infinite": 85.65},
    "Caltech-101 silhouettes": {
        "RBM, 500 units": 119.05,
        "ordered, 500 units": 114.99,
        "infinite": 121.47,
    },
}


def sets(data_dir):
    """Rows for training and for testing, by name."""
    with np.load(pathlib.Path(data_dir, "binarized_mnist", "binarized_mnist.npz")) as found:
        bits = [np.unpackbits(found[f"{part}_bits"], axis=1)[:, :784] for part in ("train", "test")]
    name = "caltech101_silhouettes"
    with np.load(pathlib.Path(data_dir, name, f"{name}.npz")) as found:
        images = [found[f"{part}_x"].reshape(-1, 784) for part in ("train", "test")]
    return {
        "binarised MNIST": (bits[0][:10_000].astype("float32"), bits[1].astype("float32")),
        "Caltech-101 silhouettes": tuple(each.astype("float32") for each in images),
    }


class Curve(keras.callbacks.Callback):
    """Looks at the likelihood of held-out rows now and then, outside the time of training."""

    def __init__(self, rows, steps, ais):
        super().__init__()
        self.rows, self.steps, self.ais = rows, steps, ais
        self.points, self.looking = [], 0.0

    def on_epoch_end(self, epoch, logs=None):
        began = time.perf_counter()
        chains, temperatures = self.ais[epoch == LOOKS - 1]
        found = self.model.log_likelihood(
            self.rows, "ais", chains=chains, temperatures=temperatures
        )
        steps = (epoch + 1) * (self.steps // LOOKS)
        self.points.append([steps, -found.mean, -found.high, -found.low, self.model.n_units])
        self.looking += time.perf_counter() - began


def measured(make, rows, held_out, steps=STEPS, ais=AIS):
    """One machine: its curve, units and seconds."""
    began = time.perf_counter()
    model, curve = make(), Curve(held_out, steps, ais)
    model.adapt(rows)
    model.compile(keras.optimizers.Adagrad(0.03), steps_per_execution=10)
    rng = np.random.default_rng(0)

    def batches():
        while True:
            for chosen in np.array_split(rng.permutation(len(rows)), len(rows) // 64):
                yield (rows[chosen[:64]],)

    model.fit(batches(), steps_per_epoch=steps // LOOKS, epochs=LOOKS, verbose=0, callbacks=[curve])
    training = time.perf_counter() - began - curve.looking
    return {"curve": curve.points, "training": training, "looking": curve.looking}


def cell(point):
    """A negative log-likelihood and the half of its interval."""
    _, mean, low, high, _ = point
    return f"{mean:.2f} ({low:.2f} to {high:.2f})"


def table(results):
    """As Markdown."""
    head = ("rows", "machine", "negative log-likelihood, nats", "published", "a third of the steps")
    head += ("half", "units", "seconds of training")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for data, machines in results.items():
        for name, found in machines.items():
            curve, known = found["curve"], PUBLISHED.get(data, {}).get(name)
            cells = [data, name, cell(curve[-1]), "" if known is None else f"{known:.2f}"]
            cells += [f"{curve[LOOKS // 3 - 1][1]:.1f}", f"{curve[LOOKS // 2 - 1][1]:.1f}"]
            cells += [str(curve[-1][4]), f"{found['training']:.0f}"]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def plot(results, path):
    """The learning curves."""
    figure, axes = plt.subplots(1, len(results), figsize=(10, 4), squeeze=False)
    for axis, (data, machines) in zip(axes[0], results.items(), strict=True):
        for name, found in machines.items():
            steps, means = np.array(found["curve"])[:, :2].T
            axis.plot(steps, means, marker="o", label=name)
        axis.set(title=data, xlabel="steps of 64 rows", ylabel="negative log-likelihood, nats")
        axis.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    plt.close(figure)


def quick():
    """A machine of a few units, on rows of chance."""
    x = (np.random.default_rng(0).random((192, 16)) < 0.3).astype("float32")
    settings = {"max_units": 8, "capacity": 8, "regroup": True, "gibbs_steps": 1, "seed": 0}
    ais = ((8, 5), (16, 10))
    machine = measured(lambda: an.energy.InfiniteRBM(1.01, **settings), x[:128], x[128:], 12, ais)
    found = {"infinite, regrouped": machine}
    print(table({"rows of chance": found}))
    plot({"rows of chance": found}, io.BytesIO())
    return {"rows of chance": found}


def main(argv=None):
    """Trains what is not trained yet, writes README.md's table and plot; returns the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", help="needed, except for --quick")
    parser.add_argument("--quick", action="store_true", help="seconds: only shows that it runs")
    given = parser.parse_args(argv)
    if given.quick:
        return quick()
    if given.data_dir is None:
        parser.error("--data_dir is needed")
    path = HERE / "likelihood.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    for data, (rows, held_out) in sets(given.data_dir).items():
        for name, make in MACHINES.items():
            done = results.setdefault(data, {})
            if name not in done:
                done[name] = measured(make, rows, held_out)
                print(data, name, done[name], flush=True)
                path.write_text(json.dumps(results, indent=1) + "\n")
    readme = HERE / "README.md"
    start, rest = readme.read_text().split(BEGIN)
    readme.write_text(f"{start}{BEGIN}\n\n{table(results)}\n\n{END}{rest.split(END)[1]}")
    plot(results, HERE / "likelihood.png")
    return results


if __name__ == "__main__":
    main()
