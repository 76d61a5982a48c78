"""One arm on one task: its networks' outputs on the test rows."""

import functools

import keras
import numpy as np
from arms import Arm
from controls import select, softmax, subspace_penalty
from tasks import Task
from training import Recipe, Trained, train

import adaptive_nets as an


def trial(task: Task, arm: Arm) -> list[np.ndarray]:
    """Trains an arm from all seeds of a task.

    Returns:
        Test probabilities `(rows, classes)`, one a seed.
    """
    one_hot = np.eye(10, dtype="float32")[task.labels]
    targets, recipe = one_hot, _recipe(task, arm)
    if arm.teachers:
        given, tested = [], []
        for number in range(arm.teachers):
            seeds = [1000 * (number + 1) + seed for seed in task.seeds]
            teacher = train(_make(task, arm), seeds, task.x, one_hot, recipe)
            tested.append([softmax(each) for each in outputs(teacher, arm, task, task.x_test)])
            given.append([softmax(each) for each in outputs(teacher, arm, task, task.x)])
        if arm.ensemble:
            return list(np.mean(tested, axis=0))
        targets = np.mean(given, axis=0)
    trained = train(_make(task, arm), task.seeds, task.x, targets, recipe)
    return [softmax(each) for each in outputs(trained, arm, task, task.x_test)]


def outputs(trained: Trained, arm: Arm, task: Task, x: np.ndarray) -> list[np.ndarray]:
    """Logits of the networks as they are deployed, one array a seed."""
    if arm.select:
        folded = [len(v.shape) > 2 and v.shape[1] == arm.kernels.factor for v in trained.trainable]
        trained.trainable = [
            np.stack([select(np.asarray(each)) for each in value]) if is_folded else value
            for value, is_folded in zip(trained.trainable, folded, strict=True)
        ]
    found = []
    for number in range(len(task.seeds)):
        model = trained.load(number)
        if arm.kernels.factor > 1:
            model = an.majority.collapse(model)[0]
        if any(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers):
            # Statistics were collected under other kernels than the deployed ones; all arms alike.
            an.majority.recalibrate_in_place(model, task.x[:2000])
        found.append(np.asarray(model.predict(x, batch_size=1000, verbose=0)))
    return found


def accuracy_and_loss(probabilities: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """The share of right answers, and the mean negative log-likelihood."""
    right = float((probabilities.argmax(-1) == labels).mean())
    given = probabilities[np.arange(len(labels)), labels]
    return right, float(-np.log(np.maximum(given, 1e-12)).mean())


def _make(task, arm):
    return functools.partial(task.make, arm.kernels)


def _recipe(task, arm):
    steps = max(1, round(task.steps * arm.steps))
    rate = arm.rate * (task.sgd_rate if arm.sgd else task.rate)
    kind = keras.optimizers.SGD if arm.sgd else keras.optimizers.Adam
    penalty = subspace_penalty(arm.kernels.factor, arm.subspace) if arm.subspace else None
    return Recipe(
        lambda: kind(rate), steps, task.batch, arm.sharpness, arm.average, penalty, task.augment
    )
