"""Pool: the user's own models are copied or made, trained and kept, and never touched."""

import functools

import keras
import numpy as np
import pytest

import adaptive_nets as an
from adaptive_nets.data.specs import FeatureSpec

VECTOR = FeatureSpec((4,), "float32")
IMAGE = FeatureSpec((8, 8, 3), "float32")


def sequential(units=3, width=6):
    return keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(width, activation="relu"),
            keras.layers.Dense(units),
        ]
    )


def image_model():
    """Batch normalisation, dropout, a layer that is used twice, and a model in the model."""
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", name="stem")(inputs)
    x = keras.layers.BatchNormalization(momentum=0.5)(x)
    twice = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="twice")
    x = twice(twice(x))
    x = keras.layers.GlobalAveragePooling2D()(x)
    top = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5), keras.layers.Dropout(0.5)])
    return keras.Model(inputs, keras.layers.Dense(3)(top(x)), name="photo_net")


def builder_of(model, **settings):
    (builder,) = an.generators.Pool({"mine": model}, **settings).generate(None, 1, [])
    return builder


def snapshot(model):
    return [np.array(w) for w in model.get_weights()]


def assert_same(first, second):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def image_data(rows=96):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, rows)
    x = rng.normal(size=(rows, 8, 8, 3)) + 2.0 * np.eye(3)[y][:, None, None, :]
    return x.astype("float32"), y


# Copies and functions ----------------------------------------------------------------------------


@pytest.mark.parametrize(("make", "spec"), [(sequential, VECTOR), (image_model, IMAGE)])
def test_a_model_is_copied_with_its_weights(make, spec, built):
    given = make()
    given.set_weights([w + 0.25 for w in given.get_weights()])
    builder = builder_of(given)
    first, second = built(builder, spec), built(builder, spec, iteration=2)
    x = np.random.default_rng(0).normal(size=(5, *spec.shape)).astype("float32")
    for member in (first, second):
        np.testing.assert_allclose(member.model(x)["logits"], given(x), atol=1e-6)
        assert member.parameters == given.count_params()
    own = {id(v) for v in given.variables}
    assert not own & {id(v) for v in first.model.variables}
    assert not {id(v) for v in first.model.variables} & {id(v) for v in second.model.variables}


def test_a_function_gives_fresh_weights_each_round_and_the_same_by_seed(built):
    builder = builder_of(sequential)
    kernels = [
        snapshot(built(builder, VECTOR, iteration=iteration, seed=seed).model)[0]
        for iteration, seed in ((1, 0), (1, 0), (2, 0), (1, 1))
    ]
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert np.abs(kernels[0] - kernels[2]).min() > 0
    assert np.abs(kernels[0] - kernels[3]).min() > 0


def test_a_plain_layer_and_a_partial_are_taken(built):
    layer = keras.layers.Dense(3)
    layer.build((None, 4))
    for model in (layer, functools.partial(keras.layers.Dense, 3)):
        assert built(builder_of(model), VECTOR).parameters == 15


def test_what_layers_have_adapted_to_is_copied(built):
    x = np.random.default_rng(0).normal(50.0, 9.0, (64, 4)).astype("float32")
    adapted = keras.layers.Normalization()
    adapted.adapt(x)
    given = keras.Sequential([keras.Input((4,)), adapted, keras.layers.Dense(3)])
    copy = built(builder_of(given), VECTOR).model
    np.testing.assert_allclose(copy(x)["logits"], given(x), atol=1e-5)


def test_frozen_layers_stay_frozen(built):
    given = sequential()
    given.layers[0].trainable = False
    assert len(built(builder_of(given), VECTOR).model.trainable_variables) == 2
    given.trainable = False
    assert built(builder_of(given), VECTOR).model.trainable_variables == []


def test_what_a_model_was_compiled_with_is_no_part_of_it(built, tmp_path):
    def a_loss_of_my_own(y, p):
        return keras.ops.mean(keras.ops.square(y - p))

    given = sequential()
    given.compile("sgd", loss=a_loss_of_my_own)
    built(builder_of(given), VECTOR).model.save(tmp_path / "member.keras")
    keras.saving.load_model(tmp_path / "member.keras")


