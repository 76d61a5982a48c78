"""Rules of convolutional networks: every layer keeps its function when it is widened or fused."""

import keras
import numpy as np
import pytest

from adaptive_nets import growth

# Not run again under JAX, which compiles every shape of every convolution anew; the contract test
# covers these layers there.
layers = keras.layers
FIRST = {"data_format": "channels_first"}


def conv1d(w):
    return (8, 3), [
        layers.Conv1D(w, 3, padding="causal", activation="relu", name="a"),
        layers.MaxPooling1D(2, padding="same"),
        layers.ZeroPadding1D(1),
        layers.Conv1DTranspose(w + 2, 3, strides=2, activation="tanh"),
        layers.Cropping1D(1),
        layers.DepthwiseConv1D(2, depth_multiplier=2),
        layers.SeparableConv1D(w, 2, activation="gelu"),
        layers.UpSampling1D(2),
        layers.AveragePooling1D(3),
        layers.GlobalMaxPooling1D(keepdims=True),
        layers.Conv1D(2, 1),
        layers.Flatten(),
    ]


def conv2d(w):
    return (6, 6, 3), [
        layers.Conv2D(w, 3, strides=2, padding="same", use_bias=False, name="a"),
        layers.BatchNormalization(),
        layers.PReLU(shared_axes=[1, 2]),
        layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2, activation="relu"),
        layers.Conv2D(w + 1, 1),
        layers.BatchNormalization(scale=False, center=False),
        layers.PReLU(),
        layers.ZeroPadding2D(((0, 1), (1, 0))),
        layers.Conv2DTranspose(w, 2, strides=2, use_bias=False),
        layers.Cropping2D(1),
        layers.SeparableConv2D(w, 3, depth_multiplier=2, activation="softplus"),
        layers.UpSampling2D(2, interpolation="bilinear"),
        layers.MaxPooling2D(2),
        layers.Resizing(3, 3),
        layers.Flatten(),
        layers.Dense(w, "relu"),
    ]


def conv3d(w):
    return (4, 4, 4, 2), [
        layers.Conv3D(w, 2, activation="relu", name="a"),
        layers.BatchNormalization(),
        layers.ZeroPadding3D(1),
        layers.Conv3DTranspose(w, 2, activation="elu"),
        layers.Cropping3D(1),
        layers.UpSampling3D(2),
        layers.GlobalAveragePooling3D(keepdims=True),
        layers.Flatten(),
    ]


def input_features(w):
    """Layers with a weight on each feature of the input: fused sources each get a copy."""
    return (5, 5, 3), [
        layers.BatchNormalization(),
        layers.PReLU(shared_axes=[1, 2]),
        layers.DepthwiseConv2D(2, depth_multiplier=3),
        layers.SeparableConv2D(w, 2, name="a"),
        layers.GlobalMaxPooling2D(),
    ]


def normalized(w):
    return (4, 4, 3), [
        layers.Normalization(),
        layers.Conv2D(w, 2, activation="relu", name="a"),
        layers.GlobalAveragePooling2D(),
    ]


def normalized_by_settings(w):
    settings = {"mean": [0.1 * w, 0.2, 0.3], "variance": [2.0, w, 0.5]}
    return (4, 4, 3), [
        layers.Normalization(**settings),
        layers.Conv2D(w, 2, activation="relu", name="a"),
        layers.GlobalAveragePooling2D(),
    ]


def reshaped(w):
    return (4, 4, 3), [
        layers.Conv2D(w, 2, activation="relu", name="a"),
        layers.Reshape((9, w)),
        layers.Permute((2, 1)),
        layers.Permute((2, 1)),
        layers.Reshape((3, 3, w)),
        layers.Conv2D(w + 1, 2),
        layers.GlobalAveragePooling2D(),
        layers.RepeatVector(2),
        layers.Reshape((2, 1, -1)),
        layers.Conv2D(w, 1),
        layers.Reshape((2 * w,)),
        layers.Dense(w, "relu"),
        layers.Reshape((1, 1, w)),
        layers.Conv2D(2, 1),
        layers.Flatten(),
    ]


