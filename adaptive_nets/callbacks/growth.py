"""Growth in the middle of `model.fit`."""

import math
import pathlib
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from adaptive_nets._checks import (
    check_choice,
    check_integer,
    check_list,
    check_number,
    check_path,
    check_text,
    or_none,
    show,
)
from adaptive_nets._deprecation import renamed_attribute, warn_renamed
from adaptive_nets.callbacks.warmup import Warmup
from adaptive_nets.growth.actions import Action, Widen
from adaptive_nets.growth.core.compare import GrowthReport, check_verify
from adaptive_nets.growth.in_place import check_in_place, grow_in_place
from adaptive_nets.keras_internals import model_of, print_message

# What GrowOnPlateau does where nothing else is said.
DOUBLE = Widen(2.0)


class _Growing(keras.callbacks.Callback):
    """What both callbacks share: one growth, its warm-up, and going on after an interruption."""

    instead_in_a_search = (
        "it grows the model of keras.Model.fit. Pass AdaNet the generator generators.Growth, whose "
        "subnetworks are grown from the best members."
    )

    def __init__(
        self,
        slots: str,
        warmup_steps: int,
        backup_dir: Any,
        restart: Sequence[keras.callbacks.Callback],
        seed: int,
        verbose: int,
        verify: bool | str,
    ) -> None:
        super().__init__()
        self.verify = check_verify(verify)
        check_choice("slots", slots, ("carry", "reset"))
        self.slots = slots
        self.warmup_steps = check_integer("warmup_steps", warmup_steps, 0)
        self.backup_dir = or_none(check_path, "backup_dir", backup_dir)
        kinds = "a list of keras.callbacks.Callback objects"
        self.restart = tuple(check_list("restart", restart, keras.callbacks.Callback, kinds))
        self.seed = check_integer("seed", seed, 0)
        self.verbose = verbose if verbose is True else check_integer("verbose", verbose, 0)
        self.reports: list[GrowthReport] = []
        self._warmup = Warmup(self.warmup_steps)

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        # Under JAX to read `self.model` fetches all weights.
        if self._warmup.active:
            self._warmup.step(self.model)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if self._warmup.active:
            self._warmup.end(self.model)

    def grow(self, action: Action, number: int) -> None:
        """Grows the running model."""
        plan = action.plan(self.model, self.seed + number)
        report = grow_in_place(self.model, plan, self.slots, self.verify)
        self.reports.append(report)
        self._warmup.begin(self.model)
        for callback in self.restart:
            # What they remember (best weights) has the shapes of the smaller model.
            callback.on_train_begin()
        if self.verbose:
            print_message(f"\n{report}")

    def backed_up(self) -> Counter | None:
        """The shapes of the weights in the backup, or None where there is none."""
        if self.backup_dir is None:
            return None
        path = pathlib.Path(self.backup_dir) / "latest.weights.h5"
        if not path.exists():
            return None
        import h5py

        shapes: Counter = Counter()

        def visit(name: str, item: Any) -> None:
            if name.startswith("layers/") and isinstance(item, h5py.Dataset):
                shapes[tuple(item.shape)] += item.dtype.kind in "fV"

        with h5py.File(path) as file:
            file.visititems(visit)
        return +shapes

    def shapes(self) -> Counter:
        """The shapes of the model's weights."""
        floats = [
            v for v in self.model.weights if "float" in keras.backend.standardize_dtype(v.dtype)
        ]
        return Counter(tuple(v.shape) for v in floats)


