"""Embeddings of positions, and the encoder and decoder blocks of GPT-2 and BERT."""

import dataclasses
from typing import Any

from keras_hub.layers import (
    PositionEmbedding,
    TokenAndPositionEmbedding,
    TransformerDecoder,
    TransformerEncoder,
)

from adaptive_nets.growth.core.axis_map import AxisMap
from adaptive_nets.growth.core.registry import register_rule
from adaptive_nets.growth.core.rule import Call, Rule
from adaptive_nets.growth.core.segments import Axis, Features, Segment
from adaptive_nets.growth.core.weight_roles import Keeps, LayerRecord, Reads, Writes
from adaptive_nets.growth.rules.hub import parts


@register_rule(PositionEmbedding)
class PositionEmbeddingRule(Rule):
    """A matrix [positions, features] that takes its features from the tokens it is added to."""

    def trace(self, call: Call) -> Features:
        x = parts.hidden_of(call, call.inputs)
        parts.same(call, "sequence_length", call.config_of("sequence_length"))
        axis = x.axis(-1) and Axis(x.axis(-1).runs)
        call.weight("position_embeddings", Keeps(), Writes(axis))
        return call.output(x).with_axis(-1, axis)


@register_rule(TokenAndPositionEmbedding)
class TokenAndPositionEmbeddingRule(Rule):
    """The sum of two matrices, [vocabulary, units] and [positions, units]."""

    def trace(self, call: Call) -> Features:
        parts.refuse(call, ())
        parts.same(call, "vocabulary_size", call.config_of("vocabulary_size"))
        parts.same(call, "sequence_length", call.config_of("sequence_length"))
        units = call.axis("units", call.config_of("embedding_dim"))
        # The matrix of the tokens may be called elsewhere, to give logits: it is one layer.
        tokens = call.trace.record_of(call.config_of("token_embedding"), call.record.path)
        tokens.axes.setdefault("units", units)
        layer = call.layer.token_embedding
        fresh = 0.0 if layer.tie_weights else None
        call.weight("token_embedding._embeddings", Keeps(), Writes(units), fresh=fresh)
        if not layer.tie_weights:
            call.weight("token_embedding.reverse_embeddings", Reads(units), Keeps())
        call.weight("position_embedding.position_embeddings", Keeps(), Writes(units))
        return dataclasses.replace(call.output(), axes=(*call.inputs.axes, units))

    def config(self, record: LayerRecord, sizes: dict[str, AxisMap]) -> dict[str, Any]:
        return {"embedding_dim": sizes["units"].size}

    def rebuild(self, record: LayerRecord, maps: dict[Segment, AxisMap], rebuilder: Any) -> Any:
        grown = super().rebuild(record, maps, rebuilder)
        rebuilder.layers[id(record.layers[0].token_embedding)] = grown.token_embedding
        return grown


@dataclasses.dataclass(frozen=True)
class HeadSize:
    """The layer takes the size of a head to be features / heads, which must not change.

    Args:
        hidden: The features.
        heads: The heads.
        size: The size of a head.
        path: The layer.
    """

    hidden: Axis | None
    heads: Axis
    size: int
    path: str

    def broken(self, maps: dict[Segment, AxisMap]) -> str | None:
        """Why the maps are not allowed, or None."""
        heads = self.heads.map(maps)
        hidden = None if self.hidden is None else self.hidden.map(maps)
        if heads.is_identity and (hidden is None or hidden.is_identity):
            return None
        features = self.size * heads.sizes[0] if hidden is None else hidden.size
        if features // heads.size == self.size:
            return None
        return (
            f"{self.path!r} has heads of {self.size} features, and {features} features over "
            f"{heads.size} heads are others; expected heads to grow with the features (by "
            "method='replicate' and a whole factor, or by fusion with output='concatenate')"
        )

    def segments(self) -> list[Segment]:
        """What is constrained."""
        hidden = [] if self.hidden is None else self.hidden.segments()
        return [*self.heads.segments(), *hidden]


class TransformerRule(Rule):
    """A block of attention and dense layers, its norms before or behind them."""

    built: tuple[str, ...] = ()

    def block(self, call: Call, memory: Features | None) -> tuple[Features, Axis]:
        """Names all weights; the output has the axes of the input."""
        layer = call.layer
        x = parts.hidden_of(call, call.inputs)
        stream, first = x.axis(-1), layer.normalize_first
        attentions = call.config_of("_self_attention_layer")
        size = parts.same(call, "head size", tuple(each.key_dim for each in attentions))
        parts.same(call, "normalize_first", call.config_of("normalize_first"))
        intermediate = call.axis("intermediate", call.config_of("intermediate_dim"))
        heads = call.axis("heads", call.config_of("num_heads"))
        runs = None if stream is None else Axis(stream.runs)
        parts.constrain(call, HeadSize(runs, heads, size, call.record.path))

        def normed(name: str) -> Axis | None:
            behind = parts.layer_norm(call, f"_{name}_layer_norm", stream)
            return behind if first else stream

        axis = normed("self_attention")
        parts.attention(call, "_self_attention_layer", axis, axis, heads, stream)
        if memory is not None:
            axis = normed("cross_attention")
            value = memory.axis(-1)
            parts.attention(call, "_cross_attention_layer", axis, value, heads, stream)
        axis = normed("feedforward")
        parts.dense(call, "_feedforward_intermediate_dense", axis, intermediate, bias=True)
        parts.dense(call, "_feedforward_output_dense", intermediate, stream, bias=True)
        out = call.output(x)
        if not first and stream is not None:
            out = out.with_axis(-1, stream.after("norm", False))
        return out, heads

    def config(self, record: LayerRecord, sizes: dict[str, AxisMap]) -> dict[str, Any]:
        grown = {"num_heads": sizes["heads"].size, "intermediate_dim": sizes["intermediate"].size}
        # Shapes in the configuration would build the layer at its old size.
        return grown | dict.fromkeys(self.built)


@register_rule(TransformerEncoder)
class TransformerEncoderRule(TransformerRule):
    """A block that sees all positions."""

    def trace(self, call: Call) -> Any:
        parts.refuse(call, ())
        out, heads = self.block(call, None)
        if len(call.shapes) == 1:
            return out
        return [out, call.output(number=1).with_axis(1, heads.after("softmax", False))]


@register_rule(TransformerDecoder)
class TransformerDecoderRule(TransformerRule):
    """A block that sees earlier positions, and an encoder's if it is given."""

    built = ("decoder_sequence_shape", "encoder_sequence_shape")

    def trace(self, call: Call) -> Features:
        parts.refuse(call, ("self_attention_cache", "cross_attention_cache"))
        return self.block(call, parts.argument(call, "encoder_sequence", 1))[0]
