"""Classes of Keras that have no public name."""


def operation_classes(*names: str) -> list[type]:
    """The classes of `keras.ops` of these names that the installed Keras has."""
    from keras.src.ops import core, linalg, math, nn, numpy

    modules = (core, nn, numpy, math, linalg)
    found = [getattr(module, name, None) for name in names for module in modules]
    return [each for each in found if isinstance(each, type)]


def operation_class(name: str) -> type:
    """The class of one operation of `keras.ops`, such as "GetItem"."""
    return operation_classes(name)[0]


def convolution_classes() -> tuple[type, ...]:
    """What all stock convolutions are derived from."""
    from keras.src.layers.convolutional.base_conv import BaseConv
    from keras.src.layers.convolutional.base_conv_transpose import BaseConvTranspose
    from keras.src.layers.convolutional.base_depthwise_conv import BaseDepthwiseConv
    from keras.src.layers.convolutional.base_separable_conv import BaseSeparableConv

    return (BaseConv, BaseConvTranspose, BaseDepthwiseConv, BaseSeparableConv)


def layer_scale_class() -> type:
    """The gain on each feature in `keras.applications.ConvNeXt*`."""
    from keras.src.applications.convnext import LayerScale

    return LayerScale


def stochastic_depth_class() -> type:
    """The layer of `keras.applications.ConvNeXt*` that drops whole examples of a branch."""
    from keras.src.applications.convnext import StochasticDepth

    return StochasticDepth


def custom_scale_class() -> type:
    """The residual sum with a scaled operand in `keras.applications.InceptionResNetV2`."""
    from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

    return CustomScaleLayer


def convolutional_cell() -> type:
    """The cell inside `ConvLSTM1D`, `ConvLSTM2D` and `ConvLSTM3D`."""
    from keras.src.layers.rnn.conv_lstm import ConvLSTMCell

    return ConvLSTMCell


def feature_space_concatenation() -> type:
    """The layer of `keras.utils.FeatureSpace` that joins encoded features."""
    from keras.src.layers.preprocessing.feature_space import TFDConcat

    return TFDConcat
