"""What a growth rule is, and what it is handed for each call of its layer."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from adaptive_nets.graphs.scope import again
from adaptive_nets.growth.core.axis_map import AxisMap
from adaptive_nets.growth.core.calls import activation_name, is_stock, tried_out
from adaptive_nets.growth.core.segments import INPUT, Axis, Features, Segment, UnruledError
from adaptive_nets.growth.core.weight_roles import (
    Dimension,
    Keeps,
    LayerRecord,
    Weight,
    adapters_of,
    initializers_for_any_shape,
    stacked,
)

# Functions with f(0) = 0, so that a silent feature stays silent.
ZERO_KEEPING = frozenset(
    [
        *("linear", "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "swish"),
        *("tanh", "softsign", "mish", "hard_swish", "hard_silu", "hard_tanh", "tanh_shrink"),
        *("soft_shrink", "hard_shrink"),
    ]
)
# Functions that change nothing the second time.
IDEMPOTENT = frozenset(["relu", "relu6", "linear"])
# Functions that normalise over features: a new feature would change the old ones.
COUPLING = frozenset(["softmax", "log_softmax", "sparsemax", "glu"])


class Rule:
    """How one family of layers grows.

    `trace` reads the axes of the inputs, names the layer's weights and returns the axes of the
    outputs; `config` says with which settings the grown layer is made. A rule holds no state.
    """

    # Whether a class of models ends in features, which fusion puts side by side.
    ends_in_features = False
    # Whether a layer is nothing but the layers in it, which have records of their own.
    made_of_layers = False
    # Whether layers are copied as they are.
    carries = False
    # What a layer that calls others does in each source, where that is followed.
    graphs: Sequence[Any] = ()

    def trace(self, call: "Call") -> Any:
        """Describes one call of the layer.

        Args:
            call: The call.

        Returns:
            `Features` in the structure of the layer's outputs.
        """
        raise NotImplementedError(f"{type(self).__name__} has no trace(call). Write it.")

    def config(self, record: LayerRecord, sizes: dict[str, AxisMap]) -> dict[str, Any]:
        """The settings of the grown layer that differ from the first source's.

        Args:
            record: What was traced.
            sizes: The grown map of each of the layer's own axes, by role.

        Returns:
            Entries that replace those of `get_config()`.
        """
        return {}

    def settings(self, record: LayerRecord, sizes: dict[str, AxisMap]) -> dict[str, Any]:
        """As `config`, also where LoRA's factors were fused."""
        return {**adapters_of(record.layers[0], sizes), **self.config(record, sizes)}

    def rebuild(self, record: LayerRecord, maps: dict[Segment, AxisMap], rebuilder: Any) -> Any:
        """The grown layer, not yet built."""
        layer = record.layers[0]
        sizes = {role: axis.map(maps) for role, axis in record.axes.items()}
        axes = [d.axis for weight in record.weights.values() for d in weight.dimensions]
        grown = any(axis is not None and not axis.map(maps).is_identity for axis in axes)
        drawn = initializers_for_any_shape(layer) if grown else {}
        return again(layer, {**drawn, **self.settings(record, sizes)})

    def bind(self, trace: Any, graphs: Sequence[Any]) -> None:
        """Called for a class of models once their graphs are traced.

        A class whose constructor takes one size for several layers ties their axes here.
        """

    def assemble(self, source: Any, rebuilder: Any) -> Any:
        """The grown model of a class of models, or None to join its layers as they were.

        It enters the grown layers into `rebuilder.layers`, by the id of the source's.
        """
        return None

    def note(self, record: LayerRecord, maps: dict[Segment, AxisMap], trace: Any) -> str | None:
        """What a person should know of a layer's growth, or `None`.

        Args:
            record: The layer.
            maps: The grown map of each segment.
            trace: The tracing of the whole model.
        """
        return None

    def makes_whole(self, model: Any, sources: int) -> bool:
        """Whether `assemble` and `deepening` make models of the same class by its constructor."""
        return False

    def maker(self, model: Any) -> Callable[[], Any] | None:
        """What makes a new model of a class of models, with the same settings; None if nothing.

        It does not hold the model.
        """
        return None

    def deepening(self, model: Any, after: Any, method: str, seed: int) -> Any:
        """The plan of a deeper model of a class of models, or None if it has no own way."""
        return None

    def zero_weights(self, layer: Any) -> list[Any] | None:
        """The weights that, being zero, make the layer's output zero whatever it reads.

        A new residual branch adds nothing at first if its last layer's are zero. They must still
        learn, so the layer's output has to move with them.

        Returns:
            Variables of the built layer, or None if there are none.
        """
        return None

    def zero_inputs(self, layer: Any) -> str | None:
        """Which inputs must be zero for the output to be zero, in training as well.

        Returns:
            "all", "any" (one is enough), or None if zeros do not pass.
        """
        return None

    def zero_offsets(self, layer: Any) -> list[Any]:
        """The weights that must be zero for zeros to pass as `zero_inputs` says."""
        return []

    def is_idempotent(self, layer: Any) -> bool:
        """Whether the layer changes nothing when it comes a second time."""
        return False

    def identity(self, layer: Any) -> dict[str, Any] | None:
        """The settings, beside this layer's, of one that can pass every feature on unchanged.

        `identity_values` gives its weights. None if there is no such layer.
        """
        return None

    def identity_values(self, layer: Any) -> dict[int, Any]:
        """The values with which a built layer passes every feature on, by its variables' ids."""
        raise NotImplementedError(f"{type(self).__name__} has no identity_values(layer). Write it.")

    def finish(self, record: LayerRecord, layer: Any) -> None:
        """Called once the grown layer's weights have their values, for what follows from them."""

    def invoke(
        self, record: LayerRecord, grown: Any, args: tuple, kwargs: dict, rebuilder: Any
    ) -> Any:
        """Calls the grown layer in the grown graph, as the source's was called."""
        return grown(*args, **kwargs)