def whole_groups(w):
    """A convolution with one feature a group, as ConvNeXt writes a depthwise one."""
    return (4, 4, 3), [
        layers.Conv2D(w, 2, name="a"),
        layers.Conv2D(2 * w, 2, groups=w, activation="relu", padding="same"),
        layers.Conv2D(w, 1),
        layers.GlobalAveragePooling2D(),
    ]


def channels_first(w):
    return (3, 4, 4), [
        layers.ZeroPadding2D(1, **FIRST),
        layers.BatchNormalization(axis=1),
        layers.Permute((2, 3, 1)),
        layers.Conv2D(w, 3, activation="relu", name="a"),
        layers.Permute((3, 1, 2)),
        layers.BatchNormalization(axis=1),
        layers.UpSampling2D(2, **FIRST),
        layers.Cropping2D(1, **FIRST),
        layers.PReLU(shared_axes=[2, 3]),
        layers.Flatten(**FIRST),
        layers.Dense(w, "relu"),
    ]


def features_in_front(w):
    """Flattening with the features in front of the positions, by a layer that does not know it."""
    return (4, 4, 3), [
        layers.Conv2D(w, 3, activation="relu", name="a"),
        layers.Permute((3, 1, 2)),
        layers.Flatten(),
        layers.Dense(w, "relu"),
    ]


CASES = [
    conv1d,
    conv2d,
    conv3d,
    input_features,
    normalized,
    normalized_by_settings,
    reshaped,
    whole_groups,
    channels_first,
    features_in_front,
]


def model_of(case, width, dtype, seed, gc, outputs=3):
    keras.backend.clear_session()
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        shape, stack = case(width)
        inputs = keras.Input(shape, dtype=dtype)
        model = keras.Sequential([inputs, *stack, layers.Dense(outputs, name="out")])
    finally:
        keras.config.set_dtype_policy(before)
    gc.randomise(model, seed)
    for layer in model.layers:
        if isinstance(layer, layers.Normalization):
            layer.finalize_state()
    return model


def images(model, dtype, rows=3):
    shape = (rows, *model.input_shape[1:])
    return np.random.default_rng(5).normal(size=shape).astype(dtype)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-10)])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_function_is_preserved(gc, case, dtype, tolerance):
    one, two = (model_of(case, width, dtype, width, gc) for width in (4, 6))
    x = images(one, dtype)
    expected, other = gc.outputs(one, x), gc.outputs(two, x)
    for method in ("zero", "replicate"):
        grown = growth.widen(one, 2.0, method=method, seed=0)
        assert gc.gap(gc.outputs(grown, x), expected) <= tolerance
        assert grown.get_layer("a").filters == 8
    fused = growth.fuse([one, two])
    mean = [(a + b) / 2 for a, b in zip(expected, other, strict=True)]
    assert gc.gap(gc.outputs(fused, x), mean) <= tolerance
    again = growth.self_fuse(one, cross="zero", preserve="exact")
    assert gc.gap(gc.outputs(again, x), expected) <= tolerance


def test_largest_of_a_volume(gc):
    """TensorFlow has pooling of volumes in single precision only."""

    def volume(width):
        return (4, 4, 4, 2), [
            layers.Conv3D(width, 2, name="a"),
            layers.AveragePooling3D(2, strides=1),
            layers.MaxPooling3D(2),
            layers.GlobalMaxPooling3D(),
        ]

    one, two = (model_of(volume, width, "float32", width, gc) for width in (4, 6))
    x = images(one, "float32")
    expected, other = gc.outputs(one, x), gc.outputs(two, x)
    assert gc.gap(gc.outputs(growth.widen(one, 2.0), x), expected) <= 1e-5
    mean = [(a + b) / 2 for a, b in zip(expected, other, strict=True)]
    assert gc.gap(gc.outputs(growth.fuse([one, two]), x), mean) <= 1e-5


