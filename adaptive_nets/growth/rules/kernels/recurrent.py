"""Recurrent layers and cells: new units read at random, and old units never read new ones."""

import copy
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from adaptive_nets.growth.core.axis_map import AxisMap
from adaptive_nets.growth.core.calls import same
from adaptive_nets.growth.core.registry import register_rule
from adaptive_nets.growth.core.rule import Call, Rule, activation_name
from adaptive_nets.growth.core.segments import Axis, Features, Segment, UnruledError
from adaptive_nets.growth.core.weight_roles import Keeps, LayerRecord, Reads, Writes, grows_as

GATES = {"SimpleRNNCell": 1, "GRUCell": 3, "LSTMCell": 4}
ALIKE = (
    *("activation", "recurrent_activation", "use_bias", "reset_after", "go_backwards"),
    *("return_sequences", "return_state", "stateful", "zero_output_for_mask"),
)

WINDOW = ("kernel_size", "strides", "padding", "dilation_rate", "data_format")


def refuse_unlike(call: Call, parts: Sequence[Any], names: Sequence[str] = ALIKE) -> None:
    """Sources whose layers compute different things cannot stand in one layer."""
    for name in names:
        values = [getattr(part, name, None) for part in parts]
        if not all(same(value, values[0]) for value in values):
            shown = [activation_name(v) if callable(v) else v for v in values]
            raise ValueError(
                f"Cannot fuse at {call.record.path!r}: the sources differ in {name}. Expected the "
                f"same in every source. Received: {', '.join(map(repr, shown))}."
            )


def _refuse_states(call: Call) -> None:
    for layer in call.layers:
        for state in keras.tree.flatten(layer.states or ()):
            if keras.ops.convert_to_numpy(state).any():
                raise ValueError(
                    f"Cannot grow {call.record.path!r}: it is stateful and in the middle of a "
                    "sequence. Expected states of zero, for grown ones begin there. Call its "
                    "reset_state() first."
                )


def cell_axis(
    call: Call, cells: Sequence[Any], prefix: str, role: str, x: Axis | None, states: list[Features]
) -> Axis:
    """Names the weights of one cell, and gives the axis of its hidden state.

    Args:
        call: The call of the layer that holds the cell.
        cells: The cell in each source.
        prefix: Where the cell is found on the layer, with a dot behind.
        role: The name of the cell's own axis.
        x: The axis that the cell reads.
        states: The initial states that were passed.
    """
    cell, like = cells[0], grows_as(cells[0])
    kind = like.__name__
    if kind not in GATES or like.__module__.partition(".")[0] != "keras":
        raise UnruledError(
            f"Cannot grow {call.record.path!r}: there is no growth rule for its cell. Expected "
            "SimpleRNNCell, LSTMCell, GRUCell or StackedRNNCells of these. Received: "
            f"{like.__module__}.{kind}. Register a rule for a layer around your cell.",
            f"there is no growth rule for its cell {like.__module__}.{kind}",
        )
    if any(type(each) is not type(cell) for each in cells):
        shown = ", ".join(type(each).__name__ for each in cells)
        raise UnruledError(
            f"Cannot fuse at {call.record.path!r}: the sources have other cells. Expected the same "
            f"class in every source. Received: {shown}.",
            "it has another cell in each source",
        )
    refuse_unlike(call, cells)
    units = call.axis(role, [each.units for each in cells])
    gated = units.tile(GATES[kind])
    hidden = _hidden(call, units, states, cell)
    call.weight(f"{prefix}kernel", Reads(x), Writes(gated))
    call.weight(f"{prefix}recurrent_kernel", Reads(hidden), Writes(gated))
    if cell.use_bias:
        rows = (Keeps(),) if getattr(cell, "reset_after", False) else ()
        call.weight(f"{prefix}bias", *rows, Writes(gated))
    return hidden


def _hidden(call: Call, units: Axis, states: list[Features], cell: Any) -> Axis:
    """The axis of the state: a silent unit stays zero from step to step if it begins there."""
    for number, state in enumerate(states):
        states[number] = state = call.separate(state, -1)
        units = call.tie(units, state.axis(-1)) or units
    begun = Features(tuple((None, n) for n in units.sizes), (None, units))
    call.activate(begun, getattr(cell, "recurrent_activation", None))
    hidden = call.activate(begun, cell.activation).axis(1)
    # A gate is a function of the old state, so whatever the activation is, the unit is not linear.
    return hidden.after("recurrence", True)


def initial_states(call: Call) -> list[Features]:
    """The states that were passed with the call."""
    given = call.kwargs.get("initial_state", call.args[1] if len(call.args) > 1 else None)
    return [x for x in keras.tree.flatten(given) if isinstance(x, Features)]


def sequence_outputs(call: Call, x: Features, hidden: Axis, states: Sequence[Axis]) -> Any:
    """The outputs of a recurrent layer: a sequence or its end, then the states."""
    for number in range(x.rank - 1):
        call.fix(x.axis(number), "its steps are not features")
    first = call.output()
    if call.layer.return_sequences:
        first = first.with_axis(1, x.axis(1))
    first = first.with_axis(-1, hidden)
    if not call.layer.return_state:
        return first
    rest = [call.output(number=i + 1).with_axis(-1, axis) for i, axis in enumerate(states)]
    return [first, *rest]


