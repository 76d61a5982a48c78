"""Attention: heads are added; the size of a key is another axis, and another rule."""

from typing import Any

import numpy as np
from keras import layers

from adaptive_nets.growth.core.axis_map import AxisMap
from adaptive_nets.growth.core.registry import find_rule, register_rule
from adaptive_nets.growth.core.rule import Call, Rule
from adaptive_nets.growth.core.segments import Axis, Features
from adaptive_nets.growth.core.weight_roles import Dimension, Keeps, LayerRecord, Reads, Writes
from adaptive_nets.growth.rules.kernels.adapters import refuse_adapters
from adaptive_nets.keras_internals import (
    KERNEL,
    attention_is_gated,
    attention_output_shape,
    attention_setting,
    output_projection,
    projection,
)


def arguments(call: Call) -> tuple[Features, Features, Features]:
    """Query, value and key of a call."""
    given = dict(zip(("query", "value", "key"), call.args, strict=False))
    given |= {name: call.kwargs[name] for name in ("query", "value", "key") if name in call.kwargs}
    query, value = given["query"], given["value"]
    key = given.get("key")
    return query, value, value if key is None else key


def fix_places(call: Call, tensors: tuple[Features, ...]) -> None:
    """What is attended to cannot grow: its scores would change all others."""
    for each in tensors:
        for axis in each.axes[:-1]:
            call.fix(axis, "it attends over this axis or keeps it")


def same_in_sources(call: Call, name: str, values: tuple[Any, ...]) -> None:
    """Refuses sources that differ in the size of a head."""
    if len(set(values)) > 1:
        raise ValueError(
            f"Cannot fuse at {call.record.path!r}: {name} differs between the sources. Expected "
            f"one value, for heads stand side by side as they are. Received: {values}."
        )


def query_scale(maps: tuple[AxisMap, ...]) -> float:
    """Scores are divided by sqrt(key size), so queries make up for a larger one."""
    return float(np.sqrt(maps[-1].factor)) if len(maps[-1].sizes) == 1 else 1.0


def silent_keys(draw: np.ndarray, maps: tuple[AxisMap, ...]) -> np.ndarray:
    """New entries of a key are zero, so that no score changes; those of a query are not."""
    draw[..., maps[-1].fresh] = 0
    return draw


class _Attention(Rule):
    """What both attention layers share: which weight has which axes."""

    def zero_weights(self, layer: Any) -> list[Any] | None:
        output = output_projection(layer)
        return find_rule(type(output)).zero_weights(output)

    def projections(
        self,
        call: Call,
        axes: dict[str, tuple[Features, tuple[Dimension, ...]]],
        output: tuple[tuple[Dimension, ...], Axis | None],
    ) -> None:
        """Names kernels and biases of the projections."""
        for name, (source, made) in axes.items():
            scale = query_scale if name == "query" else None
            fresh = silent_keys if name == "key" else None
            attribute = projection(name)
            kernel = f"{attribute}.{KERNEL}"
            call.weight(kernel, Reads(source.axis(-1)), *made, scale=scale, fresh=fresh)
            if getattr(call.layer, attribute).bias is not None:
                call.weight(f"{attribute}.bias", *made, scale=scale, fresh=fresh)
        read, made = output
        attribute = projection("output")
        call.weight(f"{attribute}.{KERNEL}", *read, Writes(made))
        if output_projection(call.layer).bias is not None:
            call.weight(f"{attribute}.bias", Writes(made))

    def outputs(self, call: Call, made: Axis, heads: Axis) -> Any:
        """The result, and the scores [batch, heads, ...] where they are asked for."""
        result = call.output().with_axis(-1, made)
        if len(call.shapes) == 1:
            return result
        return [result, call.output(number=1).with_axis(1, heads)]


