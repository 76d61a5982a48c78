"""Small models of features and images; together all cases hold every class with a growth rule."""

from typing import Any

import keras
from contract_case import CASES, Case, begun, case, model, operation

from adaptive_nets import layers as majorities
from adaptive_nets.keras_internals import feature_space_concatenation

layers = keras.layers


@case()
def dense():
    inputs, x = begun(5)
    return model(inputs, layers.Dense(6, "gelu")(x))


@case()
def activations():
    inputs, x = begun(3, 5, activation=None)
    kinds = [
        layers.Activation("sigmoid"),
        layers.ReLU(),
        layers.LeakyReLU(),
        layers.ELU(),
        layers.PReLU(shared_axes=[1]),
        layers.Rescaling(0.5, 0.1),
        layers.Softmax(axis=1),
        layers.Identity(),
    ]
    return model(inputs, layers.Concatenate()([kind(x) for kind in kinds]))


@case(random=True)
def noises():
    inputs, x = begun(3, 5)
    for kind in (
        layers.Dropout(0.2),
        layers.AlphaDropout(0.2),
        layers.GaussianDropout(0.2),
        layers.GaussianNoise(0.2),
        layers.SpatialDropout1D(0.2),
        layers.ActivityRegularization(l2=0.01),
    ):
        x = kind(x)
    return model(inputs, x)


@case()
def merges():
    inputs, x = begun(5)
    y = layers.Dense(4, "relu")(x)
    found = [
        getattr(layers, name)()([x, y])
        for name in ("Add", "Average", "Subtract", "Multiply", "Maximum", "Minimum")
    ]
    joined = feature_space_concatenation()(-1)(found)
    return model(inputs, layers.Concatenate()([joined, layers.Dense(3)(inputs)]))


@case()
def arithmetic():
    inputs, x = begun(5)
    y = layers.Dense(4, "relu")(x)
    found = [operation(name)(x, y) for name in ("Add", "Subtract", "Multiply")]
    return model(inputs, operation("Concatenate", -1)(found))


@case()
def functions():
    inputs, x = begun(5)
    names = [
        "Relu",
        "Relu6",
        "LeakyRelu",
        "Elu",
        "Selu",
        "Celu",
        "Gelu",
        "Silu",
        "Tanh",
        "Softsign",
    ]
    names += ["HardSilu", "HardTanh", "Abs", "Absolute", "Negative", "Sin", "Sigmoid", "Softplus"]
    names += ["HardSigmoid", "LogSigmoid", "Exp", "Cos", "Square"]
    found = [operation(name)(x) for name in names]
    x = layers.Concatenate()(found)
    return model(inputs, operation("Cast", x.dtype)(x))


@case()
def comparisons():
    inputs, x = begun(5)
    y = layers.Dense(4, "relu")(x)
    names = ("Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual")
    found = [operation(name)(x, y) for name in names]
    both = operation("LogicalAnd")(found[2], operation("LogicalNot")(found[1]))
    found.append(operation("LogicalOr")(both, found[4]))
    found = [operation("Cast", x.dtype)(each) * x for each in found]
    found += [operation("OnesLike")(x) * x, operation("ZerosLike")(x) + x, y]
    return model(inputs, layers.Add()(found))


@case()
def axes():
    inputs, x = begun(3, 5)
    picked = [x[:, -1, :], x[:, 0], x[..., 1, :]]
    turned = operation("Transpose", (0, 2, 1))(x)
    picked.append(operation("Swapaxes", 1, 2)(turned)[:, 1])
    picked.append(operation("Squeeze", 1)(operation("ExpandDims", 1)(x[:, 0])))
    folded = operation("Reshape", (-1, 1, 3, 4))(x)
    picked.append(operation("Reshape", (-1, 3, 4))(folded)[:, 2])
    reductions = ("Mean", "Sum", "Max", "Min", "Amax", "Amin", "Prod", "Var", "Std")
    picked += [operation(name, 1)(x) for name in reductions]
    signs = [operation("Cast", x.dtype)(operation(name, 1)(x > 0)) for name in ("Any", "All")]
    return model(inputs, operation("Concatenate", -1)([*picked, *signs]))


@case()
def shapes():
    inputs, x = begun(4, 5)
    flat = layers.Flatten()(layers.Reshape((2, 2, 4))(layers.Permute((1, 2))(x)))
    again = layers.RepeatVector(2)(layers.Dense(3, "relu")(flat))
    return model(inputs, layers.Flatten()(again), flat)


