"""Every family of keras.applications, at its smallest: one model each, two of some."""

import functools

import keras

SIZES = {
    "ConvNeXtTiny": 32,
    "DenseNet121": 32,
    "EfficientNetB0": 32,
    "EfficientNetV2B0": 32,
    "InceptionResNetV2": 75,
    "InceptionV3": 75,
    "MobileNet": 32,
    "MobileNetV2": 32,
    "MobileNetV3Large": 32,
    "MobileNetV3Small": 32,
    "NASNetMobile": 32,
    "ResNet50": 32,
    "ResNet50V2": 32,
    "VGG16": 32,
    "VGG19": 32,
    "Xception": 71,
}
# With which a model is narrower, or has fewer blocks, than it comes.
SETTINGS = {
    "MobileNet": {"alpha": 0.25},
    "MobileNetV2": {"alpha": 0.35},
}


def _make(name: str) -> keras.Model:
    size = SIZES[name]
    settings = {"weights": None, "classes": 5, "classifier_activation": None}
    return getattr(keras.applications, name)(
        input_shape=(size, size, 3), **settings, **SETTINGS.get(name, {})
    )


MODELS = {name: functools.partial(_make, name) for name in SIZES}
