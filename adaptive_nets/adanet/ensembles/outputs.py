"""`OutputFunction`: inference of many subnetworks together."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from adaptive_nets.adanet.ensembles.member import Member, fold_key, run_all
from adaptive_nets.data.spool import Spool, run_in_blocks

# So many blocks of rows are computed sooner, operation by operation, than a function is traced.
EAGER_BLOCKS = 8


@dataclasses.dataclass(frozen=True)
class Folds:
    """Which of a member's networks have not seen each row.

    Args:
        numbers: int32 `[rows, repeats]` numbers of each row's folds: of the networks that have not
            been trained on it.
        mean_of: `Head.mean_of`, the mean of several networks' predictions.
    """

    numbers: np.ndarray
    mean_of: Callable[[Any], Any]

    def take(self, rows: np.ndarray) -> "Folds":
        """Returns the folds of some rows."""
        return dataclasses.replace(self, numbers=self.numbers[rows])

    def within(self, fold: int) -> np.ndarray:
        """Returns the numbers of the rows of a fold."""
        return np.flatnonzero((self.numbers == fold).any(axis=1))

    def outside(self, fold: int) -> np.ndarray:
        """Returns the numbers of the other rows, on which the fold's network is trained."""
        return np.flatnonzero((self.numbers != fold).all(axis=1))


class OutputFunction:
    """Runs inference of many subnetworks over rows, in blocks.

    Many rows take a function that is traced once, few rows none.

    Args:
        members: `Member`s, parents first.
        keys: Outputs to return: `"<member>.logits"`, `".last_layer"` or `".hidden_<k>"`.
        block: Rows per block. Defaults to 4,096.
        repeated: Whether it is called again and again, as for the pieces of a stream, so that it is
            traced for few rows too. Defaults to `False`.
    """

    def __init__(
        self,
        members: Iterable[Member],
        keys: Iterable[str],
        block: int = 4096,
        repeated: bool = False,
    ):
        self.members, self.keys, self.block = list(members), list(keys), block
        self.repeated, self.traces = repeated, 0
        self._mean_of = None
        self._function = tf.function(self._call, reduce_retracing=True, autograph=False)

    def _call(self, inputs):
        self.traces += not tf.executing_eagerly()
        known = run_all(self.members, inputs["x"], inputs["known"], training=False)
        folds = inputs["folds"]
        return {key: tf.cast(self._output(known, key, folds), tf.float32) for key in self.keys}

    def __call__(
        self,
        x: Any,
        make_store: Callable[[int], Spool],
        known: dict[str, np.ndarray] | None = None,
        folds: Folds | None = None,
    ) -> dict[str, np.ndarray]:
        """Runs all models over all rows.

        Args:
            x: Features, rows first.
            make_store: Function from the number of rows to an empty `Spool`.
            known: The hidden layers that the members read, by key. Defaults to none.
            folds: Of members that have a network per fold, a row gets the output of the one that
                has not seen it, or the mean of several. Defaults to `None`.

        Returns:
            float32 arrays by key.
        """
        inputs = {"x": x, "known": known or {}, "folds": {}}
        if folds is not None:
            inputs["folds"], self._mean_of = {"of": folds.numbers}, folds.mean_of
        rows = len(keras.tree.flatten(x)[0])
        if rows <= EAGER_BLOCKS * self.block and not self.repeated:
            return run_in_blocks(self._call, inputs, self.block, make_store)
        signature = keras.tree.map_structure(
            lambda a: tf.TensorSpec((None, *a.shape[1:]), tf.as_dtype(a.dtype)), inputs
        )
        function = self._function.get_concrete_function(signature)
        return run_in_blocks(function, inputs, self.block, make_store)

    def _output(self, known, key, folds):
        """Returns an output, of rows in folds that of the networks that have not seen them."""
        member = key.rpartition(".")[0]
        if not folds or f"{member}.{fold_key(0)}" not in known:
            return known[key]
        each = itertools.takewhile(
            lambda k: k in known, (f"{member}.{fold_key(f)}" for f in itertools.count())
        )
        stacked = tf.stack([known[k] for k in each], axis=1)
        found = tf.gather(stacked, folds["of"], axis=1, batch_dims=1)
        return found[:, 0] if found.shape[1] == 1 else self._mean_of(found)