class GrowthSchedule(_Growing):
    """Grows the model at given epochs or steps of `fit`.

    The model object stays; its layers are exchanged for the grown ones, the optimizer's slots
    are carried, and the training function is traced again once. Put this callback before
    `BackupAndRestore` and `ModelCheckpoint`. A growth at an epoch before `initial_epoch` is taken
    as done.

    Args:
        schedule: A dict from an epoch (or step) to an action. An epoch counts from 0, as in
            `fit`: the model grows before that epoch, after as many have passed. A step is a
            value of `optimizer.iterations`.
        unit: "epoch" or "step".
        slots: "carry" grows the optimizer's slots, "reset" begins with new ones.
        warmup_steps: After each growth the learning rate rises linearly to its value in so many
            steps. Default: 0, no warm-up.
        backup_dir: The folder of a `BackupAndRestore` in the same `fit`. After an interruption
            the small model of the script is first grown to what the backup holds.
        restart: Callbacks that remember weights, such as an `EarlyStopping` with
            `restore_best_weights=True`; they begin again at each growth.
        seed: For what is drawn. Default: 0.
        verbose: 1 prints each growth's report.
        verify: Whether outputs before and after each growth are compared, as for
            `adaptive_nets.growth.apply`. Default: "auto".

    Attributes:
        reports: The reports of all growths.

    Raises:
        ValueError: If the schedule is empty or holds what is not an action; in `fit`, if the model
            is not compiled or cannot grow so.

    Example:

    ```python
    import keras
    import numpy as np
    import adaptive_nets as an

    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(1)]
    )
    model.compile("adam", "mse")
    growth = an.callbacks.GrowthSchedule({1: an.growth.Widen(2.0)}, warmup_steps=10)
    x = np.random.rand(64, 4)
    model.fit(x, x.sum(axis=1), epochs=3, callbacks=[growth], verbose=0)
    print(growth.reports[0])
    ```

    Reference: Mazzawi et al., "Deep Fusion", arXiv 2306.11903, section 4.
    """

    def __init__(
        self,
        schedule: Mapping[int, Action],
        unit: str = "epoch",
        slots: str = "carry",
        warmup_steps: int = 0,
        backup_dir: Any = None,
        restart: Sequence[keras.callbacks.Callback] = (),
        seed: int = 0,
        verbose: int = 0,
        verify: bool | str = "auto",
    ) -> None:
        super().__init__(slots, warmup_steps, backup_dir, restart, seed, verbose, verify)
        check_choice("unit", unit, ("epoch", "step"))
        if not isinstance(schedule, Mapping) or not schedule:
            raise ValueError(
                "schedule must be a dict {epoch: action, ...} that is not empty. "
                f"Received: schedule={show(schedule)}."
            )
        for when, action in schedule.items():
            check_integer(unit, when, 0)
            check_action(action)
        self.schedule = dict(sorted(schedule.items()))
        self.unit = unit
        self._done = 0
        self._before = 0

    def on_train_begin(self, logs: dict | None = None) -> None:
        check_in_place(self.model)
        self._done = 0
        stored = self.backed_up()
        whens = list(self.schedule)
        if stored is not None:
            while self.shapes() != stored and self._done < len(whens):
                self._next()
            if self.shapes() != stored:
                raise ValueError(
                    f"Cannot go on from {str(self.backup_dir)!r}: no growth of this schedule gives "
                    "the weights that are stored there. Expected the model and the schedule of "
                    "the interrupted run. Pass these, or remove the folder."
                )
        epochs, steps = self.params.get("epochs"), self.params.get("steps")
        limit = epochs if self.unit == "epoch" else steps and epochs * steps
        late = [when for when in whens if limit is not None and when >= limit]
        if late:
            warnings.warn(
                f"Growth at {self.unit} {', '.join(map(str, late))} will not happen: training ends "
                f"after {limit} {self.unit}s.",
                stacklevel=2,
            )

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        if self.unit == "epoch":
            # What was passed before this fit began has no effect in it.
            whens = list(self.schedule)
            while self._done < len(whens) and whens[self._done] < epoch:
                self._done += 1
            if self._done < len(whens) and whens[self._done] == epoch:
                self._next()
        else:
            self._before = int(self.model.optimizer.iterations)
            self._grow_by_steps(batches=0)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        super().on_train_batch_end(batch, logs)
        if self.unit == "step":
            self._grow_by_steps(batches=batch + 1)

    def get_config(self) -> dict[str, Any]:
        """The schedule and its settings, for a record of the run."""
        return {
            "schedule": {
                when: keras.saving.serialize_keras_object(action)
                for when, action in self.schedule.items()
            },
            "unit": self.unit,
            "slots": self.slots,
            "warmup_steps": self.warmup_steps,
            "seed": self.seed,
            "verify": self.verify,
        }

    def _grow_by_steps(self, batches: int) -> None:
        """Grows if it is time, so many batches after the epoch began."""
        whens = list(self.schedule)
        if self._done == len(whens):
            return
        # Under JAX `self.model` fetches the counter, and all weights with it, which is slow. It is
        # at most this: steps whose gradients were not finite are not counted in it.
        accumulated = getattr(model_of(self).optimizer, "gradient_accumulation_steps", None) or 1
        if self._before + math.ceil(batches / accumulated) < whens[self._done]:
            return
        now = int(self.model.optimizer.iterations)
        while self._done < len(whens) and whens[self._done] <= now:
            self._next()

    def _next(self) -> None:
        action = list(self.schedule.values())[self._done]
        self._done += 1
        self.grow(action, self._done)


