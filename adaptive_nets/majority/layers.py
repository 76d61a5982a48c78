"""The stock layers with k-fold kernels (Majority Kernels, arXiv 2402.05033)."""

import inspect
from typing import Any

import keras

from adaptive_nets.keras_internals import convolutional_cell
from adaptive_nets.majority.folding import Folded, MajorityMixin

register = keras.saving.register_keras_serializable(package="adaptive_nets")


@register
class MajorityDense(MajorityMixin, keras.layers.Dense):
    """`keras.layers.Dense` that trains k kernels and computes with their mean.

    {options}

    Example:

    ```python
    import numpy as np
    import adaptive_nets as an

    layer = an.layers.MajorityDense(4, "relu", factor=3)
    y = layer(np.ones((2, 5)), training=True)  # one draw
    ```
    """

    takes_training = True
    _kernel, bias = Folded(), Folded()


@register
class MajorityEinsumDense(MajorityMixin, keras.layers.EinsumDense):
    """`keras.layers.EinsumDense` that trains k kernels and computes with their mean.

    {options}
    """

    takes_training = True
    _kernel, bias = Folded(), Folded()


@register
class MajorityConv1D(MajorityMixin, keras.layers.Conv1D):
    """`keras.layers.Conv1D` that trains k kernels and computes with their mean.

    {options}
    """

    _kernel, bias = Folded(), Folded()


@register
class MajorityConv2D(MajorityMixin, keras.layers.Conv2D):
    """`keras.layers.Conv2D` that trains k kernels and computes with their mean.

    {options}
    """

    _kernel, bias = Folded(), Folded()


@register
class MajorityConv3D(MajorityMixin, keras.layers.Conv3D):
    """`keras.layers.Conv3D` that trains k kernels and computes with their mean.

    {options}
    """

    _kernel, bias = Folded(), Folded()


@register
class MajorityConv2DTranspose(MajorityMixin, keras.layers.Conv2DTranspose):
    """`keras.layers.Conv2DTranspose` that trains k kernels and computes with their mean.

    With `scope="unit"` there is one draw per input channel, the kernel's last axis.

    {options}
    """

    kernel, bias = Folded(), Folded()


@register
class MajorityDepthwiseConv2D(MajorityMixin, keras.layers.DepthwiseConv2D):
    """`keras.layers.DepthwiseConv2D` that trains k kernels and computes with their mean.

    {options}
    """

    unit_axes = 2
    kernel, bias = Folded(), Folded()


@register
class MajoritySeparableConv2D(MajorityMixin, keras.layers.SeparableConv2D):
    """`keras.layers.SeparableConv2D` that trains k kernels of both kinds and uses their means.

    {options}
    """

    folded = ("depthwise_kernel", "pointwise_kernel")
    depthwise_kernel, pointwise_kernel, bias = Folded(), Folded(), Folded()


@register
class MajorityEmbedding(MajorityMixin, keras.layers.Embedding):
    """`keras.layers.Embedding` that trains k tables and looks up in their mean.

    Mixing reads the tables completely, even if a batch looks up only a few rows.

    {options}
    """

    folded = ("embeddings",)
    _embeddings = Folded()


class _CellMixin(MajorityMixin):
    folded = ("kernel", "recurrent_kernel")
    kernel, recurrent_kernel, bias = Folded(), Folded(), Folded()

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        with self.drawn(training):
            return super(MajorityMixin, self).call(inputs, states, training=training)


@register
class MajorityLSTMCell(_CellMixin, keras.layers.LSTMCell):
    """`keras.layers.LSTMCell` with k-fold kernels.

    In a `MajorityLSTM` one draw is used for all time steps. On its own, or in a
    `keras.layers.RNN`, the cell draws at each call.

    {options}
    """


@register
class MajorityGRUCell(_CellMixin, keras.layers.GRUCell):
    """`keras.layers.GRUCell` with k-fold kernels.

    In a `MajorityGRU` one draw is used for all time steps. On its own, or in a
    `keras.layers.RNN`, the cell draws at each call.

    {options}
    """


