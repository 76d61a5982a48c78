"""`Conv`: small residual convolutional networks for images."""

from collections.abc import Iterable

import keras

from adaptive_nets._checks import check_number
from adaptive_nets.adanet import Ensemble, Report, Subnetwork
from adaptive_nets.adanet.candidates.stock.layer_builder import (
    DepthGenerator,
    Features,
    MajoritySetting,
    OptimizedBuilder,
    check_sizes,
    refuse_strings,
)
from adaptive_nets.adanet.candidates.stock.optimizers import OptimizerSetting, RateSetting


@keras.saving.register_keras_serializable(package="adaptive_nets")
class Conv(DepthGenerator):
    """Residual networks for images `(height, width, channels)` or `(height, width)`.

    A stem convolution is followed by `depth` residual blocks of two 3x3 convolutions with batch
    normalisation. The first block and every second one after it halve the image, and from the
    third block on also double the filters, as long as the image is larger than 4 pixels. By the
    paper's rule, each round tries the depth of the ensemble's deepest member and one more block.

    Args:
        filters: Number of filters of the first block, one or several to try. Defaults to 16.
        depths: Numbers of residual blocks to try. Defaults to `None`: the paper's rule.
        dropout: Dropout rate before the logits, in [0, 1). Defaults to 0.
        optimizer: Name, config or optimizer, which is copied. Defaults to `"adam"`.
        learning_rate: Number or schedule. Defaults to `None`, the optimizer's own (Adam's is
            1e-3).
        connect: Which frozen subnetworks block k reads, in addition to its own input: the
            channels of block k - 1 of `"all"` (the paper), of the last one added (`"previous"`),
            or of `"none"`. Defaults to `"none"`.
        connection_dropout: Dropout rate on these connections, in [0, 1). Defaults to 0.
        majority: Number k of kernels to train in place of each kernel (Majority Kernels).
            Subnetworks are frozen with their mean, so ensembles do not get larger. Or a dict of
            options of `majority.expand`. Defaults to 1: plain layers.

    Raises:
        ValueError: A setting is out of range, or the optimizer is unknown.

    Example:

    ```python
    import adaptive_nets as an

    an.generators.Conv(filters=32, depths=[2, 3])
    ```
    """

    def __init__(
        self,
        filters: int | Iterable[int] = 16,
        depths: int | Iterable[int] | None = None,
        dropout: float = 0.0,
        optimizer: OptimizerSetting = "adam",
        learning_rate: RateSetting = None,
        connect: str = "none",
        connection_dropout: float = 0.0,
        majority: MajoritySetting = 1,
    ):
        super().__init__(depths, optimizer, learning_rate, connect, connection_dropout, majority)
        self.filters = check_sizes("filters", filters)
        self.dropout = check_number("dropout", dropout, 0, 1, "low")

    def generate(
        self, previous: Ensemble | None, iteration: int, reports: list[Report]
    ) -> list["ConvBuilder"]:
        several = len(self.filters) > 1
        return [
            ConvBuilder(
                f"{depth}_block_conv" + (f"_{filters}" if several else ""),
                self,
                depth=depth,
                filters=filters,
            )
            for depth in self.next_depths(previous)
            for filters in self.filters
        ]

    def get_config(self) -> dict:
        return {**super().get_config(), "filters": self.filters, "dropout": self.dropout}


class ConvBuilder(OptimizedBuilder):
    """Builds one residual network."""

    def build(self, inputs: Features, units: int, previous: Ensemble | None = None) -> Subnetwork:
        x = _image(inputs)
        depth, filters = self._hyperparameters["depth"], self._hyperparameters["filters"]
        x = _convolution(x, filters, keras.layers.Activation("relu"))
        hidden = []
        for block in range(depth):
            x = self.generator.join(hidden, previous) if hidden else x
            halve = block % 2 == 0 and min(x.shape[1] or 8, x.shape[2] or 8) > 4
            if halve:
                filters *= 2 if block else 1
            x = _residual_block(x, filters, 2 if halve else 1)
            hidden.append(x)
        x = keras.layers.GlobalAveragePooling2D()(x)
        if self.generator.dropout:
            x = keras.layers.Dropout(self.generator.dropout)(x)
        # Outputs can only be cached for images of known size.
        known = all(None not in tensor.shape[1:] for tensor in hidden)
        return Subnetwork(keras.layers.Dense(units)(x), x, hidden if known else None, depth)


def _image(inputs):
    refuse_strings(inputs)
    if isinstance(inputs, dict):
        if len(inputs) != 1:
            raise ValueError(
                f"generators.Conv requires a single image feature. Received: {', '.join(inputs)}."
            )
        (inputs,) = inputs.values()
    if not keras.backend.is_float_dtype(inputs.dtype):
        inputs = keras.layers.Rescaling(1 / 255)(inputs)
    if len(inputs.shape) == 3:
        inputs = keras.layers.Reshape((*inputs.shape[1:], 1))(inputs)
    if len(inputs.shape) != 4:
        raise ValueError(
            "generators.Conv requires images of shape (height, width[, channels]). "
            f"Received: rows of shape {tuple(inputs.shape[1:])}."
        )
    return inputs


def _convolution(x, filters, activation=None, size=3, strides=1):
    x = keras.layers.Conv2D(filters, size, strides, padding="same", use_bias=False)(x)
    x = keras.layers.BatchNormalization(momentum=0.9)(x)
    return x if activation is None else activation(x)


def _residual_block(x, filters, strides):
    y = _convolution(x, filters, keras.layers.Activation("relu"), strides=strides)
    y = _convolution(y, filters)
    if strides != 1 or x.shape[-1] != filters:
        x = _convolution(x, filters, size=1, strides=strides)
    return keras.layers.Activation("relu")(keras.layers.Add()([x, y]))
