"""The mean of the kernels during training, and at its end."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from adaptive_nets.graphs.adopt import adopt
from adaptive_nets.growth.in_place import check_compiled
from adaptive_nets.keras_internals import print_message
from adaptive_nets.majority import CollapseReport, collapse, recalibrate
from adaptive_nets.majority.convert import check_majority, copy_means


class CollapsedCheckpoint(keras.callbacks.ModelCheckpoint):
    """Saves, and evaluates, what would be deployed: the collapsed model, of stock layers.

    Each file loads without adaptive_nets. The collapsed model is made once and then only given the
    new means, so its functions are traced once.

    A majority model is validated in `fit` with the mean kernels too, but with batch statistics of
    the kernels that were drawn. With `calibration_data` these are estimated anew, and with
    `validation_data` the logs tell what that model gives, as `collapsed_loss` and so on; which can
    be monitored.

    Args:
        filepath: As for `keras.callbacks.ModelCheckpoint`, whose other arguments are taken too.
        monitor: The quantity for `save_best_only`. Defaults to "val_loss".
        validation_data: What the collapsed model is evaluated on after each epoch: `(x, y)`,
            `(x, y, sample_weight)` or a finite dataset. Defaults to `None`: it is not.
        calibration_data: Inputs, or a finite dataset, for `majority.recalibrate`. Defaults to
            `None`: batch statistics stay as they were trained.
        batch_size: Rows a batch, where data are arrays. Defaults to 32.
        **kwargs: `verbose`, `save_best_only`, `save_weights_only`, `mode`, `save_freq`,
            `initial_value_threshold`.

    Raises:
        ValueError: In `fit`, if the model has no majority layers or is not compiled.

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

    def __init__(
        self,
        filepath: Any,
        monitor: str = "val_loss",
        validation_data: Any = None,
        calibration_data: Any = None,
        batch_size: int = 32,
        **kwargs: Any,
    ) -> None:
        super().__init__(filepath, monitor, **kwargs)
        self.validation_data = validation_data
        self.calibration_data = calibration_data
        self.batch_size = batch_size
        self._collapsed: keras.Model | None = None
        self._made_of: list[int] = []
        self._shown = False

    @property
    def model(self) -> keras.Model:
        """What training goes on with; while a file is written, what is written."""
        return self.collapsed() if self._shown else super().model

    def collapsed(self) -> keras.Model:
        """The collapsed model of the present weights."""
        with self._showing(False):
            model = self.model
        layers = [id(layer) for layer in model.layers]
        if self._collapsed is None or layers != self._made_of:
            # New, or grown.
            self._collapsed, self._made_of = collapse(model)[0], layers
        else:
            copy_means(model, self._collapsed)
        if self.calibration_data is not None:
            recalibrate(self._collapsed, self.calibration_data, self.batch_size)
        return self._collapsed

    def on_train_begin(self, logs: dict | None = None) -> None:
        check_majority(self.model, "checkpoint the collapsed model of")
        if not self.model.compiled:
            raise ValueError("CollapsedCheckpoint needs a compiled model.")
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
        # Keras looks for the metric's direction by its name.
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
    """Collapses the model when `fit` ends: the object stays, its layers are stock ones.

    What is fitted on, evaluated, saved or exported from then on is the small model. Its optimizer
    is new, since slots of k kernels are not those of their mean. Put it behind callbacks that give
    the model other weights at the end, such as `EarlyStopping(restore_best_weights=True)`.

    Args:
        calibration_data: Inputs, or a finite dataset, on which batch statistics are estimated
            anew for the mean kernels (`majority.recalibrate`). Defaults to `None`: they stay.
        sample: Inputs on which the outputs before and after are compared, and FLOPs counted, for
            the report. Defaults to `None`.
        verbose: 1 prints the report.

    Attributes:
        report: The `CollapseReport`, after `fit`.

    Raises:
        ValueError: In `fit`, before it trains, if the model has no majority layers, is subclassed
            or is not compiled.

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

    def __init__(self, calibration_data: Any = None, sample: Any = None, verbose: int = 0) -> None:
        super().__init__()
        self.calibration_data, self.sample, self.verbose = calibration_data, sample, verbose
        self.report: CollapseReport | None = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        check_majority(self.model, "collapse")
        check_compiled(self.model)

    def on_train_end(self, logs: dict | None = None) -> None:
        model = self.model
        strategy = getattr(model, "distribute_strategy", None)
        with strategy.scope() if strategy is not None else contextlib.nullcontext():
            collapsed, self.report = collapse(model, self.sample)
            if self.calibration_data is not None:
                recalibrate(collapsed, self.calibration_data)
            collapsed.optimizer.build(collapsed.trainable_variables)
        adopt(model, collapsed, collapsed.optimizer)
        if self.verbose:
            print_message(f"\n{self.report}")


def _evaluated(model: keras.Model, data: Any, batch_size: int) -> dict[str, float]:
    arguments = data if isinstance(data, tuple | list) else (data,)
    size = {"batch_size": batch_size} if len(arguments) > 1 else {}
    names = ("x", "y", "sample_weight")
    given = dict(zip(names, arguments, strict=False))
    return model.evaluate(**given, **size, verbose=0, return_dict=True)
