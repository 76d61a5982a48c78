"""What every generator keeps, stock or the user's own."""

import functools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import adaptive_nets as an
from adaptive_nets.adanet.candidates.generator import propose_builders
from adaptive_nets.data.specs import FeatureSpec
from adaptive_nets.serialization import describe_object, restore_object

IMAGE = FeatureSpec((6, 6), "float32")


class Bottleneck(an.adanet.Builder):
    def __init__(self, width):
        self.name, self.width = f"bottleneck_{width}", width

    def build(self, inputs, units, previous=None):
        hidden = keras.layers.Dense(self.width, "relu")(keras.layers.Flatten()(inputs))
        return an.adanet.Subnetwork(
            keras.layers.Dense(units)(hidden), last_layer=hidden, attributes={"w": self.width}
        )

    def hyperparameters(self):
        return {"width": self.width}


@keras.saving.register_keras_serializable(package="adaptive_nets_tests")
class Doubling(an.adanet.Generator):
    """A user's own: twice the width of the best report, or the first."""

    def __init__(self, first=2):
        self.first = first

    def generate(self, previous, iteration, reports):
        best = min(reports, key=lambda r: r.metrics["loss"], default=None)
        width = self.first if best is None else 2 * best.hyperparameters["width"]
        return [Bottleneck(width), Bottleneck(width + 1)]

    def get_config(self):
        return {"first": self.first}


def own_model(units, seed=None):
    return keras.Sequential(
        [
            keras.Input((6, 6)),
            keras.layers.Flatten(),
            keras.layers.Dense(5, kernel_initializer=keras.initializers.GlorotUniform(seed)),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(units, kernel_initializer=keras.initializers.GlorotUniform(seed)),
        ]
    )


RATE = keras.optimizers.schedules.ExponentialDecay(0.05, 10, 0.5)
GENERATORS = {
    "dense": lambda units: an.generators.Dense(8),
    "dense_norm": lambda units: an.generators.Dense(
        (4, 8), (0, 2), "tanh", "batch", 0.2, keras.optimizers.SGD(0.5, 0.9), RATE
    ),
    "dense_connected": lambda units: an.generators.Dense(
        4, 2, connect="all", connection_dropout=0.1, kernel_constraint=an.adanet.NormBall(1.5)
    ),
    "bagging": lambda units: an.generators.Bagging(an.generators.Dense(4, (0, 1)), 0.5),
    "growth": lambda units: an.generators.Growth(an.generators.Dense(4, (0, 1)), factor=1.5),
    "conv": lambda units: an.generators.Conv(3, depths=(0, 1), dropout=0.1, connect="previous"),
    "pool_models": lambda units: an.generators.Pool(
        {"a": own_model(units, 1), "b": own_model(units, 2)}
    ),
    "pool_functions": lambda units: an.generators.Pool(
        {"a": functools.partial(own_model, units), "b": functools.partial(own_model, units)}
    ),
    "dense_majority": lambda units: an.generators.Dense(4, (0, 1), norm="batch", majority=3),
    "conv_majority": lambda units: an.generators.Conv(
        3, depths=1, majority={"factor": 2, "distribution": "uniform", "subspace_penalty": 0.1}
    ),
    "bagging_majority": lambda units: an.generators.Bagging(
        an.generators.Dense(4, 1, majority=2), 0.5
    ),
    "growth_majority": lambda units: an.generators.Growth(
        an.generators.Dense(4, 1, majority=2), factor=1.5, majority=2
    ),
    "pool_majority": lambda units: an.generators.Pool(
        {"a": own_model(units, 1), "b": functools.partial(own_model, units)}, majority=3
    ),
    "own": lambda units: Doubling(3),
}
# `Tuned` is in tests/generators/tuned/test_tuned.py: its functions are not in a configuration.

REPORT = functools.partial(an.adanet.Report, attributes={}, selected=True, status="trained")
REPORTS = [
    REPORT(1, "bottleneck_4", {"width": 4}, metrics={"loss": 0.5}),
    REPORT(1, "bottleneck_8", {"width": 8}, metrics={"loss": 0.25}),
]


def member_config(member):
    """The layers of a member, without the names that Keras numbers."""
    kinds = (keras.Model, keras.layers.InputLayer)
    layers = [layer for layer in member.model._flatten_layers() if not isinstance(layer, kinds)]
    return [(type(layer), {**layer.get_config(), "name": None}) for layer in layers]


def situations(ensemble):
    return [(None, 1, []), (ensemble(2, 1), 2, REPORTS)]


