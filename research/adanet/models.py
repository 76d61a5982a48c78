"""The models that are compared: settings chosen on the validation fold, then one test."""

import dataclasses
import time
from typing import Any

import keras
import numpy as np
from protocol import Split
from sklearn.linear_model import LogisticRegression

import adaptive_nets as an

BATCH = 100
MAX_STEPS = 10_000
SEED = 0

# The paper's algorithm: subnetworks train on what the ensemble lacks and read its hidden layers,
# a round tries the depths l and l + 1, and each unit of the last layer has a weight of its own.
PAPER = {
    "training": "residual", "mixture_weights": "matrix", "refit": "new", "depths": None,
    "connect": "all", "width": 150, "activation": "relu", "dropout": 0.3, "learning_rate": 1e-3,
    "steps": 800, "rounds": 4, "adanet_lambda": 1e-2,
}  # fmt: skip
PAPER_GRID = [
    PAPER,
    {**PAPER, "adanet_lambda": 1e-3},
    {**PAPER, "width": 250},
]
# The engine's other choices: subnetworks that train alone, or on the average with the ensemble.
ALONE = {
    "training": "independent", "mixture_weights": "scalar", "refit": "all", "depths": [1],
    "connect": "none", "width": 250, "activation": "gelu", "dropout": 0.3, "learning_rate": 1e-3,
    "steps": 800, "rounds": 6, "adanet_lambda": 3e-2,
}  # fmt: skip
DEEP = {"dropout": 0.5, "steps": 1600}
ENGINE_GRID = [
    ALONE,
    {**ALONE, "width": 500},
    {**ALONE, "width": 150, "adanet_lambda": 1e-1},
    {**ALONE, **DEEP, "depths": [2], "rounds": 5},
    {**ALONE, **DEEP, "depths": [1, 2], "rounds": 3, "ensemble_strategies": "all"},
    {**ALONE, "training": "residual", "mixture_weights": "uniform"},
]
# At the first of the paper's settings, so that each differs from the base in one thing.
VARIANTS = {
    "base": {},
    "AdaNet.SD": {"complexity": "std"},
    "AdaNet.R": {"penalize_training": True},
    "AdaNet.P": {"connect": "previous"},
    "AdaNet.D": {"connection_dropout": 0.1},
}


@dataclasses.dataclass
class Result:
    """What a model reached on one fold.

    Attributes:
        model: Name, a column of the table.
        settings: Those chosen on the validation fold.
        validation: Accuracy there.
        test: Accuracy on the test fold.
        correct: Which test rows it had right; compared between models, not kept.
        units: Hidden units.
        tried: Validation accuracy of every setting.
        cpu_seconds: For all settings together.
    """

    model: str
    settings: dict
    validation: float
    test: float
    correct: np.ndarray
    units: int
    tried: list[float]
    cpu_seconds: float


def logistic(data: Split) -> list[Result]:
    """Logistic regression with the L2 penalty chosen from three."""
    began = time.process_time()
    grid = [{"C": c} for c in (0.01, 0.1, 1.0)]
    models = [LogisticRegression(max_iter=500, **s).fit(*data.train) for s in grid]
    best, tried = _choose([m.score(*data.validation) for m in models])
    correct = models[best].predict(data.test[0]) == data.test[1]
    return [_result("logistic", grid[best], tried, correct, 0, began)]


def plain(
    data: Split,
    units: int,
    dropouts: tuple[float, ...] = (0.0,),
    rates: tuple[float, ...] = (3e-4, 1e-3),
    max_steps: int = MAX_STEPS,
) -> list[Result]:
    """A network of one hidden layer, stopped where the validation accuracy was best."""
    began = time.process_time()
    grid = [{"learning_rate": r, "dropout": d} for r in rates for d in dropouts]
    fits = [_fit_plain(data, units, max_steps, **settings) for settings in grid]
    best, tried = _choose([accuracy for _, accuracy in fits])
    correct = _correct(fits[best][0], data.test)
    name = f"plain {units}" + (", dropout" if any(dropouts) else "")
    return [_result(name, grid[best], tried, correct, units, began)]


