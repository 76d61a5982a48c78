"""Collapses majority models during training and at its end."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from adaptive_nets._checks import check_integer, check_path, check_text, show
from adaptive_nets.graphs.adopt import adopt
from adaptive_nets.graphs.inventory import check_adoptable
from adaptive_nets.graphs.read import check_inputs, yields_batches
from adaptive_nets.growth.in_place import check_compiled
from adaptive_nets.keras_internals import print_message
from adaptive_nets.majority import CollapseReport, collapse, recalibrate_in_place
from adaptive_nets.majority.convert import check_majority, copy_means


class CollapsedCheckpoint(keras.callbacks.ModelCheckpoint):
    """Saves and evaluates the model to deploy: the collapsed model of stock layers.

    The files can be loaded without adaptive_nets. The collapsed model is created once and then
    only updated with the new means, so its functions are traced once.

    In `fit`, a majority model is also validated with the mean kernels, but with batch statistics
    of the drawn kernels. `calibration_data` re-estimates these statistics, and `validation_data`
    adds the metrics of the collapsed model to the logs, as `collapsed_loss` and so on, which can
    be monitored.

    Args:
        filepath: As in `keras.callbacks.ModelCheckpoint`.
        monitor: The quantity for `save_best_only`. Defaults to `"val_loss"`.
        validation_data: Data to evaluate the collapsed model on after each epoch: `(x, y)`,
            `(x, y, sample_weight)` or a finite dataset. Defaults to `None`: no evaluation.
        calibration_data: Inputs or a finite dataset for `majority.recalibrate_in_place`. Defaults
            to `None`: batch statistics stay as they were trained.
        batch_size: Rows per batch of arrays. Defaults to `32`.
        **kwargs: Further arguments of `keras.callbacks.ModelCheckpoint`: `verbose`,
            `save_best_only`, `save_weights_only`, `mode`, `save_freq`,
            `initial_value_threshold`.

    Raises:
        ValueError: In `fit`, the model has no majority layers or is not compiled.

    Example:

    ```python
    import keras
    import numpy as np
    import adaptive_nets as an

    model = keras.Sequential(
        [keras.Input((4,)), an.layers.MajorityDense(8, "relu"), an.layers.MajorityDense(1)]
    )
    model.compile("adam", "mse")
    x = np.random.rand(64, 4)
    y = x.sum(axis=1, keepdims=True)
    best = an.callbacks.CollapsedCheckpoint(
        "best.keras", "collapsed_loss", validation_data=(x, y), save_best_only=True
    )
    model.fit(x, y, epochs=3, callbacks=[best], verbose=0)
    ```

    Reference: Mazzawi et al., "Majority Kernels", arXiv 2402.05033.
    """

    instead_in_a_search = (
        "it collapses the model of keras.Model.fit. Pass the generator majority=k: subnetworks are "
        "collapsed when a round is decided, and keras.callbacks.ModelCheckpoint saves the ensemble."
    )

    def __init__(
        self,
        filepath: Any,
        monitor: str = "val_loss",
        validation_data: Any = None,
        calibration_data: Any = None,
        batch_size: int = 32,
        **kwargs: Any,
    ) -> None:
        filepath, monitor = check_path("filepath", filepath), check_text("monitor", monitor)
        if not filepath.endswith((".keras", ".weights.h5")):
            raise ValueError(
                "filepath must end in '.keras', or in '.weights.h5' where only weights are saved. "
                f"Received: filepath={show(filepath)}."
            )
        super().__init__(filepath, monitor, **kwargs)
        pair = isinstance(validation_data, tuple | list) and len(validation_data) in (1, 2, 3)
        if not pair and not (validation_data is None or yields_batches(validation_data)):
            raise ValueError(
                "validation_data must be (x, y), (x, y, sample_weight) or a dataset. "
                f"Received: validation_data={show(validation_data)}."
            )
        for part in validation_data if pair else ():
            check_inputs("validation_data", part)
        self.validation_data = validation_data
        self.calibration_data = _checked("calibration_data", calibration_data)
        self.batch_size = check_integer("batch_size", batch_size, 1)
        self._collapsed: keras.Model | None = None
        self._made_of: list[int] = []
        self._shown = False

    @property
    def model(self) -> keras.Model:
        """The model in training or, while a file is written, the model that is written."""
        return self.collapsed() if self._shown else super().model

    def collapsed(self) -> keras.Model:
        """Returns the collapsed model with the current weights."""
        with self._showing(False):
            model = self.model
        layers = [id(layer) for layer in model.layers]
        if self._collapsed is None or layers != self._made_of:
            # New, or grown.
            self._collapsed, self._made_of = collapse(model, verify=False)[0], layers
        else:
            copy_means(model, self._collapsed)
        if self.calibration_data is not None:
            recalibrate_in_place(self._collapsed, self.calibration_data, self.batch_size)
        return self._collapsed

    def on_train_begin(self, logs: dict | None = None) -> None:
        check_majority(self.model, "checkpoint the collapsed model of")
        if not self.model.compiled:
            raise ValueError(
                "CollapsedCheckpoint needs a compiled model. Call model.compile(...) first."
            )
        self._collapsed = None
        super().on_train_begin(logs)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        with self._showing(True):
            super().on_train_batch_end(batch, logs)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if self.validation_data is not None:
            found = _evaluated(self.collapsed(), self.validation_data, self.batch_size)
            if logs is not None:
                logs.update({f"collapsed_{name}": value for name, value in found.items()})
        if self.monitor_op is None:
            self._set_monitor_op()
        with self._showing(True):
            super().on_epoch_end(epoch, logs)

    def _set_monitor_op(self) -> None:
        # Keras finds the direction of a metric by its name.
        monitor = self.monitor
        self.monitor = monitor.removeprefix("collapsed_")
        try:
            super()._set_monitor_op()
        finally:
            self.monitor = monitor

    @contextlib.contextmanager
    def _showing(self, collapsed: bool) -> Iterator[None]:
        before, self._shown = self._shown, collapsed
        try:
            yield
        finally:
            self._shown = before


class CollapseOnEnd(keras.callbacks.Callback):
    """Collapses the model when `fit` ends: the object stays, but has stock layers.

    From then on, the small model is trained, evaluated, saved and exported. Its optimizer is new,
    because the slots of k kernels are not those of their mean. List it after callbacks that
    change the weights at the end, such as `EarlyStopping(restore_best_weights=True)`.

    Args:
        calibration_data: Inputs or a finite dataset to re-estimate batch statistics on, for the
            mean kernels (`majority.recalibrate_in_place`). Defaults to `None`: they stay as they
            were trained.
        sample: Inputs to compare outputs before and after on, and to count FLOPs with, for the
            report. Defaults to `None`.
        verbose: `1` prints the report. Defaults to `0`.

    Attributes:
        report: The `CollapseReport`, after `fit`.

    Raises:
        ValueError: In `fit`, before training, the model has no majority layers, is subclassed or
            is not compiled.

    Example:

    ```python
    import keras
    import numpy as np
    import adaptive_nets as an

    model = keras.Sequential(
        [keras.Input((4,)), an.layers.MajorityDense(8, "relu"), an.layers.MajorityDense(1)]
    )
    model.compile("adam", "mse")
    x = np.random.rand(64, 4)
    model.fit(x, x.sum(axis=1), callbacks=[an.callbacks.CollapseOnEnd()], verbose=0)
    type(model.layers[0])  # keras.layers.Dense
    ```

    Reference: Mazzawi et al., "Majority Kernels", arXiv 2402.05033.
    """

    instead_in_a_search = (
        "it collapses the model of keras.Model.fit. Pass the generator majority=k: subnetworks are "
        "collapsed when a round is decided."
    )

    def __init__(self, calibration_data: Any = None, sample: Any = None, verbose: int = 0) -> None:
        super().__init__()
        self.calibration_data = _checked("calibration_data", calibration_data)
        self.sample = _checked("sample", sample)
        self.verbose = verbose if verbose is True else check_integer("verbose", verbose, 0)
        self.report: CollapseReport | None = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        check_majority(self.model, "collapse")
        check_compiled(self.model)
        check_adoptable(self.model, "collapse")

    def on_train_end(self, logs: dict | None = None) -> None:
        model = self.model
        strategy = getattr(model, "distribute_strategy", None)
        with strategy.scope() if strategy is not None else contextlib.nullcontext():
            collapsed, self.report = collapse(model, self.sample)
            if self.calibration_data is not None:
                recalibrate_in_place(collapsed, self.calibration_data)
            collapsed.optimizer.build(collapsed.trainable_variables)
        adopt(model, collapsed, collapsed.optimizer)
        if self.verbose:
            print_message(f"\n{self.report}")


def _checked(name: str, given: Any) -> Any:
    """Returns rows or batches of them, or raises a `ValueError`."""
    if given is not None and not yields_batches(given):
        check_inputs(name, given)
        if any(np.shape(part)[:1] == (0,) for part in keras.tree.flatten(given)):
            raise ValueError(f"{name} must have at least one row. Received: {name}={show(given)}.")
    return given


def _evaluated(model: keras.Model, data: Any, batch_size: int) -> dict[str, float]:
    arguments = data if isinstance(data, tuple | list) else (data,)
    size = {"batch_size": batch_size} if len(arguments) > 1 else {}
    names = ("x", "y", "sample_weight")
    given = dict(zip(names, arguments, strict=False))
    return model.evaluate(**given, **size, verbose=0, return_dict=True)
