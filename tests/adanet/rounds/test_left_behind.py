"""What rounds leave behind in a process is bounded."""

import keras

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
