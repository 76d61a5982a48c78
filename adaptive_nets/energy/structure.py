"""Widths and depth of a network from unlabelled rows.

That structure is learnt from the energy of machines of infinitely many units, layer on layer, with
a supervised layer on top at the end, is EnergyNet's. The rules by which a layer's width is read off
and by which layers end are this package's own, and `StructureReport` says what they saw.
"""

import dataclasses
import hashlib
import json
import math
import pathlib
import time
import warnings
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from adaptive_nets._checks import check_integer, check_number
from adaptive_nets.energy.checks import check_beta, check_rows
from adaptive_nets.energy.inspection import contributions, gains
from adaptive_nets.energy.ordered import InfiniteRBM

if TYPE_CHECKING:
    import pandas as pd

# A feature's standard deviation before the sigmoid that squashes it, and the values of one that has
# two only: sigmoid(8) is .9997.
SLOPE, END = 1.7, 8.0


@dataclasses.dataclass(frozen=True)
class LayerReport:
    """What was learnt of one layer.

    Attributes:
        raw: Units that the machine trained.
        width: Units that are needed for what it knows of held-out rows; the layer's width.
        gain: Its pseudo-likelihood of held-out rows less that of independent features, in nats.
        control_width: The same width for rows whose features were shuffled; None where not asked.
        control_gain: The gain for these.
        seconds: Time that it took.
    """

    raw: int
    width: int
    gain: float
    control_width: int | None
    control_gain: float | None
    seconds: float


@dataclasses.dataclass(frozen=True)
class StructureReport:
    """The layers, and why there are no more; `str(report)` is a table.

    Attributes:
        layers: A `LayerReport` each; of the last one the width may be 0: it was tried and left.
        why: Why learning ended.
    """

    layers: tuple[LayerReport, ...]
    why: str

    @property
    def widths(self) -> tuple[int, ...]:
        """Of the layers that are kept."""
        return tuple(layer.width for layer in self.layers if layer.width)

    def table(self) -> "pd.DataFrame":
        """The layers as a DataFrame."""
        import pandas as pd

        return pd.DataFrame([dataclasses.asdict(layer) for layer in self.layers])

    def __str__(self) -> str:
        widths = " - ".join(map(str, self.widths)) or "none"
        table = self.table().to_string(index=False, float_format="{:.3f}".format)
        return f"{table}\nwidths: {widths}; {self.why}"


