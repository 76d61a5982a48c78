"""Trains the same network from many seeds at once, side by side in one compiled loop over steps.

Keras on JAX only: a model is a pure function of its variables there.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

jax.config.update("jax_default_matmul_precision", "highest")


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Args:
        optimizer: Makes a new Keras optimizer.
        steps: How many.
        batch: Rows per step.
        sharpness: The radius of sharpness-aware minimisation (SAM); 0 for none.
        average: The decay of an exponential average of the weights, which is what is evaluated;
            0 for none.
        penalty: From the model's trainable values to a number that is added to the loss.
        augment: From images and a key to images.
    """

    optimizer: Callable[[], keras.optimizers.Optimizer]
    steps: int
    batch: int = 32
    sharpness: float = 0.0
    average: float = 0.0
    penalty: Callable[[Sequence[Any]], Any] | None = None
    augment: Callable[[Any, Any], Any] | None = None


@dataclasses.dataclass
class Trained:
    """Many trained networks of one shape.

    Args:
        model: The shape.
        trainable: Values of its trainable variables, seeds first.
        state: Of its other variables.
        losses: Training loss by seed and step.
    """

    model: keras.Model
    trainable: list[Any]
    state: list[Any]
    losses: np.ndarray

    def load(self, number: int) -> keras.Model:
        """The model with the weights of one seed."""
        for variable, values in zip(self.model.trainable_variables, self.trainable, strict=True):
            variable.assign(values[number])
        for variable, values in zip(self.model.non_trainable_variables, self.state, strict=True):
            variable.assign(values[number])
        return self.model


def train(
    make: Callable[[], keras.Model],
    seeds: Sequence[int],
    x: np.ndarray,
    targets: np.ndarray,
    recipe: Recipe,
) -> Trained:
    """Trains a network from each seed.

    Args:
        make: Makes the network, after the seed was set; it ends in logits.
        seeds: Of weights, batches and draws.
        x: The rows, which all seeds share.
        targets: `(seeds, rows, classes)`: probabilities that the network is to give.
        recipe: How.
    """
    models = []
    for seed in seeds:
        keras.utils.set_random_seed(seed)
        models.append(make())
    model, optimizer = models[0], recipe.optimizer()
    optimizer.build(model.trainable_variables)
    trainable = _stacked([m.trainable_variables for m in models])
    state = _stacked([m.non_trainable_variables for m in models])
    slots = [jnp.stack([jnp.asarray(v.value)] * len(seeds)) for v in optimizer.variables]
    keys = jax.vmap(jax.random.key)(jnp.asarray(seeds, "uint32"))
    x = jnp.asarray(x)

    def loss(trainable, state, images, wanted):
        logits, state, extra = model.stateless_call(
            trainable, state, images, training=True, return_losses=True
        )
        found = -(wanted * jax.nn.log_softmax(logits)).sum(-1).mean() + sum(extra)
        if recipe.penalty is not None:
            found += recipe.penalty(trainable)
        return found, state

    gradient = jax.value_and_grad(loss, has_aux=True)

    def step(carry, key):
        trainable, state, slots, averaged, targets = carry
        rows, images = jax.random.split(key)
        rows = jax.random.randint(rows, (recipe.batch,), 0, len(x))
        taken, wanted = x[rows], targets[rows]
        if recipe.augment is not None:
            taken = recipe.augment(taken, images)
        (value, new_state), slopes = gradient(trainable, state, taken, wanted)
        if recipe.sharpness:
            norm = jnp.sqrt(sum((g**2).sum() for g in slopes)) + 1e-12
            up = [w + recipe.sharpness * g / norm for w, g in zip(trainable, slopes, strict=True)]
            _, slopes = gradient(up, state, taken, wanted)
        trainable, slots = optimizer.stateless_apply(slots, slopes, trainable)
        averaged = [recipe.average * a + (1 - recipe.average) * w
                    for a, w in zip(averaged, trainable, strict=True)]  # fmt: skip
        return (trainable, new_state, slots, averaged, targets), value

    convolves = any(len(v.shape) > 3 for v in model.trainable_variables)
    # On CPUs XLA convolves many times slower within a loop of its own.
    by_step = convolves and jax.default_backend() == "cpu"
    scan = _by_step if by_step else jax.lax.scan

    def run(trainable, state, slots, targets, key):
        carry = (trainable, state, slots, trainable, targets)
        carry, values = scan(step, carry, jax.random.split(key, recipe.steps))
        return (carry[3] if recipe.average else carry[0]), carry[1], values

    given = (trainable, state, slots, jnp.asarray(targets, "float32"), keys)
    if by_step:
        each = [
            run(*keras.tree.map_structure(lambda a, i=i: a[i], given)) for i in range(len(seeds))
        ]
        trainable, state, losses = jax.tree.map(lambda *values: jnp.stack(values), *each)
    elif convolves:
        # Convolutions with kernels of their own for each seed would become slow grouped ones.
        trainable, state, losses = jax.jit(lambda x: jax.lax.map(lambda x: run(*x), x))(given)
    else:
        trainable, state, losses = jax.jit(jax.vmap(run))(*given)
    return Trained(model, list(trainable), list(state), np.asarray(losses))


def _by_step(step, carry, keys):
    """As `jax.lax.scan`, one compiled step after another."""
    step, values = jax.jit(step), []
    for key in keys:
        carry, value = step(carry, key)
        values.append(value)
    return carry, jnp.stack(values)


def _stacked(variables):
    return [
        jnp.stack([jnp.asarray(v.value) for v in each]) for each in zip(*variables, strict=True)
    ]
