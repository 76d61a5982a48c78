"""Layers of T5: root mean square norms, unscaled attention, a position bias for the whole stack."""

from typing import Any

from keras_hub.src.models.t5.t5_layer_norm import T5LayerNorm
from keras_hub.src.models.t5.t5_transformer_layer import T5TransformerLayer

from adaptive_nets.graphs.scope import again
from adaptive_nets.growth.core.axis_map import AxisMap
from adaptive_nets.growth.core.registry import register_rule
from adaptive_nets.growth.core.rule import Call, Rule
from adaptive_nets.growth.core.segments import Axis, Features, Segment
from adaptive_nets.growth.core.weight_roles import Keeps, LayerRecord, Reads, Writes
from adaptive_nets.growth.rules.hub import parts


@register_rule(T5LayerNorm)
class T5LayerNormRule(Rule):
    """A gain over the root mean square of all features."""

    def trace(self, call: Call) -> Features:
        x = parts.hidden_of(call, call.inputs)
        record = call.record
        record.inner = {"hidden": x.axis(-1)}
        return call.output(x).with_axis(-1, parts.root_norm(call, "weight", x.axis(-1)))

    def rebuild(self, record: LayerRecord, maps: dict[Segment, AxisMap], rebuilder: Any) -> Any:
        layer, hidden = record.layers[0], record.inner["hidden"]
        share = 1.0 if hidden is None else parts.kept_share(hidden.map(maps))
        return again(layer, {"epsilon": layer.epsilon * share})


@register_rule(T5TransformerLayer)
class T5TransformerLayerRule(Rule):
    """Attention over itself, in a decoder over the encoder, and dense layers, gated or not.

    Projections are flat [features, heads x key]. Scores are not scaled, so heads are alike at any
    number of them. The bias of positions has one value a head and is handed down the stack, which
    ties the heads of all its layers; those of both attentions are one setting.
    """

    def trace(self, call: Call) -> list[Features]:
        parts.refuse(call, ("self_attention_cache", "cross_attention_cache"))
        layer, record = call.layer, call.record
        x = parts.hidden_of(call, call.inputs)
        stream = x.axis(-1)
        inner = [each.self_attention for each in call.layers]
        key = parts.same(call, "key_value_dim", tuple(each.key_value_dim for each in inner))
        units = tuple(each.input_projector.units for each in call.layers)
        intermediate = call.axis("intermediate", units)
        heads = call.axis("heads", tuple(each.num_heads for each in inner))
        record.inner = {"hidden": stream}

        axis = parts.root_norm(call, "self_attention_layer_norm.weight", stream)
        self._attention(call, "self_attention", axis, axis, heads.repeat_inner(key), stream)
        if layer.self_attention.use_relative_attention_bias:
            call.weight("self_attention.relative_attention_bias", Keeps(), Writes(heads))
        bias = parts.argument(call, "position_bias", 2)
        if bias is not None:
            call.tie(heads, bias.axis(1))
        if layer.is_decoder:
            memory = parts.argument(call, "encoder_hidden_states", 3)
            value = memory.axis(-1) if memory is not None else None
            axis = parts.root_norm(call, "cross_attention_layer_norm.weight", stream)
            self._attention(
                call, "cross_attention", axis, axis if memory is None else value,
                heads.repeat_inner(key), stream,
            )  # fmt: skip
        axis = parts.root_norm(call, "layer_norm.weight", stream)
        parts.dense(call, "input_projector", axis, intermediate, bias=False)
        if layer.use_gated_activation:
            parts.dense(call, "gate_projector", axis, intermediate, bias=False)
        parts.dense(call, "output_projector", intermediate, stream, bias=False)
        return [call.output(x), call.output(number=1).with_axis(1, heads)]

    @staticmethod
    def _attention(
        call: Call, name: str, query: Axis | None, value: Axis | None, flat: Axis, out: Axis | None
    ) -> None:
        for part, axis in (("query", query), ("key", value), ("value", value)):
            call.weight(f"{name}.{part}_projector._kernel", Reads(axis), Writes(flat))
        call.weight(f"{name}.output_projector._kernel", Reads(flat), Writes(out))

    def rebuild(self, record: LayerRecord, maps: dict[Segment, AxisMap], rebuilder: Any) -> Any:
        layer, hidden = record.layers[0], record.inner["hidden"]
        config = layer.get_config()
        config["num_heads"] = record.axes["heads"].map(maps).size
        config["intermediate_dim"] = record.axes["intermediate"].map(maps).size
        if hidden is not None:
            grown = hidden.map(maps)
            config["hidden_dim"] = grown.size
            config["layer_norm_epsilon"] *= parts.kept_share(grown)
        return type(layer).from_config(config)
