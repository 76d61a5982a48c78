"""Restricted Boltzmann machines as Keras models, trained by contrastive divergence."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from adaptive_nets._checks import check_choice, check_integer
from adaptive_nets.energy import inspection
from adaptive_nets.energy.checks import check_rows
from adaptive_nets.energy.compiled import has_accelerator, replicated
from adaptive_nets.energy.divergence import Watch
from adaptive_nets.energy.likelihood import Likelihood, log_likelihood
from adaptive_nets.energy.order import Parameters, Unordered
from adaptive_nets.energy.units import VISIBLE
from adaptive_nets.keras_internals import replica_loss

METHODS = ("pcd", "cd")


@keras.saving.register_keras_serializable(package="adaptive_nets")
class RBM(keras.Model):
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
            Defaults to `"pcd"`.
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
        check_integer("units", units, 1)
        check_choice("visible", visible, VISIBLE)
        check_choice("method", method, METHODS)
        check_integer("gibbs_steps", gibbs_steps, 1)
        check_integer("chains", chains, 1)
        super().__init__(**kwargs)
        self.units, self.visible, self.method = units, visible, method
        self.gibbs_steps, self.n_chains, self.seed = gibbs_steps, chains, seed
        if kernel_initializer == "default":
            kernel_initializer = keras.initializers.RandomNormal(0.0, 0.01, seed)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.draws = keras.random.SeedGenerator(seed)
        self.kind = VISIBLE[visible]()
        # On CPUs XLA draws and multiplies several times slower than TensorFlow's own kernels.
        self.supports_jit = keras.backend.backend() != "tensorflow" or has_accelerator()
        self.order: Any = Unordered()
        self.capacity = units

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Creates the variables for rows of a known length."""
        size = input_shape[-1]
        self.visible_variable = self.add_weight(shape=(size,), initializer="zeros", name="visible")
        self.add_hidden(self.capacity, size)
        self.count = self.add_weight(
            shape=(), initializer=lambda *_, **__: self.first_units(), name="units",
            dtype="int32", trainable=False, aggregation="only_first_replica",
        )  # fmt: skip
        start = keras.initializers.RandomUniform(0.0, 1.0, self.seed)
        self.chain_variable = self.add_weight(
            shape=(self.n_chains, size), initializer=start, name="chains", trainable=False,
            aggregation="only_first_replica",
        )  # fmt: skip
        if self.kind.uniform:
            drawn = ops.cast(self.chain_variable < 0.5, self.chain_variable.dtype)
            self.chain_variable.assign(drawn)
        super().build(input_shape)

    def first_units(self) -> Any:
        """Returns the initial number of units."""
        return ops.convert_to_tensor(self.units, "int32")

    def add_hidden(self, capacity: int, visible: int) -> None:
        """Creates the variables of the hidden units."""
        self.kernel_variable = self.add_weight(
            shape=(visible, capacity), initializer=self.kernel_initializer, name="kernel",
            regularizer=self.kernel_regularizer,
        )  # fmt: skip
        self.bias_variable = self.add_weight(
            shape=(capacity,), initializer="zeros", name="hidden_bias"
        )

    # What is learned --------------------------------------------------------------------------

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

    # Energies ---------------------------------------------------------------------------------

    def free_energy_of(self, v: Any, p: Parameters) -> Any:
        """Returns F(v), minus the log of the sum of exp(-E(v, h)) over hidden states, `(rows,)`."""
        return self.kind.energy(v, p.visible_bias) - self.order.log_sum(p.inputs(v), p)

    def free_energy(self, x: Any) -> Any:
        """Returns the free energy of rows.

        Args:
            x: `(rows, visible)`.

        Returns:
            Tensor `(rows,)`, in nats: `ln P(x) = -F(x) - ln Z`.
        """
        x = ops.convert_to_tensor(x, self.compute_dtype)
        self.ensure_built(x.shape)
        return self.free_energy_of(x, self.parameters)

    def ensure_built(self, shape: Sequence[int | None]) -> None:
        """Creates the variables if they do not exist yet."""
        if not self.built:
            self.build((None, int(shape[-1])))

    def hidden_means(self, v: Any, p: Parameters) -> Any:
        """Returns P(h_i = 1 | v), `(rows, capacity)`."""
        a = p.inputs(v)
        return ops.sigmoid(a) * self.order.present(a, p)

    def gibbs_step(self, v: Any, p: Parameters, draws: tuple[Any, Any, Any]) -> tuple[Any, Any]:
        """Returns the next state of the visible units.

        Args:
            v: `(rows, visible)`.
            p: The parameters.
            draws: Uniform `(rows,)` for the number of active units, uniform `(rows, capacity)`
                for their states, and `(rows, visible)` of the visible units' kind.

        Returns:
            The next state, and the number of active hidden units, `(rows,)`.
        """
        a = p.inputs(v)
        mask, z = self.order.draw(a, p, draws[0])
        hidden = ops.cast(draws[1] < ops.sigmoid(a), a.dtype) * mask
        return self.kind.sample(p.outputs(hidden), draws[2]), z

    def drawn(
        self, rows: Any, capacity: int, lead: tuple[int, ...] = (), generator: Any = None
    ) -> tuple[Any, Any, Any]:
        """Draws what one Gibbs step consumes, or several steps with leading axes."""
        options = {"seed": generator or self.draws, "dtype": self.compute_dtype}
        visible = self.visible_variable.shape[0]
        last = keras.random.uniform if self.kind.uniform else keras.random.normal
        return (
            keras.random.uniform((*lead, rows), **options),
            keras.random.uniform((*lead, rows, capacity), **options),
            last((*lead, rows, visible), **options),
        )

    # Training ---------------------------------------------------------------------------------

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Returns hidden probabilities, or in training the free-energy gap to the samples."""
        v = ops.convert_to_tensor(inputs, self.compute_dtype, sparse=False)
        if not training:
            return self.hidden_means(v, self.parameters)
        return self.contrast(v)

    def contrast(self, v: Any) -> Any:
        """Returns F(v) minus the mean free energy of the chains after their steps, `(rows,)`."""
        p = self.parameters
        chains, _ = self.moved(v, p)
        return self.gaps(v, chains, p)

    def gaps(self, v: Any, chains: Any, p: Parameters) -> Any:
        """Returns F(v) minus the mean free energy of samples, which are held constant."""
        # In one product, which is faster than two.
        both = ops.concatenate([v, ops.stop_gradient(chains)])
        energies, rows = self.free_energy_of(both, p), ops.shape(v)[0]
        return energies[:rows] - ops.mean(energies[rows:])

    def moved(self, v: Any, p: Parameters) -> tuple[Any, Any]:
        """Returns the chains after a training step's Gibbs steps, and the active units."""
        persistent = self.method == "pcd"
        chains = ops.convert_to_tensor(self.chain_variable) if persistent else v
        rows, z = ops.shape(chains)[0], None
        for _ in range(self.gibbs_steps):
            chains, z = self.gibbs_step(chains, p, self.drawn(rows, p.kernel.shape[1]))
        if persistent:
            self.chain_variable.assign(chains)
        return chains, z

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None,
        training: bool = True,
    ) -> Any:  # fmt: skip
        """Returns the gap of mean free energies between data and samples, plus penalties."""
        if not training:
            chains = ops.convert_to_tensor(self.chain_variable)
            v = ops.convert_to_tensor(x, self.compute_dtype, sparse=False)
            y_pred = self.gaps(v, chains, self.parameters)
        if sample_weight is None:
            gap = ops.mean(y_pred)
        else:
            weight = ops.cast(ops.reshape(sample_weight, (-1,)), y_pred.dtype)
            gap = ops.sum(weight * y_pred) / ops.sum(weight)
        # Of replicas each adds its share.
        return sum(replica_loss(self, each) for each in (gap, *self.losses))

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
        if y is not None:
            raise ValueError(
                f"{type(self).__name__} learns without labels: call fit(x). Received: y of "
                f"type {type(y).__name__}."
            )
        if hasattr(x, "shape"):
            x, batch_size = check_rows(x, self.visible, batch_size)
            if not self.built:
                self.adapt(x)
        if not self.compiled:
            # Under JAX several steps at once take as much longer to compile; Keras has no such
            # steps on replicas.
            steps = 10 if keras.backend.backend() == "tensorflow" and not replicated(self) else 1
            self.compile(keras.optimizers.Adagrad(0.03), steps_per_execution=steps)
        callbacks = kwargs.pop("callbacks", None) or []
        given = list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks]
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
        self.ensure_built(x.shape)
        self.visible_variable.assign(self.kind.bias(np.ravel(x.mean(axis=0))))

    def own_callbacks(self) -> list[keras.callbacks.Callback]:
        """Returns the callbacks that watch `fit`."""
        return [Watch()]

    def transform(self, x: Any, batch_size: int = 1024) -> np.ndarray:
        """Returns P(h = 1 | x) of the trained units, `(rows, units)`."""
        return self.predict(x, batch_size=batch_size, verbose=0)[:, : self.n_units]

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
