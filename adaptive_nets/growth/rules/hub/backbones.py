"""Backbones: grown and fused ones are of the same class, made by its constructor."""

from collections.abc import Sequence
from typing import Any

import keras
from keras_hub.layers import TransformerDecoder, TransformerEncoder
from keras_hub.models import BertBackbone, GPT2Backbone, T5Backbone
from keras_hub.src.models.t5.t5_transformer_layer import T5TransformerLayer

from adaptive_nets.growth.core.registry import register_rule
from adaptive_nets.growth.core.segments import Axis
from adaptive_nets.growth.rules.hub import parts
from adaptive_nets.growth.rules.hub.constructed import ConstructedRule

BLOCKS = (T5TransformerLayer, TransformerDecoder, TransformerEncoder)
# Settings that growth changes, or that do not change what a model computes.
FREE = frozenset(["name", "trainable", "dtype", "dropout", "num_heads", "hidden_dim"])
SIZES = frozenset(["intermediate_dim", "key_value_dim"])


@register_rule(BertBackbone, GPT2Backbone)
class BackboneRule(ConstructedRule):
    """One width, one number of heads and one intermediate width for all blocks.

    The constructor takes one number for each, so the blocks grow together.
    """

    ends_in_features = True

    def bind(self, trace: Any, graphs: Sequence[keras.Model]) -> None:
        first = graphs[0]
        if len(graphs) > 1 and not trace.makes_whole(first):
            return
        self._check_settings(graphs)
        records = [trace.records[id(layer)] for layer in first.layers if isinstance(layer, BLOCKS)]
        for role in ("heads", "intermediate"):
            for record in records[1:]:
                records[0].axes[role].tie(record.axes[role])
        pooled = trace.records.get(id(getattr(first, "pooled_dense", None)))
        hidden = self._hidden(trace, first)
        if pooled is not None and hidden is not None:
            pooled.axes["units"].tie(hidden)
        elif pooled is not None:
            pooled.axes["units"].fix("it is as wide as the embedding, which stays")

    def makes_whole(self, model: keras.Model, sources: int) -> bool:
        return True

    def deepening(self, model: keras.Model, after: Any, method: str, seed: int) -> Any:
        # Its imports lead back here.
        from adaptive_nets.growth.rules.hub.deepening import backbone_deepening

        return backbone_deepening(model, after, method, seed)

    @staticmethod
    def _check_settings(graphs: Sequence[keras.Model]) -> None:
        configs = [graph.get_config() for graph in graphs]
        for name in configs[0].keys() - FREE - SIZES:
            values = [config[name] for config in configs]
            if any(value != values[0] for value in values):
                raise ValueError(
                    f"Cannot fuse {graphs[0].name!r}: the sources differ in {name!r}. Expected "
                    f"{type(graphs[0]).__name__}s that differ in sizes only. Received: {values}."
                )

    @staticmethod
    def _hidden(trace: Any, source: keras.Model) -> Axis | None:
        # It stays what it is where the embedding is given to a layer that is carried.
        return trace.records[id(source.token_embedding)].axes.get("units")

    def grown(self, source: keras.Model, rebuilder: Any) -> dict[str, Any]:
        """The settings that change."""
        records, maps = rebuilder.trace.records, rebuilder.maps
        hidden = self._hidden(rebuilder.trace, source)
        config = {} if hidden is None else {"hidden_dim": hidden.map(maps).size}
        for layer in source.layers:
            if isinstance(layer, BLOCKS):
                axes = records[id(layer)].axes
                config["num_heads"] = axes["heads"].map(maps).size
                config["intermediate_dim"] = axes["intermediate"].map(maps).size
        return config


@register_rule(T5Backbone)
class T5BackboneRule(BackboneRule):
    """The size of a head is a setting of its own, so heads and features grow apart."""

    def grown(self, source: keras.Model, rebuilder: Any) -> dict[str, Any]:
        config = super().grown(source, rebuilder)
        hidden = self._hidden(rebuilder.trace, source)
        share = 1.0 if hidden is None else parts.kept_share(hidden.map(rebuilder.maps))
        config["layer_norm_epsilon"] = source.layer_norm_epsilon * share
        # It defaults to features / heads, and must stay what it was.
        config["key_value_dim"] = source.key_value_dim or source.hidden_dim // source.num_heads
        return config