def _fit_plain(data, units, max_steps, learning_rate, dropout):
    keras.utils.set_random_seed(SEED)
    hidden = [keras.layers.Dense(units, activation="relu"), keras.layers.Dropout(dropout)]
    shape = data.train[0].shape[1:]
    model = keras.Sequential([keras.Input(shape), *hidden, keras.layers.Dense(1)])
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)],
        jit_compile=False,
        steps_per_execution=16,
    )
    stop = keras.callbacks.EarlyStopping(
        "val_accuracy", mode="max", patience=8, restore_best_weights=True
    )
    x, y = data.train
    model.fit(
        x, y[:, None].astype("float32"),
        validation_data=(data.validation[0], data.validation[1][:, None].astype("float32")),
        batch_size=BATCH, epochs=max(1, max_steps * BATCH // len(x)), verbose=0, callbacks=[stop],
    )  # fmt: skip
    return model, np.mean(_correct(model, data.validation))


def adanet(
    data: Split, paper: list[dict] = PAPER_GRID, engine: list[dict] = ENGINE_GRID
) -> list[Result]:
    """The best of all searches, and the best of those by the paper's algorithm.

    Args:
        data: The fold.
        paper: Settings of the paper's algorithm.
        engine: Settings of the engine's other choices.
    """
    began = time.process_time()
    grid = [*paper, *engine]
    searches = [search(data, **settings) for settings in grid]
    accuracies = [s.evaluate(*data.validation)["accuracy"] for s in searches]
    results = []
    for name, count in (("AdaNet, the paper's", len(paper)), ("AdaNet", len(grid))):
        best, tried = _choose(accuracies[:count])
        correct = _correct(searches[best].model, data.test)
        units = units_learnt(searches[best])
        results.append(_result(name, grid[best], tried, correct, units, began))
    return results


def variant(data: Split, name: str, paper: dict = PAPER) -> list[Result]:
    """One of the paper's variants of its algorithm, at the same settings."""
    began = time.process_time()
    settings = {**paper, **VARIANTS[name]}
    one = search(data, **settings)
    tried = [one.evaluate(*data.validation)["accuracy"]]
    correct = _correct(one.model, data.test)
    return [_result(name, settings, tried, correct, units_learnt(one), began)]


def search(
    data: Split,
    *,
    width: int,
    depths: list[int] | None,
    activation: str,
    dropout: float,
    learning_rate: float,
    connect: str,
    steps: int,
    rounds: int,
    connection_dropout: float = 0.0,
    **settings: Any,
) -> an.AdaNet:
    """A finished search on the training rows.

    Args:
        data: The fold.
        width: Units of a layer, the paper's B.
        depths: As of `generators.Dense`.
        activation: As of `generators.Dense`.
        dropout: As of `generators.Dense`.
        learning_rate: Adam's.
        connect: As of `generators.Dense`.
        steps: Of a round.
        rounds: At most, the paper's T.
        connection_dropout: As of `generators.Dense`.
        **settings: Of `AdaNet`.
    """
    generator = an.generators.Dense(
        widths=width, depths=depths, activation=activation, dropout=dropout,
        learning_rate=learning_rate, connect=connect, connection_dropout=connection_dropout,
    )  # fmt: skip
    found = an.AdaNet(
        an.heads.BinaryClass(), generator, max_iterations=rounds, steps_per_iteration=steps,
        preprocessing=None, seed=SEED, **settings,
    )  # fmt: skip
    return found.fit(*data.train, batch_size=BATCH, verbose=0)


def units_learnt(found: an.AdaNet) -> int:
    """Hidden units of the members that have a weight."""
    ensemble = found.ensemble
    kept = zip(ensemble.members, ensemble.mixture.norms(), strict=True)
    return sum(m.depth * m.model.output["last_layer"].shape[-1] for m, norm in kept if norm > 0)


def _correct(model, rows):
    logits = model.predict(rows[0], batch_size=len(rows[0]), verbose=0)
    return (logits[:, 0] > 0) == rows[1]


def _choose(accuracies):
    return int(np.argmax(accuracies)), [round(float(a), 4) for a in accuracies]


def _result(model, settings, tried, correct, units, began):
    return Result(
        model=model,
        settings=settings,
        validation=max(tried),
        test=round(float(np.mean(correct)), 4),
        correct=correct,
        units=units,
        tried=tried,
        cpu_seconds=round(time.process_time() - began, 1),
    )
