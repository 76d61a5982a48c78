"""`Defaults`: the settings of a search that follow from its data where they are not given."""

import dataclasses
import math
from typing import Any

# How often a round reads its rows, and few rows without classes, and between how many steps.
EPOCHS, FEW_EPOCHS, MANY_ROWS = 20, 10, 10_000
LEAST_STEPS, MOST_STEPS = 100, 5000
# With early stopping, by which rounds end sooner, they may be this many times as long.
LONGER = 5

# Beyond it, the weights of the first members would be 0 after few steps.
MOST_LAMBDA = 0.1


def usual_epochs(rows: int, classes: bool) -> float:
    """Returns how often a round reads its rows: 20 times, or 10 times if they are few numbers."""
    share = 1.0 if classes else min(rows / MANY_ROWS, 1.0)
    return FEW_EPOCHS + (EPOCHS - FEW_EPOCHS) * share


@dataclasses.dataclass(frozen=True)
class Defaults:
    """What `"auto"` stands for among the arguments of a search.

    A round reads the rows 20 times, in 100 to 5,000 steps. Where labels are numbers instead of
    classes, whose noise is fitted sooner, it reads fewer than 10,000 rows less often, down to 10
    times. With early stopping it may read them 100 times, in 500 to 25,000 steps. λ falls with the
    number of rows m as Rademacher complexities do: it is 1/sqrt(m), at most 0.1, and relative to
    the size of the loss, so that few rows are not fitted by many members (AdaNet, theorem 1 and
    lemma 2). Where members are weighed by m rows that they were not trained on, only the weights
    can fit these rows, each by about 1/m: that is λ then. Without rows to count, as in endless
    data, the values below hold.

    Args:
        steps: Training steps per round. Defaults to 500.
        adanet_lambda: λ. Defaults to 1e-3.
    """

    steps: int = 500
    adanet_lambda: float = 1e-3

    @classmethod
    def of_rows(
        cls, rows: int, batch_size: int, classes: bool = True, falls_with_rows: bool = False,
        stops_early: bool = False, held_out: int | None = None,
    ) -> "Defaults":  # fmt: skip
        """Returns the defaults for training rows.

        Args:
            rows: Number of training rows, m.
            batch_size: Rows per step.
            classes: Whether labels are classes. Defaults to `True`.
            falls_with_rows: Whether the complexity falls with m itself. Defaults to `False`.
            stops_early: Whether held-out rows end training. Defaults to `False`.
            held_out: Number of the rows that members are weighed by, if they were not trained on
                them. Defaults to `None`: they were.
        """
        longer = LONGER if stops_early else 1
        # Noise that is fitted sooner is seen on held-out rows.
        epochs = LONGER * EPOCHS if stops_early else usual_epochs(rows, classes)
        steps = int(epochs * rows / batch_size)
        steps = min(max(steps, longer * LEAST_STEPS), longer * MOST_STEPS)
        if falls_with_rows:
            return cls(steps)
        usual = 1.0 / math.sqrt(rows) if held_out is None else 1.0 / held_out
        return cls(steps, min(usual, MOST_LAMBDA))

    @classmethod
    def of_state(cls, stored: dict[str, Any]) -> "Defaults":
        """Returns what a stored search uses, given or not."""
        given, known = stored["settings"], stored.get("defaults") or {}
        names = {"steps": "steps_per_iteration", "adanet_lambda": "adanet_lambda"}
        values = {field: given[name] for field, name in names.items()}
        values = {k: known.get(k, getattr(cls, k)) if v == "auto" else v for k, v in values.items()}
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """Returns the defaults as JSON values."""
        return dataclasses.asdict(self)
