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
    "wide": {"widths": (), "learning_rate": 0.01, "weight_decay": 0.0, "beta_2": 0.99},
    "tabm": {"widths": (256, 256), "learning_rate": 0.004},
    "mlp": {},
}
KINDS = tuple(USUAL)
EMBEDDINGS = ("pieces", "periodic", "scores", "clipped")


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How one network for tables is built and trained.

    Args:
        kind: `"realmlp"`, `"wide"`, `"tabm"` or `"mlp"`.
        embedding: How numbers are read: `"pieces"`: piecewise-linear embeddings; `"periodic"`:
            waves; `"scores"`: normal quantiles; `"clipped"`: centred, scaled and smoothly clipped.
            Defaults to `"pieces"`.
        codes: Whether integers with few values are read as categories too. Defaults to `False`.
        widths: Units of each hidden layer. Defaults to `(128, 128)`.
        members: Number k of members of a TabM. Defaults to 8.
        crosses: Whether a wide model reads pairs of columns too. Defaults to `True`.
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
    crosses: bool = True
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
        if self.kind == "wide":
            words += [] if self.crosses else ["no_crosses"]
        else:
            words += ["-".join(map(str, self.widths))]
        words += [f"drop{self.dropout:g}"] if self.dropout else []
        usual = USUAL[self.kind].get("learning_rate", type(self).learning_rate)
        words += [f"rate{self.learning_rate:.2g}"] if self.learning_rate != usual else []
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