@dataclasses.dataclass
class Call:
    """One call of a layer, in all sources at once.

    Args:
        record: The layer, which may have been called before.
        args: Positional arguments of the call, with `Features` for tensors.
        kwargs: Keyword arguments.
        shapes: The outputs' shapes in each source, flat.
        dtypes: The outputs' dtypes, flat.
        trace: The tracing of the whole model.
        nodes: The call in the graph of each source.
    """

    record: LayerRecord
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    shapes: list[tuple[tuple[int | None, ...], ...]]
    dtypes: list[str]
    trace: Any
    nodes: tuple[Any, ...] = ()
    separated: dict[int, int] = dataclasses.field(default_factory=dict)

    @property
    def layer(self) -> Any:
        """The layer in the first source."""
        return self.record.layers[0]

    @property
    def layers(self) -> tuple[Any, ...]:
        """The layer in each source."""
        return self.record.layers

    @property
    def inputs(self) -> Any:
        """The first argument."""
        return self.args[0]

    @property
    def flat_inputs(self) -> list[Features]:
        """All tensors among the arguments."""
        flat = keras.tree.flatten((self.args, self.kwargs))
        return [value for value in flat if isinstance(value, Features)]

    @property
    def sources(self) -> int:
        """How many models are fused."""
        return len(self.layers)

    def config_of(self, name: str) -> tuple[Any, ...]:
        """An attribute of the layer in each source."""
        return tuple(getattr(layer, name) for layer in self.layers)

    def axis(self, role: str, sizes: Sequence[int], block: int = 1) -> Axis:
        """The layer's own axis of this role; the same at every call of a shared layer."""
        if role not in self.record.axes:
            segment = Segment(tuple(sizes), self.record.path)
            segment.block = block
            self.record.axes[role] = Axis(((segment, 1),))
        return self.record.axes[role]

    def weight(
        self,
        attribute: str,
        *dimensions: Dimension,
        scale: Callable[[tuple[AxisMap, ...]], float] | None = None,
        fresh: Any = None,
    ) -> None:
        """Names a weight; at another call of a shared layer its axes are tied to the first's."""
        if stacked(self.layer, attribute) is not None:
            counts = [stacked(layer, attribute).shape[0] for layer in self.layers]
            if len(set(counts)) > 1:
                raise ValueError(
                    f"Cannot fuse at {self.record.path!r}: it holds another number of kernels in "
                    "each source. Expected the same factor. Received: "
                    f"{', '.join(map(str, counts))}. Collapse the sources first."
                )
            dimensions = (Keeps(), *dimensions)
            scale, fresh = _behind_first(scale), _behind_first(fresh)
        known = self.record.weights.get(attribute)
        if known is None:
            self.record.weights[attribute] = Weight(attribute, dimensions, scale, fresh)
        else:
            for before, now in zip(known.dimensions, dimensions, strict=True):
                if not isinstance(before, Keeps):
                    self.tie(before.axis, now.axis)
        for dimension in dimensions:
            if type(dimension).__name__ == "Reads" and dimension.axis is not None:
                for segment in dimension.axis.segments():
                    segment.readers.append(self.record.path)

    def tie(self, one: Axis | None, other: Axis | None) -> Axis | None:
        """Two axes that meet feature by feature grow together."""
        if one is None and other is None:
            return None
        if one is None or other is None:
            self.fix(one or other, "its features meet some that cannot grow")
            return None if self.sources == 1 else (one or other)
        return one.tie(other)

    def joined(self, parts: Sequence[tuple[Axis | None, tuple[int, ...]]]) -> Axis:
        """Axes in a row; one that cannot grow stands among them as it is."""
        runs = []
        for axis, sizes in parts:
            if axis is None:
                segment = Segment(sizes, self.record.path)
                segment.fixed = INPUT
                segment.shared = True
                axis = Axis(((segment, 1),))
            runs.append(axis)
        return Axis.concatenate(runs)

    def fix(self, axis: Axis | None, reason: str) -> None:
        """No feature of the axis may grow; in a fusion each source keeps its own layer."""
        if axis is None:
            return
        if self.sources > 1:
            raise UnruledError(
                f"Cannot fuse at {self.record.path!r}: {reason}. Expected each source's features "
                "to be used on their own. Fuse the models up to here, or replace this layer.",
                reason,
            )
        axis.fix(f"{self.record.path!r}: {reason}")

    def inexact(self, reason: str) -> None:
        """The layer does not preserve the function."""
        self.record.inexact = reason

    def separate(self, x: Features, dimension: int = -1) -> Features:
        """The tensor with one copy of this axis a source, where the sources share it.

        A layer with weights on each feature (a norm on the inputs) needs this when models are
        fused: the grown graph repeats the tensor, once per source.
        """
        if self.sources == 1 or x.axis(dimension) is not None:
            return x
        dimension = dimension % x.rank
        for position, each in enumerate(self.flat_inputs):
            # The same tensor may be given twice, as query and value.
            if each is x:
                self.separated[position] = dimension
        segment = Segment(x.sizes(dimension), f"copies for {self.record.path}")
        segment.separated = self.trace.current
        return x.with_axis(dimension, Axis(((segment, 1),)))

    def output(self, like: Features | None = None, number: int = 0) -> Features:
        """The features of an output.

        Args:
            like: An input with the same axes; None begins with axes that do not grow.
            number: Which output, in flat order.
        """
        shapes = self.shapes[number]
        rank = len(shapes[0])
        given = like.axes if like is not None else (None,) * rank
        return Features(shapes, tuple(given), self.dtypes[number])

    def activate(self, x: Features, activation: Any) -> Features:
        """The features behind an activation function."""
        name = activation_name(activation)
        if name == "linear":
            return x
        if not is_stock(activation):
            self._check_alone(x, activation, name)
        if name in COUPLING:
            last = x.axis(-1)
            if last is not None:
                self.trace.coupled(self, last, name)
                last = dataclasses.replace(last, nonlinear=last.nonlinear or name)
            rest = tuple(a and a.after(name, False) for a in x.axes[:-1])
            return dataclasses.replace(x, axes=(*rest, last))
        keeps = name in ZERO_KEEPING
        return dataclasses.replace(x, axes=tuple(a and a.after(name, keeps) for a in x.axes))

    def _check_alone(self, x: Features, function: Any, name: str) -> None:
        """Of an unknown function it is tried out whether it acts on each feature alone."""
        for number, axis in enumerate(x.axes):
            if axis is None:
                continue
            values, alone = tried_out(function, x.shapes[0], x.dtype, number)
            if not alone:
                self.fix(axis, f"its activation {name} is not a function of each feature alone")
            elif not np.isfinite(values).all():
                for segment in axis.segments():
                    reason = f"its activation {name} is not finite everywhere"
                    segment.only_copied = segment.only_copied or reason


def _behind_first(function: Any) -> Any:
    """A function whose last argument are the maps of all axes, for those behind the first."""
    if not callable(function):
        return function
    return lambda *arguments: function(*arguments[:-1], arguments[-1][1:])