class EnergyNet:
    """Learns how wide and how deep a network should be, from rows without labels.

    Each layer is an `InfiniteRBM` on the probabilities of the layer below. Its width is the number
    of units that give all but a share `tolerance` of what it knows of held-out rows
    (`InfiniteRBM.effective_units`). Learning ends where a layer gains nothing over independent
    features, or no more than `min_gain` nats a feature.

    Args:
        max_layers: At most so many layers. Defaults to 3.
        max_units: At most so many units a layer. Defaults to 512.
        beta: The price of a unit, > 1. Nearer to 1 more units are trained. Defaults to 1.1.
        tolerance: Share of the gain that may be given up, in [0, 1). Defaults to 0.05.
        min_gain: A layer must gain more than this, in nats a feature. Defaults to 0.005.
        steps: Training steps a layer, of ADAGRAD. Defaults to 2,000.
        learning_rate: Of these. Defaults to 0.03.
        batch_size: Rows a step. Defaults to 64.
        gibbs_steps: Of each training step. Defaults to 5.
        validation_split: Share of the rows that widths are read off. Defaults to 0.2.
        control: Whether a machine is trained on rows with shuffled features too, which have no
            structure to learn: the report shows its width, which should be 0. Doubles the time.
            Defaults to `False`.
        model_dir: Folder that keeps finished layers; `fit` on the same rows goes on from there.
            Defaults to `None`: nothing is kept.
        seed: Makes all of it repeatable. Defaults to 0.

    Attributes:
        widths_: Tuple of the layers' widths, after `fit`.
        layers_: Their `(kernel (units, inputs), bias (units,))`, first layer first.
        report_: The `StructureReport`.

    Raises:
        ValueError: An option is out of range; in `fit`, data are.

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
            raise ValueError("validation_split must be > 0: widths are read off held-out rows.")
        check_number("learning_rate", learning_rate, 0, inclusive=False)
        check_number("min_gain", min_gain, 0)
        self.max_layers, self.max_units, self.beta = max_layers, max_units, float(beta)
        self.tolerance, self.min_gain, self.steps = tolerance, min_gain, steps
        self.learning_rate = float(learning_rate)
        self.batch_size, self.gibbs_steps = batch_size, gibbs_steps
        self.validation_split, self.control, self.seed = validation_split, bool(control), seed
        self.model_dir = None if model_dir is None else pathlib.Path(model_dir)

    def fit(self, x: Any) -> StructureReport:
        """Learns the structure.

        Args:
            x: `(rows, ...)`: all axes behind the first are taken as features. Unless they all lie
                in [0, 1] they are standardised and squashed into it by a sigmoid; features of two
                values become its ends.

        Returns:
            A `StructureReport`.
        """
        x = np.asarray(x)
        if x.ndim < 2:
            raise ValueError(f"x must have two axes at least. Received: x of shape {x.shape}.")
        self.input_shape_ = x.shape[1:]
        rows = x.reshape(len(x), -1)
        check_rows(rows, "gaussian", None)
        rows = rows.astype("float32")
        self.scaling_ = _scaling(rows)
        if self.scaling_ is not None:
            rows = _sigmoid((rows - self.scaling_[0]) / self.scaling_[1])
        order = np.random.default_rng(self.seed).permutation(len(rows))
        held = max(1, round(self.validation_split * len(rows)))
        held_out, rows = rows[order[:held]], rows[order[held:]]
        layers, kept, why = [], [], f"max_layers={self.max_layers} are learnt"
        for number in range(self.max_layers):
            report, weights = self._kept(number, rows, held_out)
            layers.append(report)
            if not report.width:
                why = f"layer {number + 1} knows nothing more than independent features"
                break
            if report.gain <= self.min_gain * rows.shape[1]:
                layers[-1] = dataclasses.replace(report, width=0)
                why = f"layer {number + 1} gains {report.gain:.3g} nats, too little"
                break
            kept.append(weights)
            rows, held_out = (_probabilities(weights, each) for each in (rows, held_out))
            if report.width == 1:
                why = "one unit is all there is to learn of"
                break
        self.layers_, self.report_ = kept, StructureReport(tuple(layers), why)
        self.widths_ = self.report_.widths
        return self.report_

    def build(self, head: Any, init: str = "energy", activation: str | None = None) -> keras.Model:
        """A plain Keras network of the learnt structure, with logits at its end.

        Args:
            head: A head of `adaptive_nets.heads`, or the number of logits.
            init: "energy": hidden layers start from the learnt weights; "random": from Keras' own
                initializers. Defaults to "energy".
            activation: Of the hidden layers. Defaults to `None`: "sigmoid" for "energy", whose
                units are probabilities, else "relu".

        Returns:
            A built `keras.Model`, not compiled, of stock layers.
        """
        if not hasattr(self, "report_"):
            raise ValueError("The structure is not learnt yet. Call fit(x) first.")
        if init not in ("energy", "random"):
            raise ValueError(f"init must be 'energy' or 'random'. Received: init={init!r}.")
        units = head if isinstance(head, int) else head.units
        inputs = keras.Input(self.input_shape_)
        x = self.hidden(inputs, init, activation)[-1]
        return keras.Model(inputs, keras.layers.Dense(units, name="logits")(x))

    def hidden(
        self,
        inputs: keras.KerasTensor,
        init: str = "energy",
        activation: str | None = None,
        depth: int | None = None,
    ) -> list[keras.KerasTensor]:
        """The scaled features and the first `depth` hidden layers on them, or all.

        The other arguments are those of `build`.
        """
        x = keras.layers.Flatten()(inputs) if len(inputs.shape) > 2 else inputs
        if self.scaling_ is not None:
            mean, spread = self.scaling_
            scaled = keras.layers.Normalization(mean=mean, variance=spread**2)(x)
            x = keras.layers.Activation("sigmoid")(scaled)
        tensors = [x]
        chosen = activation or ("sigmoid" if init == "energy" else "relu")
        for kernel, bias in self.layers_[:depth]:
            layer = keras.layers.Dense(len(bias), chosen)
            tensors.append(layer(tensors[-1]))
            if init == "energy":
                layer.set_weights([kernel.T, bias])
        return tensors

    def _kept(self, number, rows, held_out):
        """A layer from the folder, or learnt and put there."""
        if self.model_dir is None:
            return self._layer(number, rows, held_out)
        path = self.model_dir / f"layer_{number + 1}_{self._key(rows, held_out)}.npz"
        if path.exists():
            with np.load(path) as found:
                report = LayerReport(**json.loads(str(found["report"])))
                return report, (found["kernel"], found["bias"])
        report, weights = self._layer(number, rows, held_out)
        self.model_dir.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.npz")
        text = json.dumps(dataclasses.asdict(report))
        np.savez(part, kernel=weights[0], bias=weights[1], report=text)
        part.replace(path)
        return report, weights

    def _key(self, rows, held_out):
        """Of all that a layer depends on."""
        settings = [self.max_units, self.beta, self.tolerance, self.steps, self.batch_size]
        settings += [self.gibbs_steps, self.control, self.seed, self.learning_rate]
        found = hashlib.sha256(json.dumps(settings).encode())
        for each in (rows, held_out):
            found.update(np.ascontiguousarray(each).tobytes())
        return found.hexdigest()[:16]

    def _layer(self, number, rows, held_out):
        began = time.perf_counter()
        model = self._machine(number, rows)
        width = model.effective_units(held_out, self.tolerance)
        chosen = np.sort(np.argsort(-contributions(model, held_out), kind="stable")[:width])
        gain = float(gains(model, held_out, [max(1, width)]).mean())
        control_width = control_gain = None
        if self.control:
            rng = np.random.default_rng([self.seed, number])
            shuffled = [rng.permuted(each, axis=0) for each in (rows, held_out)]
            other = self._machine(number, shuffled[0])
            control_width = other.effective_units(shuffled[1], self.tolerance)
            control_gain = float(gains(other, shuffled[1], [max(1, control_width)]).mean())
        report = LayerReport(
            model.n_units, width, gain, control_width, control_gain,
            round(time.perf_counter() - began, 2),
        )  # fmt: skip
        return report, (model.kernel[chosen], model.hidden_bias[chosen])

    def _machine(self, number, rows):
        batch = min(self.batch_size, len(rows))
        seed = self.seed + number
        # Room from the beginning for most: to make room is to trace anew.
        model = InfiniteRBM(
            self.beta, max_units=self.max_units, gibbs_steps=self.gibbs_steps,
            capacity=min(self.max_units, 256), seed=seed,
        )  # fmt: skip
        epoch = min(self.steps, 50)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Constant features are usual, as at images' edges.
            model.adapt(rows)
            # Under JAX several steps at once take as much longer to compile.
            together = math.gcd(epoch, 10) if keras.backend.backend() == "tensorflow" else 1
            optimizer = keras.optimizers.Adagrad(self.learning_rate)
            model.compile(optimizer, steps_per_execution=together)
            model.fit(
                _batches(rows, batch, seed), steps_per_epoch=epoch,
                epochs=max(1, round(self.steps / epoch)), verbose=0,
            )  # fmt: skip
        return model


def _batches(rows, size, seed):
    """Full batches without end, each pass over the rows in an order of its own.

    Keras would shuffle by the global random state, which is the caller's.
    """
    rng = np.random.default_rng(seed)
    order = np.empty(0, int)
    while True:
        while len(order) < size:
            order = np.concatenate([order, rng.permutation(len(rows))])
        chosen, order = order[:size], order[size:]
        yield (rows[chosen],)


def _scaling(rows):
    """Middle and divisor of features that a sigmoid squashes, or None where they lie in [0, 1].

    Features of two values become nearly 0 and 1: left near one half, as rare ones would be,
    machines of binary units learn nothing of them. A normal feature becomes nearly uniform.
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
