"""`EarlyStopping`: when a subnetwork stops training, and which of its weights are kept."""

import dataclasses
import math

import keras

from adaptive_nets._checks import check_integer, check_number, show
from adaptive_nets.configurable import Configurable

# By default, measuring takes about this share of the time of training, and a round is measured at
# least this often.
COST_SHARE, MEASUREMENTS = 0.1, 20
# A step takes three times as long for a row as a measurement does, since it also computes
# gradients. Steps of fewer rows than this hardly take less time.
STEP_COST, STEP_ROWS = 3.0, 256
# At most and at least this many rows are measured on, if there are as many.
MOST_ROWS, LEAST_ROWS = 20_000, 1000
# By default a subnetwork is waited for while it reads its rows this often, but no longer than a
# share of the round, and for at least this many measurements; and for as many steps as led to the
# best so far: a loss that rises again may still fall below it when that took long.
PATIENCE_EPOCHS, PATIENCE_SHARE, PATIENCE_MEASUREMENTS = 16, 0.2, 10
PATIENCE_OF_BEST = 1.0


@dataclasses.dataclass(frozen=True)
class StoppingRule:
    """An `EarlyStopping` whose `"auto"` has been settled for a round.

    Args:
        every: Steps from one measurement to the next.
        patience: Steps without an improvement after which a subnetwork stops.
        average: Decay of the average of the weights; 0 for none.
        min_delta: What the loss must fall by to be an improvement.
        rows: Number of rows to measure on.
        of_best: Steps that it is waited for at least, relative to the steps before its lowest loss.
            Defaults to 0.
    """

    every: int
    patience: int
    average: float
    min_delta: float
    rows: int
    of_best: float = 0.0


@keras.saving.register_keras_serializable(package="adaptive_nets")
class EarlyStopping(Configurable):
    """Stops each subnetwork when its loss on held-out rows no longer falls; keeps its best weights.

    While a round trains, every subnetwork's loss on rows of `validation_data` or
    `validation_split` is measured, in residual training together with the previous ensemble. One
    that has not improved for `patience` steps is trained no further, and costs nothing more; when
    all have stopped, the round is over. Each then gets the weights with which its loss was lowest,
    with all other variables, such as batch statistics, of that step.

    Args:
        patience: Steps without an improvement after which a subnetwork stops. `"auto"` is 16
            times the steps that read the rows once, at most a fifth of the round; but at least ten
            measurements, and as many steps as it took to get to the lowest loss.
        every: Steps from one measurement to the next. `"auto"` measures at least 20 times in a
            round and about once per epoch, as far as it takes no more than about a tenth of the
            time.
        average: Decay per step, from 0 to below 1, of an exponential average of the weights, which
            is measured and kept in their place. It is brought up to date every fourth step. In the
            first steps the decay is (1 + step) / (10 + step), if that is less. Defaults to 0: no
            average.
        min_delta: What the loss must fall by to be an improvement, in the unit of the loss.
            Defaults to 0.

    Raises:
        ValueError: A value is out of range.

    Example:

    ```python
    import adaptive_nets as an

    stopping = an.adanet.EarlyStopping(patience=500, average=0.99)
    an.AdaNet(an.heads.BinaryClass(), early_stopping=stopping)
    ```
    """

    def __init__(
        self,
        patience: int | str = "auto",
        every: int | str = "auto",
        average: float = 0.0,
        min_delta: float = 0.0,
    ):
        self.patience = _steps_or_auto("patience", patience)
        self.every = _steps_or_auto("every", every)
        self.average = check_number("average", average, 0, 1, "low")
        self.min_delta = check_number("min_delta", min_delta, 0)

    def get_config(self) -> dict:
        return {
            "patience": self.patience,
            "every": self.every,
            "average": self.average,
            "min_delta": self.min_delta,
        }

    def rule(self, steps: int, epoch_steps: float, batch_size: int, held_out: int) -> StoppingRule:
        """Settles what is `"auto"`.

        Args:
            steps: Steps of a round, without regard to a time limit.
            epoch_steps: Steps that read all rows once; infinity for an endless dataset.
            batch_size: Rows per step.
            held_out: Number of held-out rows.
        """
        paid = STEP_COST * max(batch_size, STEP_ROWS) * COST_SHARE
        most = max(LEAST_ROWS, int(paid * steps / MEASUREMENTS))
        rows = min(held_out, MOST_ROWS, most)
        every = self.every
        if every == "auto":
            often = min(epoch_steps, steps / MEASUREMENTS)
            every = max(1, math.ceil(max(often, rows / paid)))
        patience, of_best = self.patience, 0.0
        if patience == "auto":
            patience = min(PATIENCE_EPOCHS * epoch_steps, PATIENCE_SHARE * steps)
            patience = math.ceil(max(patience, PATIENCE_MEASUREMENTS * every))
            of_best = PATIENCE_OF_BEST
        return StoppingRule(every, patience, self.average, self.min_delta, rows, of_best)


def make_early_stopping(given: int | EarlyStopping | None) -> EarlyStopping | None:
    """Returns the argument `early_stopping` of a search as an object, or `None`.

    Args:
        given: An `EarlyStopping`, its patience in steps, or `None`.

    Raises:
        ValueError: It is something else.
    """
    if given is None or isinstance(given, EarlyStopping):
        return given
    try:
        return EarlyStopping(check_integer("early_stopping", given, 1))
    except (TypeError, ValueError) as error:
        raise ValueError(
            "early_stopping must be None, a number of steps >= 1 or an adanet.EarlyStopping. "
            f"Received: early_stopping={show(given)}."
        ) from error


def _steps_or_auto(name, value):
    return value if isinstance(value, str) and value == "auto" else check_integer(name, value, 1)
