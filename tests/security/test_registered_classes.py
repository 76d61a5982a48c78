"""Our classes under Keras' own safe mode: no file that names one of them runs code.

Whoever imports this package registers its classes, so that any `.keras` file may name them. Each
gets each hostile description in each place of its configuration.
"""

import contextlib
import copy
import json
import os

import keras
import numpy as np
import pytest
import tensorflow as tf

import adaptive_nets as an
import adaptive_nets.estimator
from adaptive_nets.contracts import registered
from adaptive_nets.serialization import describe_object

registered("adaptive_nets>all that is registered")
OURS = {
    name: found
    for name, found in keras.saving.get_custom_objects().items()
    if found.__module__.startswith("adaptive_nets.")
}


def _model():
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])


def _ours(name, *arguments):
    """A class that only its registered name leads to."""
    return OURS[f"adaptive_nets>{name}"](*arguments)


def _replayed():
    chosen = [{"name": "a", "previous": False, "new": ["a"]}]
    return {"generator": describe_object(an.generators.Dense()), "chosen": chosen, "reports": []}


def _majority(kind):
    """A majority layer; each takes its sizes first."""
    sizes = {"Dense": (2,), "Embedding": (3, 2), "EinsumDense": ("ab,bc->ac", (2,)), "LSTM": (2,),
             "GRU": (2,), "LSTMCell": (2,), "GRUCell": (2,), "MultiHeadAttention": (1, 2),
             "DepthwiseConv2D": (2,)}  # fmt: skip
    return OURS[f"adaptive_nets>Majority{kind}"](*sizes.get(kind, (2, 2)), factor=2)


def _columns():
    """Feature columns of several kinds."""
    fc = tf.feature_column
    age = fc.numeric_column("age", normalizer_fn=lambda x: (x - 40.0) / 10.0)
    job = fc.categorical_column_with_vocabulary_list("job", ["a", "b"])
    cross = fc.crossed_column([job, "city"], 5)
    return [age, fc.embedding_column(cross, 2), fc.indicator_column(job)]


# How each class is made whose constructor needs something, or the configuration itself.
MADE = {
    "Bagging": lambda: an.generators.Bagging(an.generators.Dense()),
    "ColumnsMetric": lambda: an.heads.Multi(
        {"a": an.heads.BinaryClass(), "b": an.heads.Regression(1)}
    ).metrics()["a/accuracy"],
    "CategoryEmbedding": lambda: _ours("CategoryEmbedding", [4, 5], [[0, 1, 2]] * 2, 3),
    "Buckets": lambda: _ours("Buckets", 4),
    "Crosses": lambda: _ours("Crosses", [4, 5], 2),
    "ColumnNetwork": lambda: _ours("ColumnNetwork", 2, _columns()[1:], _columns(), [3]),
    "DenseColumns": lambda: _ours("DenseColumns", _columns()),
    "LinearColumns": lambda: _ours("LinearColumns", 2, _columns()),
    "PartedOptimizer": lambda: _ours("PartedOptimizer", "sgd", "adam"),
    "FunctionComplexity": lambda: {"function": "relu"},
    "FuseWith": lambda: an.growth.FuseWith(_model()),
    "Growth": lambda: an.generators.Growth(an.generators.Dense()),
    "LateDecay": lambda: _ours("LateDecay", 0.1),
    "MajorityComposite": lambda: {
        "layer": keras.saving.serialize_keras_object(keras.layers.Dense(2)), "factor": 2},
    "MemberHeads": lambda: _ours("MemberHeads", 2),
    "Mimic": lambda: {"head": describe_object(an.heads.MultiClass(3))},
    "MixtureEnsembler": lambda: an.adanet.MixtureEnsembler("scalar", an.adanet.Penalty()),
    "Multi": lambda: an.heads.Multi([an.heads.BinaryClass(), an.heads.Regression(1)]),
    "MultiLabel": lambda: an.heads.MultiLabel(3),
    "Pool": lambda: {"models": {"a": keras.saving.serialize_keras_object(_model())}},
    "PoolGenerator": lambda: {"models": {"a": keras.saving.serialize_keras_object(_model())}},
    "ReplayGenerator": _replayed,
    "ReplayStrategy": lambda: {"chosen": _replayed()["chosen"]},
    "NegativeLogLikelihood": lambda: an.heads.Distribution().metrics()["nll"],
    "OneHot": lambda: _ours("OneHot", [4, 5], [[0, 1, 2]] * 2),
    "Pieces": lambda: _ours("Pieces", 4),
    "PiecewiseLinear": lambda: _ours("PiecewiseLinear", 2),
    "OrderedRBM": lambda: an.energy.OrderedRBM(3),
    "RBM": lambda: an.energy.RBM(3),
    "RoundSchedule": lambda: {"schedule": keras.optimizers.schedules.serialize(
        keras.optimizers.schedules.ExponentialDecay(0.1, 5, 0.9)), "steps": 2.0},
    "SeveralEnsemblers": lambda: an.adanet.SeveralEnsemblers(
        [an.adanet.UniformEnsembler(), an.adanet.UniformEnsembler(an.adanet.Penalty(0.1))]),
    "ScaleEnsemble": lambda: _ours("ScaleEnsemble", 2),
    "ScaledDense": lambda: _ours("ScaledDense", 2, "relu"),
    "SurrogateLogLoss": lambda: OURS["adaptive_nets>SurrogateLogLoss"]("logistic"),
    "TableEncoding": lambda: {
        "schema": an.data.Schema.infer({"a": [1.5, 2.0], "b": ["x", "y"]}, kinds={}).to_dict(),
        "parts": {"a": ["hour"]}, "gaps": ["a"], "known": 2, "length": 1},
    "TokenBag": lambda: _ours("TokenBag", 5, 4, 2),
    "FirstRound": lambda: {"generator": describe_object(an.generators.Dense())},
    "Rewarmed": lambda: {"schedule": keras.optimizers.schedules.serialize(
        keras.optimizers.schedules.ExponentialDecay(0.1, 5, 0.9)), "start": 0, "steps": 2},
}  # fmt: skip

