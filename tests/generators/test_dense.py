"""Dense: which networks it proposes, and the arithmetic of what it builds."""

import itertools

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

import adaptive_nets as an
from adaptive_nets.data.specs import FeatureSpec

VECTOR = FeatureSpec((5,), "float32")


def proposed(generator, previous=None):
    return generator.generate(previous, 1, [])


def names(builders):
    return [builder.name for builder in builders]


def layers(member, kind):
    return [layer for layer in member.model.layers if isinstance(layer, kind)]


@pytest.mark.parametrize(("depths", "expected"), [((), (1, 2)), ((1,), (1, 2)), ((3, 1), (3, 4))])
def test_depths_follow_the_deepest_member(depths, expected, ensemble, built):
    builders = proposed(an.generators.Dense(), ensemble(*depths) if depths else None)
    members = [built(builder, VECTOR) for builder in builders]
    assert tuple(member.depth for member in members) == expected
    for member, depth in zip(members, expected, strict=True):
        assert len(layers(member, keras.layers.Dense)) == depth + 1


def test_given_depths_do_not_follow(ensemble):
    generator = an.generators.Dense(depths=(2, 5))
    expected = ["2_layer_dense", "5_layer_dense"]
    assert names(proposed(generator)) == names(proposed(generator, ensemble(9))) == expected


def test_every_width_meets_every_depth_under_its_own_name():
    builders = proposed(an.generators.Dense(widths=[4, 8], depths=[1, 2]))
    assert {b.name: b.hyperparameters() for b in builders} == {
        f"{depth}_layer_dense_{width}": {"depth": depth, "width": width}
        for depth in (1, 2)
        for width in (4, 8)
    }


@pytest.mark.parametrize("depth", [0, 1, 2, 4])
@pytest.mark.parametrize("norm", [None, "batch", "layer"])
def test_parameters_by_formula(depth, norm, built):
    width, features, units = 7, 5, 3
    (builder,) = proposed(an.generators.Dense(width, depths=depth, norm=norm))
    member = built(builder, VECTOR, units)
    sizes = [features, *[width] * depth]
    per_unit = {None: 1, "batch": 4, "layer": 2}[norm]
    hidden = sum(a * b + per_unit * b for a, b in itertools.pairwise(sizes))
    assert member.parameters == hidden + sizes[-1] * units + units
    assert member.model.output["last_layer"].shape == (None, sizes[-1])


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu", keras.activations.silu])
def test_it_computes_what_it_says(activation, built):
    (builder,) = proposed(an.generators.Dense(6, depths=2, activation=activation))
    model = built(builder, VECTOR).model
    x = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    *hidden, last = [layer.get_weights() for layer in model.layers if layer.get_weights()]
    h = x
    for kernel, bias in hidden:
        h = np.asarray(keras.activations.get(activation)(h @ kernel + bias))
    np.testing.assert_allclose(model(x)["last_layer"], h, atol=1e-5)
    np.testing.assert_allclose(model(x)["logits"], h @ last[0] + last[1], atol=1e-5)


def test_dropout_follows_each_hidden_layer_and_acts_in_training(built):
    (builder,) = proposed(an.generators.Dense(64, depths=3, activation="sigmoid", dropout=0.25))
    member = built(builder, VECTOR)
    assert [layer.rate for layer in layers(member, keras.layers.Dropout)] == [0.25] * 3
    x = np.ones((64, 5), "float32")
    dropped = np.asarray(member.model(x, training=True)["last_layer"])
    kept = np.asarray(member.model(x)["last_layer"])
    assert np.ptp(kept, axis=0).max() == 0 < np.ptp(dropped, axis=0).max()
    assert np.mean(dropped == 0) == pytest.approx(0.25, abs=0.05) and kept.min() > 0


@pytest.mark.parametrize(
    ("norm", "kind"),
    [("batch", keras.layers.BatchNormalization), ("layer", keras.layers.LayerNormalization)],
)
def test_norm_stands_before_each_activation(norm, kind, built):
    (builder,) = proposed(an.generators.Dense(6, depths=2, norm=norm))
    model = built(builder, VECTOR).model
    order = [type(layer) for layer in model.layers]
    block = [keras.layers.Dense, kind, keras.layers.Activation]
    assert order == [keras.layers.InputLayer, *block, *block, keras.layers.Dense]
    x = np.random.default_rng(0).normal(7, 3, size=(256, 5)).astype("float32")
    for _ in range(60):  # a short round: the moving averages must have arrived
        model(x, training=True)
    normed = keras.Model(model.inputs[0], model.layers[2].output)(x)
    axis = 0 if norm == "batch" else 1
    np.testing.assert_allclose(np.mean(normed, axis), 0, atol=0.05)
    np.testing.assert_allclose(np.std(normed, axis), 1, atol=0.05)


