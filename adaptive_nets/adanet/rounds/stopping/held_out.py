"""`HeldOut`: the rows that a round's subnetworks are measured on while they train."""

import dataclasses
import zlib
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from adaptive_nets._pieces import gather
from adaptive_nets.adanet.ensembles.member import Member
from adaptive_nets.adanet.ensembles.output_cache import OutputCache
from adaptive_nets.data.feeds import ACCELERATOR_BYTES, RESIDENT_BYTES
from adaptive_nets.data.rows import draw_rows
from adaptive_nets.heads import Head

# Measured at once: more rows do not make it faster.
BLOCK = 1024


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """Held-out rows as tensors, in the form of a feed's sources.

    Args:
        sources: Dicts of tensors, rows first: `x`, `y` and, if used, `w`, `base` and `hidden`.
        groups: Number of the source that each member is measured on.
        fingerprint: What tells these rows from others.
    """

    sources: tuple[dict, ...]
    groups: tuple[int, ...]
    fingerprint: str

    @classmethod
    def of_rows(
        cls,
        view: OutputCache,
        members: Sequence[Member],
        base: np.ndarray | None,
        head: Head,
        rows: int,
        parts: Sequence[np.ndarray | None] = (None,),
        groups: Sequence[int] | None = None,
    ) -> "HeldOut":
        """Draws rows, the same each time, of every class their share.

        Args:
            view: `OutputCache` of all held-out rows.
            members: The round's members.
            base: `[n, units]` logits of the previous ensemble, or `None`.
            head: The head.
            rows: Number of rows to draw for each source.
            parts: Numbers of the rows that each source is drawn from, `None` for all. Defaults to
                one source of all rows.
            groups: Number of the source that each member is measured on. Defaults to `None`: the
                first.
        """
        source = {"x": view.rows.x, "y": view.rows.y}
        if view.rows.w is not None:
            source["w"] = view.rows.w
        if base is not None:
            source["base"] = np.asarray(base, "float32")
        hidden = view.hidden(members)
        if hidden:
            source["hidden"] = hidden
        strata, most = head.strata(view.rows.y), _fitting(view) // len(parts)
        sources = []
        for part in parts:
            own = np.arange(len(view.rows)) if part is None else part
            kinds = None if strata is None else strata[own]
            chosen = own[draw_rows(kinds, len(own), min(rows, most, len(own)), seed=0)]
            drawn = keras.tree.map_structure(lambda a, chosen=chosen: gather(a, chosen), source)
            sources.append(keras.tree.map_structure(tf.convert_to_tensor, drawn))
        whole = f"{rows}/{len(parts)}/{view.rows.fingerprint()}".encode()
        return cls(
            tuple(sources),
            tuple(groups or [0] * len(members)),
            f"{len(view.rows)}-{zlib.crc32(whole):08x}",
        )


def _fitting(view):
    """Returns how many rows may be held in memory a second time."""
    row = sum(a[:1].nbytes for a in keras.tree.flatten(view.rows.x))
    accelerated = bool(tf.config.list_logical_devices("GPU"))
    return max(1, (ACCELERATOR_BYTES if accelerated else RESIDENT_BYTES) // max(1, row))
