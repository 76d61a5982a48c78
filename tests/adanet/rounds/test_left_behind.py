"""What rounds leave behind in a process is bounded, and graphs are rewritten where it pays."""

import keras
import tensorflow as tf

from adaptive_nets.adanet.rounds import xla
from adaptive_nets.adanet.rounds.xla import XLA_STEPS, choose_xla, rewrites


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


def test_graphs_are_rewritten_where_it_pays(monkeypatch, rewritten_graphs):
    dense = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    slow = keras.Sequential([keras.Input((5, 4)), keras.Sequential([keras.layers.GRU(2)])])
    few = XLA_STEPS - 1
    assert not rewrites([dense], few, 1)
    assert rewrites([dense], XLA_STEPS, 1) and rewrites([dense], few, 2)
    assert rewrites([dense, slow], few, 1)
    with monkeypatch.context() as patched:
        patched.setattr(
            tf.config.optimizer, "get_experimental_options", lambda: {"auto_mixed_precision": True}
        )
        assert rewrites([dense], few, 1)
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: ["gpu"])
    assert rewrites([dense], few, 1)
