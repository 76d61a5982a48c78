"""`Identity`: what all processes that train shares of a search must have in common."""

import dataclasses
import hashlib
import json
import zlib
from typing import Any

import keras
import numpy as np

from adaptive_nets.adanet.checkpoints.files.state_file import versions
from adaptive_nets.adanet.context import SearchContext
from adaptive_nets.adanet.fit_data import FitData
from adaptive_nets.serialization import describe_object, differences

# Of so many differences each is told.
_TOLD = 4
_LONGEST = 300


@dataclasses.dataclass(frozen=True)
class Identity:
    """The data, settings, seed and versions that a process trains with, and its round.

    Two processes with equal identities train the same subnetworks to the same weights.

    Args:
        values: JSON values by name.
    """

    values: dict[str, Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, context: SearchContext, data: FitData, processes: int) -> "Identity":
        """Returns the identity of one call of `fit`.

        Args:
            context: Its `SearchContext`.
            data: Its `FitData`.
            processes: Number of processes that train.
        """
        settings = context.settings
        rows = {"rows": len(data.train), "values": context.fingerprint}
        # Other rows are the chief's business, unless subnetworks are stopped by them.
        if settings.stopping is not None and data.valid is not None:
            rows["validation"] = data.valid.fingerprint()
        found = versions()
        values = {
            "data": rows,
            "features": context.header()["fit"]["features"],
            "schema": _checksum(context.schema.to_dict()),
            "head": describe_object(context.head),
            "preprocessing": _weights(context.preprocessing),
            "settings": settings.to_json(),
            "steps": settings.steps,
            "batch_size": context.batch_size,
            "seed": context.seed,
            "warm_start": settings.warm_start and settings.warm_start.source,
            "dtype": [keras.config.dtype_policy().name, keras.config.floatx()],
            "versions": {name: found[name] for name in ("adaptive_nets", "keras", "tensorflow")},
            "processes": processes,
        }
        return cls(json.loads(json.dumps(values)))

    def in_round(self, number: int, names: list[str], before: list[str]) -> "Identity":
        """Returns the identity in a round.

        Args:
            number: The round, from 1.
            names: Names of its builders.
            before: What the ensemble before the round is made of.
        """
        return Identity(
            {**self.values, "round": number, "candidates": names, "ensemble": list(before)}
        )

    @property
    def digest(self) -> str:
        """32 hexadecimal digits that only this identity has."""
        text = json.dumps(self.values, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def differences(self, other: "Identity", words: tuple[str, str]) -> str:
        """Returns how another identity differs from this one, or `""`.

        Rounds are only compared if both are of the same one.

        Args:
            other: The other identity.
            words: What to call this one and the other.
        """
        own, given = self.values, other.values
        if own.get("round") != given.get("round"):
            of_rounds = ("round", "candidates", "ensemble")
            own, given = (
                {k: v for k, v in values.items() if k not in of_rounds} for values in (own, given)
            )
        found = [
            line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."
            for line in differences(own, given, words=words)
        ]
        more = f", and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
        return "; ".join(found[:_TOLD]) + more


def _checksum(values):
    return f"{zlib.crc32(json.dumps(values, sort_keys=True, default=str).encode()):08x}"


def _weights(model):
    """Returns a checksum of a model's weights, or `None`."""
    if model is None:
        return None
    crc = 0
    for weight in model.get_weights():
        crc = zlib.crc32(np.ascontiguousarray(weight).reshape(-1).view("uint8"), crc)
    return f"{crc:08x}"
