"""From stock models to majority models and back, over the whole life of a model."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import adaptive_nets as an
from adaptive_nets.majority import collapse, expand, recalibrate_in_place

layers = keras.layers
RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def same_draws():
    """Each test draws the same, whichever ran before."""
    RNG.bit_generator.state = np.random.default_rng(0).bit_generator.state
    keras.utils.set_random_seed(0)


def mlp():
    hidden = [layers.Dense(16, "relu", name="a"), layers.BatchNormalization(name="norm")]
    return keras.Sequential([keras.Input((6,)), *hidden, layers.Dense(3, name="b")])


def lstm():
    return keras.Sequential(
        [
            keras.Input((7,), dtype="int32"),
            layers.Embedding(9, 8, mask_zero=True, name="words"),
            layers.Bidirectional(layers.LSTM(6, return_sequences=True)),
            layers.GRU(6),
            layers.Dense(3),
        ]
    )


def vit():
    inputs = keras.Input((8, 8, 3))
    x = layers.Reshape((4, 16))(layers.Conv2D(16, 4, 4)(inputs))
    h = layers.LayerNormalization()(x)
    x = layers.Add()([x, layers.MultiHeadAttention(2, 8)(h, h)])
    h = layers.Dense(16)(layers.Dense(32, "gelu")(layers.LayerNormalization()(x)))
    x = layers.GlobalAveragePooling1D()(layers.Add()([x, h]))
    return keras.Model(inputs, layers.Dense(3)(x))


def nested():
    inner = keras.Sequential([keras.Input((6,)), layers.Dense(6, "relu"), layers.Dropout(0.5)])
    inputs = keras.Input((6,))
    outer = layers.TimeDistributed(layers.Dense(4))(layers.Reshape((2, 3))(inner(inner(inputs))))
    return keras.Model(inputs, {"flat": layers.Flatten()(outer)})


def beginning(model, last):
    """A classifier of what a layer gives: later blocks are the first ones again, wider."""
    x = layers.GlobalAveragePooling2D()(model.get_layer(last).output)
    return keras.Model(model.input, layers.Dense(3, "softmax")(x))


def mobile():
    settings = {"weights": None, "include_top": False}
    return beginning(keras.applications.MobileNetV2((32, 32, 3), 0.35, **settings), "block_4_add")


def resnet():
    settings = {"weights": None, "include_top": False}
    return beginning(
        keras.applications.ResNet50(input_shape=(32, 32, 3), **settings), "conv3_block1_out"
    )


def hub(name):
    models = pytest.importorskip("keras_hub").models
    common = {"vocabulary_size": 11, "num_layers": 2, "num_heads": 2, "hidden_dim": 8}
    common["intermediate_dim"] = 16
    if name == "t5":
        return models.T5Backbone(**common, key_value_dim=4, use_gated_activation=False)
    kind = models.GPT2Backbone if name == "gpt2" else models.BertBackbone
    return kind(**common, max_sequence_length=8)


MODELS = {"mlp": mlp, "lstm": lstm, "vit": vit, "nested": nested, "mobile": mobile}
MODELS["resnet"] = resnet
# To trace their steps takes longer than to run one.
LARGE = ("mobile", "resnet", "lstm", "t5", "gpt2", "bert")
MODELS |= {name: lambda name=name: hub(name) for name in ("t5", "gpt2", "bert")}


def randomise(model):
    for variable in model.weights:
        shape = tuple(variable.shape)
        if "variance" in variable.path:
            variable.assign(RNG.uniform(0.5, 2, shape))
        elif "seed" not in variable.path:
            spread = np.sqrt(max(np.prod(shape[:-1]), 1)) if len(shape) > 1 else 2
            variable.assign(("gamma" in variable.path) + RNG.normal(size=shape) / spread)
    return model


def inputs_of(model):
    if len(model.inputs) > 1:
        return {
            key: RNG.integers(1 if "token" in key else 0, 2, (4, 6)).astype("int32")
            for key in model.input
        }
    shape = (4, *model.inputs[0].shape[1:])
    whole = "int" in model.inputs[0].dtype
    return (RNG.integers(1, 9, shape) if whole else RNG.normal(size=shape)).astype(
        model.inputs[0].dtype
    )


def outputs(model, x, **how):
    found = keras.tree.flatten(model(x, **how))
    return [keras.ops.convert_to_numpy(y).astype("float64") for y in found]


def gap(model, expected, x, **how):
    pairs = zip(outputs(model, x, **how), expected, strict=True)
    return max(np.abs(a - b).max() / np.abs(b).max() for a, b in pairs)


@pytest.mark.parametrize("name", MODELS)
def test_expand_fit_collapse_save_load_export(name, tmp_path):
    model = randomise(MODELS[name]())
    x = inputs_of(model)
    expected = outputs(model, x)
    before = [w.copy() for w in model.get_weights()]
    bigger = expand(model, 3, seed=0, kernel_spread=0.5)
    assert bigger.count_params() > model.count_params()
    assert gap(bigger, expected, x) <= 1e-6
    assert gap(bigger, expected, x, training=True) > 1e-3
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)

    bigger.compile(keras.optimizers.SGD(0.01), "mse", run_eagerly=name in LARGE)
    structure = keras.tree.map_structure(lambda y: np.asarray(y) + 1, model(x))
    bigger.fit(x, structure, verbose=0)
    trained = outputs(bigger, x)
    assert gap(bigger, expected, x) > 1e-5
    small, report = collapse(bigger, x)
    assert small.count_params() == model.count_params() == report.parameters
    assert report.gap <= 1e-6 and report.parameters_before == bigger.count_params()
    assert not any("Majority" in type(layer).__name__ for layer in small._flatten_layers())
    np.testing.assert_allclose(outputs(bigger, x)[0], trained[0], atol=1e-7)

    bigger.save(tmp_path / "bigger.keras")
    again = keras.saving.load_model(tmp_path / "bigger.keras")
    assert gap(again, trained, x) <= 1e-6
    again.fit(x, structure, verbose=0)
    small.save(tmp_path / "small.keras")
    assert gap(keras.saving.load_model(tmp_path / "small.keras"), trained, x) <= 1e-6
    small.export(tmp_path / "served", verbose=False)
    loaded = tf.saved_model.load(tmp_path / "served")
    served = [np.asarray(y) for y in keras.tree.flatten(loaded.serve(x))]
    assert max(np.abs(a - b).max() for a, b in zip(served, trained, strict=True)) <= 1e-5


def test_mixed_precision_keeps_the_mean_in_full_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = randomise(mlp())
        x = inputs_of(model)
        bigger = expand(model, 3, kernel_spread=0.5, seed=0)
        assert {v.dtype for v in bigger.trainable_variables} == {"float32"}
        assert gap(bigger, outputs(model, x), x) <= 2e-3
        small, report = collapse(bigger, x)
        # The same float32 mean, rounded once; what float16 adds up differs in its last bit.
        for name in "ab":
            both = [each.get_layer(name).kernel for each in (bigger, small)]
            np.testing.assert_array_equal(*both)
        assert report.gap <= 2e-3
        assert small.layers[0].compute_dtype == "float16"
    finally:
        keras.config.set_dtype_policy("float32")


def test_what_is_expanded_can_be_chosen():
    model = randomise(lstm())
    names = {type(x).__name__ for x in expand(model)._flatten_layers()}
    assert {"MajorityLSTM", "MajorityGRU", "MajorityDense", "Embedding"} <= names
    chosen = expand(model, include=["words", layers.Dense])
    kinds = {type(x).__name__ for x in chosen._flatten_layers()}
    assert {"MajorityEmbedding", "MajorityDense", "GRU", "LSTM"} <= kinds
    assert "MajorityGRU" not in kinds
    left = expand(model, exclude=layers.Dense)
    assert type(left.layers[-1]) is layers.Dense
    compiled = mlp()
    compiled.compile(keras.optimizers.Adam(0.02), "mse")
    bigger = expand(compiled)
    assert float(bigger.optimizer.learning_rate) == pytest.approx(0.02)
    assert collapse(bigger)[0].compiled


def test_the_report_names_what_collapsed():
    _, report = collapse(expand(mlp(), 4, exclude="b"))
    assert report.rows == (("a", "Dense", 4, 4 * 96 + 16, 96 + 16),)
    assert report.bytes_before - report.bytes == 4 * 3 * 96
    assert "the optimizer state is dropped" in str(report) and "Dense" in str(report)


@pytest.mark.parametrize("steps", [1, 4])
def test_draws_go_on_in_fit(steps):
    def made():
        layer = an.layers.MajorityDense(1, factor=4, use_bias=False, mixing_seed=5)
        model = keras.Sequential([keras.Input((1,)), layer])
        layer.kernels["kernel"].assign(np.arange(4.0).reshape(4, 1, 1))
        model.compile(keras.optimizers.SGD(0.0), "mae", jit_compile=True, steps_per_execution=steps)
        return model

    class States(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.seen = []

        def on_train_batch_end(self, batch, logs=None):
            state = self.model.layers[0].mixing_generator.state
            self.seen.append(tuple(np.asarray(state)))

    x, y = np.ones((8, 1)), np.zeros((8, 1))
    model, states = made(), States()
    one = model.fit(x, y, 1, 3, verbose=0, callbacks=[states]).history["loss"]
    assert len(set(states.seen)) == len(states.seen) == 24 // steps
    assert len({round(v, 6) for v in one}) == 3
    assert made().fit(x, y, 1, 3, verbose=0).history["loss"] == pytest.approx(one, rel=1e-6)


def test_an_interrupted_training_goes_on_with_its_draws(tmp_path):
    def made():
        keras.utils.set_random_seed(2)
        model = expand(randomise_fixed(mlp()), 3, seed=1)
        model.compile(keras.optimizers.SGD(0.01), "mse")
        return model

    def randomise_fixed(model):
        rng = np.random.default_rng(3)
        for variable in model.trainable_variables:
            variable.assign(rng.normal(size=variable.shape))
        return model

    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(32, 6)), rng.normal(size=(32, 3))
    whole = made()
    whole.fit(x, y, 8, 4, verbose=0, shuffle=False)
    half = made()
    half.fit(x, y, 8, 2, verbose=0, shuffle=False)
    half.save(tmp_path / "half.keras")
    rest = keras.saving.load_model(tmp_path / "half.keras")
    rest.fit(x, y, 8, 2, verbose=0, shuffle=False)
    for one, other in zip(whole.get_weights(), rest.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_batch_statistics_are_estimated_with_the_mean():
    model = randomise(mlp())
    x = RNG.normal(size=(300, 6)).astype("float32")
    hidden = keras.Model(model.inputs, model.get_layer("a").output)
    gamma = model.get_layer("norm").gamma.numpy()
    for data in (x, tf.data.Dataset.from_tensor_slices((x, x)).batch(100)):
        bigger = expand(model, 3, kernel_spread=0.5, seed=0)
        assert recalibrate_in_place(bigger, data, batch_size=100) is bigger
        norm = bigger.get_layer("norm")
        batches = np.asarray(hidden(x)).reshape(3, 100, 16)
        np.testing.assert_allclose(norm.moving_mean, batches.mean(axis=(0, 1)), atol=1e-5)
        np.testing.assert_allclose(norm.moving_variance, batches.var(1).mean(0), rtol=1e-4)
        np.testing.assert_array_equal(norm.gamma, gamma)
        assert norm.momentum == 0.99 and "call" not in vars(norm)
    with pytest.raises(ValueError, match="the data are empty"):
        recalibrate_in_place(model, [])


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(2)

    def call(self, x):
        return self.dense(x)


def test_what_cannot_be_done_is_refused():
    own = Subclassed()
    own(np.ones((1, 3)))
    for verb, call in (("expand", expand), ("collapse", collapse)):
        with pytest.raises(ValueError, match=f"Cannot {verb} .*a subclassed model hides"):
            call(own)
        with pytest.raises(ValueError, match=f"Cannot {verb} .*it is not built"):
            call(keras.Sequential([layers.Dense(2)]))
        with pytest.raises(TypeError, match=f"Cannot {verb} what is not a Keras model"):
            call(layers.Dense(2))
    with pytest.raises(ValueError, match="it has no majority layers. Expected a model made by"):
        collapse(mlp())
    with pytest.raises(ValueError, match="The sample does not match .*Expected inputs of shapes"):
        collapse(expand(mlp()), np.ones((2, 5)))
    with pytest.raises(ValueError, match="it has no layer 'c'. Expected one of a, b, norm"):
        expand(mlp(), include="c")
    with pytest.raises(ValueError, match="no layer was selected for expansion"):
        expand(keras.Sequential([keras.Input((3,)), layers.ReLU()]))
    for settings in ({"factor": 0}, {"distribution": "beta"}, {"kernel_spread": -1}):
        with pytest.raises(ValueError, match=f"{next(iter(settings))} must be"):
            expand(mlp(), **settings)


class Twins(layers.Layer):
    """Two weights of one name, or of none, and a Dense layer; not registered anywhere."""

    def __init__(self, weight_name=None, **kwargs):
        super().__init__(**kwargs)
        self.weight_name = weight_name

    def build(self, shape):
        make = {"shape": (shape[-1], shape[-1]), "initializer": "glorot_uniform"}
        make |= {"name": self.weight_name} if self.weight_name else {}
        self.first, self.second = self.add_weight(**make), self.add_weight(**make)
        self.last = layers.Dense(shape[-1])
        self.last.build(shape)

    def call(self, x):
        return self.last(keras.ops.tanh(x @ self.first) @ self.second)

    def get_config(self):
        return {**super().get_config(), "weight_name": self.weight_name}


def small(middle, shape=(4,), seed=0):
    inputs = keras.Input(shape)
    model = keras.Model(inputs, layers.Dense(2, name="head")(middle(inputs)))
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape) / 2)
    return model


@pytest.mark.parametrize("name", [None, "w"])
def test_weights_of_one_name_or_none_are_told_apart(name):
    model = small(Twins(name))
    expanded = expand(model)
    x = np.random.default_rng(1).normal(size=(5, 4)).astype("float32")
    assert gap(expanded, outputs(model, x), x) <= 1e-5
    assert gap(collapse(expanded)[0], outputs(model, x), x) <= 1e-5


def test_models_inside_are_expanded_whatever_their_class_and_names():
    class Encoder(keras.Model):
        def __init__(self, **kwargs):
            inputs = keras.Input((4,))
            super().__init__(inputs, layers.Dense(3, "relu", name="head")(inputs), **kwargs)

    inside = Encoder(name="encoder")
    model = small(inside)
    expanded = expand(model)
    assert type(expanded.get_layer("encoder").get_layer("head")).__name__ == "MajorityDense"
    x = np.random.default_rng(1).normal(size=(5, 4)).astype("float32")
    assert gap(expanded, outputs(model, x), x) <= 1e-5


def test_convolutional_recurrent_layers_are_expanded():
    model = small(lambda x: layers.Flatten()(layers.ConvLSTM2D(2, 2)(x)), (2, 3, 3, 2))
    expanded = expand(model, kernel_spread=0.5)
    assert type(expanded.layers[1]).__name__ == "MajorityConvLSTM2D"
    x = np.random.default_rng(1).normal(size=(3, 2, 3, 3, 2)).astype("float32")
    assert gap(expanded, outputs(model, x), x) <= 1e-5


def test_layers_that_are_passed_over_are_named():
    model = small(lambda x: layers.SimpleRNN(3, name="plain")(layers.Reshape((2, 2))(x)))
    with pytest.warns(UserWarning, match=r"passed over 1 layers .*simple_rnn_cell"):
        expand(model)


def test_adapters_are_refused_by_name():
    model = small(layers.Dense(3, name="adapted"))
    model.get_layer("adapted").enable_lora(1)
    with pytest.raises(ValueError, match=r"Cannot expand 'adapted': it has LoRA weights"):
        expand(model)
