"""Restricted Boltzmann machines as Keras models, trained by contrastive divergence."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from adaptive_nets._checks import check_choice, check_integer, check_nesting, or_none, show
from adaptive_nets.energy import inspection
from adaptive_nets.energy.checks import (
    check_method,
    check_rows,
    check_unlabelled,
    check_visible,
    means_of,
    visible_size,
)
from adaptive_nets.energy.compiled import compile_default, has_accelerator
from adaptive_nets.energy.energies import free_energy, hidden_means
from adaptive_nets.energy.gibbs import add_chains, move_chains
from adaptive_nets.energy.learning.contrast import contrastive_loss, free_energy_gaps, surprise
from adaptive_nets.energy.learning.divergence import Watch
from adaptive_nets.energy.likelihood import Likelihood, log_likelihood
from adaptive_nets.energy.order import Parameters, Unordered
from adaptive_nets.energy.units import VISIBLE
from adaptive_nets.graphs.read import yields_batches

METHODS = ("pcd", "cd", "pl")
_MODULES = {"kernel_initializer": keras.initializers, "kernel_regularizer": keras.regularizers}


class _Machine(keras.Model):
    """A model that refuses arguments nested without end."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        check_nesting(args, kwargs)
        return super().__new__(cls, *args, **kwargs)