def test_features_of_all_numeric_kinds_stand_side_by_side(built):
    spec = {
        "vector": FeatureSpec((2,), "float32"),
        "count": FeatureSpec((1,), "int32"),
        "image": FeatureSpec((2, 2), "uint8"),
        "flag": FeatureSpec((1,), "bool"),
    }
    (builder,) = proposed(an.generators.Dense(depths=0))
    model = built(builder, spec).model
    x = {
        "vector": np.array([[0.5, -1.0]], "float32"),
        "count": np.array([[1 << 20]], "int32"),
        "image": np.array([[[1, 2], [3, 255]]], "uint8"),
        "flag": np.array([[True]]),
    }
    expected = [[0.5, -1.0, 1 << 20, 1, 2, 3, 255, 1]]
    np.testing.assert_array_equal(model(x)["last_layer"], expected)


def test_strings_are_refused_by_name(built):
    spec = {"age": FeatureSpec((1,), "float32"), "town": FeatureSpec((1,), "string")}
    (builder,) = proposed(an.generators.Dense(depths=1))
    with pytest.raises(ValueError, match=r"^Feature 'town' holds strings.*Encode them first"):
        built(builder, spec)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"widths": 0}, "widths must be an integer >= 1. Received: widths=0."),
        ({"widths": [8, 2.5]}, "widths must be .*2.5"),
        ({"widths": "64"}, "widths must be .*'64'"),
        ({"widths": None}, "widths must be .*None"),
        ({"widths": []}, "widths must be "),
        ({"widths": True}, "widths must be "),
        ({"widths": [8, 8]}, r"widths must be distinct. Received: widths=\[8, 8\]."),
        ({"depths": -1}, "depths must be an integer >= 0"),
        ({"dropout": 1.0}, r"dropout must be a finite number >= 0 and < 1"),
        ({"dropout": "0.1"}, "dropout must be "),
        ({"dropout": float("nan")}, "dropout must be "),
        ({"norm": "group"}, "norm must be None, 'batch' or 'layer'"),
        ({"activation": "reluu"}, "activation must be the name of a Keras activation.*'reluu'"),
        ({"activation": keras.layers.LeakyReLU()}, "activation must be the name"),
        ({"optimizer": "adamm"}, "optimizer must be .*'adamm'"),
        ({"learning_rate": 0.0}, "learning_rate must be "),
    ],
)
def test_bad_settings_are_refused_at_once(settings, message):
    with pytest.raises(ValueError, match=f"^{message}") as caught:
        an.generators.Dense(**settings)
    assert "\n" not in str(caught.value)


def test_sizes_may_be_numpy_integers():
    generator = an.generators.Dense(widths=np.int64(8), depths=np.arange(1, 3))
    assert (generator.widths, generator.depths) == ([8], [1, 2])
    assert all(type(v) is int for v in (*generator.widths, *generator.depths))


def test_regressions_begin_at_the_target_mean():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 4)).astype("float32")
    y = 5000.0 + 3.0 * x[:, 0]
    generator = an.generators.Dense(depths=1, learning_rate=1e-9)
    search = an.AdaNet(
        an.heads.Regression(),
        generator,
        max_iterations=1,
        steps_per_iteration=1,
        adanet_lambda=0.0,
        seed=0,
    )
    search.fit(x, y, verbose=0)
    member = search.ensemble.members[0].model(search.preprocessing(x))["logits"].numpy()
    assert abs(member.mean() - y.mean()) < 2 * y.std()
    assert member.std() < 5 * y.std()


def test_a_search_on_digits_learns():
    x, y = load_digits(return_X_y=True)
    generator = an.generators.Dense(32, norm="batch", dropout=0.1, learning_rate=0.01)
    search = an.AdaNet(
        an.heads.MultiClass(), generator, max_iterations=1, steps_per_iteration=250, seed=0
    )
    search.fit(x[:1300], y[:1300], verbose=0)
    assert search.evaluate(x[1300:], y[1300:])["accuracy"] > 0.9