@pytest.mark.parametrize("make", GENERATORS.values(), ids=GENERATORS)
@pytest.mark.parametrize("units", [1, 3])
def test_the_same_arguments_give_the_same_candidates(make, units, ensemble, built):
    first, second = make(units), make(units)
    for previous, iteration, reports in situations(ensemble):
        pairs = zip(
            propose_builders(first, previous, iteration, reports),
            propose_builders(second, previous, iteration, reports),
            strict=True,
        )
        for a, b in pairs:
            assert (a.name, a.hyperparameters()) == (b.name, b.hyperparameters())
            assert json.loads(json.dumps(a.hyperparameters())) == a.hyperparameters()
            members = [built(x, IMAGE, units, previous, iteration) for x in (a, b)]
            assert member_config(members[0]) == member_config(members[1])
            assert members[0].depth == members[1].depth
            weights = [member.model.get_weights() for member in members]
            for one, other in zip(*weights, strict=True):
                np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("make", GENERATORS.values(), ids=GENERATORS)
def test_calling_it_again_changes_nothing(make, ensemble):
    generator = make(3)
    asked = [
        [(b.name, b.hyperparameters()) for b in generator.generate(*situation)]
        for situation in situations(ensemble) * 2
    ]
    assert asked[:2] == asked[2:]


@pytest.mark.parametrize("make", GENERATORS.values(), ids=GENERATORS)
def test_every_candidate_builds_trains_and_reloads(make, built, tmp_path):
    generator = make(3)
    x = np.random.default_rng(0).normal(size=(16, 6, 6)).astype("float32")
    for builder in propose_builders(generator, None, 1, []):
        member = built(builder, IMAGE)
        optimizer = builder.optimizer()
        assert optimizer is not builder.optimizer()
        before = member.model(x)["logits"].numpy()
        assert before.shape == (16, 3) and np.isfinite(before).all()
        assert len(member.model.output["last_layer"].shape) == 2
        with_gradients(member.model, optimizer, x)
        after = member.model(x)
        assert np.abs(after["logits"] - before).max() > 0
        path = tmp_path / f"{builder.name}.keras"
        member.model.save(path)
        reloaded = keras.saving.load_model(path)(x)
        for key in ("logits", "last_layer"):
            np.testing.assert_allclose(reloaded[key], after[key], atol=1e-6)


def with_gradients(model, optimizer, x):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(model(x, training=True)["logits"] - 1.0))
    variables = model.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))


@pytest.mark.parametrize("make", GENERATORS.values(), ids=GENERATORS)
def test_its_configuration_makes_an_equal_generator(make, ensemble, built):
    generator = make(3)
    state = json.loads(json.dumps(describe_object(generator)))
    if isinstance(generator, an.generators.Pool):
        with pytest.raises(ValueError, match="Pass the pool"):
            restore_object(state, "generator")
        assert state == describe_object(make(3))
        return
    restored = restore_object(state, "generator")
    assert type(restored) is type(generator)
    assert describe_object(restored) == state
    for previous, iteration, reports in situations(ensemble):
        pairs = zip(
            generator.generate(previous, iteration, reports),
            restored.generate(previous, iteration, reports),
            strict=True,
        )
        for a, b in pairs:
            assert (a.name, a.hyperparameters()) == (b.name, b.hyperparameters())
            one, other = (built(x, IMAGE, 3, previous, iteration) for x in (a, b))
            assert member_config(one) == member_config(other)
            configs = [optimizer_config(x.optimizer()) for x in (a, b)]
            assert configs[0] == configs[1]


def optimizer_config(optimizer):
    config = keras.optimizers.serialize(optimizer)
    config["config"].pop("name")
    return config


@pytest.mark.parametrize("kind", ["dense", "growth", "pool_models", "own"])
def test_a_search_goes_on_from_its_folder(kind, tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 6, 6)).astype("float32")
    y = np.array(["low", "high"])[(x.mean(axis=(1, 2)) > 0).astype(int)]
    make, folder = GENERATORS[kind], tmp_path / "search"
    search = an.AdaNet(
        an.heads.BinaryClass(),
        make(1),
        max_iterations=1,
        steps_per_iteration=5,
        force_grow=True,
        model_dir=folder,
        seed=0,
        jit_compile=False,
    )
    search.fit(x, y, verbose=0)
    needed = {"generator": make(1)} if kind.startswith("pool") else {}
    loaded = an.AdaNet.load(folder, max_iterations=2, jit_compile=False, **needed)
    np.testing.assert_array_equal(loaded.predict(x, "logits"), search.predict(x, "logits"))
    loaded.fit(x, y, verbose=0)
    previous, reports = search.ensemble, search.state.reports
    proposed = [f"2_{b.name}" for b in make(1).generate(previous, 2, list(reports))]
    first, second = loaded.ensemble.members
    assert (first.name, second.name in proposed) == (previous.members[0].name, True)
    loaded.model.save(tmp_path / "model.keras")
    plain = keras.saving.load_model(tmp_path / "model.keras")
    found = keras.ops.convert_to_numpy(plain(x, training=False))
    np.testing.assert_allclose(found, loaded.predict(x, "logits"), rtol=1e-6, atol=1e-6)


def test_the_users_own_reads_reports(ensemble):
    names = [b.name for b in Doubling(3).generate(ensemble(1), 2, REPORTS)]
    assert names == ["bottleneck_16", "bottleneck_17"]