class MajorityConvLSTMCell(_CellMixin, convolutional_cell()):
    """The cell of the ConvLSTM layers with k-fold kernels; they make it themselves."""


class _HoldingMixin(MajorityMixin):
    """A layer whose parts have the kernels and receive its options."""

    folded = ()

    def save_own_variables(self, store: Any) -> None:
        super(MajorityMixin, self).save_own_variables(store)

    def load_own_variables(self, store: Any) -> None:
        super(MajorityMixin, self).load_own_variables(store)


class _RecurrentMixin(_HoldingMixin):
    def set_options(self, *options: Any) -> None:
        super().set_options(*options)
        become(self.cell, *options)

    def call(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        with self.cell.drawn(training):
            return super(MajorityMixin, self).call(
                sequences, initial_state=initial_state, mask=mask, training=training
            )


@register
class MajorityLSTM(_RecurrentMixin, keras.layers.LSTM):
    """`keras.layers.LSTM` with k-fold kernels. One draw is used for all time steps.

    {options}
    """


@register
class MajorityGRU(_RecurrentMixin, keras.layers.GRU):
    """`keras.layers.GRU` with k-fold kernels. One draw is used for all time steps.

    {options}
    """


@register
class MajorityConvLSTM1D(_RecurrentMixin, keras.layers.ConvLSTM1D):
    """`keras.layers.ConvLSTM1D` with k-fold kernels. One draw is used for all time steps.

    {options}
    """


@register
class MajorityConvLSTM2D(_RecurrentMixin, keras.layers.ConvLSTM2D):
    """`keras.layers.ConvLSTM2D` with k-fold kernels. One draw is used for all time steps.

    {options}
    """


@register
class MajorityConvLSTM3D(_RecurrentMixin, keras.layers.ConvLSTM3D):
    """`keras.layers.ConvLSTM3D` with k-fold kernels. One draw is used for all time steps.

    {options}
    """


@register
class MajorityMultiHeadAttention(_HoldingMixin, keras.layers.MultiHeadAttention):
    """`keras.layers.MultiHeadAttention` whose projections have k-fold kernels.

    {options}
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if type(value) is keras.layers.EinsumDense:
            # The stock layer creates its projections, unbuilt, in its own build.
            become(value, *(getattr(self, option) for option in self.options))
        super().__setattr__(name, value)

    # Its projections draw. Its call is the stock layer's, with the signature that Keras inspects.
    call = keras.layers.MultiHeadAttention.call


MAJORITY = {
    kind.__mro__[[issubclass(k, MajorityMixin) for k in kind.__mro__].index(False)]: kind
    for kind in (
        MajorityDense, MajorityEinsumDense, MajorityConv1D, MajorityConv2D, MajorityConv3D,
        MajorityConv2DTranspose, MajorityDepthwiseConv2D, MajoritySeparableConv2D,
        MajorityEmbedding, MajorityLSTMCell, MajorityGRUCell, MajorityLSTM, MajorityGRU,
        MajorityConvLSTMCell, MajorityConvLSTM1D, MajorityConvLSTM2D, MajorityConvLSTM3D,
        MajorityMultiHeadAttention,
    )
}  # fmt: skip
STOCK = {majority: stock for stock, majority in MAJORITY.items()}


def become(layer: keras.Layer, *options: Any) -> None:
    """Turns a stock layer that is not built into its majority version in place."""
    layer.__class__ = MAJORITY[type(layer)]
    layer.set_options(*options)


# `python -OO` drops docstrings.
if MajorityMixin.__doc__:
    _options = inspect.cleandoc(MajorityMixin.__doc__)
    _options = _options[_options.index("Args") :]
    for _kind in STOCK:
        _kind.__doc__ = inspect.cleandoc(_kind.__doc__).replace("{options}", _options)
