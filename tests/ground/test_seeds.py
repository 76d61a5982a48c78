"""Seeded candidates in several threads: all draw from states that belong to the process."""

import random
import threading
import time

import keras
import numpy as np
import pytest

import adaptive_nets as an
from adaptive_nets._seeds import making_layers, seeded
from adaptive_nets.graphs.scope import again

DENSE, DROPOUT = keras.layers.Dense(2), keras.layers.Dropout(0.5)


def drawn(between=lambda: None):
    """Two draws of each state under one seed, with something done between them."""
    with seeded(5):
        first = random.random(), np.random.rand()
        between()
        return *first, random.random(), np.random.rand()


def seeding(arrived):
    with seeded(6):
        arrived()
        time.sleep(0.2)


def copying_layers(arrived):
    again(DENSE)
    again(DROPOUT)
    arrived()


def while_another_thread(act):
    """Draws, in the middle of which another thread acts, if it is let."""
    started, arrived = threading.Event(), threading.Event()

    def other():
        started.wait(10)
        act(arrived.set)

    def between():
        started.set()
        # Whoever is not held back is there long before.
        arrived.wait(0.5)

    thread = threading.Thread(target=other)
    thread.start()
    try:
        return drawn(between)
    finally:
        thread.join(10)
        assert arrived.is_set()


@pytest.mark.parametrize("act", [seeding, copying_layers])
def test_a_thread_that_makes_layers_does_not_disturb_another(act):
    assert while_another_thread(act) == drawn()


def test_the_callers_states_come_back_after_two_threads():
    random.seed(3)
    np.random.seed(3)
    expected = random.random(), np.random.rand()
    random.seed(3)
    np.random.seed(3)
    while_another_thread(seeding)
    assert (random.random(), np.random.rand()) == expected


def test_one_thread_may_seed_again_inside():
    alone = drawn()
    with making_layers, seeded(1):
        assert drawn() == alone


def test_two_searches_in_two_threads_find_what_one_finds():
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    found = {}

    def search(key):
        made = an.AdaNet(
            an.heads.BinaryClass(), an.generators.Dense(dropout=0.1), seed=0,
            max_iterations=1, steps_per_iteration=2, force_grow=True,
        )  # fmt: skip
        made.fit(x, y, verbose=0)
        found[key] = made.model.get_weights()

    search("alone")
    threads = [threading.Thread(target=search, args=(key,)) for key in ("one", "other")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for key in ("one", "other"):
        for got, expected in zip(found[key], found["alone"], strict=True):
            np.testing.assert_array_equal(got, expected)