@register_rule(layers.MultiHeadAttention)
class MultiHeadAttentionRule(_Attention):
    """Kernels [features, heads, size] and [heads, size, features]."""

    def trace(self, call: Call) -> Any:
        refuse_adapters(call)
        layer = call.layer
        query, value, key = arguments(call)
        fix_places(call, (query, value, key))
        heads = call.axis("heads", call.config_of(attention_setting("num_heads")))
        sizes = {}
        for role in ("key_dim", "value_dim"):
            values = call.config_of(attention_setting(role))
            same_in_sources(call, role, values)
            if call.sources > 1:
                sizes[role] = (Keeps(), Keeps())
            else:
                axis = call.axis(role, values)
                axis.segments()[0].only_named = True
                if role == "key_dim":
                    axis.segments()[0].only_new = "a score is a sum over the key"
                sizes[role] = (Writes(axis), Reads(axis))
        width = tuple(int(output_projection(each).kernel.shape[-1]) for each in call.layers)
        made = call.axis("output", width)
        projected = {
            "query": (query, (Writes(heads), sizes["key_dim"][0])),
            "key": (key, (Writes(heads), sizes["key_dim"][0])),
            "value": (value, (Writes(heads), sizes["value_dim"][0])),
        }
        if attention_is_gated(layer):
            projected["gate"] = (query, (Writes(heads), sizes["value_dim"][0]))
        if query.axis(-1) is not None:
            call.record.inner = query.axis(-1)
        self.projections(call, projected, ((Reads(heads), sizes["value_dim"][1]), made))
        return self.outputs(call, made, heads)

    def config(self, record: LayerRecord, sizes: dict[str, AxisMap]) -> dict[str, Any]:
        layer = record.layers[0]
        found = {"num_heads": sizes["heads"].size}
        for role in ("key_dim", "value_dim"):
            if role in sizes:
                found[role] = sizes[role].size
        if attention_output_shape(layer) is not None or record.inner is not None or (
            not sizes["output"].is_identity
        ):  # fmt: skip
            # Without an output shape the layer takes the query's, which may grow otherwise.
            found["output_shape"] = (sizes["output"].size,)
        return found


@register_rule(layers.GroupQueryAttention)
class GroupQueryAttentionRule(_Attention):
    """Heads of keys and values, each read by a group of query heads: groups grow whole."""

    def trace(self, call: Call) -> Any:
        refuse_adapters(call)
        layer = call.layer
        query, value, key = arguments(call)
        fix_places(call, (query, value, key))
        # Keras wants queries and values of one size.
        key = call.separate(key, -1)
        query, value = call.separate(query, -1), call.separate(value, -1)
        call.tie(query.axis(-1), value.axis(-1))
        same_in_sources(call, "head_dim", call.config_of("head_dim"))
        same_in_sources(call, "query heads a key head", call.config_of("num_repeats"))
        heads = call.axis("heads", call.config_of("num_key_value_heads"))
        of_queries = heads.repeat_inner(layer.num_repeats)
        made = call.axis("output", query.sizes(-1))
        # The layer gives back as many features as its query has.
        call.tie(made, query.axis(-1))
        projected = {
            "query": (query, (Writes(of_queries), Keeps())),
            "key": (key, (Writes(heads), Keeps())),
            "value": (value, (Writes(heads), Keeps())),
        }
        if getattr(layer, "use_gate", False):
            projected["gate"] = (query, (Writes(of_queries), Keeps()))
        self.projections(call, projected, ((Reads(of_queries), Keeps()), made))
        return self.outputs(call, made, of_queries)

    def config(self, record: LayerRecord, sizes: dict[str, AxisMap]) -> dict[str, Any]:
        heads = sizes["heads"].size
        repeats = record.layers[0].num_repeats
        return {"num_query_heads": heads * repeats, "num_key_value_heads": heads}


@register_rule(layers.Attention, layers.AdditiveAttention)
class PlainAttentionRule(Rule):
    """Scores sum over features of query and key; the value's features pass."""

    def trace(self, call: Call) -> Any:
        query, value, *rest = call.inputs
        key = rest[0] if rest else value
        fix_places(call, (query, value, key))
        for each in (query.axis(-1), key.axis(-1)):
            call.fix(each, "its scores sum over the features of query and key")
        for attribute in ("concat_score_weight", "scale"):
            weight = getattr(call.layer, attribute, None)
            if weight is not None:
                call.weight(attribute, *(Keeps() for _ in weight.shape))
        return call.output().with_axis(-1, value.axis(-1))


@register_rule(layers.Dot)
class DotRule(Rule):
    """A product over axes that both tensors have: these cannot grow, others stand in a row."""

    def trace(self, call: Call) -> Features:
        left, right = call.inputs
        over = call.layer.axes
        over = (over, over) if isinstance(over, int) else over
        kept: list[Axis | None] = [None]
        for x, number in zip((left, right), over, strict=True):
            number %= x.rank
            reason = "it multiplies and sums over this axis"
            if call.layer.normalize:
                reason = "it divides by the length over this axis"
            call.fix(x.axis(number), reason)
            kept += [axis for at, axis in enumerate(x.axes) if at not in (0, number)]
        result = call.output()
        if len(kept) != result.rank:
            # Two vectors give one number a row.
            return result
        kept = [axis and axis.after("a product", axis.zero_kept) for axis in kept]
        return Features(result.shapes, tuple(kept), result.dtype)
