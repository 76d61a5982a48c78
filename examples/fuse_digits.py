"""Two networks trained apart, fused into one that starts as their mean, then fine-tuned.

    python examples/fuse_digits.py [--epochs=10] [--seeds=3]

The data is scikit-learn's digits, half for testing. The table shows the test accuracy and loss of
both sources, of the fused network before it is trained, and after one epoch of fine-tuning, beside
one source's further epoch. A grown network wants a lower rate than a new one: 3e-4 after 1e-3.
"""

import argparse

import keras
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import adaptive_nets as an


def network(learning_rate: float = 1e-3) -> keras.Model:
    """A small classifier."""
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(32, "relu", name="first"),
            keras.layers.Dense(32, "relu", name="second"),
            keras.layers.Dense(10, name="logits"),
        ]
    )
    return compiled(model, learning_rate)


def compiled(model: keras.Model, learning_rate: float) -> keras.Model:
    """The model, ready to train."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(learning_rate), loss, metrics=["accuracy"])
    return model


def main(epochs: int, seeds: int) -> pd.DataFrame:
    """Trains, fuses, fine-tunes; returns a row a seed."""
    x, y = load_digits(return_X_y=True)
    x, x_test, y, y_test = train_test_split(
        (x / 16).astype("float32"), y, test_size=0.5, random_state=1, stratify=y
    )

    def measured(model: keras.Model) -> str:
        loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
        return f"{accuracy:.4f} ({loss:.3f})"

    rows = []
    for seed in range(seeds):
        sources = []
        for number in range(2):
            keras.utils.set_random_seed(10 * seed + number)
            source = network()
            source.fit(x, y, epochs=epochs, batch_size=32, verbose=0)
            sources.append(source)
        fused = compiled(an.growth.fuse(sources, seed=seed), 3e-4)
        mean = sum(np.array(source(x_test)) for source in sources) / 2
        gap = float(np.abs(np.array(fused(x_test)) - mean).max() / np.abs(mean).max())
        row = {
            "seed": seed,
            "first": measured(sources[0]),
            "second": measured(sources[1]),
            "gap": gap,
            "fused": measured(fused),
        }
        fused.fit(x, y, epochs=1, batch_size=32, verbose=0)
        row["fine-tuned"] = measured(fused)
        sources[0].fit(x, y, epochs=1, batch_size=32, verbose=0)
        row["first, one epoch more"] = measured(sources[0])
        rows.append(row)
    table = pd.DataFrame(rows)
    print(table.to_string(index=False, float_format=lambda value: f"{value:.1e}"))
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10, help="of each source")
    parser.add_argument("--seeds", type=int, default=3, help="repetitions")
    given = parser.parse_args()
    main(given.epochs, given.seeds)