def test_named_inputs_read_a_dict_of_features(built):
    a, b = keras.Input((2,), name="a"), keras.Input((1,), name="b")
    logits = keras.layers.Dense(3)(keras.layers.Concatenate()([b, a]))
    given = keras.Model({"a": a, "b": b}, logits)
    spec = {"b": FeatureSpec((1,), "float32"), "a": FeatureSpec((2,), "float32")}
    x = {"a": np.ones((3, 2), "float32"), "b": np.full((3, 1), 5.0, "float32")}
    member = built(builder_of(given), spec)
    np.testing.assert_allclose(member.model(x)["logits"], given(x), atol=1e-6)


# Depth, optimizers, names ------------------------------------------------------------------------


def test_depth_counts_layers_with_a_kernel_or_is_given(built):
    # stem, twice, and the two Dense layers; the last of them is not hidden.
    assert built(builder_of(image_model()), IMAGE).depth == 3
    assert built(builder_of(lambda: keras.layers.Dense(3)), VECTOR).depth == 0
    assert built(builder_of(sequential, depths={"mine": 7}), VECTOR).depth == 7


def test_each_model_may_have_its_own_optimizer():
    models = {"a": sequential, "b": sequential}
    given = {"a": "sgd", "b": keras.optimizers.RMSprop(0.5)}
    pool = an.generators.Pool(models, optimizer=given)
    a, b = (builder.optimizer() for builder in pool.generate(None, 1, []))
    assert isinstance(a, keras.optimizers.SGD) and isinstance(b, keras.optimizers.RMSprop)
    assert float(b.learning_rate) == 0.5
    both = an.generators.Pool(models, optimizer=given, learning_rate=0.25)
    rates = [float(builder.optimizer().learning_rate) for builder in both.generate(None, 1, [])]
    assert rates == [0.25, 0.25]


def test_equal_models_are_described_equally_and_others_are_not():
    def described(**models):
        return an.generators.Pool(models).get_config()["models"]

    assert described(a=image_model()) == described(a=image_model())
    different = [described(a=m)["a"] for m in (sequential(), sequential(width=7), image_model())]
    assert len(set(different)) == 3
    compiled = sequential()
    compiled.compile("adam", "mse")
    assert described(a=compiled) == described(a=sequential())
    assert described(a=sequential)["a"].endswith("test_pool.sequential")


# Refusals ----------------------------------------------------------------------------------------


class WithoutConfig(keras.Model):
    def __init__(self, activation):
        super().__init__()
        self.dense = keras.layers.Dense(3)
        self.activation_object = activation

    def call(self, x):
        return self.dense(x)


def without_config():
    model = WithoutConfig(object())
    model(np.zeros((1, 4), "float32"))
    return model


REFUSED_AT_ONCE = [
    ({"models": {}}, "Pool requires a non-empty dict of models. Received: dict."),
    ({"models": [sequential]}, "Pool requires a non-empty dict of models. Received: list."),
    ({"models": {"a": 3}}, "Pool model 'a' must be a keras.Model or a function .*Received: int."),
    (
        {"models": {"a": keras.Sequential([keras.layers.Dense(3)])}},
        "Pool model 'a' must be built. Start it with an Input, or pass a function.",
    ),
    ({"models": {"a": without_config()}}, "Pool model 'a' cannot be copied: WithoutConfig"),
    ({"optimizer": "adamm"}, "optimizer must be "),
    (
        {"optimizer": {"b": "adam"}},
        "The keys of Pool's optimizer dict must be the names of its models: a. Received: b",
    ),
    ({"learning_rate": -1}, "learning_rate must be "),
    (
        {"depths": {"b": 1}},
        "The keys of Pool's depths must be names of its models: a. Received: b.",
    ),
    ({"depths": {"a": -1}}, r"depths\['a'\] must be .*-1"),
]


@pytest.mark.parametrize(("settings", "message"), REFUSED_AT_ONCE)
def test_bad_settings_are_refused_at_once(settings, message):
    with pytest.raises(ValueError, match=f"^{message}") as caught:
        an.generators.Pool(**{"models": {"a": sequential}, **settings})
    assert "\n" not in str(caught.value)


def ends_with(*layers):
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), *layers])


def functional_softmax():
    inputs = keras.Input((4,))
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(inputs))


