"""Kinds of models that users put into a `Pool`, further habits as in `pool_habits.py`."""

import keras
from pool_habits import (
    IMAGE,
    RNG,
    ROWS,
    SEQUENCE,
    TOKENS,
    VECTOR,
    Gate,
    Subclassed,
    doubled,
    habit,
    layers,
    search,
    top,
)


@habit
def augmentation():
    inside = [layers.RandomFlip("horizontal"), layers.RandomTranslation(0.1, 0.1)]
    return search({"a": lambda: top(*inside, layers.Flatten(), shape=(8, 8, 3))}, IMAGE)


@habit
def convolutions():
    inside = [
        layers.Resizing(6, 6),
        layers.Conv2D(4, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.UpSampling2D(),
        layers.SeparableConv2D(3, 2),
        layers.GroupNormalization(3),
        layers.GlobalAveragePooling2D(),
    ]
    return search({"a": top(*inside, shape=(8, 8, 3))}, IMAGE)


@habit
def application():
    def make():
        base = keras.applications.MobileNetV3Small(
            (32, 32, 3), alpha=0.35, minimalistic=True, weights=None, include_top=False,
            pooling="avg", include_preprocessing=False,
        )  # fmt: skip
        base.trainable = False
        # The first stages are enough of it.
        stem = keras.Model(base.inputs, base.layers[8].output)
        return top(stem, layers.GlobalAveragePooling2D(), shape=(32, 32, 3))

    x = RNG.normal(size=(ROWS, 32, 32, 3)).astype("float32")
    return search({"a": make()}, x)


@habit
def subclassed():
    built = Subclassed()
    built(VECTOR)
    return search({"a": built, "b": Subclassed}, VECTOR)


@habit
def own_layer_and_function():
    return search({"a": top(Gate(2.0), layers.Activation(doubled))}, VECTOR)


@habit
def nested_functional():
    inputs = keras.Input((4,), name="x")
    inner = keras.Model(inputs, layers.Dense(3, name="x_1")(inputs), name="inner")
    outer = keras.Input((4,), name="x")
    mixed = inner(inner.layers[1](outer)[:, :1] + outer)
    return search({"a": keras.Model(outer, layers.Dense(3)(mixed))}, VECTOR)


@habit
def sequential_without_input():
    def make():
        return keras.Sequential([layers.Dense(5, activation="relu"), layers.Dense(3)])

    return search({"a": make, "b": lambda: layers.Dense(3)}, VECTOR)


@habit
def list_of_inputs():
    inputs = [keras.Input((4,)), keras.Input((5, 3))]
    joined = layers.Concatenate()([inputs[0], layers.Flatten()(inputs[1])])
    return search({"a": keras.Model(inputs, layers.Dense(3)(joined))}, [VECTOR, SEQUENCE])


@habit
def dict_of_inputs():
    inputs = {"wide": keras.Input((4,), name="wide"), "deep": keras.Input((5, 3), name="deep")}
    joined = layers.Concatenate()([inputs["wide"], layers.Flatten()(inputs["deep"])])
    model = keras.Model(inputs, layers.Dense(3)(joined))
    return search({"a": model}, {"deep": SEQUENCE, "wide": VECTOR})


@habit
def inputs_named_like_parts():
    names = ["preprocessing", "mixture", "ensemble", "subnetwork_1_a", "a", "target_scale"]
    inputs = {name: keras.Input((1,), name=name) for name in names}
    model = keras.Model(inputs, layers.Dense(3)(layers.Concatenate()(list(inputs.values()))))
    model.name = "a"
    x = {name: VECTOR[:, n % 4 : n % 4 + 1] for n, name in enumerate(names)}
    return search({"a": model}, x, preprocessing="standardize")


@habit
def hidden_layer_of_two():
    inputs = keras.Input((4,))
    two = keras.Model(inputs, [layers.Dense(3)(inputs), layers.Dense(2)(inputs)], name="two")
    outer = keras.Input((4,))
    joined = layers.Concatenate()(two(outer))
    return search({"a": keras.Model(outer, layers.Dense(3)(joined))}, VECTOR)


@habit
def mixed_precision():
    policy = keras.DTypePolicy("mixed_float16")

    def make():
        inside = [layers.Dense(5, activation="relu", dtype=policy), layers.BatchNormalization()]
        return keras.Sequential([keras.Input((4,)), *inside, layers.Dense(3, dtype=policy)])

    return search({"a": make(), "b": make}, VECTOR, tolerance=1e-3)


@habit
def double_precision():
    def make():
        inside = [layers.Dense(5, activation="relu", dtype="float64")]
        return keras.Sequential([keras.Input((4,)), *inside, layers.Dense(3, dtype="float64")])

    return search({"a": make(), "b": make}, VECTOR.astype("float64"))


@habit
def dropout_and_norms():
    inside = [
        layers.Dense(6),
        layers.Dropout(0.3),
        layers.BatchNormalization(),
        layers.GaussianNoise(0.1),
        layers.LayerNormalization(),
        layers.UnitNormalization(),
        layers.PReLU(),
    ]
    return search({"a": top(*inside)}, VECTOR)


@habit
def recurrent():
    inside = [layers.Bidirectional(layers.LSTM(3, return_sequences=True)), layers.GRU(3)]
    return search({"a": top(*inside, shape=(5, 3))}, SEQUENCE)


@habit
def masked():
    inside = [layers.Embedding(9, 4, mask_zero=True), layers.LSTM(3)]
    return search({"a": top(*inside, shape=(6,), dtype="int32")}, TOKENS)


@habit
def attention_with_masks():
    inputs = keras.Input((6,), dtype="int32")
    x = layers.Embedding(9, 4, mask_zero=True)(inputs)
    x = layers.Add()([x, layers.MultiHeadAttention(2, 2)(x, x)])
    x = layers.GlobalAveragePooling1D()(x)
    return search({"a": keras.Model(inputs, layers.Dense(3)(x))}, TOKENS)


@habit
def time_distributed():
    inside = [layers.Masking(), layers.TimeDistributed(layers.Dense(3)), layers.Flatten()]
    return search({"a": top(*inside, shape=(5, 3))}, SEQUENCE)


@habit
def wrapped_layers():
    return search({"a": top(layers.SpectralNormalization(layers.Dense(5)))}, VECTOR)


@habit
def operations_in_the_graph():
    inputs = keras.Input((4,))
    x = keras.ops.concatenate([keras.ops.sin(inputs), inputs[:, :2] * 2.0], axis=-1)
    x = keras.ops.where(x > 0.0, x, 0.1 * x)
    return search({"a": keras.Model(inputs, layers.Dense(3)(x))}, VECTOR)


@habit
def lambdas():
    def make():
        return top(layers.Lambda(lambda x: x * 2.0, output_shape=(4,)))

    return search({"a": make, "b": make()}, VECTOR, safe=False)