@pytest.mark.parametrize("case", [conv1d, conv2d, reshaped], ids=lambda case: case.__name__)
def test_uneven_widths(gc, case):
    model = model_of(case, 4, "float64", 0, gc)
    x = images(model, "float64")
    for method in ("zero", "replicate"):
        grown = growth.widen(model, {"a": 7}, method=method, seed=1)
        assert grown.get_layer("a").filters == 7
        assert gc.gap(gc.outputs(grown, x), gc.outputs(model, x)) <= 1e-10


def test_grown_model_is_saved_and_loaded(gc, tmp_path):
    for case in (input_features, reshaped, normalized, whole_groups):
        pair = [model_of(case, width, "float32", width, gc) for width in (4, 6)]
        grown = growth.fuse(pair)
        grown.save(tmp_path / "grown.keras")
        again = keras.models.load_model(tmp_path / "grown.keras")
        x = images(grown, "float32")
        assert gc.gap(gc.outputs(again, x), gc.outputs(grown, x)) <= 1e-6


def test_equal_input_statistics_are_shared(gc):
    pair = [model_of(normalized, width, "float32", width, gc) for width in (4, 6)]
    apart = growth.fuse(pair)
    assert apart.layers[2].adapt_mean.shape == (6,)
    for name in ("adapt_mean", "adapt_variance", "count"):
        getattr(pair[1].layers[0], name).assign(getattr(pair[0].layers[0], name))
    pair[1].layers[0].finalize_state()
    shared = growth.fuse(pair)
    assert shared.layers[0].adapt_mean.shape == (3,)
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(shared.layers[0].count),
        keras.ops.convert_to_numpy(pair[0].layers[0].count),
    )


def grouped_model(width, groups, gc, seed=0):
    model = keras.Sequential(
        [
            keras.Input((4, 4, 3)),
            layers.Conv2D(width, 2, activation="relu", name="a"),
            layers.Conv2D(2 * width, 2, groups=groups, activation="relu", name="grouped"),
            layers.Conv2D(5, 1, activation="relu", name="b"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, name="out"),
        ]
    )
    return gc.randomise(model, seed)


def test_groups_are_fused_and_not_widened(gc):
    one, two = grouped_model(4, 2, gc), grouped_model(6, 3, gc, 1)
    x = images(one, "float32")
    fused = growth.fuse([one, two])
    layer = fused.get_layer("grouped")
    assert (layer.groups, layer.filters) == (5, 20)
    mean = [(a + b) / 2 for a, b in zip(gc.outputs(one, x), gc.outputs(two, x), strict=True)]
    assert gc.gap(gc.outputs(fused, x), mean) <= 1e-5
    with pytest.raises(ValueError, match="groups of 2 features are kept whole"):
        growth.widen(one, {"a": 8})
    wider = growth.widen(one, 2.0)
    assert wider.get_layer("b").filters == 10
    assert wider.get_layer("grouped").filters == 8
    with pytest.raises(ValueError, match="Expected the same numbers in every source"):
        growth.fuse([one, grouped_model(6, 2, gc)])


@pytest.mark.parametrize(
    ("settings", "others"),
    [
        ({"strides": 2}, {"strides": 1}),
        ({"activation": "relu"}, {"activation": "tanh"}),
        ({"padding": "same"}, {"padding": "valid"}),
    ],
)
def test_settings_that_differ_are_refused(gc, settings, others):
    def make(width, chosen):
        ends = [layers.GlobalAveragePooling2D(), layers.Dense(2, name="out")]
        conv = layers.Conv2D(width, 3, name="a", **chosen)
        return gc.randomise(keras.Sequential([keras.Input((5, 5, 3)), conv, *ends]))

    (name,) = settings
    said = f"Cannot fuse at 'a': (its {name} differs|axis 1 of its output is of another length)"
    with pytest.raises(ValueError, match=said):
        growth.fuse([make(4, settings), make(5, others)])
    assert growth.fuse([make(4, settings), make(5, settings)]).get_layer("a").filters == 9


