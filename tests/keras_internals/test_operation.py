"""A Keras that lacks it fails here by name: classes without a public name."""

import ast
import pathlib

import keras
import pytest
from keras import layers

from adaptive_nets import keras_internals as internals

pytestmark = pytest.mark.backend_agnostic
PACKAGE = pathlib.Path(__file__).resolve().parents[2] / "adaptive_nets"


def used_operations():
    """The operations that the package asks `keras_internals` for, by name."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in (
                "operation_class",
                "operation_classes",
            ):
                found |= {x.value for x in ast.walk(node) if isinstance(x, ast.Constant)}
    return {name for name in found if isinstance(name, str)}


def test_operation_classes():
    # Names of other versions of Keras, which spell some operations otherwise.
    others = {"TrueDivide", "HardTanh", "Identity", "Rsqrt"}
    missing = {name for name in used_operations() if not internals.operation_classes(name)}
    assert missing <= others
    x = keras.Input((3,))
    assert type(internals.origin(x + 1.0)[0]) in internals.operation_classes("Add")


def test_operation_class():
    x = keras.Input((3,))
    assert type(internals.origin(x[:, 1:])[0]) is internals.operation_class("GetItem")


def test_convolution_classes():
    kinds = (layers.Conv2D, layers.Conv2DTranspose, layers.DepthwiseConv2D, layers.SeparableConv2D)
    for kind, base in zip(kinds, internals.convolution_classes(), strict=True):
        assert issubclass(kind, base)


def test_layer_scale_class():
    assert issubclass(internals.layer_scale_class(), keras.Layer)


def test_stochastic_depth_class():
    assert issubclass(internals.stochastic_depth_class(), keras.Layer)


def test_custom_scale_class():
    assert issubclass(internals.custom_scale_class(), keras.Layer)


def test_convolutional_cell():
    for kind in (layers.ConvLSTM1D, layers.ConvLSTM2D, layers.ConvLSTM3D):
        assert isinstance(kind(2, 3).cell, internals.convolutional_cell())


def test_feature_space_concatenation():
    joined = internals.feature_space_concatenation()(axis=-1)(
        [keras.Input((2,)), keras.Input((3,))]
    )
    assert joined.shape == (None, 5)
