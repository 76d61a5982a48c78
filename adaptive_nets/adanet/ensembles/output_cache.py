"""`OutputCache`: a data set with the outputs of frozen members on it."""

from collections.abc import Iterable, Sequence

import keras
import numpy as np

from adaptive_nets.adanet.ensembles.member import Member, lineage
from adaptive_nets.adanet.ensembles.outputs import Folds, OutputFunction
from adaptive_nets.data.rows import Rows
from adaptive_nets.data.spool import MEMORY_LIMIT, Spool


class OutputCache:
    """Rows with members' outputs, each computed once and kept while the member is in use.

    Args:
        rows: Preprocessed rows.
        keep_last_layer: Whether `last_layer` outputs are needed as well as logits. Defaults to
            `False`.
        cache_limit: Maximum number of bytes of outputs held in memory; the rest is on disk.

    Attributes:
        cache: float32 arrays by `"<member>.<output>"`.
        sample: The rows' `DataSummary`, or `None` before it is needed.
        folds: `Folds`, or `None`. With them, outputs are out of fold.
    """

    def __init__(self, rows: Rows, keep_last_layer: bool = False, cache_limit: int = MEMORY_LIMIT):
        self.rows, self.keep_last_layer, self.cache_limit = rows, keep_last_layer, cache_limit
        self.cache, self.sample = {}, None
        self.folds: Folds | None = None

    def outputs(
        self, members: Sequence[Member], function: OutputFunction | None = None
    ) -> list[dict]:
        """Returns members' `logits` (and `last_layer`), computing missing ones together.

        Args:
            members: `Member`s.
            function: `OutputCache.function` of exactly these members. Defaults to `None`.

        Returns:
            One dict of arrays per member, in order.
        """
        missing = [m for m in members if f"{m.name}.logits" not in self.cache]
        if missing:
            if function is None or len(missing) != len(members):
                function = self.function(missing)
            self._compute(function)
        return self.by_member(members, self.cache)

    def hidden(self, members: Iterable[Member]) -> dict[str, np.ndarray]:
        """Returns the hidden layers that members read, by `"<member>.hidden_<k>"`."""
        members = list(members)
        parents = {p.name: p for m in members for p in m.parents}
        keys = {key: None for m in members for key in m.reads}
        missing = [key for key in keys if key not in self.cache]
        if missing:
            owners = {key.rpartition(".")[0]: None for key in missing}
            self._compute(self.function([parents[name] for name in owners], missing))
        return {key: self.cache[key] for key in keys}

    def function(
        self, members: Sequence[Member], keys: Sequence[str] | None = None, whole: bool = False
    ) -> OutputFunction:
        """Returns a function that computes members' outputs over rows.

        Args:
            members: `Member`s.
            keys: Outputs as `"<member>.<output>"`. Defaults to `None`: `logits` (and
                `last_layer`).
            whole: Whether to compute the hidden layers that they read too, instead of taking them
                as inputs. Defaults to `False`.
        """
        keys = keys or self.keys(members)
        members = lineage(members) if whole else members
        width = sum(
            int(np.prod([d or 1 for d in layer.output.shape[1:]]))
            for layer in members[0].model.layers
            if isinstance(getattr(layer, "output", None), keras.KerasTensor)
        )
        block = int(np.clip((256 << 20) // (4 * max(width, 1)), 64, 8192))
        return OutputFunction(members, keys, block, repeated=whole)

    @property
    def held_bytes(self) -> int:
        """Number of bytes of outputs in memory, rather than on disk."""
        return sum(a.nbytes for a in self.cache.values() if not isinstance(a, np.memmap))

    def keep_only(self, members: Iterable[Member]) -> None:
        """Drops the outputs of all other members."""
        names = {m.name for m in members}
        self.cache = {k: v for k, v in self.cache.items() if k.rpartition(".")[0] in names}

    def keys(self, members: Sequence[Member]) -> list[str]:
        """Returns the keys of the members' `logits` (and `last_layer`)."""
        return [f"{m.name}.{kind}" for m in members for kind in self._kinds]

    def by_member(self, members: Sequence[Member], found: dict[str, np.ndarray]) -> list[dict]:
        """Returns one dict per member with its `logits` (and `last_layer`), from outputs by key."""
        return [{kind: found[f"{m.name}.{kind}"] for kind in self._kinds} for m in members]

    @property
    def _kinds(self):
        return ("logits", "last_layer") if self.keep_last_layer else ("logits",)

    def _compute(self, function):
        known = self.hidden(function.members)
        share = max(0, self.cache_limit - self.held_bytes) // len(function.keys)
        self.cache |= function(
            self.rows.x, lambda rows: Spool(share, expected=rows), known, self.folds
        )
