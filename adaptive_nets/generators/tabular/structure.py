"""Widths and depth of a network, learnt from a table without labels."""

import pathlib
from typing import Any

import keras
import numpy as np

from adaptive_nets._pieces import choose_rows
from adaptive_nets.energy import EnergyNet
from adaptive_nets.generators.tabular.columns import ONE_HOT, read_numbers
from adaptive_nets.generators.tabular.layers import OneHot
from adaptive_nets.generators.tabular.statistics import TableStatistics, named_features

# Rows and steps that are learnt from, and the widest layer.
ROWS, STEPS, MOST_UNITS = 10_000, 1000, 512


def learn_widths(
    features: Any, known: TableStatistics, folder: pathlib.Path | None, seed: int
) -> tuple[int, ...] | None:
    """Returns the widths of an `EnergyNet` of numbers and of categories with few values.

    Args:
        features: Training rows, as for `named_features`.
        known: What is known of them.
        folder: Folder in which to cache the layers, or `None`.
        seed: Seed of the sample and of the net.

    Returns:
        The widths, or `None` if the table has no such columns or no structure.
    """
    named = named_features(features)
    rows = len(next(iter(named.values())))
    order = np.sort(np.random.default_rng(seed).permutation(rows)[:ROWS])
    some = {name: np.asarray(choose_rows(each, order)) for name, each in named.items()}
    parts = []
    if "numbers" in some:
        parts += read_numbers(some["numbers"].astype("float32"), known.numbers, "scores")
    if "missing" in some:
        parts.append(some["missing"])
    for name in ("categories", "codes"):
        if name in some:
            seen = getattr(known, name)
            few = [c for c, size in enumerate(seen.sizes) if size <= ONE_HOT]
            if few:
                chosen = seen.of(few)
                parts.append(OneHot(chosen.sizes, chosen.stand_ins, few)(some[name]))
    if not parts:
        return None
    matrix = np.concatenate([keras.ops.convert_to_numpy(part) for part in parts], axis=1)
    net = EnergyNet(2, MOST_UNITS, steps=STEPS, model_dir=folder, seed=seed)
    net.fit(matrix.astype("float32"))
    return tuple(net.widths) or None
