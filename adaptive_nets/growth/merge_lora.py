"""LoRA's weights merged into the kernels beside which they were trained."""

from typing import Any

import keras

from adaptive_nets.graphs.compile import compile_like
from adaptive_nets.graphs.inventory import carry_attributes, keeps_class
from adaptive_nets.graphs.read import check_model
from adaptive_nets.graphs.rewrite import Rewriter
from adaptive_nets.graphs.scope import again
from adaptive_nets.graphs.state import carry_extras, carry_own, layer_pairs, matched
from adaptive_nets.keras_internals import has_graph, layers_in, own_variables


def merge_lora(model: keras.Model) -> keras.Model:
    """Merges LoRA's weights into the kernels.

    Layers with LoRA's weights grow with them. Layers that hold such layers, as `MultiHeadAttention`
    and the blocks of keras-hub do, cannot, and `majority.expand` takes plain weights only: merge
    them first. Every `Dense`, `EinsumDense`, convolution and `Embedding` with `lora_enabled`
    becomes a plain layer whose kernel is the old one plus LoRA's product, also inside other layers.

    Args:
        model: A built model, some of whose layers have LoRA weights. It is not changed.

    Returns:
        A model that computes the same, compiled as `model` is, with a new optimizer. The merged
        kernels are trainable where LoRA's weights were; all other weights are as they were.

    Raises:
        ValueError: No layer has LoRA weights, one with LoRA weights is quantized, or a layer cannot
            be made again from its configuration.
        TypeError: `model` is not a Keras model.

    Example:

    ```python
    import keras
    from adaptive_nets import growth

    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(16), keras.layers.Dense(3)])
    model.layers[0].enable_lora(2)
    plain = growth.merge_lora(model)
    ```
    """
    model = check_model("model", model)
    adapted = [layer for layer in layers_in(model) if _is_adapted(layer)]
    if not adapted:
        raise ValueError(
            "model must have a layer with LoRA's weights, on which enable_lora(rank) was called. "
            f"Received: model {model.name!r}, none of whose layers has any."
        )
    for layer in adapted:
        if getattr(layer, "quantization_mode", None) is not None:
            raise ValueError(
                f"Cannot merge LoRA's weights of {layer.name!r}: its kernel is quantized "
                f"({layer.quantization_mode}), and a merged one would be rounded again. Expected "
                "a kernel of floating-point numbers. Enable LoRA without quantize(), and quantize "
                "after growth."
            )
    new = _merged(model)
    for old, other in layer_pairs(model, new):
        if _is_adapted(old):
            _merge(old, other)
        else:
            carry_own(old, other)
    if has_graph(model) or isinstance(model, keras.Sequential):
        carry_attributes(model, new)
    compile_like(model, new)
    return new


def _is_adapted(layer: Any) -> bool:
    return bool(getattr(layer, "lora_enabled", False))


def _merged(model: keras.Model) -> keras.Model:
    """A model of the same layers, none with LoRA weights; its weights are fresh."""

    def inside(form: dict[str, Any], _: list[Any]) -> dict[str, Any] | None:
        config = form["config"]
        return {**form, "config": _plain(config)} if config.get("lora_rank") else None

    def change(layer: Any) -> Any:
        return again(layer, _plain({})) if _is_adapted(layer) else None

    def holds(layer: Any) -> bool:
        return any(map(_is_adapted, layers_in(layer)))

    rewriter = Rewriter(change, inside, holds, "merge LoRA's weights in")
    if (has_graph(model) or isinstance(model, keras.Sequential)) and keeps_class(model):
        return rewriter.model(model)
    new = rewriter.changed(model)
    new = rewriter.rebuilt(model) if new is None else new
    if not new.built:
        new.build_from_config(model.get_build_config())
    return new


def _plain(config: dict[str, Any]) -> dict[str, Any]:
    return {**config, "lora_rank": None, "lora_alpha": None}


def _merge(old: Any, new: Any) -> None:
    """Gives a plain layer the weights of one with LoRA: what this one would save."""
    store: dict[str, Any] = {}
    old.save_own_variables(store)
    new.load_own_variables(store)
    pairs = matched(own_variables(old), own_variables(new))
    kept = {id(variable) for variable, _ in pairs}
    learns = any(v.trainable for v in own_variables(old) if id(v) not in kept)
    for variable, other in pairs:
        # LoRA has frozen the kernel, and no other weight of the layer.
        is_merged = variable.name in ("kernel", "embeddings")
        other.trainable = learns if is_merged else variable.trainable
    carry_extras(old, new)