class GrowOnPlateau(_Growing):
    """Grows the model when a metric has stopped improving.

    Args:
        monitor: The metric, as `fit` logs it. Default: "val_loss".
        action: What is done at each growth, such as `adaptive_nets.growth.Widen(1.5)`. Default:
            every layer becomes twice as wide, `Widen(2.0)`.
        patience: Epochs without improvement before growth. Default: 3.
        max_growths: At most so many growths. Default: no limit.
        max_parameters: No growth that leads beyond so many parameters. Default: no limit.
        min_delta: What counts as an improvement. Default: 0.
        mode: "min", "max", or "auto": "max" for accuracies, AUC and F scores.
        slots: As for `GrowthSchedule`.
        warmup_steps: As for `GrowthSchedule`.
        backup_dir: As for `GrowthSchedule`.
        restart: As for `GrowthSchedule`.
        seed: As for `GrowthSchedule`.
        verbose: As for `GrowthSchedule`.
        verify: As for `GrowthSchedule`.
        max_params: The old name of `max_parameters`.

    Attributes:
        reports: The reports of all growths.

    Example:

    ```python
    import adaptive_nets as an

    growth = an.callbacks.GrowOnPlateau("val_loss", an.growth.Widen(1.5), patience=2, max_growths=3)
    ```
    """

    max_params = renamed_attribute("GrowOnPlateau.max_params", "GrowOnPlateau.max_parameters")

    def __init__(
        self,
        monitor: str = "val_loss",
        action: Action = DOUBLE,
        patience: int = 3,
        max_growths: int | None = None,
        max_parameters: int | None = None,
        min_delta: float = 0.0,
        mode: str = "auto",
        slots: str = "carry",
        warmup_steps: int = 0,
        backup_dir: Any = None,
        restart: Sequence[keras.callbacks.Callback] = (),
        seed: int = 0,
        verbose: int = 0,
        max_params: int | None = None,
        verify: bool | str = "auto",
    ) -> None:
        super().__init__(slots, warmup_steps, backup_dir, restart, seed, verbose, verify)
        check_action(action)
        if max_params is not None:
            if max_parameters is not None:
                raise ValueError("Pass max_parameters; max_params is its old name.")
            warn_renamed("GrowOnPlateau(max_params=)", "max_parameters")
            max_parameters = max_params
        check_choice("mode", mode, ("auto", "min", "max"))
        self.monitor = check_text("monitor", monitor)
        self.action = action
        self.patience = check_integer("patience", patience, 1)
        self.max_growths = or_none(check_integer, "max_growths", max_growths, 1)
        self.max_parameters = or_none(check_integer, "max_parameters", max_parameters, 1)
        self.min_delta = check_number("min_delta", min_delta, 0)
        rising = any(word in monitor for word in ("acc", "auc", "f1", "recall", "precision"))
        self.mode = ("max" if rising else "min") if mode == "auto" else mode
        self.best = math.inf
        self.wait = 0

    def on_train_begin(self, logs: dict | None = None) -> None:
        check_in_place(self.model)
        self.best, self.wait = math.inf, 0
        stored = self.backed_up()
        largest = sum(math.prod(s) * n for s, n in stored.items()) if stored is not None else 0
        while stored is not None and self.shapes() != stored:
            size = sum(math.prod(s) * n for s, n in self.shapes().items())
            if size >= largest:
                raise ValueError(
                    f"Cannot go on from {str(self.backup_dir)!r}: no number of growths by "
                    f"{self.action} gives the weights that are stored there. Pass the model and "
                    "the action of the interrupted run, or remove the folder."
                )
            self.grow(self.action, len(self.reports) + 1)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        value = (logs or {}).get(self.monitor)
        if value is None:
            warnings.warn(
                f"GrowOnPlateau watches {self.monitor!r}, which is not among {sorted(logs or {})}.",
                stacklevel=2,
            )
            return
        value = float(value) if self.mode == "min" else -float(value)
        if np.isfinite(value) and value < self.best - self.min_delta:
            self.best, self.wait = value, 0
            return
        self.wait += 1
        if self.wait < self.patience or len(self.reports) == self.max_growths:
            return
        plan = self.action.plan(self.model, self.seed + len(self.reports) + 1)
        if self.max_parameters is not None and plan.parameters > self.max_parameters:
            self.max_growths = len(self.reports)
            return
        self.wait = 0
        self.grow(self.action, len(self.reports) + 1)


def check_action(action: Any) -> None:
    """Refuses what is not an action."""
    if not isinstance(action, Action):
        raise ValueError(
            "Expected an action: adaptive_nets.growth.Widen, Deepen, SelfFuse or FuseWith. "
            f"Received: {show(action)}."
        )
