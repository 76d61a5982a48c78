"""Connected subnetworks: against a hand-written float64 network, and through their whole life."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import adaptive_nets as an
from adaptive_nets._seeds import derive_seed
from adaptive_nets.adanet.ensembles.member import layer_number, lineage, run_all
from adaptive_nets.adanet.ensembles.output_cache import OutputCache
from adaptive_nets.adanet.rounds import runner
from adaptive_nets.adanet.rounds.build_member import build_member
from adaptive_nets.adanet.rounds.trainer import RoundTrainer
from adaptive_nets.data import feeds
from adaptive_nets.data.batches import Batches
from adaptive_nets.data.rows import Rows


def connected(connect="all", depths=(2,), **settings):
    return an.generators.Dense(
        widths=5,
        depths=list(depths),
        connect=connect,
        optimizer="sgd",
        learning_rate=0.1,
        **settings,
    )


@pytest.fixture(scope="module")
def data(lc):
    return lc.blobs(120)


@pytest.fixture(scope="module")
def searched(lc, data, tmp_path_factory):
    """Three rounds of two-layer networks, each of which reads all before it."""
    folder = tmp_path_factory.mktemp("search")
    search = lc.small(folder, generator=connected(), max_iterations=3, mixture_weights="matrix")
    return search.fit(*data, verbose=0), folder


# Mathematics ------------------------------------------------------------------------------------


def reference(member, x, frozen, y, base):
    """Values and gradients of a two-layer network by hand, in float64.

    a_1 = U_1 x,  a_2 = U_2 φ(a_1) + Σ_s V_s φ(a_1^(s)),  logits = W φ(a_2), loss on base + logits.
    """
    (u1, b1), (u2, b2), (w, c) = [
        [np.array(v, "float64") for v in layer.get_weights()]
        for layer in member.model.layers
        if isinstance(layer, keras.layers.Dense)
    ]
    h1 = np.maximum(x @ u1 + b1, 0)
    read = np.concatenate([h1, *frozen], axis=1)
    h2 = np.maximum(read @ u2 + b2, 0)
    logits = h2 @ w + c
    total = base + logits
    p = np.exp(total - total.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    delta = (p - np.eye(p.shape[1])[y]) / len(x)
    back2 = (delta @ w.T) * (h2 > 0)
    back1 = (back2 @ u2[: h1.shape[1]].T) * (h1 > 0)
    gradients = [
        x.T @ back1, back1.sum(0), read.T @ back2, back2.sum(0), h2.T @ delta, delta.sum(0)
    ]  # fmt: skip
    return logits, -np.log(p[np.arange(len(x)), y]).mean(), gradients


def test_values_and_gradients_are_those_of_the_formula(searched, data):
    search, _ = searched
    x, y = data[0].astype("float64"), data[1]
    first, second, third = search.ensemble.members
    assert [m.reads for m in (first, second, third)] == [
        [], ["1_2_layer_dense.hidden_1"],
        ["1_2_layer_dense.hidden_1", "2_2_layer_dense.hidden_1"],
    ]  # fmt: skip
    outputs = run_all([first, second], tf.constant(data[0]), {})
    frozen = [outputs[key].numpy().astype("float64") for key in third.reads]
    base = np.random.default_rng(0).normal(size=(len(x), 3))
    logits, loss, gradients = reference(third, x, frozen, y, base)
    known = run_all(lineage([third]), tf.constant(data[0]), {})
    np.testing.assert_allclose(known[f"{third.name}.logits"], logits, atol=1e-5)
    # One step of gradient descent through the compiled trainer shows its gradient.
    copy = keras.models.clone_model(third.model)
    copy.set_weights(third.model.get_weights())
    member = an.adanet.Member("c", 3, copy, 2, 1.0, parents=third.parents)
    trainer = RoundTrainer([member], [keras.optimizers.SGD(1.0)], search.head, (1.0, 1.0))
    source = {
        "x": data[0], "y": y, "base": base.astype("float32"),
        "hidden": {key: outputs[key] for key in third.reads},
    }  # fmt: skip
    rows = tf.range(len(x))[None]
    losses = trainer.run([tf.nest.map_structure(tf.convert_to_tensor, source)], [rows], 0, 1)
    assert losses[0, 0] == pytest.approx(loss, rel=1e-5)
    before, after = third.model.trainable_variables, copy.trainable_variables
    for old, new, expected in zip(before, after, gradients, strict=True):
        np.testing.assert_allclose(np.array(old) - np.array(new), expected, atol=2e-6)


def test_cached_training_gives_the_weights_of_uncached_training(searched, data, lc):
    """The third round again, with the frozen members run forward in every step."""
    search, _ = searched
    x, y = data
    previous = lc.small(generator=connected(), max_iterations=2, mixture_weights="matrix")
    previous.fit(x, y, verbose=0)
    third = search.ensemble.members[2]
    fresh = build_member(
        connected().generate(previous.ensemble, 3, [])[0],
        Rows(x, y).spec, 3, previous.ensemble, 3, lambda *_: 1.0, 0,
    )  # fmt: skip
    optimizer = keras.optimizers.SGD(0.1)
    optimizer.build(fresh.model.trainable_variables)
    ensembler, ensemble = previous.settings.ensembler, previous.ensemble
    order = Batches(len(x), 32, derive_seed(0, 3, "batches"))
    for rows in order.indices(0, 6):
        with tf.GradientTape() as tape:
            known = run_all(ensemble.members, tf.constant(x[rows]), {}, training=False)
            outputs = [{"last_layer": known[f"{m.name}.last_layer"]} for m in ensemble.members]
            base = ensembler.apply(ensemble.mixture, outputs).astype("float32")
            features = fresh.feed(tf.constant(x[rows]), known)
            logits = fresh.model(features, training=True)["logits"] + base
            loss = tf.reduce_mean(search.head.loss(y[rows], logits))
        variables = fresh.model.trainable_variables
        optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)
    for ours, expected in zip(third.model.get_weights(), fresh.model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-6)


def test_streamed_training_gives_the_weights_of_training_in_memory(data, lc):
    """The same batches, once from memory and once from an endless dataset."""
    x, y = data

    class InOrder(Batches):
        def _permutation(self, epoch):
            return self.index

    settings = {"generator": connected(), "mixture_weights": "uniform", "force_grow": True}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feeds, "Batches", InOrder)
        patch.setattr(runner, "MIXTURE_CHUNKS", 0)
        memory = lc.small(**settings, steps_per_iteration=4).fit(x, y, verbose=0, batch_size=30)
        endless = tf.data.Dataset.from_tensor_slices((x, y)).repeat().batch(30)
        patch.setattr(an.adanet.UniformEnsembler, "fit_stream", _uniform)
        streamed = lc.small(**settings, steps_per_iteration=4).fit(endless, verbose=0)
    for one, other in zip(memory.model.get_weights(), streamed.model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def _uniform(self, chunks, *, members, start, loss):
    return self.fit([], None, None, members=members, start=start, loss=loss)


# What is read -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("which", "expected"), [("all", ["1_b", "2_b"]), ("previous", ["2_b"]), ("none", [])]
)
def test_which_frozen_subnetworks_are_read(lc, data, which, expected):
    search = lc.small(generator=connected(which), max_iterations=3, steps_per_iteration=1)
    search.fit(*data, verbose=0)
    last = search.ensemble.members[-1]
    assert [key.split("_")[0] + "_b" for key in last.reads] == expected
    kernel = [v for v in last.model.trainable_variables if v.name == "kernel"][1]
    assert kernel.shape[0] == 5 * (1 + len(expected))


def test_a_layer_is_read_only_where_there_is_one(lc, data):
    search = lc.small(generator=connected(depths=[1]), steps_per_iteration=1).fit(*data, verbose=0)
    assert not any(m.reads for m in search.ensemble.members)
    # A deep network joins a shallow one: its second layer reads the first of the other.
    builder = connected(depths=[3]).generate(search.ensemble, 2, [])[0]
    spec = Rows(*data).spec
    member = build_member(builder, spec, 3, search.ensemble, 3, lambda *_: 1.0, 0)
    assert [layer_number(key) for key in member.reads] == [1, 1]


def test_dropout_acts_on_connections_in_training_only(searched, data):
    search, _ = searched
    spec = Rows(*data).spec
    built = connected(connection_dropout=0.5).generate(search.ensemble, 4, [])[0]
    member = build_member(built, spec, 3, search.ensemble, 4, lambda *_: 1.0, 0)
    drops = [layer for layer in member.model.layers if isinstance(layer, keras.layers.Dropout)]
    assert [layer.rate for layer in drops] == [0.5]
    assert drops[0].input.shape[-1] == 15  # the three frozen layers, not its own
    known = run_all(search.ensemble.members, tf.constant(data[0]), {})
    features = member.feed(tf.constant(data[0]), known)
    calm = [member.model(features, training=False)["logits"] for _ in range(2)]
    np.testing.assert_array_equal(*calm)
    assert np.abs(member.model(features, training=True)["logits"] - calm[0]).max() > 1e-4


def test_each_hidden_output_is_computed_once(lc, data, monkeypatch):
    computed = []
    plain = OutputCache._compute

    def counted(self, function):
        computed.extend(function.keys)
        return plain(self, function)

    monkeypatch.setattr(OutputCache, "_compute", counted)
    search = lc.small(generator=connected(), max_iterations=4, steps_per_iteration=1)
    search.fit(*data, verbose=0)
    assert len(computed) == len(set(computed))
    assert sum(".hidden_" in key for key in computed) == 3


def test_a_spilled_cache_trains_the_same_weights(lc, data):
    settings = {"generator": connected(), "max_iterations": 3, "mixture_weights": "vector"}
    memory = lc.small(**settings).fit(*data, verbose=0)
    disk = lc.small(**settings, cache_bytes=1).fit(*data, verbose=0)
    lc.assert_same(memory, disk)


# The whole life ---------------------------------------------------------------------------------


def test_solo_keeps_what_it_reads(lc, data, tmp_path):
    settings = {
        "generator": connected(), "ensemble_strategies": "solo", "max_iterations": 2,
    }  # fmt: skip
    search = lc.small(tmp_path, **settings).fit(*data, verbose=0)
    (alone,) = search.ensemble.members
    assert [m.name for m in lineage([alone])] == ["1_2_layer_dense", "2_2_layer_dense"]
    assert search.ensemble.parameters == sum(m.parameters for m in lineage([alone]))
    known = run_all(lineage([alone]), tf.constant(data[0]), {})
    expected = known[f"{alone.name}.logits"] * search.ensemble.mixture.weights[0]
    np.testing.assert_allclose(search.predict(data[0], "logits"), expected, atol=1e-5)
    again = an.AdaNet.load(tmp_path)
    np.testing.assert_array_equal(
        again.predict(data[0], "logits"), search.predict(data[0], "logits")
    )
    lc.assert_same(again.fit(*data, verbose=0), search)


def test_stopped_and_loaded_it_ends_like_one_that_was_not(searched, lc, data, tmp_path):
    search, _ = searched
    settings = {"generator": connected(), "max_iterations": 3, "mixture_weights": "matrix"}
    stopped = lc.small(tmp_path, **settings)
    stopped.fit(*data, verbose=0, callbacks=[lc.StopAt(3, 1)])
    ended = an.AdaNet.load(tmp_path).fit(*data, verbose=0)
    lc.assert_same(ended, search)


def test_exported_it_needs_nothing_of_adaptive_nets(searched, data, tmp_path, python):
    search, folder = searched
    search.model.save(tmp_path / "model.keras")
    search.export(tmp_path / "export")
    np.savez(tmp_path / "data.npz", x=data[0], logits=search.predict(data[0], "logits"))
    code = """