def test_positions_do_not_grow(gc):
    def across(width):
        return (4, 3), [
            layers.Conv1D(width, 2, name="a"),
            layers.Permute((2, 1)),
            layers.Conv1D(5, 2, name="across"),
            layers.GlobalAveragePooling1D(),
        ]

    model = model_of(across, 4, "float32", 0, gc)
    with pytest.raises(ValueError, match="'across': it works over the positions"):
        growth.widen(model, {"a": 8})
    assert growth.widen(model, {"across": 8}).get_layer("across").filters == 8
    x = np.random.default_rng(0).normal(size=(3, 4, 3)).astype("float32")
    assert gc.fused_gap([model, model_of(across, 4, "float32", 1, gc)], x) <= 1e-6


def test_unsound_reshape_is_refused(gc):
    def folded(width):
        return (4, 4, 3), [
            layers.Conv2D(width, 3, name="a"),
            layers.Reshape((width, 4)),
            layers.Conv1D(5, 2),
            layers.GlobalAveragePooling1D(),
        ]

    model = model_of(folded, 6, "float32", 0, gc)
    with pytest.raises(ValueError, match="it reshapes"):
        growth.widen(model, {"a": 12})


def test_slopes_shared_by_all_features_are_not_fused(gc):
    def shared(width):
        return (4, 4, 3), [
            layers.Conv2D(width, 3, name="a"),
            layers.PReLU(shared_axes=[1, 2, 3]),
            layers.GlobalAveragePooling2D(),
        ]

    one, two = (model_of(shared, 4, "float32", seed, gc) for seed in (0, 1))
    x = images(one, "float32")
    grown = growth.widen(one, 2.0)
    assert gc.gap(gc.outputs(grown, x), gc.outputs(one, x)) <= 1e-5
    with pytest.raises(ValueError, match="Expected a slope for each feature"):
        growth.fuse([one, two])


def test_one_step_moves_new_filters(gc):
    model = model_of(conv2d, 4, "float32", 0, gc)
    grown = growth.widen(model, 2.0, seed=0)
    x = np.random.default_rng(0).normal(size=(8, 6, 6, 3)).astype("float32")
    grown.compile(keras.optimizers.SGD(0.1), "mse")
    readers = [grown.layers[i] for i in (3, 4, 8)]  # read the new features of what is before
    before = [np.array(layer.weights[0]) for layer in (*readers, grown.get_layer("out"))]
    grown.fit(x, np.ones((8, 3)), epochs=2, verbose=0)
    after = [np.array(layer.weights[0]) for layer in (*readers, grown.get_layer("out"))]
    new_rows = [np.s_[:, :, 4:], np.s_[:, :, 8:], np.s_[:, :, :, 5:], np.s_[4:]]
    for was, now, rows in zip(before, after, new_rows, strict=True):
        assert np.abs(now - was)[rows].max() > 0
    new = grown.get_layer("a").weights[0]
    start = growth.widen(model, 2.0, seed=0).get_layer("a").weights[0]
    assert np.abs(np.array(new) - np.array(start))[..., 4:].max() > 0


def test_groups_that_read_inputs_beside_features_are_kept_once_a_source(gc):
    def network(seed):
        inputs = keras.Input((5, 4))
        x = layers.Concatenate()([layers.Conv1D(4, 2, padding="same")(inputs), inputs])
        x = layers.Conv1D(8, 2, groups=2, activation="relu", name="grouped")(x)
        return gc.randomise(keras.Model(inputs, layers.Dense(2)(x)), seed)

    sources, x = [network(1), network(2)], np.random.default_rng(0).normal(size=(3, 5, 4))
    fused = growth.fuse(sources, verify=False)
    expected = sum(gc.outputs(source, x)[0] for source in sources) / 2
    assert gc.gap(gc.outputs(fused, x), [expected]) <= 1e-6