class _RecurrentRule(Rule):
    """What all recurrent layers share: states that cannot be carried, and a stateful rebuild."""

    def rebuild(self, record: LayerRecord, maps: dict[Segment, AxisMap], rebuilder: Any) -> Any:
        grown = super().rebuild(record, maps, rebuilder)
        layer = record.layers[0]
        if hasattr(layer, "use_cudnn"):
            grown.use_cudnn = layer.use_cudnn
        return grown


@register_rule(layers.SimpleRNN, layers.LSTM, layers.GRU)
class RecurrentRule(_RecurrentRule):
    """Kernels [features, gates x units] and [units, gates x units]: every gate grows alike."""

    def trace(self, call: Call) -> Any:
        _refuse_states(call)
        refuse_unlike(call, call.layers)
        states = initial_states(call)
        cells = [layer.cell for layer in call.layers]
        hidden = cell_axis(call, cells, "cell.", "units", call.inputs.axis(-1), states)
        count = len(keras.tree.flatten(call.layer.state_size))
        return sequence_outputs(call, call.inputs, hidden, [hidden] * count)

    def config(self, record: LayerRecord, sizes: dict[str, AxisMap]) -> dict[str, Any]:
        return {"units": sizes["units"].size}


@register_rule(layers.RNN)
class CellsRule(_RecurrentRule):
    """A layer around a stock cell, or around several in a stack; each has its own units."""

    def trace(self, call: Call) -> Any:
        _refuse_states(call)
        refuse_unlike(call, call.layers)
        states = initial_states(call)
        axis, found = call.inputs.axis(-1), []
        stacks = [self._cells(layer) for layer in call.layers]
        if len({len(stack) for stack in stacks}) > 1:
            raise ValueError(
                f"Cannot fuse at {call.record.path!r}: the sources stack "
                f"{[len(stack) for stack in stacks]} cells. Expected the same number."
            )
        for number, cells in enumerate(zip(*stacks, strict=True)):
            single = cells[0] is call.layer.cell
            prefix = "cell." if single else f"cell.cells.{number}."
            role = "units" if single else f"units_{number}"
            count = len(keras.tree.flatten(cells[0].state_size))
            mine, states = states[:count], states[count:]
            axis = cell_axis(call, cells, prefix, role, axis, mine)
            found += [axis] * count
        return sequence_outputs(call, call.inputs, axis, found)

    def config(self, record: LayerRecord, sizes: dict[str, AxisMap]) -> dict[str, Any]:
        cell = copy.deepcopy(record.layers[0].get_config()["cell"])
        single = "units" in sizes
        for number, each in enumerate([cell] if single else cell["config"]["cells"]):
            each["config"]["units"] = sizes["units" if single else f"units_{number}"].size
            # A cell would be built at once, for the old width of what it reads.
            each.pop("build_config", None)
        cell.pop("build_config", None)
        return {"cell": cell}

    @staticmethod
    def _cells(layer: Any) -> list[Any]:
        return list(getattr(layer.cell, "cells", [layer.cell]))


@register_rule(layers.ConvLSTM1D, layers.ConvLSTM2D, layers.ConvLSTM3D)
class ConvLSTMRule(_RecurrentRule):
    """An LSTM whose kernels also reach over space; its units are filters."""

    def trace(self, call: Call) -> Any:
        _refuse_states(call)
        refuse_unlike(call, call.layers, (*ALIKE, *WINDOW))
        x, cell = call.inputs, call.layer.cell
        last = cell.data_format == "channels_last"
        channels = -1 if last else 2
        for number in set(range(x.rank)) - {channels % x.rank}:
            call.fix(x.axis(number), "its positions are not features")
        filters = call.axis("filters", [layer.filters for layer in call.layers])
        states = [_channels_last(state, last) for state in initial_states(call)]
        if states and call.sources > 1:
            raise ValueError(
                f"Cannot fuse at {call.record.path!r}: states are passed to it. Expected none."
            )
        hidden = _hidden(call, filters, states, cell)
        space = (Keeps(),) * (x.rank - 3)
        gated = filters.tile(4)
        call.weight("cell.kernel", *space, Reads(x.axis(channels)), Writes(gated))
        call.weight("cell.recurrent_kernel", *space, Reads(hidden), Writes(gated))
        if cell.use_bias:
            call.weight("cell.bias", Writes(gated))
        outputs = [call.output(number=i) for i in range(len(call.shapes))]
        sequence = 1 if call.layer.return_sequences else 0
        found = [
            y.with_axis(-1 if last else 1 + (sequence if i == 0 else 0), hidden)
            for i, y in enumerate(outputs)
        ]
        return found if call.layer.return_state else found[0]

    def config(self, record: LayerRecord, sizes: dict[str, AxisMap]) -> dict[str, Any]:
        return {"filters": sizes["filters"].size}


def _channels_last(state: Features, last: bool) -> Features:
    return state if last else state.with_axis(-1, state.axis(1))
