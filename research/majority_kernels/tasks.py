"""Digits, clean and with wrong labels, and a part of CIFAR-10."""

import dataclasses
import pathlib
import sys
from collections.abc import Callable

import jax
import jax.numpy as jnp
import keras
import numpy as np
from networks import Kernels, mlp, resnet
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


@dataclasses.dataclass(frozen=True)
class Task:
    """Data, a network and how it is usually trained.

    Args:
        x: Training rows.
        labels: `(seeds, rows)`: what each seed is told.
        x_test: Test rows.
        y_test: Their true labels.
        make: From kernels to a network.
        seeds: Of all that is drawn.
        steps: Of training.
        batch: Rows per step.
        rate: The learning rate of Adam.
        sgd_rate: That of plain gradient descent.
        augment: From images and a key to images, or None.
    """

    x: np.ndarray
    labels: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    make: Callable[[Kernels], keras.Model]
    seeds: tuple[int, ...]
    steps: int
    batch: int
    rate: float
    sgd_rate: float
    augment: Callable | None = None


def digits(noise: float) -> Task:
    """scikit-learn's digits, half for testing, a share of the training labels drawn anew."""
    x, y = load_digits(return_X_y=True)
    x, x_test, y, y_test = train_test_split(
        (x / 16).astype("float32"), y, test_size=0.5, random_state=0, stratify=y
    )
    seeds = tuple(range(12))
    labels = np.stack([_noisy(y, noise, seed) for seed in seeds])
    return Task(x, labels, x_test, y_test, mlp, seeds, 6000, 32, 1e-3, 0.1)


def cifar10(data_dir: str, rows: int = 10_000, noise: float = 0.0) -> Task:
    """Training images of chunks 0 to 3, tested on the fifth chunk."""
    # The reader is the one of the paper's pairs.
    sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "adanet"))
    from cifar10 import read_cifar10

    images, labels = read_cifar10(data_dir)
    x = (images.astype("float32") / 255 - 0.5) / 0.25
    seeds = (0, 1, 2)
    y = np.stack([_noisy(labels[:rows], noise, seed) for seed in seeds])
    tested = slice(40_000, 50_000)
    return Task(
        x[:rows], y, x[tested], labels[tested], resnet, seeds, 1500, 128, 2e-3, 0.1, shifted
    )  # fmt: skip


def shifted(images: jax.Array, key: jax.Array) -> jax.Array:
    """Images moved by up to four pixels and mirrored at random."""
    places, mirrored = jax.random.split(key)
    padded = jnp.pad(images, ((0, 0), (4, 4), (4, 4), (0, 0)))
    starts = jax.random.randint(places, (len(images), 2), 0, 9)

    def crop(image, start):
        return jax.lax.dynamic_slice(image, (start[0], start[1], 0), images.shape[1:])

    moved = jax.vmap(crop)(padded, starts)
    turned = jax.random.bernoulli(mirrored, 0.5, (len(images), 1, 1, 1))
    return jnp.where(turned, moved[:, :, ::-1], moved)


def _noisy(y, noise, seed):
    rng = np.random.default_rng([seed, 7])
    return np.where(rng.random(len(y)) < noise, rng.integers(0, 10, len(y)), y)
