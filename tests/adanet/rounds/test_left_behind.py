"""What searches leave behind in a process is bounded."""

import keras
import numpy as np
import psutil

import adaptive_nets as an
from adaptive_nets.adanet.rounds import xla
from adaptive_nets.adanet.rounds.xla import XLA_STEPS, choose_xla


def test_programs_that_stay_in_memory_are_bounded(monkeypatch):
    inputs = keras.Input((2,))
    models = [keras.Model(inputs, keras.layers.Dense(2)(inputs))]
    monkeypatch.setattr(xla._Programs, "made", 0)
    monkeypatch.setattr(xla, "XLA_PROGRAMS", 2)
    few = ("auto", models, XLA_STEPS - 1, 1)
    assert not choose_xla(*few) and not choose_xla(False, models, XLA_STEPS, 1)
    assert not choose_xla("auto", models, XLA_STEPS, 2)
    chosen = [choose_xla("auto", models, XLA_STEPS, 1) for _ in range(4)]
    assert chosen == [True, True, False, False]
    assert choose_xla(True, models, 1, 1)


def test_searches_leave_no_files_and_threads_open():
    process, rng = psutil.Process(), np.random.default_rng(0)
    x, y = rng.normal(size=(30, 2)), np.arange(30) % 3
    held = []
    for seed in range(5):
        made = an.AdaNet(
            an.heads.MultiClass(3), an.generators.Dense(4, depths=[1]), max_iterations=1,
            steps_per_iteration=4, seed=seed, jit_compile=False,
        )  # fmt: skip
        made.fit(x, y, verbose=0)
        held.append((process.num_fds(), process.num_threads()))
    assert held[-1] == held[1]