@keras.saving.register_keras_serializable(package="adaptive_nets")
class RBM(_Machine):
    """A restricted Boltzmann machine.

    The energy is `E(v, h) = -c·v - h·(W v + b)` for binary visible units and
    `|v - c|²/2 - h·(W v + b)` for real ones. `fit(x)` follows the gradient of the likelihood,
    whose second term is estimated by Gibbs sampling. The logged loss is the difference between the
    mean free energies of data and samples. The model's output is the probability of each hidden
    unit.

    Args:
        units: Number of hidden units.
        visible: `"binary"` for values in [0, 1], or `"gaussian"` for standardized real values.
            Defaults to `"binary"`.
        method: `"pcd"`: chains persist between steps; `"cd"`: chains start from the step's data.
            `"pl"`: minus the pseudo-likelihood is the loss, without samples; for binary units with
            values between 0 and 1. Of more than 32 features a step reads 32. Defaults to `"pcd"`.
        gibbs_steps: Gibbs steps per training step, the k of PCD-k. Defaults to `1`.
        chains: Number of persistent chains. Defaults to `64`.
        kernel_initializer: Initializer of the kernel. Defaults to `"default"`: a normal
            distribution with standard deviation 0.01.
        kernel_regularizer: Regularizer of the kernel. Defaults to `None`.
        seed: Seed of the chains and draws. Defaults to `None`: a random seed.

    Attributes:
        kernel: `(units, visible)`.
        hidden_bias: `(units,)`.
        visible_bias: `(visible,)`.
        n_units: Number of trained hidden units.

    Raises:
        ValueError: An option is out of range, or, in `fit`, the data are.

    Example:

    ```python
    import numpy as np
    import adaptive_nets as an

    x = (np.random.rand(100, 16) > 0.5).astype("float32")
    model = an.energy.RBM(8, seed=0)
    model.fit(x, epochs=2, verbose=0)
    model.free_energy(x)  # (100,), in nats
    ```
    """

    def __init__(
        self,
        units: int,
        visible: str = "binary",
        method: str = "pcd",
        gibbs_steps: int = 1,
        chains: int = 64,
        kernel_initializer: Any = "default",
        kernel_regularizer: Any = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        seed = or_none(check_integer, "seed", seed, 0)
        super().__init__(**kwargs)
        self.units, self.capacity = (check_integer("units", units, 1),) * 2
        self.visible = check_choice("visible", visible, VISIBLE)
        self.method = check_choice("method", method, METHODS)
        check_method(method, visible)
        self.gibbs_steps = check_integer("gibbs_steps", gibbs_steps, 1)
        self.n_chains, self.seed = check_integer("chains", chains, 1), seed
        if isinstance(kernel_initializer, str) and kernel_initializer == "default":
            kernel_initializer = keras.initializers.RandomNormal(0.0, 0.01, seed)
        self.kernel_initializer = _read("kernel_initializer", kernel_initializer)
        self.kernel_regularizer = _read("kernel_regularizer", kernel_regularizer)
        self.draws = keras.random.SeedGenerator(seed)
        self.kind = VISIBLE[self.visible]()
        # On CPUs XLA draws and multiplies several times slower than TensorFlow's own kernels.
        self.supports_jit = keras.backend.backend() != "tensorflow" or has_accelerator()
        self.order: Any = Unordered()

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Creates the variables for rows of a known length."""
        size = visible_size(input_shape)
        self.visible_variable = self.add_weight(shape=(size,), initializer="zeros", name="visible")
        self.add_hidden(self.capacity, size)
        self.count = self.add_weight(
            shape=(), initializer=keras.initializers.Constant(self.units), name="units",
            dtype="int32", trainable=False, aggregation="only_first_replica",
        )  # fmt: skip
        self.chain_variable = add_chains(self, size)
        super().build(input_shape)

    def add_hidden(self, capacity: int, visible: int) -> None:
        """Creates the variables of the hidden units."""
        self.kernel_variable = self.add_weight(
            shape=(visible, capacity), initializer=self.kernel_initializer, name="kernel",
            regularizer=self.kernel_regularizer,
        )  # fmt: skip
        self.bias_variable = self.add_weight((capacity,), "zeros", name="hidden_bias")

    @property
    def parameters(self) -> Parameters:
        """The parameters that energies are computed with, at full capacity."""
        return Parameters(
            ops.convert_to_tensor(self.kernel_variable), ops.convert_to_tensor(self.bias_variable),
            ops.convert_to_tensor(self.visible_variable), ops.convert_to_tensor(self.count),
        )  # fmt: skip

    @property
    def n_units(self) -> int:
        """Number of trained hidden units."""
        return int(ops.convert_to_numpy(self.count))

    @property
    def kernel(self) -> np.ndarray:
        """Weights of the trained units, `(units, visible)`."""
        return ops.convert_to_numpy(self.kernel_variable).T[: self.n_units]

    @property
    def hidden_bias(self) -> np.ndarray:
        """Biases of the trained units, `(units,)`."""
        return ops.convert_to_numpy(self.bias_variable)[: self.n_units]

    @property
    def visible_bias(self) -> np.ndarray:
        """Biases of the visible units, `(visible,)`."""
        return ops.convert_to_numpy(self.visible_variable)

    def free_energy(self, x: Any) -> Any:
        """Returns the free energy of rows.

        Args:
            x: `(rows, visible)`.

        Returns:
            Tensor `(rows,)`, in nats: `ln P(x) = -F(x) - ln Z`.
        """
        x = ops.convert_to_tensor(check_visible(x, self), self.compute_dtype)
        self.ensure_built(x.shape)
        return free_energy(self, x, self.parameters)

    def ensure_built(self, shape: Sequence[int | None]) -> None:
        """Creates the variables if they do not exist yet."""
        if not self.built:
            self.build((None, int(shape[-1])))

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Returns hidden probabilities, or in training what is lowered."""
        v = ops.convert_to_tensor(inputs, self.compute_dtype, sparse=False)
        return self.contrast(v) if training else hidden_means(self, v, self.parameters)

    def contrast(self, v: Any) -> Any:
        """Returns F(v) minus the mean free energy of the chains, or what "pl" lowers: `(rows,)`."""
        p = self.parameters
        if self.method == "pl":
            return surprise(self, v, p)
        return free_energy_gaps(self, v, move_chains(self, v, p)[0], p)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None,
        training: bool = True,
    ) -> Any:  # fmt: skip
        """Returns the mean of `contrast`, plus penalties."""
        return contrastive_loss(self, x, y_pred, sample_weight, training)

    def fit(
        self, x: Any = None, y: Any = None, batch_size: int | None = None, **kwargs: Any
    ) -> Any:
        """Trains on rows. A model that is not compiled uses Adagrad with learning rate 0.03.

        Args:
            x: `(rows, visible)`: an array, a SciPy sparse matrix, or a dataset of batches.
            y: Must be `None`: learning is unsupervised.
            batch_size: Rows per step. Defaults to `None`: 64, or all rows if there are fewer.
            **kwargs: Further arguments of `keras.Model.fit`.

        Returns:
            Keras' `History`.
        """
        check_unlabelled(type(self).__name__, y)
        if not yields_batches(x):
            x, batch_size = check_rows(x, self.visible, batch_size)
            if not self.built:
                self.adapt(x)
        if not self.compiled:
            compile_default(self)
        given = keras.tree.flatten(kwargs.pop("callbacks", None) or [])
        watching = [*self.own_callbacks(), *given]
        return super().fit(x, batch_size=batch_size, callbacks=watching, **kwargs)

    def adapt(self, x: Any) -> None:
        """Creates the variables, with visible biases that match the features' means.

        Hidden units then need not learn the means (Hinton 2012, section 8.1). `fit` calls this
        for an array if the model is not built; before `fit` with a dataset, call it with some of
        its rows.

        Args:
            x: `(rows, visible)`: an array or a SciPy sparse matrix.
        """
        x = check_visible(x, self)
        self.ensure_built(x.shape)
        self.visible_variable.assign(self.kind.bias(means_of(x)))

    def own_callbacks(self) -> list[keras.callbacks.Callback]:
        """Returns the callbacks that watch `fit`."""
        return [Watch()]

    def transform(self, x: Any, batch_size: int = 1024) -> np.ndarray:
        """Returns P(h = 1 | x) of the trained units, `(rows, units)`."""
        x, size = check_visible(x, self, batches=True), check_integer("batch_size", batch_size, 1)
        return self.predict(x, batch_size=size, verbose=0)[:, : self.n_units]

    def reconstruct(self, x: Any) -> np.ndarray:
        """Returns the mean of the visible units given the hidden probabilities, shaped as `x`."""
        return inspection.reconstruct(self, x)

    def sample(
        self, rows: int, steps: int = 1000, start: Any = None, seed: int | None = None
    ) -> np.ndarray:
        """Draws `(rows, visible)` states by Gibbs sampling; see `energy.inspection.sample`."""
        return inspection.sample(self, rows, steps, start, seed)

    def pseudo_likelihood(self, x: Any) -> np.ndarray:
        """Returns the sum over features of ln P(v_i | all others), `(rows,)`; binary units only."""
        return inspection.pseudo_likelihood(self, x)

    def effective_units(self, x: Any, tolerance: float = 0.05) -> int:
        """Returns how many units give all but a fraction `tolerance` of the model's gain."""
        return inspection.effective_units(self, x, tolerance)

    def log_likelihood(self, x: Any, method: str = "auto", **options: Any) -> Likelihood:
        """Returns the mean log-likelihood of rows, exact or with an interval.

        Args:
            x: `(rows, visible)`.
            method: `"exact"`, `"ais"` or `"auto"`. Defaults to `"auto"`.
            **options: `chains`, `temperatures` and `seed`, as in `energy.log_likelihood`.
        """
        return log_likelihood(self, x, method, **options)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "units": self.units,
            "visible": self.visible,
            "method": self.method,
            "gibbs_steps": self.gibbs_steps,
            "chains": self.n_chains,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "seed": self.seed,
        }


def _read(name, given):
    """Returns an initializer or a regularizer of Keras, by its name or configuration."""
    module, error = _MODULES[name], None
    try:
        # Layers and classes can be called too, as functions can.
        if not isinstance(given, keras.Layer | type):
            return module.get(given)
    except Exception as raised:
        error = raised
    kind = module.__name__.rpartition(".")[2]
    raise ValueError(
        f"{name} must be the name or configuration of one of keras.{kind}, or an object. "
        f"Received: {name}={show(given)}."
    ) from error
