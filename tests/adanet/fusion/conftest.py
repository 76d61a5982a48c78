"""What the fusion's tests share: ensembles of untrained members, and exact comparison."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import adaptive_nets as an
from adaptive_nets.adanet import Ensemble, Mixture, MixtureEnsembler, UniformEnsembler
from adaptive_nets.adanet.ensembles.member import lineage, run_all
from adaptive_nets.adanet.fusion.fuse_ensemble import fuse_ensemble
from adaptive_nets.adanet.rounds.build_member import build_member
from adaptive_nets.data.schema import Schema

UNITS = 3
RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(50, 6)).astype("float32")


class Chosen(an.adanet.Generator):
    """The builders it was given, one per round."""

    def __init__(self, *builders):
        self.builders = builders

    def generate(self, previous, iteration, reports):
        return [self.builders[iteration - 1]]


def dense(depths, connect="all", width=4, **settings):
    """Builders of dense networks of given depths, of growing width."""
    return [
        an.generators.Dense(
            widths=width + number, depths=[depth], connect=connect, **settings
        ).generate(None, 1, [])[0]
        for number, depth in enumerate(depths)
    ]


def conv(depths, connect="all", filters=2, **settings):
    made = (
        an.generators.Conv(filters=filters, depths=[depth], connect=connect, **settings)
        for depth in depths
    )
    return [generator.generate(None, 1, [])[0] for generator in made]


def ensemble_of(builders, x, kind="scalar", members=None):
    """An ensemble of untrained members with random weights of every kind, and its ensembler."""
    spec, trained = Schema.infer(x).spec, []
    previous, rng = None, np.random.default_rng(1)
    for number, builder in enumerate(builders, start=1):
        member = build_member(builder, spec, UNITS, previous, number, lambda *_: 1.0, 0)
        for variable in member.model.weights:
            variable.assign(random_value(variable, rng))
        trained.append(member)
        previous = Ensemble("e", number, tuple(trained), Mixture(()), 0.0)
    chosen = tuple(trained if members is None else [trained[i] for i in members])
    shapes = {
        "uniform": lambda m: (), "scalar": lambda m: (), "vector": lambda m: (UNITS,),
        "matrix": lambda m: (m.model.output["last_layer"].shape[-1], UNITS),
    }  # fmt: skip
    weights = tuple(rng.normal(size=shapes[kind](m)) for m in chosen)
    if kind == "uniform":
        ensembler, bias = UniformEnsembler(), None
        weights = (1 / len(chosen),) * len(chosen)
    else:
        ensembler, bias = MixtureEnsembler(kind, lambda r: 0.0, True), rng.normal(size=UNITS)
    return Ensemble("e", len(builders), chosen, Mixture(weights, bias), 0.0), ensembler, spec


def random_value(variable, rng):
    if variable.name in ("gamma", "moving_variance"):
        return rng.uniform(0.5, 2.0, variable.shape)
    fan_in = np.prod(variable.shape[:-1]) if len(variable.shape) > 1 else 10
    return rng.normal(size=variable.shape) / np.sqrt(fan_in)


def outputs_of(ensemble, ensembler, x):
    """The ensemble's logits, mixed in float64."""
    tensors = keras.tree.map_structure(tf.constant, x)
    known = run_all(lineage(ensemble.members), tensors, {}, training=False)
    outputs = [
        {key: known[f"{m.name}.{key}"].numpy() for key in ("logits", "last_layer")}
        for m in ensemble.members
    ]
    return ensembler.apply(ensemble.mixture, outputs)


def assert_equal(ensemble, ensembler, spec, x):
    fused = fuse_ensemble(ensemble, ensembler, spec)
    expected = outputs_of(ensemble, ensembler, x)
    found = fused(keras.tree.map_structure(tf.constant, x), training=False)
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()
    return fused


def kernels(model):
    return [layer.kernel.numpy() for layer in model.layers if hasattr(layer, "kernel")]


def kinds(model):
    return [type(layer).__name__ for layer in model.layers]


class Chain(an.adanet.Builder):
    """Convolutions in a row, that read those before them."""

    def __init__(self, depth, name="chain", end=layers.Flatten, strides=1):
        self.name, self.depth, self.end, self.strides = name, depth, end, strides

    def build(self, inputs, units, previous=None):
        x, hidden = inputs, []
        for _ in range(self.depth):
            x = an.adanet.connect(x, previous, len(hidden)) if hidden else x
            x = layers.Conv2D(3, 3, self.strides, padding="same", use_bias=False)(x)
            x = layers.ReLU()(layers.BatchNormalization()(x))
            x = layers.SpatialDropout2D(0.1)(x)
            hidden.append(x)
        x = self.end()(x)
        return an.adanet.Subnetwork(layers.Dense(units)(x), x, hidden, self.depth)


def pooled(model, rounds=2):
    return [an.generators.Pool({"m": model}).generate(None, 1, [])[0] for _ in range(rounds)]


@pytest.fixture(scope="session")
def fz():
    """The helpers above."""
    return types.SimpleNamespace(
        ensemble_of=ensemble_of,
        outputs_of=outputs_of,
        assert_equal=assert_equal,
        kernels=kernels,
        kinds=kinds,
        dense=dense,
        conv=conv,
        pooled=pooled,
        Chain=Chain,
        Chosen=Chosen,
        TABLE=TABLE,
        RNG=RNG,
    )