REFUSED_WHEN_BUILT = [
    (sequential(units=2), r"must return logits of shape \(None, 3\).*Received: \(None, 2\)"),
    (lambda: keras.layers.Reshape((4, 1)), r"Received: \(None, 4, 1\). End it with Dense\(3\)"),
    (lambda: 7, "its function must return a Keras model. Received: int."),
    (
        keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)]),
        r"cannot be called on the features: .*\(None, 5\)",
    ),
    (ends_with(keras.layers.Softmax()), "must return logits, but ends with a softmax"),
    (ends_with(keras.layers.Activation("sigmoid")), "must return logits, but ends with a sigmoid"),
    (functional_softmax(), "ends with a softmax"),
    (keras.Sequential([keras.Input((4,)), functional_softmax()]), "ends with a softmax"),
]


@pytest.mark.parametrize(("model", "message"), REFUSED_WHEN_BUILT)
def test_a_model_that_does_not_fit_is_refused_by_name(model, message, built):
    with pytest.raises(ValueError, match=f"^Pool model 'mine'.*{message}") as caught:
        built(builder_of(model), VECTOR)
    assert "\n" not in str(caught.value)


def test_probabilities_pass_where_they_are_meant(built):
    model = ends_with(keras.layers.Softmax(), keras.layers.Activation("linear"))
    out = built(builder_of(model), VECTOR).model(np.ones((2, 4), "float32"))["logits"]
    np.testing.assert_allclose(np.sum(out, axis=1), 1.0, atol=1e-6)


def test_a_function_that_returns_one_model_again_is_refused(built):
    model = sequential()
    builder = builder_of(lambda: model)
    built(builder, VECTOR)
    with pytest.raises(ValueError, match="^Pool model 'mine' shares trainable weights"):
        built(builder, VECTOR, iteration=2)


def test_functions_may_share_a_frozen_base(built):
    base = keras.Sequential([keras.Input((4,)), keras.layers.Dense(6)])
    base.trainable = False
    builder = builder_of(lambda: keras.Sequential([base, keras.layers.Dense(3)]))
    for iteration in (1, 2):
        built(builder, VECTOR, iteration=iteration)


# Through a search --------------------------------------------------------------------------------


def search_images(pool, folder):
    return an.AdaNet(
        an.heads.MultiClass(),
        pool,
        max_iterations=2,
        steps_per_iteration=15,
        ensemble_strategies="all",
        force_grow=True,
        model_dir=folder,
        seed=0,
    )


def test_models_are_trained_frozen_saved_and_loaded(tmp_path):
    x, y = image_data()
    given = image_model()
    before = snapshot(given)
    pool = an.generators.Pool({"given": given, "made": image_model}, learning_rate=0.02)
    kept = {}

    class Keep(an.callbacks.SearchCallback):
        def on_round_end(self, iteration, logs=None):
            for member in self.model.ensemble.members:
                kept.setdefault(member.name, []).append(snapshot(member.model))

    search = search_images(pool, tmp_path / "search").fit(x, y, callbacks=[Keep()], verbose=0)
    assert_same(snapshot(given), before)
    names = [member.name for member in search.ensemble.members]
    assert names == ["1_given", "1_made", "2_given", "2_made"]
    for name in names[:2]:  # the second round leaves the first's members as they are
        assert_same(*kept[name])
    for member in search.ensemble.members:
        moved = zip(snapshot(member.model), before, strict=True)
        assert all(np.abs(a - b).max() > 0 for a, b in moved), "weights and statistics are trained"
    assert search.evaluate(x, y)["accuracy"] > 0.8

    again = image_model()
    loaded = an.AdaNet.load(
        tmp_path / "search",
        generator=an.generators.Pool({"given": again, "made": image_model}, learning_rate=0.02),
    )
    np.testing.assert_array_equal(loaded.predict(x, "logits"), search.predict(x, "logits"))
    search.model.save(tmp_path / "ensemble.keras")
    plain = keras.saving.load_model(tmp_path / "ensemble.keras")
    np.testing.assert_allclose(plain.predict(x, verbose=0), search.predict(x, "logits"), atol=1e-6)


def test_a_search_is_not_loaded_without_its_pool(tmp_path):
    x = np.random.default_rng(0).normal(size=(32, 4)).astype("float32")
    search = an.AdaNet(
        an.heads.MultiClass(3),
        an.generators.Pool({"mine": sequential}),
        max_iterations=1,
        steps_per_iteration=2,
        model_dir=tmp_path / "search",
    )
    search.fit(x, np.arange(32) % 3, verbose=0)
    with pytest.raises(ValueError, match=r"Pool's models are not stored.*generator=\.\.\."):
        an.AdaNet.load(tmp_path / "search")
