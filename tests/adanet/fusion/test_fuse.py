"""`AdaNet.fuse`: one network with the ensemble's outputs, to save, serve and fine-tune."""

import subprocess
import sys

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
from adaptive_nets.data.rows import Rows, as_features

UNITS = 3
RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(50, 6)).astype("float32")
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


class Chosen(an.adanet.Generator):
    """The builders it was given, one a round."""

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
    spec, trained = Rows(as_features(x), np.zeros(len(TABLE))).spec, []
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


# The function -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["uniform", "scalar", "vector", "matrix"])
def test_mixture_weights_and_bias_are_folded_in(kind):
    fused = assert_equal(*ensemble_of(dense([1, 2, 3, 2]), TABLE, kind), TABLE)
    assert kinds(fused) == ["InputLayer", *["Dense", "Activation"] * 3, "Dense"]
    assert fused.layers[-1].name == "logits"


def test_what_is_read_of_earlier_members_stands_off_the_diagonal():
    ensemble, ensembler, spec = ensemble_of(dense([2, 2]), TABLE)
    fused = assert_equal(ensemble, ensembler, spec, TABLE)
    first, second = (kernels(m.model) for m in ensemble.members)
    block = kernels(fused)[1]
    assert block.shape == (9, 9)
    np.testing.assert_array_equal(block[:4, :4], first[1])
    np.testing.assert_array_equal(block[:4, 4:], second[1][5:])
    np.testing.assert_array_equal(block[4:, 4:], second[1][:5])
    assert not block[4:, :4].any()


DENSE = {
    "one": (dense([2]), None),
    "of growing depth": (dense([1, 2, 3]), None),
    "of falling depth": (dense([3, 1, 2], "none"), None),
    "linear": (dense([0, 0]), None),
    "linear first": (dense([0, 1, 2]), None),
    "linear last": (dense([2, 1, 0]), None),
    "without an activation": (dense([1, 2], activation="linear"), None),
    "relu6": (dense([1, 2], activation="relu6"), None),
    "by pairs: gelu": (dense([1, 3, 2], activation="gelu"), None),
    "by pairs: silu": (dense([1, 3], activation="silu"), None),
    "by pairs: softplus": (dense([1, 2], activation="softplus"), None),
    "by pairs: leaky relu": (dense([1, 3], activation="leaky_relu"), None),
    "tanh of one depth": (dense([2, 2], activation="tanh"), None),
    "dropout": (dense([1, 2], dropout=0.2, connection_dropout=0.5), None),
    "batch norm": (dense([2, 2], norm="batch"), None),
    "batch norm of growing depth": (dense([1, 2, 3], norm="batch"), None),
    "layer norm of one depth": (dense([2, 2], norm="layer"), None),
    "reads what is no member": (dense([1, 2, 2]), [2]),
    "some read what is no member": (dense([2, 3, 3]), [1, 2]),
}


@pytest.mark.parametrize("name", DENSE)
def test_dense_members(name):
    builders, members = DENSE[name]
    assert_equal(*ensemble_of(builders, TABLE, "vector", members), TABLE)


def test_of_unequal_depth_a_norm_is_folded_only_where_it_would_stand_in_the_way():
    ensemble, ensembler, spec = ensemble_of(dense([1, 2], norm="batch"), TABLE)
    fused = fuse_ensemble(ensemble, ensembler, spec)
    assert kinds(fused)[1:] == [
        "Dense", "BatchNormalization", "Activation", "Dense", "Activation", "Dense"
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["scalar", "matrix"])
@pytest.mark.parametrize("size", [8, 9])
def test_residual_convolutions_of_one_depth(size, kind):
    x = RNG.normal(size=(20, size, size, 1)).astype("float32")
    assert_equal(*ensemble_of(conv([2, 2], dropout=0.1), x, kind), x)


