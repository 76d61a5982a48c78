"""Conv: the shape of its networks, and the images that it takes."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

import adaptive_nets as an
from adaptive_nets.data.specs import FeatureSpec


def build_one(built, image, depth=2, units=3, dtype="float32", **settings):
    (builder,) = an.generators.Conv(depths=depth, **settings).generate(None, 1, [])
    return built(builder, FeatureSpec(image, dtype), units)


def by_formula(size, channels, filters, depth, units):
    """Parameters and the last feature map's side, after the class docstring."""

    def normed(k, a, b):
        return k * k * a * b + 4 * b

    total, width = normed(3, channels, filters), filters
    for block in range(depth):
        halves = block % 2 == 0 and size > 4
        grown = width * 2 if halves and block else width
        total += normed(3, width, grown) + normed(3, grown, grown)
        if halves:
            total += normed(1, width, grown)
            size = -(-size // 2)
        width = grown
    return total + width * units + units, size, width


@pytest.mark.parametrize("image", [(28, 28), (28, 28, 3), (8, 8), (4, 4), (4, 4, 2), (1, 1)])
@pytest.mark.parametrize("depth", [0, 1, 3, 5])
def test_shape_and_parameters_by_formula(image, depth, built):
    channels = image[2] if len(image) == 3 else 1
    member = build_one(built, image, depth, filters=6)
    parameters, side, width = by_formula(image[0], channels, 6, depth, 3)
    assert member.parameters == parameters
    assert member.depth == depth
    (pool,) = (
        layer
        for layer in member.model.layers
        if isinstance(layer, keras.layers.GlobalAveragePooling2D)
    )
    assert pool.input.shape == (None, side, side, width)
    assert member.model.output["last_layer"].shape == (None, width)
    out = member.model(np.ones((2, *image), "float32"))["logits"]
    assert out.shape == (2, 3) and np.isfinite(out).all()


def test_depths_follow_the_deepest_member(ensemble):
    names = [b.name for b in an.generators.Conv().generate(ensemble(2, 4), 3, [])]
    assert names == ["4_block_conv", "5_block_conv"]


def test_every_width_has_its_own_name():
    builders = an.generators.Conv(filters=[4, 8], depths=[1, 2]).generate(None, 1, [])
    assert {b.name: b.hyperparameters() for b in builders} == {
        f"{depth}_block_conv_{filters}": {"depth": depth, "filters": filters}
        for depth in (1, 2)
        for filters in (4, 8)
    }


def test_blocks_are_residual(built):
    member = build_one(built, (4, 4), depth=1, filters=3)
    model = member.model
    stem = next(x for x in model.layers if isinstance(x, keras.layers.Activation)).output
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D) and layer.input is not model.inputs[0]:
            layer.set_weights([np.zeros_like(w) for w in layer.get_weights()])
    first = next(x for x in model.layers if isinstance(x, keras.layers.Conv2D))
    first.set_weights([np.ones_like(w) for w in first.get_weights()])
    x = np.random.default_rng(0).uniform(size=(2, 4, 4)).astype("float32")
    before = np.mean(keras.Model(model.inputs[0], stem)(x), axis=(1, 2))
    assert before.max() > 0
    np.testing.assert_allclose(model(x)["last_layer"], before, rtol=1e-5)


def test_dropout_stands_before_the_logits(built):
    model = build_one(built, (8, 8), dropout=0.5).model
    assert [type(layer) for layer in model.layers[-2:]] == [
        keras.layers.Dropout,
        keras.layers.Dense,
    ]
    assert model.layers[-2].rate == 0.5


def test_bytes_are_scaled_to_one(built):
    x = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1))
    by_bytes = build_one(built, (8, 8, 1), dtype="uint8").model(x.astype("uint8"))
    by_floats = build_one(built, (8, 8, 1)).model((x / 255).astype("float32"))
    np.testing.assert_allclose(by_bytes["logits"], by_floats["logits"], atol=1e-5)


def test_one_image_in_a_dict_is_taken(built):
    (builder,) = an.generators.Conv(depths=1).generate(None, 1, [])
    member = built(builder, {"photo": FeatureSpec((8, 8, 3), "float32")})
    assert member.model({"photo": np.zeros((2, 8, 8, 3), "float32")})["logits"].shape == (2, 3)


IMAGE = FeatureSpec((8, 8), "float32")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            FeatureSpec((64,), "float32"),
            r"requires images of shape .*Received: rows of shape \(64,\)",
        ),
        (FeatureSpec((2, 8, 8, 3), "float32"), "requires images of shape"),
        ({"left": IMAGE, "right": IMAGE}, "requires a single image feature. Received: left, right"),
        ({"path": FeatureSpec((1,), "string")}, "^Feature 'path' holds strings"),
    ],
)
def test_what_is_no_image_is_refused(spec, message, built):
    (builder,) = an.generators.Conv(depths=1).generate(None, 1, [])
    with pytest.raises(ValueError, match=message) as caught:
        built(builder, spec)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "settings", [{"filters": 0}, {"filters": [4, 4]}, {"depths": [-1]}, {"dropout": 1}]
)
def test_bad_settings_are_refused_at_once(settings):
    (name,) = settings
    with pytest.raises(ValueError, match=f"^{name} must .*Received: {name}="):
        an.generators.Conv(**settings)


def test_a_search_on_digits_learns():
    digits = load_digits()
    x, y = digits.images, digits.target
    search = an.AdaNet(
        an.heads.MultiClass(),
        an.generators.Conv(8, depths=1, learning_rate=0.01),
        max_iterations=1,
        steps_per_iteration=250,
        seed=0,
    )
    search.fit(x[:1300], y[:1300], verbose=0)
    assert search.evaluate(x[1300:], y[1300:])["accuracy"] > 0.85
