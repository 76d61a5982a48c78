"""`teach`: trains a small network on what a fitted model says."""

import math
import time
import warnings
from typing import Any

import keras
import numpy as np
import pandas as pd

from adaptive_nets._seeds import derive_seed
from adaptive_nets.adanet import AdaNet, EarlyStopping
from adaptive_nets.adanet.inspection.predictions import compute_logits
from adaptive_nets.automl.distilling.augment import exchange
from adaptive_nets.automl.distilling.mimic import Mimic
from adaptive_nets.automl.fitted import Fitted, call_eagerly
from adaptive_nets.automl.losses.unit import in_unit_of
from adaptive_nets.automl.searching import batch_size
from adaptive_nets.automl.targets import Numbers
from adaptive_nets.data.encoding import fit_encoding
from adaptive_nets.generators import Tabular

# The share of the real rows by which networks are stopped and chosen, and the most of them.
_INNER_SHARE, _MOST_INNER = 0.1, 5000
# Networks are trained on so many rows in all for each real one, but no fewer or more than these.
_TIMES, _LEAST_ROWS, _MOST_ROWS = 8, 20_000, 200_000
# At most this share of the time is spent on what the teacher says.
_ASKING_SHARE = 0.25
# Rows that the teacher is asked about at a time, by which its speed is measured.
_ASKED = 4096
# Kind of the networks, and rows per call.
_KIND, _BATCH = "realmlp", 1024


def teach(
    teacher: Fitted, table: pd.DataFrame, size: int, seconds: float, seed: int, verbose: Any
) -> tuple[keras.Model, str]:
    """Returns a network from raw columns to what the teacher's model gives, and a note on it.

    A RealMLP learns the teacher's outputs for real rows and for further ones that are drawn from
    them; where there are integers with few values, so does another one that reads them as
    categories too. A tenth of the real rows is kept apart: by them networks are stopped, and the
    best one is chosen. No label is read.

    Args:
        teacher: The fitted model.
        table: Rows without labels.
        size: Units of each hidden layer.
        seconds: Time for it, perhaps infinite.
        seed: Seed of random choices.
        verbose: As for `AdaNet.fit`.
    """
    began = time.monotonic()
    schema, target = teacher.schema, teacher.target
    random = np.random.default_rng(derive_seed(seed, "inner rows"))
    order = random.permutation(len(table))
    inner = min(_MOST_INNER, max(1, round(_INNER_SHARE * len(table))))
    held, kept = table.iloc[order[:inner]], table.iloc[order[inner:]]
    encoding = fit_encoding(schema, table)
    most = min(_MOST_ROWS, max(_LEAST_ROWS, _TIMES * len(kept))) - len(kept)
    encoded = call_eagerly(encoding, schema.read(kept))
    drawn = exchange(kept, encoded, max(0, most), derive_seed(seed, "drawn rows"))
    said_by = _Teacher(teacher)
    known = said_by.ask(held), said_by.ask(kept)
    drawn, said = said_by.ask_within(drawn, _ASKING_SHARE * seconds - (time.monotonic() - began))
    rows = pd.concat([kept, drawn], ignore_index=True)
    head = teacher.target.head()
    search = AdaNet(
        Mimic(head),
        Tabular(_KIND, width=size, dropout=0.0),
        max_iterations=1,
        ensemble_strategies=("solo",),
        mixture_weights="uniform",
        mixture_data="validation",
        training="independent",
        adanet_lambda=0.0,
        early_stopping=EarlyStopping(average=0.995),
        preprocessing=encoding,
        seed=derive_seed(seed, "student"),
    )
    search.adopt(None, search.state, schema)
    left, size_of_batch = seconds - (time.monotonic() - began), batch_size(len(rows))
    search.fit(
        rows,
        np.concatenate([known[1], said]),
        validation_data=(held, known[0]),
        batch_size=size_of_batch,
        time_limit=None if math.isinf(left) else max(0.1, left),
        verbose=verbose,
    )
    note = (
        f"distilled into {search.ensemble.members[0].builder}, from {len(kept):,} rows and "
        f"{len(drawn):,} drawn from them"
    )
    if search.state.steps < len(rows) / size_of_batch and not math.isinf(left):
        warnings.warn(
            f"The time limit has ended after {search.state.steps:,} steps of {size_of_batch:,} "
            f"rows, before the network has seen the {len(rows):,} rows once: it may be far from "
            "the model. Compare the two on the leaderboard, or allow more time.",
            stacklevel=3,
        )
    return in_unit_of(target, search.best_single), note


class _Teacher:
    """The teacher's logits, in the unit of the search."""

    def __init__(self, fitted: Fitted):
        self._fitted, target = fitted, fitted.target
        offset, factor = target.unit if isinstance(target, Numbers) else (0.0, 1.0)
        self._offset, self._factor = offset, factor

    def ask(self, table: pd.DataFrame) -> np.ndarray:
        """Returns its logits for some rows, `[rows, units]`."""
        found = compute_logits(self._fitted.model, table, self._fitted.schema, _BATCH)
        return ((found.astype("float64") - self._offset) / self._factor).astype("float32")

    def ask_within(self, table: pd.DataFrame, seconds: float) -> tuple[pd.DataFrame, np.ndarray]:
        """Returns as many rows as there is time for, and its logits for them."""
        began, found = time.monotonic(), []
        for start in range(0, len(table), _ASKED):
            if time.monotonic() - began > seconds:
                break
            found.append(self.ask(table.iloc[start : start + _ASKED]))
        said = (
            np.concatenate(found) if found else np.zeros((0, self._fitted.model.output_shape[-1]))
        )
        return table.iloc[: len(said)], said