@pytest.mark.parametrize(("size", "connect"), [(12, "all"), (19, "all"), (20, "none")])
def test_residual_convolutions_are_deepened_also_where_images_are_halved(size, connect):
    x = RNG.normal(size=(20, size, size, 1)).astype("float32")
    ensemble, ensembler, spec = ensemble_of(conv([1, 2, 3], connect), x)
    assert [m.model.output[f"hidden_{m.depth}"].shape[1] for m in ensemble.members] == [
        -(-size // 2), -(-size // 2), -(-size // 4)
    ]  # fmt: skip
    assert_equal(ensemble, ensembler, spec, x)


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


def test_plain_convolutions_of_unequal_depth():
    x = RNG.normal(size=(20, 5, 5, 2)).astype("float32")
    assert_equal(*ensemble_of([Chain(1), Chain(3), Chain(2)], x, "matrix"), x)


# Features ---------------------------------------------------------------------------------------


def test_features_of_several_kinds_are_read_as_the_search_reads_them():
    x = {"a": TABLE[:, :2], "b": (TABLE[:, :3] * 9).astype("int32"), "c": TABLE.reshape(-1, 2, 3)}
    fused = assert_equal(*ensemble_of(dense([1, 2]), x), x)
    assert {name: t.dtype for name, t in fused.input.items()} == {
        "a": "float32", "b": "int32", "c": "float32"
    }  # fmt: skip


def text_model(vocabulary):
    def make():
        word, number = keras.Input((1,), dtype="string", name="w"), keras.Input((6,), name="n")
        lookup = layers.StringLookup()
        lookup.adapt(next(vocabulary))
        scaled = layers.Normalization(mean=[1.0] * 6, variance=[2.0] * 6)(number)
        embedded = layers.Flatten()(layers.Embedding(4, 2)(lookup(word)))
        x = layers.Dense(4, "relu")(layers.Concatenate()([embedded, scaled]))
        return keras.Model({"w": word, "n": number}, layers.Dense(UNITS)(x))

    return make


def pooled(model, rounds=2):
    return [an.generators.Pool({"m": model}).generate(None, 1, [])[0] for _ in range(rounds)]


def worded():
    return {"w": RNG.choice(["a", "b", "c"], (len(TABLE), 1)).astype(object), "n": TABLE}


def test_tables_and_scales_that_members_share_are_kept_once():
    words = iter([["a", "b", "c", "a"]] * 2)
    x = worded()
    tensors = {key: tf.constant(value) for key, value in x.items()}
    ensemble, ensembler, spec = ensemble_of(pooled(text_model(words)), x)
    fused = fuse_ensemble(ensemble, ensembler, spec)
    expected = outputs_of(ensemble, ensembler, tensors)
    np.testing.assert_allclose(fused.predict(tensors, verbose=0), expected, atol=1e-5)
    assert kinds(fused).count("StringLookup") == kinds(fused).count("Normalization") == 1
    assert fused.get_layer("normalization_1").output.shape == (None, 6)


def test_tables_that_differ_are_refused():
    words = iter([["a", "b", "c", "a"], ["c", "b", "a", "c"]])
    with pytest.raises(ValueError, match=r"'string_lookup_1'.* Expected equal .*vocabularies"):
        fuse_ensemble(*ensemble_of(pooled(text_model(words)), worded()))


def nested():
    inside = keras.Sequential([layers.Dense(5, "tanh"), layers.BatchNormalization()])
    return keras.Sequential([inside, layers.Dropout(0.1), layers.Dense(UNITS)])


def ends_in_a_shift():
    inputs = keras.Input((6,))
    return keras.Model(inputs, layers.Dense(UNITS)(layers.Dense(4, "elu")(inputs)) + 0.5)


def holds_a_model_that_stays_as_in_prediction():
    number = layers.Normalization(mean=[1.0] * 6, variance=[2.0] * 6)
    inside = keras.Sequential(
        [keras.Input((6,)), number, layers.Dense(4, "relu"), layers.BatchNormalization()],
        name="dense_1",
    )
    inputs = keras.Input((6,))
    return keras.Model(inputs, layers.Dense(UNITS)(inside(inputs, training=False)))


def recurrent():
    return keras.Sequential([layers.Reshape((3, 2)), layers.LSTM(4), layers.Dense(UNITS)])


@pytest.mark.parametrize(
    "model", [nested, holds_a_model_that_stays_as_in_prediction, ends_in_a_shift, recurrent]
)
@pytest.mark.parametrize("kind", ["vector", "matrix"])
def test_pool_models_of_one_topology(model, kind):
    assert_equal(*ensemble_of(pooled(model), TABLE, kind), TABLE)


# From a search ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data(lc):
    return lc.blobs(120)


@pytest.fixture(scope="module")
def searched(lc, data, tmp_path_factory):
    """Subnetworks of one and of two layers that read each other, behind standardisation."""
    folder = tmp_path_factory.mktemp("search")
    generator = an.generators.Dense(widths=4, depths=[1, 2], connect="all", learning_rate=0.1)
    search = lc.small(
        folder, generator=generator, ensemble_strategies="all", preprocessing="standardize"
    )
    return search.fit(*data, verbose=0), folder


def assert_same_outputs(search, x):
    fused, expected = search.fuse(), search.model.predict(x, verbose=0)
    gap = np.abs(fused.predict(x, verbose=0) - expected).max()
    assert gap < 1e-5 * np.abs(expected).max()
    return fused


def test_a_search_is_fused_and_so_is_the_loaded_one(searched, data):
    search, folder = searched
    x = data[0] * 50 + 300
    fused = assert_same_outputs(search, x)
    assert sorted({m.depth for m in search.ensemble.members}) == [1, 2]
    assert any(m.reads for m in search.ensemble.members)
    assert kinds(fused)[:3] == ["InputLayer", "Functional", "Dense"]
    assert isinstance(fused.layers[1].layers[-1], layers.Normalization)
    assert search.fuse("mine").name == "mine"
    assert_same_outputs(an.AdaNet.load(folder), x)


def test_one_member_is_one_network(lc, data):
    search = lc.small(max_iterations=1, preprocessing="standardize").fit(*data, verbose=0)
    assert_same_outputs(search, data[0])


def test_several_heads_and_scaled_targets(lc, data):
    x, y = data
    head = an.heads.Multi({"kind": an.heads.MultiClass(), "size": an.heads.Regression()})
    generator = Chosen(*dense([0, 1]))
    search = lc.small(head=head, generator=generator, mixture_weights="vector")
    search.fit(x, {"kind": y, "size": 300 + 100 * x[:, 0]}, verbose=0)
    fused = assert_same_outputs(search, x)
    assert "Rescaling" not in kinds(fused)


def test_preprocessing_of_ones_own_is_copied_with_what_it_has_learnt(lc, data):
    x, y = data
    word, number = keras.Input((1,), dtype="string", name="w"), keras.Input((6,), name="n")
    lookup = layers.StringLookup(output_mode="one_hot")
    lookup.adapt(["a", "b", "c"])
    scaled = layers.Dense(3, "tanh")(number)
    given = keras.Model({"w": word, "n": number}, {"w": lookup(word), "n": scaled})
    features = {"w": np.array(["a", "b", "c"])[y], "n": x}
    search = lc.small(preprocessing=given).fit(features, y, verbose=0)
    tensors = {"w": tf.constant(features["w"][:, None]), "n": x}
    fused = assert_same_outputs(search, tensors)
    ours = {id(v) for v in fused.variables}
    assert not ours & {id(v) for v in [*search.model.variables, *given.variables]}


def test_the_search_stays_as_it_is_while_every_kernel_learns(searched, data):
    search, _ = searched
    x, y = data
    before = [w.copy() for w in search.model.get_weights()]
    nodes = [len(layer._inbound_nodes) for m in search.ensemble.members for layer in m.model.layers]
    fused = search.fuse()
    fused.compile(keras.optimizers.Adam(0.01), LOSS)
    start = [np.copy(v) for v in fused.trainable_variables]
    first = fused.evaluate(x, y, verbose=0)
    fused.fit(x, y, epochs=3, verbose=0)
    assert fused.evaluate(x, y, verbose=0) < 0.9 * first
    assert [v.name for v in fused.trainable_variables] == ["kernel", "bias"] * 3
    for variable, old in zip(fused.trainable_variables, start, strict=True):
        assert np.abs(np.asarray(variable) - old).max() > 1e-4
    # Also what stood between the members: blocks that were zero.
    moved = [
        np.abs(v - old)[old == 0] for v, old in zip(fused.trainable_variables, start, strict=True)
    ]
    assert all(part.max() > 1e-4 for part in moved if part.size)
    assert sum(part.size for part in moved) > 20
    for old, now in zip(before, search.model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, now)
    assert nodes == [
        len(layer._inbound_nodes) for m in search.ensemble.members for layer in m.model.layers
    ]


def test_saved_and_exported_it_needs_nothing_of_adaptive_nets(searched, data, tmp_path):
    search, _ = searched
    images = RNG.normal(size=(20, 12, 12, 1)).astype("float32")
    models = {
        "table": (search.fuse(), data[0]),
        "norms": (fuse_ensemble(*ensemble_of(dense([2, 2], norm="layer"), TABLE)), TABLE),
        "images": (fuse_ensemble(*ensemble_of(conv([1, 3]), images)), images),
    }
    arrays = {}
    for name, (model, x) in models.items():
        model.save(tmp_path / f"{name}.keras")
        arrays |= {f"{name}_x": x, f"{name}_y": model.predict(x, verbose=0)}
    models["table"][0].export(tmp_path / "served", verbose=False)
    np.savez(tmp_path / "data.npz", **arrays)
    code = """
import sys, numpy as np
sys.modules["adaptive_nets"] = None
import keras, tensorflow as tf
given = np.load("data.npz")
for name in ("table", "norms", "images"):
    model = keras.models.load_model(name + ".keras")
    x, y = given[name + "_x"], given[name + "_y"]
    np.testing.assert_allclose(model.predict(x, verbose=0), y, atol=1e-5)
served = tf.saved_model.load("served")
found = served.serve(tf.constant(given["table_x"]))
np.testing.assert_allclose(found, given["table_y"], atol=1e-5)
model.compile("adam", "mse")
model.fit(x, y, verbose=0)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr[-2000:]


# Refusals ---------------------------------------------------------------------------------------


def test_an_unfitted_search_is_refused(lc):
    with pytest.raises(ValueError, match="This search has no ensemble yet: call fit first"):
        lc.small().fuse()


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"activation": "tanh"}, "ends in the activation 'tanh'"),
        ({"activation": "sigmoid"}, "ends in the activation 'sigmoid'"),
        ({"activation": "softmax"}, "ends in the activation 'softmax'"),
        ({"norm": "layer"}, "is made of Dense, LayerNormalization, Activation"),
    ],
)
def test_layers_that_cannot_pass_on_are_refused_with_what_to_do(settings, reason):
    with pytest.raises(ValueError, match="subnetwork '1_1_layer_dense' has 1 hidden") as caught:
        fuse_ensemble(*ensemble_of(dense([1, 2], **settings), TABLE))
    message = str(caught.value)
    assert f"'2_2_layer_dense' has 2, and hidden layer 2 of the latter {reason}" in message
    assert "depths=[2]" in message and "search.model" in message


def test_a_linear_member_is_not_passed_on_by_convolutions():
    x = RNG.normal(size=(20, 8, 8, 2)).astype("float32")
    with pytest.raises(ValueError, match="hidden layer 1 of the latter is a convolution, which"):
        fuse_ensemble(*ensemble_of([Chain(0), Chain(1)], x))


def test_shrinking_images_are_refused():
    x = RNG.normal(size=(20, 8, 8, 2)).astype("float32")
    builders = [Chain(1, strides=2), Chain(2, strides=2)]
    with pytest.raises(ValueError, match="hidden layer 2 of the latter changes the size of its"):
        fuse_ensemble(*ensemble_of(builders, x))


def test_pool_models_of_different_topology_are_refused():
    def wide():
        return keras.Sequential([layers.Dense(5, "relu"), layers.Dense(4), layers.Dense(UNITS)])

    with pytest.raises(
        ValueError,
        match=r"subnetworks '1_m' and '2_m' are of different topology.* Received: Dense, "
        r"BatchNormalization, Dropout, Dense; and Dense, Dense, Dense\. .*search\.model",
    ):
        fuse_ensemble(*ensemble_of([*pooled(nested, 1), *pooled(wide, 1)], TABLE))


def test_layers_that_growth_does_not_know_are_refused():
    @keras.saving.register_keras_serializable("test_fuse")
    class Twice(keras.Layer):
        def call(self, x):
            return 2 * x

    def model():
        return keras.Sequential([layers.Dense(4), Twice(), layers.Dense(UNITS)])

    with pytest.raises(ValueError, match=r"Cannot fuse the ensemble: .*'twice_1'.*register_rule"):
        fuse_ensemble(*ensemble_of(pooled(model), TABLE))
    assert_equal(*ensemble_of(pooled(model, 1), TABLE), TABLE)


class Reader(an.adanet.Builder):
    """Reads the first layer of the first member in its own way."""

    name = "reader"

    def __init__(self, how):
        self.how = how

    def build(self, inputs, units, previous=None):
        first = layers.Dense(4, "relu")(inputs)
        second = last = layers.Dense(4, "relu")(first)
        if previous is not None:
            last = self.how(second, previous.hidden[0])
        return an.adanet.Subnetwork(layers.Dense(units)(last), last, [first, second], 2)


def test_the_logits_may_read_what_they_like_of_the_layer_below():
    class Ahead(Reader):
        def build(self, inputs, units, previous=None):
            first = layers.Dense(4, "relu")(inputs)
            parts = [first] if previous is None else [previous.hidden[0][0], first]
            joined = layers.Concatenate()(parts) if previous is not None else first
            return an.adanet.Subnetwork(layers.Dense(units)(joined), None, [first], 1)

    assert_equal(*ensemble_of([Ahead(None), Ahead(None)], TABLE), TABLE)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (lambda x, frozen: layers.Add()([x, frozen[1]]), r"its layer 'add.*' \(Add\), which reads"),
        (
            lambda x, frozen: layers.Concatenate()([x, layers.Dense(2)(frozen[1])]),
            r"its layer 'dense.*' \(Dense\), which reads '1_reader\.hidden_2'",
        ),
    ],
)
def test_what_is_read_outside_of_a_joint_kernel_is_refused(how, reason):
    with pytest.raises(ValueError, match=f"subnetwork '2_reader' reads hidden.* {reason}"):
        fuse_ensemble(*ensemble_of([Reader(how), Reader(how)], TABLE))


def test_a_layer_that_is_read_at_another_height_is_refused():
    class Low(Reader):
        def build(self, inputs, units, previous=None):
            first = layers.Dense(4, "relu")(inputs)
            read = first
            if previous is not None:
                read = layers.Concatenate()([first, previous.hidden[0][1]])
            second = layers.Dense(4, "relu")(read)
            return an.adanet.Subnetwork(layers.Dense(units)(second), second, [first, second], 2)

    with pytest.raises(ValueError, match="'2_reader' reads hidden layer 2 of '1_reader', but"):
        fuse_ensemble(*ensemble_of([Low(None), Low(None)], TABLE))


def test_an_ensembler_of_ones_own_is_refused():
    class Own(UniformEnsembler):
        pass

    ensemble, _, spec = ensemble_of(dense([1]), TABLE)
    with pytest.raises(ValueError, match=r"its mixture is of a kind.* Received: .*Own\. Use"):
        fuse_ensemble(ensemble, Own(), spec)
