"""Learns the widths and the depth of a network from unlabeled rows.

Learning the structure from the energy of machines with infinitely many units, layer by layer, with
a supervised layer on top, is EnergyNet's idea. The rules that choose a layer's width and the number
of layers are this package's own, and `StructureReport` shows what they were based on.
"""

import dataclasses
import hashlib
import json
import pathlib
import time
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from adaptive_nets._checks import (
    check_array,
    check_bool,
    check_choice,
    check_integer,
    check_number,
    check_path,
)
from adaptive_nets._deprecation import renamed_attribute
from adaptive_nets._shown import Shown
from adaptive_nets.energy.checks import check_beta, check_rows
from adaptive_nets.energy.inspection import contributions
from adaptive_nets.energy.layer_files import read_layer, write_layer
from adaptive_nets.energy.machines import (
    BEHIND,
    best_machine,
    knowledge,
    linear_gain,
    shortfall,
    train_machine,
)

if TYPE_CHECKING:
    import pandas as pd

# A feature's standard deviation before it is squashed by the sigmoid, and the magnitude of a
# two-valued feature: sigmoid(8) is .9997.
SLOPE, END = 1.7, 8.0


@dataclasses.dataclass(frozen=True)
class LayerReport:
    """What was learned about one layer.

    Args:
        raw: Number of units that the machine trained.
        width: Number of units needed for what it knows about held-out rows: the layer's width.
        gain: Pseudo-likelihood of held-out rows minus that of independent features, in nats.
        control_width: The same width for rows with shuffled features, or `None` without `control`.
        control_gain: The gain for rows with shuffled features, or `None` without `control`.
        seconds: Training time in seconds.
        method: How the machine was trained: `"pcd"`, by sampling, or `"pl"`, by the
            pseudo-likelihood. Defaults to `"pcd"`.
        linear_gain: What linear predictors of each input from the others gain, in nats, or `None`
            where they were not needed to judge the layer. Defaults to `None`.
    """

    raw: int
    width: int
    gain: float
    control_width: int | None
    control_gain: float | None
    seconds: float
    method: str = "pcd"
    linear_gain: float | None = None


@dataclasses.dataclass(frozen=True)
class StructureReport(Shown):
    """The learned layers and why there are no more. `str(report)` is a table.

    Args:
        layers: One `LayerReport` per layer. The last one may have width 0: it was tried and
            rejected.
        why: Why learning ended.
    """

    layers: tuple[LayerReport, ...]
    why: str

    @property
    def widths(self) -> tuple[int, ...]:
        """Widths of the layers that were kept."""
        return tuple(layer.width for layer in self.layers if layer.width)

    def table(self) -> "pd.DataFrame":
        """Returns the layers as a DataFrame."""
        import pandas as pd

        return pd.DataFrame([dataclasses.asdict(layer) for layer in self.layers])

    def _text_options(self) -> dict[str, Any]:
        return {"float_format": "{:.3f}".format}

    def _parts(self) -> list[Any]:
        widths = " - ".join(map(str, self.widths)) or "none"
        return [self.table(), f"widths: {widths}; {self.why}"]


