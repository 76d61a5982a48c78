"""What "auto" stands for among a search's arguments."""

import json
import math

import numpy as np
import pytest
import tensorflow as tf

import adaptive_nets as an
from adaptive_nets.adanet.defaults import Defaults

RNG = np.random.default_rng(0)


def rows(n):
    x = RNG.normal(size=(n, 3)).astype("float32")
    return x, (x[:, 0] > 0).astype(int)


def search(**settings):
    settings = {"max_iterations": 1, "seed": 0, **settings}
    return an.AdaNet(an.heads.BinaryClass(), an.generators.Dense(4, [1]), **settings)


def used(fitted):
    settings = fitted.results.context.settings
    return settings.steps, settings.penalty


@pytest.mark.parametrize(
    ("n", "batch", "steps", "of_numbers"),
    [(1, 1, 100, 100), (100, 32, 100, 100), (640, 32, 400, 212), (5000, 32, 3125, 2343),
     (10000, 256, 781, 781), (11340, 32, 5000, 5000), (1_000_000, 32, 5000, 5000)],
)  # fmt: skip
def test_a_round_reads_the_rows_several_times_within_bounds(n, batch, steps, of_numbers):
    defaults = Defaults.of_rows(n, batch)
    assert defaults == Defaults(steps, min(1 / math.sqrt(n), 0.1))
    assert Defaults.of_rows(n, batch, classes=False) == Defaults(of_numbers, defaults.adanet_lambda)
    assert Defaults.of_rows(n, batch, falls_with_rows=True) == Defaults(steps, 1e-3)


@pytest.mark.parametrize(
    ("n", "batch", "steps"), [(1, 1, 500), (640, 32, 2000), (11340, 32, 25_000)]
)
def test_with_early_stopping_a_round_may_read_the_rows_a_hundred_times(n, batch, steps):
    for classes in (True, False):
        assert Defaults.of_rows(n, batch, classes, stops_early=True).steps == steps


def test_fit_uses_what_its_rows_give():
    x, y = rows(640)
    fitted = search().fit(x, y, validation_split=0.1, batch_size=32, verbose=0)
    assert used(fitted) == (360, 1 / 24)  # 576 rows are left.
    assert fitted.global_step == 360
    selected = fitted.leaderboard().iloc[0]
    assert selected["steps"] == 360
    of_numbers = an.AdaNet(an.heads.Regression(), an.generators.Dense(4, [1]), max_iterations=1)
    assert used(of_numbers.fit(x, y, batch_size=64, verbose=0)) == (106, 640**-0.5)


def test_given_values_are_kept():
    fitted = search(steps_per_iteration=7, adanet_lambda=0.0).fit(*rows(40), verbose=0)
    assert used(fitted) == (7, 0.0) and fitted.global_step == 7


def test_a_complexity_that_falls_with_the_rows_keeps_its_weight():
    x, y = rows(256)
    for complexity, expected in (
        ("rademacher", 1e-3),
        ("std", 0.0625),
        (lambda s: 1.0, 0.0625),
    ):
        ready = search(complexity=complexity, steps_per_iteration=1).fit(x, y, verbose=0)
        assert used(ready) == (1, expected)


def test_endless_data_has_no_rows_to_count():
    x, y = rows(40)
    options = tf.data.Options()
    options.autotune.enabled = False
    endless = tf.data.Dataset.from_tensor_slices((x, y)).batch(8).repeat().with_options(options)
    fitted = search().fit(endless, max_steps=2, verbose=0)
    assert used(fitted) == (500, 1e-3)


def test_a_search_goes_on_with_what_it_began_with(tmp_path):
    x, y = rows(256)
    search(model_dir=tmp_path, max_iterations=1).fit(x, y, verbose=0)
    state = max(tmp_path.glob("state*.json"))
    assert json.loads(state.read_text())["defaults"] == {"steps": 160, "adanet_lambda": 0.0625}
    loaded = an.AdaNet.load(tmp_path)
    assert used(loaded) == (160, 0.0625) and loaded.settings.steps_per_iteration == "auto"
    # The same numbers, given, are the same search; others are changes.
    again = search(
        model_dir=tmp_path, max_iterations=2, steps_per_iteration=160, adanet_lambda=0.0625
    )
    assert used(again.fit(x, y, verbose=0)) == (160, 0.0625) and not again.changes
    other = search(
        model_dir=tmp_path, max_iterations=2, steps_per_iteration=99, adanet_lambda=0.1
    ).fit(x, y, verbose=0)
    assert used(other) == (99, 0.1)
    found = {change.setting: (change.before, change.after) for change in other.changes}
    assert found == {"steps_per_iteration": (160, 99), "adanet_lambda": (0.0625, 0.1)}


def test_more_members_must_pay_on_few_rows():
    """Noise is not fitted: λ is large on few rows, and a search on them stops early."""
    x, noise = RNG.normal(size=(60, 5)).astype("float32"), RNG.normal(size=60)
    head, generator = an.heads.Regression(), an.generators.Dense(16, [1])
    sizes = [
        len(an.AdaNet(head, generator, max_iterations=4, steps_per_iteration=30, seed=0, **given)
            .fit(x, noise, verbose=0).ensemble.members)
        for given in ({}, {"adanet_lambda": 1e-3})
    ]  # fmt: skip
    assert sizes[0] < sizes[1]