# What every configuration may be told besides: settings that Keras' own layers take.
EXTRA = ("activation", "kernel_initializer", "kernel_regularizer", "dtype", "loss", "optimizer",
         "learning_rate", "generator", "layer", "metric", "gamma", "function", "cells")  # fmt: skip


def config_of(name):
    plain = name.partition(">")[2]
    if plain in MADE:
        made = MADE[plain]()
    elif plain.startswith("Majority"):
        made = _majority(plain.removeprefix("Majority"))
    else:
        made = OURS[name]()
    if not isinstance(made, dict):
        made = keras.saving.serialize_keras_object(made)["config"]
    return json.loads(json.dumps(made))


def variants(config, hostiles):
    """The configuration with a description in each place, one after another.

    With WHOLE_SECURITY=1 in the environment each place gets each of them, else one by turns.
    """
    places = [*_places(config), *((key,) for key in EXTRA)]
    for turn, place in enumerate(places):
        own = hostiles if os.environ.get("WHOLE_SECURITY") else [hostiles[turn % len(hostiles)]]
        for hostile in own:
            changed = copy.deepcopy(config)
            held = changed
            for key in place[:-1]:
                held = held[key]
            held[place[-1]] = hostile
            yield changed


def _places(value, before=()):
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for key, entry in entries:
        yield (*before, key)
        if isinstance(entry, dict | list):
            yield from _places(entry, (*before, key))


@pytest.mark.parametrize("name", OURS)
def test_it_can_be_told_nothing_that_runs(traps, name):
    kind, config, tried = OURS[name], config_of(name), 0
    rows = np.ones((2, 4), "float32")
    hostiles = traps.hostile()
    if issubclass(kind, keras.Layer):
        # Keras looks into its own modules for what its own settings name.
        del hostiles["submodule"]
    for changed in variants(config, list(hostiles.values())):
        described = {"module": kind.__module__, "class_name": kind.__name__,
                     "config": changed, "registered_name": name}  # fmt: skip
        tried += 1
        with traps.watched():
            try:
                made = keras.saving.deserialize_keras_object(described)
            except Exception as error:
                # Whatever Keras says; the secret is not in it.
                assert "two lines" not in str(error)
                continue
            if callable(made) and not isinstance(made, keras.Layer) and tried % 7 == 0:
                with contextlib.suppress(Exception):
                    made(rows, rows)
    assert tried >= len(EXTRA)


def test_all_classes_have_a_configuration_to_change():
    bare = {name for name in OURS if not config_of(name)}
    # What takes no argument has no configuration.
    assert bare == {f"adaptive_nets>{name}" for name in ("All", "Grow", "OutputDeviation", "Solo",
                                                         "SqrtDepth")}  # fmt: skip