import sys, numpy as np
sys.modules["adaptive_nets"] = None
import keras, tensorflow as tf
given = np.load("data.npz")
model = keras.models.load_model("model.keras")
np.testing.assert_allclose(model.predict(given["x"], verbose=0), given["logits"], atol=1e-6)
served = tf.saved_model.load("export").signatures["serving_default"]
found = served(**{next(iter(served.structured_input_signature[1])): tf.constant(given["x"])})
np.testing.assert_allclose(found["logits"], given["logits"], atol=1e-6)
# Fitted on, its frozen parts may learn too.
model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
model.fit(given["x"], given["logits"].argmax(1), verbose=0)
"""
    python.run("-c", code, cwd=tmp_path, package=False)


def test_convolutions_read_frozen_channels(lc):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 8, 8, 1)).astype("float32"), np.arange(40) % 3
    generator = an.generators.Conv(filters=2, depths=[2], connect="all")
    search = lc.small(generator=generator, steps_per_iteration=2).fit(x, y, verbose=0)
    last = search.ensemble.members[-1]
    assert last.reads == ["1_2_block_conv.hidden_1"]
    known = run_all(search.ensemble.members, tf.constant(x), {}, training=False)
    expected = sum(
        known[f"{m.name}.logits"] * w
        for m, w in zip(search.ensemble.members, search.ensemble.mixture.weights, strict=True)
    )
    np.testing.assert_allclose(search.predict(x, "logits"), expected, atol=1e-5)


# Bad input --------------------------------------------------------------------------------------


class Strided(an.adanet.Builder):
    """Its image halves with every round, so its layers do not fit the frozen ones."""

    name = "strided"

    def __init__(self, strides):
        self.strides = strides

    def build(self, inputs, units, previous=None):
        first = keras.layers.Conv2D(2, 1, self.strides)(inputs)
        read = an.adanet.connect(first, previous, layer=1)
        pooled = keras.layers.GlobalAveragePooling2D()(read)
        return an.adanet.Subnetwork(keras.layers.Dense(units)(pooled), pooled, [first])


class Strides(an.adanet.Generator):
    def generate(self, previous, iteration, reports):
        return [Strided(iteration)]


def test_images_of_different_sizes_are_refused_before_the_round_trains(lc):
    x, y = np.ones((12, 8, 8, 1), "float32"), np.arange(12) % 3
    search = lc.small(generator=Strides())
    with pytest.raises(ValueError, match=r"hidden layer 1 of subnetwork '1_strided': expected"):
        search.fit(x, y, verbose=0)
    assert search.state.iteration == 1


@pytest.mark.parametrize(
    ("hidden", "error"),
    [
        (lambda x: [np.ones(3)], "must return hidden layers as KerasTensors .* for hidden layer 1"),
        (
            lambda x: [keras.layers.Dense(2)(x), None],
            "must return hidden layers .* Received: NoneType for hidden layer 2",
        ),
    ],
)
def test_hidden_layers_must_be_tensors_of_known_shape(lc, data, hidden, error):
    class Wrong(an.adanet.Builder):
        name = "wrong"

        def build(self, inputs, units, previous=None):
            return an.adanet.Subnetwork(keras.layers.Dense(units)(inputs), hidden=hidden(inputs))

    class Generator(an.adanet.Generator):
        def generate(self, previous, iteration, reports):
            return [Wrong()]

    with pytest.raises(ValueError, match=f"Builder 'wrong' {error}"):
        lc.small(generator=Generator()).fit(*data, verbose=0)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"connect": "some"}, "connect must be one of 'all', 'previous', 'none'"),
        ({"connection_dropout": 1.0}, r"connection_dropout must be a finite number >= 0 and < 1"),
    ],
)
def test_wrong_settings_are_refused(settings, error):
    with pytest.raises(ValueError, match=error):
        an.generators.Dense(**settings)
    with pytest.raises(ValueError, match=error):
        an.generators.Conv(**settings)
