"""Embeddings, also those whose matrix gives the logits as well."""

import dataclasses
from typing import Any

import keras
from keras import layers

from adaptive_nets.growth.core.axis_map import AxisMap
from adaptive_nets.growth.core.registry import register_rule
from adaptive_nets.growth.core.rule import Call, Rule
from adaptive_nets.growth.core.segments import Axis, Features, Segment
from adaptive_nets.growth.core.weight_roles import Keeps, LayerRecord, Reads, Writes
from adaptive_nets.growth.rules.kernels.adapters import adapted_weight
from adaptive_nets.keras_internals import EMBEDDINGS


def refuse_vocabularies(call: Call) -> None:
    """Sources must know the same tokens."""
    sizes = call.config_of("input_dim")
    if len(set(sizes)) > 1:
        raise ValueError(
            f"Cannot fuse at {call.record.path!r}: vocabularies of {list(sizes)} tokens. Expected "
            "the same tokens in every source. Train the sources on one vocabulary."
        )


@register_rule(layers.Embedding)
class EmbeddingRule(Rule):
    """A matrix [vocabulary, units]: new units are drawn for every token."""

    def trace(self, call: Call) -> Features:
        refuse_vocabularies(call)
        units = call.axis("units", call.config_of("output_dim"))
        adapted_weight(call, EMBEDDINGS, Keeps(), Writes(units))
        return looked_up(call, units)

    def config(self, record: LayerRecord, sizes: dict[str, AxisMap]) -> dict[str, Any]:
        return {"output_dim": sizes["units"].size}


def looked_up(call: Call, units: Axis) -> Features:
    """The rows of a matrix in place of integers."""
    for axis in call.inputs.axes:
        call.fix(axis, "tokens are not features")
    return dataclasses.replace(call.output(), axes=(*call.inputs.axes, units))


@dataclasses.dataclass
class EqualCopies:
    """A matrix that is both written and read cannot share a feature's load among its copies.

    Equal numbers of copies are made up for by a scale on what is read.
    """

    axis: Axis
    path: str

    def broken(self, maps: dict[Segment, AxisMap]) -> str | None:
        """Why the maps are not allowed, or None."""
        if len(set(self.axis.map(maps).copies(0).tolist())) == 1:
            return None
        return (
            f"{self.path!r} reads with the matrix that it embeds with; expected a whole factor of "
            "copies, or method='zero'"
        )

    def segments(self) -> list[Segment]:
        """What is constrained."""
        return self.axis.segments()


@dataclasses.dataclass
class MixedOnce:
    """Logits that hold all sources' mixture are an end: what reads them would read a mixture."""

    axis: Axis
    path: str

    def broken(self, maps: dict[Segment, AxisMap]) -> str | None:
        """Why the maps are not allowed, or None."""
        readers = [reader for segment in self.axis.segments() for reader in segment.readers]
        if not readers:
            return None
        return (
            f"the logits of {self.path!r} are read by {readers[0]!r} once mixed; expected them to "
            "be an output"
        )

    def segments(self) -> list[Segment]:
        """What is constrained."""
        return self.axis.segments()


def _reversible() -> list[type]:
    found = getattr(layers, "ReversibleEmbedding", None)
    return [found] if found is not None else []


@register_rule(*_reversible())
class ReversibleEmbeddingRule(EmbeddingRule):
    """Embeds, and with `reverse=True` gives logits, by one matrix or by two.

    With one matrix a new unit's column is zero: both what it writes and what it reads is new. The
    logits of copies, and of sources side by side, are sums; the grown graph scales what is read
    by a stock `Rescaling` layer, so that they are means.
    """

    def trace(self, call: Call) -> Features:
        refuse_vocabularies(call)
        layer = call.layer
        units = call.axis("units", call.config_of("output_dim"))
        vocabulary = call.axis("vocabulary", call.config_of("input_dim"))
        vocabulary.fix("a vocabulary does not grow")
        for segment in vocabulary.segments():
            segment.shared = True
        tied = layer.tie_weights
        adapted_weight(call, EMBEDDINGS, Keeps(), Writes(units), fresh=0.0 if tied else None)
        if not call.kwargs.get("reverse", call.args[1] if len(call.args) > 1 else False):
            if not tied:
                call.weight("reverse_embeddings", Reads(units), Writes(vocabulary))
            return looked_up(call, units)
        x = call.separate(call.inputs, -1)
        call.tie(units, x.axis(-1))
        if tied:
            call.trace.constraints.append(EqualCopies(units, call.record.path))
        else:
            call.weight("reverse_embeddings", Reads(x.axis(-1)), Writes(vocabulary))
        if call.sources > 1 and not call.trace.identical:
            call.trace.constraints.append(MixedOnce(vocabulary, call.record.path))
        if layer.logit_soft_cap is not None:
            vocabulary = vocabulary.after("soft cap", True)
        return call.output(x).with_axis(-1, vocabulary)

    def invoke(
        self, record: LayerRecord, grown: Any, args: tuple, kwargs: dict, rebuilder: Any
    ) -> Any:
        layer = record.layers[0]
        reverse = kwargs.get("reverse", args[1] if len(args) > 1 else False)
        units = record.axes["units"].map(rebuilder.maps)
        # Every source weighs as much as in the mixture, over its features' number of copies.
        share = rebuilder.mix[0] / int(units.copies(0).max())
        if reverse and layer.tie_weights and share != 1.0:
            name = rebuilder.new_name(f"{layer.name}_share")
            scale = layers.Rescaling(share, dtype=layer.dtype_policy, name=name)
            args = (scale(args[0]), *args[1:])
        return grown(*args, **kwargs)

    def config(self, record: LayerRecord, sizes: dict[str, AxisMap]) -> dict[str, Any]:
        return {"output_dim": sizes["units"].size}


@register_rule(
    layers.Discretization,
    layers.CategoryEncoding,
    layers.Hashing,
    layers.HashedCrossing,
    layers.IntegerLookup,
    layers.StringLookup,
    layers.TextVectorization,
)
class PreparationRule(Rule):
    """What turns raw input into numbers holds nothing that grows; the layer itself is used on."""

    def trace(self, call: Call) -> Features:
        for x in call.flat_inputs:
            for axis in x.axes:
                call.fix(axis, "it prepares inputs, not features")
        known = [_known(layer) for layer in call.layers]
        if any(each != known[0] for each in known):
            raise ValueError(
                f"Cannot fuse at {call.record.path!r}: the sources prepare inputs in different "
                "ways. Expected equal settings and vocabularies. Prepare inputs outside."
            )
        return call.output()

    def rebuild(self, record: LayerRecord, maps: dict[Segment, AxisMap], rebuilder: Any) -> Any:
        return record.layers[0]


def _known(layer: Any) -> Any:
    config = {key: value for key, value in layer.get_config().items() if key != "name"}
    tokens = layer.get_vocabulary() if hasattr(layer, "get_vocabulary") else None
    return keras.saving.serialize_keras_object(config), tokens