class EnergyNet:
    """Learns how wide and how deep a network should be from rows without labels.

    Each layer is an `InfiniteRBM` on the probabilities of the layer below. Its width is the number
    of units that give all but a fraction `tolerance` of what the machine knows about held-out rows
    (`InfiniteRBM.effective_units`). Rows are learned by sampling; real values with at most 2 units
    per feature or 64, and by their pseudo-likelihood (`"pl"`) where linear predictors of each
    feature know more than twice as much as the machine. Learning ends when a layer gains nothing
    over independent features, or no more than `min_gain` nats per feature.

    Args:
        max_layers: Maximum number of layers. Defaults to `3`.
        max_units: Maximum number of units per layer. Defaults to `512`.
        beta: Factor of the price of a unit, > 1. The closer to 1, the more units are trained.
            Defaults to `1.1`.
        tolerance: Fraction of the gain that may be lost, in [0, 1). Defaults to `0.05`.
        min_gain: Minimum gain of a layer, in nats per feature. Defaults to `0.005`.
        steps: Training steps per layer, of Adagrad, or Adam for `"pl"`. Defaults to `2000`.
        learning_rate: Learning rate of the optimizer. Defaults to `0.03`.
        batch_size: Rows per step. Defaults to `64`.
        gibbs_steps: Gibbs steps per training step. Defaults to `5`.
        validation_split: Fraction of the rows held out to choose the widths. Defaults to `0.2`.
        control: Whether to also train a machine on rows with shuffled features, which have no
            structure: the report shows its width, which should be 0. Doubles the time. Defaults
            to `False`.
        model_dir: Folder for finished layers, from which `fit` resumes on the same rows. Defaults
            to `None`: nothing is stored.
        seed: Seed of everything that is random. Defaults to `0`.

    Attributes:
        widths: Tuple of the layers' widths, after `fit`.
        layers: List of `(kernel (units, inputs), bias (units,))`, first layer first, after `fit`.
        report: The `StructureReport`, after `fit`.
        linear_gain: What logistic predictors of each feature from the others gain over independent
            features on held-out rows, in nats, after `fit`. Where the machine falls short of it,
            `report.why` says so.

    Raises:
        ValueError: An option is out of range, or, in `fit`, the data are.

    Example:

    ```python
    import adaptive_nets as an
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    net = an.energy.EnergyNet(max_layers=2, max_units=64, steps=200)
    print(net.fit(x))
    model = net.build(an.heads.MultiClass(10), init="energy")
    ```

    Reference: EnergyNet (Kristiansen, Gonzalvo), for the approach; the width and depth rules are
    this package's.
    """

    # The old names, in the style of scikit-learn's estimators.
    widths_ = renamed_attribute("EnergyNet.widths_", "EnergyNet.widths")
    layers_ = renamed_attribute("EnergyNet.layers_", "EnergyNet.layers")
    report_ = renamed_attribute("EnergyNet.report_", "EnergyNet.report")
    scaling_ = renamed_attribute("EnergyNet.scaling_", "EnergyNet.scaling")
    input_shape_ = renamed_attribute("EnergyNet.input_shape_", "EnergyNet.input_shape")

    def __init__(
        self,
        max_layers: int = 3,
        max_units: int = 512,
        beta: float = 1.1,
        tolerance: float = 0.05,
        min_gain: float = 0.005,
        steps: int = 2000,
        learning_rate: float = 0.03,
        batch_size: int = 64,
        gibbs_steps: int = 5,
        validation_split: float = 0.2,
        control: bool = False,
        model_dir: Any = None,
        seed: int = 0,
    ) -> None:
        counts = {"max_layers": max_layers, "max_units": max_units, "steps": steps}
        counts |= {"batch_size": batch_size, "gibbs_steps": gibbs_steps}
        for name, value in counts.items():
            check_integer(name, value, 1)
        check_beta(beta)
        for name, value in (("tolerance", tolerance), ("validation_split", validation_split)):
            check_number(name, value, 0, 1, "low")
        if not validation_split:
            raise ValueError(
                "validation_split must be > 0: widths are chosen on held-out rows. "
                "Received: validation_split=0."
            )
        check_number("learning_rate", learning_rate, 0, inclusive=False)
        check_number("min_gain", min_gain, 0)
        self.max_layers, self.max_units, self.beta = int(max_layers), int(max_units), float(beta)
        self.tolerance, self.min_gain, self.steps = float(tolerance), float(min_gain), int(steps)
        self.learning_rate = float(learning_rate)
        self.batch_size, self.gibbs_steps = int(batch_size), int(gibbs_steps)
        self.validation_split = float(validation_split)
        self.control, self.seed = check_bool("control", control), check_integer("seed", seed, 0)
        self.model_dir = (
            None if model_dir is None else pathlib.Path(check_path("model_dir", model_dir))
        )

    def fit(self, x: Any) -> StructureReport:
        """Learns the structure.

        Args:
            x: `(rows, ...)`: all axes after the first are features. Unless all values lie in
                [0, 1], features are standardized and squashed into it by a sigmoid; two-valued
                features become nearly 0 and 1.

        Returns:
            A `StructureReport`.
        """
        x = check_array("x", x, "rows of equal shape")
        if x.ndim < 2:
            raise ValueError(f"x must have at least two axes. Received: x of shape {x.shape}.")
        self.input_shape = x.shape[1:]
        if not x.size:
            raise ValueError(
                f"x must have at least two rows and one column. Received: x of shape {x.shape}."
            )
        rows = x.reshape(len(x), -1)
        check_rows(rows, "gaussian", None)
        rows = rows.astype("float32")
        self.scaling = _scaling(rows)
        if self.scaling is not None:
            rows = _sigmoid((rows - self.scaling[0]) / self.scaling[1])
        order = np.random.default_rng(self.seed).permutation(len(rows))
        held = max(1, round(self.validation_split * len(rows)))
        held_out, rows = rows[order[:held]], rows[order[held:]]
        self.linear_gain = linear_gain(rows, held_out, self.seed)
        layers, kept, why = [], [], f"max_layers={self.max_layers} was reached"
        for number in range(self.max_layers):
            report, weights = self._kept(number, rows, held_out)
            layers.append(report)
            if not report.width:
                why = f"layer {number + 1} knows no more than independent features"
                why += shortfall(report.linear_gain, 0.0)
                break
            if report.gain <= self.min_gain * rows.shape[1]:
                layers[-1] = dataclasses.replace(report, width=0)
                why = f"layer {number + 1} gains {report.gain:.3g} nats, too little"
                why += shortfall(report.linear_gain, report.gain)
                break
            kept.append(weights)
            rows, held_out = (_probabilities(weights, each) for each in (rows, held_out))
            if report.width == 1:
                why = "a single unit leaves nothing to learn"
                break
        if kept and layers[0].gain < self.linear_gain - BEHIND:
            why += shortfall(self.linear_gain, layers[0].gain)
        self.layers, self.report = kept, StructureReport(tuple(layers), why)
        self.widths = self.report.widths
        return self.report

    def build(
        self, head: Any, init: str = "energy", activation: str | None = "relu"
    ) -> keras.Model:
        """Builds a plain Keras network with the learned structure that ends in logits.

        Args:
            head: A head, or the number of logits; layers with fewer units than that are left out.
            init: `"energy"`: hidden layers start from the learned weights; `"random"`: from Keras'
                own initializers. Defaults to `"energy"`.
            activation: Activation of the hidden layers. Defaults to `"relu"`.

        Returns:
            A built `keras.Model` of stock layers, not compiled.
        """
        if not hasattr(self, "report"):
            raise ValueError("The structure is not known yet. Call fit(x) first.")
        check_choice("init", init, ("energy", "random"))
        units = check_integer("head", head.units if hasattr(head, "main_metric") else head, 1)
        inputs = keras.Input(self.input_shape)
        x = self.hidden(inputs, init, activation, _wide(self.widths, units))[-1]
        return keras.Model(inputs, keras.layers.Dense(units, name="logits")(x))

    def hidden(
        self,
        inputs: keras.KerasTensor,
        init: str = "energy",
        activation: str | None = "relu",
        depth: int | None = None,
    ) -> list[keras.KerasTensor]:
        """Applies the scaling and the first `depth` hidden layers to inputs.

        Args:
            inputs: Tensor of features.
            init: As in `build`. Defaults to `"energy"`.
            activation: As in `build`. Defaults to `"relu"`.
            depth: Number of hidden layers. Defaults to `None`: all.

        Returns:
            List of the scaled features and the output of each hidden layer.
        """
        x = keras.layers.Flatten()(inputs) if len(inputs.shape) > 2 else inputs
        if self.scaling is not None:
            mean, spread = self.scaling
            scaled = keras.layers.Normalization(mean=mean, variance=spread**2)(x)
            x = keras.layers.Activation("sigmoid")(scaled)
        tensors = [x]
        for kernel, bias in self.layers[:depth]:
            layer = keras.layers.Dense(len(bias), activation or "relu")
            tensors.append(layer(tensors[-1]))
            if init == "energy":
                layer.set_weights([kernel.T, bias])
        return tensors

    def _kept(self, number, rows, held_out):
        """Reads a layer from the folder, or learns and stores it."""
        if self.model_dir is None:
            return self._layer(number, rows, held_out)
        path = self.model_dir / f"layer_{number + 1}_{self._key(rows, held_out)}.npz"
        names = [field.name for field in dataclasses.fields(LayerReport)]
        found = read_layer(path, rows.shape[1], names)
        if found is not None:
            return LayerReport(**found[0]), found[1]
        report, weights = self._layer(number, rows, held_out)
        write_layer(path, dataclasses.asdict(report), weights)
        return report, weights

    def _key(self, rows, held_out):
        """Returns a hash of all that a layer depends on."""
        settings = [self.max_units, self.beta, self.tolerance, self.steps, self.batch_size]
        settings += [self.gibbs_steps, self.control, self.seed, self.learning_rate, "pl"]
        found = hashlib.sha256(json.dumps(settings).encode())
        for each in (rows, held_out):
            found.update(np.ascontiguousarray(each).tobytes())
        return found.hexdigest()[:16]

    def _layer(self, number, rows, held_out):
        began = time.perf_counter()
        seed = self.seed + number
        linear = None if number else self.linear_gain
        found = best_machine(self, rows, held_out, seed, linear)
        model = found.model
        order = np.argsort(-contributions(model, held_out), kind="stable")
        chosen = np.sort(order[: found.width])
        control_width = control_gain = None
        if self.control:
            rng = np.random.default_rng([self.seed, number])
            shuffled = [rng.permuted(each, axis=0) for each in (rows, held_out)]
            other = train_machine(self, shuffled[0], seed, found.method)
            control_width, control_gain = knowledge(other, shuffled[1], self.tolerance)
        report = LayerReport(
            model.n_units, found.width, found.gain, control_width, control_gain,
            round(time.perf_counter() - began, 2), found.method, found.linear,
        )  # fmt: skip
        return report, (model.kernel[chosen], model.hidden_bias[chosen])


def _scaling(rows):
    """Returns the centre and divisor for squashing features, or None if they lie in [0, 1].

    Two-valued features become nearly 0 and 1: if they stayed near one half, as rare ones would,
    machines with binary units would learn nothing from them. A normal feature becomes nearly
    uniform.
    """
    low, high = rows.min(axis=0), rows.max(axis=0)
    if low.min() >= 0 and high.max() <= 1:
        return None
    spread = rows.std(axis=0)
    middle, divisor = rows.mean(axis=0), np.where(spread > 0, spread, 1) / SLOPE
    two = ((rows == low) | (rows == high)).all(axis=0) & (high > low)
    middle = np.where(two, (low + high) / 2, middle)
    divisor = np.where(two, (high - low) / (2 * END), divisor)
    return middle.astype(rows.dtype), divisor.astype(rows.dtype)


def _sigmoid(x):
    return (1 / (1 + np.exp(-x))).astype("float32")


def _probabilities(weights, rows):
    return _sigmoid(rows @ weights[0].T + weights[1])


def _wide(widths, units):
    """The number of layers before the first that has fewer units than there are classes."""
    return next((number for number, width in enumerate(widths) if width < units), None)
