"""`Recipe`: the settings of one network for tables."""

import dataclasses
from typing import Any

# What differs from the defaults of `Recipe`, by kind.
USUAL: dict[str, dict[str, Any]] = {
    "realmlp": {
        "widths": (256, 256, 256),
        "dropout": 0.15,
        "learning_rate": 0.02,
        "weight_decay": 0.02,
        "beta_2": 0.95,
    },
    "tabm": {},
    "mlp": {},
}
KINDS = tuple(USUAL)

# Beside each kind in the first round: what no network has to learn.
LINEAR = {"widths": (), "learning_rate": 0.01, "weight_decay": 0.0, "codes": True}


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How one network for tables is built and trained.

    Args:
        kind: `"realmlp"`, `"tabm"`, `"mlp"` or `"linear"`.
        embedding: How numbers are read: `"pieces"`: piecewise-linear embeddings; `"periodic"`:
            waves; `"scores"`: normal quantiles; `"clipped"`: centred, scaled and smoothly clipped.
            Defaults to `"pieces"`.
        codes: Whether integers with few values are read as categories too. Defaults to `False`.
        widths: Units of each hidden layer. Defaults to `(128, 128)`.
        members: Number k of members of a TabM. Defaults to 8.
        scales: Which layers of a TabM have scales of each member's own: `"first"` or `"all"`.
            Defaults to `"first"`.
        dropout: Dropout rate after each hidden layer. Defaults to 0.
        learning_rate: Highest learning rate. Defaults to 0.002.
        weight_decay: Decay of kernels. Defaults to 3e-4.
        beta_2: Decay of the optimizer's second moments. Defaults to 0.999.
    """

    kind: str
    embedding: str = "pieces"
    codes: bool = False
    widths: tuple[int, ...] = (128, 128)
    members: int = 8
    scales: str = "first"
    dropout: float = 0.0
    learning_rate: float = 0.002
    weight_decay: float = 3e-4
    beta_2: float = 0.999

    @property
    def name(self) -> str:
        """A name that tells recipes apart."""
        words = [self.kind]
        if self.kind == "tabm":
            words += [f"k{self.members}"] + (["full"] if self.scales == "all" else [])
        words += [self.embedding] + (["codes"] if self.codes else [])
        words += ["-".join(map(str, self.widths))] if self.widths else []
        words += [f"drop{self.dropout:g}"] if self.dropout else []
        return "_".join(words)

    def changed(self, **settings: Any) -> "Recipe":
        """Returns the recipe with other settings."""
        return dataclasses.replace(self, **settings)

    def described(self) -> dict[str, Any]:
        """Returns the settings as JSON values."""
        return {**dataclasses.asdict(self), "widths": list(self.widths)}

    @classmethod
    def read(cls, described: dict[str, Any]) -> "Recipe":
        """Returns the recipe that `described` tells of."""
        return cls(**{**described, "widths": tuple(described["widths"])})