@case()
def nested():
    inputs, x = begun(5)
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3, "relu"), layers.Dense(4)])
    other = keras.Input((4,))
    graph = keras.Model(other, layers.Add()([other, layers.Dense(4, "relu")(other)]))
    return model(inputs, inner(graph(x)))


def image(dimensions: int) -> keras.Model:
    """Everything that exists for this many axes of space."""
    n = f"{dimensions}D"

    def kind(name: str, *args: Any, **settings: Any) -> Any:
        return getattr(layers, name + n)(*args, **settings)

    inputs = keras.Input((6,) * dimensions + (2,))
    x = kind("Conv", 3, 2, padding="same", activation="relu")(inputs)
    x = layers.BatchNormalization()(x)
    x = kind("Conv", 4, 3)(x)
    transpose = getattr(layers, f"Conv{n}Transpose")
    x = transpose(3, 2, padding="same", activation="tanh")(x)
    if dimensions < 3:
        x = kind("DepthwiseConv", 2, padding="same", depth_multiplier=2)(x)
        x = kind("SeparableConv", 3, 2, padding="same", activation="relu")(x)
    x = kind("ZeroPadding", 1)(kind("UpSampling", 2)(x))
    x = kind("Cropping", 1)(x)
    x = layers.Add()([kind("MaxPooling", 2)(x), kind("AveragePooling", 2)(x)])
    ends = [kind("GlobalMaxPooling")(x), kind("GlobalAveragePooling")(x)]
    for name in ("AdaptiveMaxPooling", "AdaptiveAveragePooling"):
        if hasattr(layers, name + n):
            ends.append(layers.Flatten()(kind(name, 2)(x)))
    return model(inputs, *ends)


for _dimensions in (1, 2, 3):
    # TensorFlow takes no maximum of doubles or halves over three dimensions.
    CASES[f"image_{_dimensions}d"] = Case(lambda n=_dimensions: image(n), double=_dimensions < 3)


@case(random=True)
def augmented():
    inputs, x = begun(6, 6, 2)
    x = layers.RandomFlip()(layers.CenterCrop(5, 5)(layers.Resizing(7, 7)(x)))
    x = layers.RandomTranslation(0.1, 0.1)(layers.RandomRotation(0.1)(x))
    x = layers.SpatialDropout2D(0.1)(layers.RandomZoom(0.1)(x))
    x = layers.SpatialDropout3D(0.1)(layers.Reshape((1, 5, 5, 4))(x))
    return model(inputs, layers.GlobalAveragePooling3D()(x))


@case(random=True)
def cropped():
    inputs, x = begun(6, 6, 2)
    return model(inputs, layers.GlobalAveragePooling2D()(layers.RandomCrop(4, 4)(x)))


@case()
def statistics():
    inputs = keras.Input((5,))
    return model(inputs, layers.Dense(4, "tanh")(layers.Normalization()(inputs)))


@case()
def majority_images():
    inputs = keras.Input((6, 6, 2))
    x = majorities.MajorityConv2D(4, 3, padding="same", groups=2)(inputs)
    x = majorities.MajorityDepthwiseConv2D(3)(layers.BatchNormalization()(x))
    x = majorities.MajoritySeparableConv2D(3, 2)(x)
    x = majorities.MajorityConv2DTranspose(3, 2)(x)
    x = majorities.MajorityConv3D(3, 1)(layers.Reshape((4, 4, 1, 3))(x))
    return model(inputs, majorities.MajorityConv1D(2, 3)(layers.Reshape((16, 3))(x)))


@case(methods=("replicate",))
def norms():
    inputs, x = begun(3, 5)
    x = layers.LayerNormalization()(x)
    x = layers.RMSNormalization()(layers.Dense(4, "relu")(x))
    x = layers.GroupNormalization(2)(layers.Dense(4, "relu")(x))
    return model(inputs, x)


@case()
def root_mean_square():
    inputs, x = begun(3, 5)
    x = layers.Add()([x, layers.Dense(4, "relu")(layers.RMSNormalization()(x))])
    return model(inputs, layers.RMSNormalization()(x))


@case(random=True)
def applications():
    from keras.src.applications import convnext, inception_resnet_v2

    inputs, x = begun(4, 4, 3)
    y = convnext.LayerScale(0.5, 4)(layers.Conv2D(4, 1, activation="relu")(x))
    x = layers.Add()([x, convnext.StochasticDepth(0.1)(y)])
    y = layers.Conv2D(4, 1, activation="relu")(x)
    return model(inputs, inception_resnet_v2.CustomScaleLayer(0.3)([x, y]))
