"""What a layer holds beside its configuration, carried to another: weights, tables, draws."""

import re
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import keras

from adaptive_nets.keras_internals import (
    direct_layers,
    has_graph,
    own_seed_generators,
    own_trainable,
    own_variables,
    set_own_trainable,
    set_path,
    take_path,
)

Pair = tuple[keras.Variable, keras.Variable]
_SAY_ALL = "Let get_config() return all that shapes them."
_MERGE = "Merge LoRA's weights into the kernels first: adaptive_nets.growth.merge_lora(model)."


def carry_state(old: Any, new: Any) -> None:
    """Gives a layer or model all that another of the same configuration holds.

    Weights, whether each of them and each layer learns, tables and vocabularies, what a layer
    stores of its own (`save_own_variables`), the state of random draws.

    Args:
        old: The layer, which is not changed.
        new: The other, built; it shares nothing with the first afterwards.

    Raises:
        ValueError: The two hold other layers or weights.
    """
    if not isinstance(old, keras.Layer):
        return  # an operation of keras.ops holds nothing
    for one, other in layer_pairs(old, new):
        carry_own(one, other)


def carry_own(old: Any, new: Any) -> None:
    """As `carry_state`, of the layer itself: those in it are left alone."""
    _carry_stored(old, new)
    _assign(own_pairs(old, new))
    carry_extras(old, new)


def carry_extras(old: Any, new: Any) -> None:
    """Carries state other than weights between two layers, which may differ in class.

    The layers in them are left alone.
    """
    _carry_tables(old, new)
    set_own_trainable(new, own_trainable(old))
    _assign(_draw_pairs(old, new))
    _assign(_step_pairs(old, new))
    if isinstance(old, keras.layers.Discretization):
        # Its bounds are not weights, and it would make them of the values that it has seen: none.
        new.summary, new.bin_boundaries = old.summary, old.bin_boundaries
    elif hasattr(new, "finalize_state"):
        # It computes with values that are made from its weights.
        new.finalize_state()


def carry_assets(old: Any, new: Any) -> None:
    """Carries tables and vocabularies of a layer and those in it, as far as the new one has them.

    Before a layer is called: the size of what it gives may depend on them.
    """
    if not isinstance(old, keras.Layer):
        return
    others = by_path(new)
    for path, layer in by_path(old).items():
        if type(layer) is type(others.get(path)):
            _carry_tables(layer, others[path])


def layer_pairs(old: Any, new: Any) -> Iterator[tuple[Any, Any]]:
    """A layer and all in it, each with the one at the same place in another.

    Raises:
        ValueError: The other holds other layers.
    """
    olds, news = by_path(old), by_path(new)
    shared = [path for path in olds if path in news]
    left = [[each[path] for path in each if path not in shared] for each in (olds, news)]
    kinds = [[type(layer) for layer in layers] for layers in left]
    # What a layer makes for itself may be named by a counter: then order and class must agree.
    if kinds[0] != kinds[1]:
        names = [[kind.__name__ for kind in each] for each in kinds]
        raise ValueError(
            f"Cannot copy {old.name!r}: made again from its configuration, it holds other layers. "
            f"Expected {names[0]}. Received: {names[1]}. Let get_config() return all that it is "
            "made of."
        )
    yield from ((olds[path], news[path]) for path in shared)
    yield from zip(*left, strict=True)


def by_path(layer: Any) -> dict[str, Any]:
    """A layer ("") and all in it, by the attributes, or names in a graph, that lead to them."""
    found: dict[str, Any] = {}
    seen: set[int] = set()
    waiting = [("", layer)]
    while waiting:
        path, each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        found[path] = each
        waiting += [(f"{path}/{key}", inner) for key, inner in _inside(each)]
    return found


def _inside(layer: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(layer, keras.Layer):
        return
    inner = [x for x in direct_layers(layer) if not isinstance(x, keras.layers.InputLayer)]
    known = set()
    if has_graph(layer) or isinstance(layer, keras.Sequential):
        known = {id(x) for x in layer.layers}
        yield from ((x.name, x) for x in inner if id(x) in known)
    places = _places(layer)
    for number, each in enumerate(inner):
        # A Sequential holds its own graph, whose layers were found already.
        if id(each) not in known and not _is_own_graph(layer, each):
            yield places.get(id(each), f"[{number}]"), each


def _is_own_graph(layer: Any, inner: Any) -> bool:
    """Whether a layer in a Sequential is the graph that it built for itself."""
    return isinstance(layer, keras.Sequential) and has_graph(inner) and inner not in layer.layers


def _places(layer: Any) -> dict[int, str]:
    """The attributes at which values lie, and their places in lists and dicts, by their ids."""
    found: dict[int, str] = {}
    waiting = [(f".{k}", v) for k, v in list(vars(layer).items()) if k != "_layers"]
    while waiting:
        place, value = waiting.pop(0)
        if isinstance(value, keras.Layer):
            found.setdefault(id(value), place)
        elif isinstance(value, list | tuple):
            waiting += [(f"{place}[{number}]", each) for number, each in enumerate(value)]
        elif isinstance(value, dict):
            waiting += [(f"{place}[{key!r}]", each) for key, each in value.items()]
    return found


def weight_pairs(old: Any, new: Any) -> list[Pair]:
    """The weights of a layer and those in it, each with the one of another of its shape."""
    return [pair for one, other in layer_pairs(old, new) for pair in own_pairs(one, other)]


def own_pairs(old: Any, new: Any) -> list[Pair]:
    """A layer's own weights with those of another layer of the same configuration.

    Raises:
        ValueError: The two have weights of other shapes.
    """
    if not isinstance(old, keras.Layer):
        return []
    olds, news = own_variables(old), own_variables(new)
    shapes = [[tuple(w.shape) for w in weights] for weights in (olds, news)]
    pairs = matched(olds, news) if len(olds) == len(news) else []
    if len(pairs) != len(olds) or any(tuple(a.shape) != tuple(b.shape) for a, b in pairs):
        adapted = getattr(old, "lora_enabled", False)
        raise ValueError(
            f"Cannot copy {old.name!r}: made again from its configuration, the layer has weights "
            f"of shapes {shapes[1]}. Expected {shapes[0]}. {_MERGE if adapted else _SAY_ALL}"
        )
    keep_adapters(old, new)
    for one, other in pairs:
        # A frozen variable inside a layer is not written in the layer's configuration.
        other.trainable = one.trainable
    return pairs


def keep_adapters(old: Any, new: Any) -> None:
    """Gives LoRA's weights of a layer the share that they have in another.

    Keras forgets `lora_alpha` of some layers when it builds them. The rank may differ.
    """
    if getattr(old, "lora_enabled", False) and getattr(new, "lora_enabled", False):
        same = new.lora_rank == old.lora_rank
        share = old.lora_alpha / old.lora_rank
        new.lora_alpha = old.lora_alpha if same else share * new.lora_rank


def keep_paths(old: Any, new: Any) -> None:
    """Gives the layers and weights of a copy the paths of those they were copied from.

    Keras makes a path of the names that are open when a layer is built, which may be others now.
    """
    for one, other in layer_pairs(old, new):
        take_path(other, one)
        for variable, copy in [*own_pairs(one, other), *_draw_pairs(one, other)]:
            set_path(copy, variable.path)


def matched(olds: Sequence[keras.Variable], news: Sequence[keras.Variable]) -> list[Pair]:
    """Variables of two layers that belong together, in the order of the first.

    Names say it; among variables of one name, and among those without one, their order does.
    """
    keys = [_keys(variables) for variables in (olds, news)]
    by_key = dict(zip(keys[1], news, strict=True))
    return [(old, by_key[key]) for key, old in zip(keys[0], olds, strict=True) if key in by_key]


def _keys(variables: Sequence[keras.Variable]) -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    found = []
    for variable in variables:
        # Keras counts up the variables that were given no name as long as a process lives.
        name = "" if re.fullmatch(r"variable(_\d+)?", variable.name) else variable.name
        counts[name] = counts.get(name, 0) + 1
        found.append((name, counts[name]))
    return found


def _draw_pairs(old: Any, new: Any) -> list[Pair]:
    """The states of a layer's random draws, with those of a layer that draws as often."""
    olds, news = ([each.state for each in own_seed_generators(x)] for x in (old, new))
    return list(zip(olds, news, strict=True)) if len(olds) == len(news) else []


def _step_pairs(old: Any, new: Any) -> list[Pair]:
    """The states of a stateful recurrent layer, which Keras does not count among its variables."""
    if not getattr(old, "stateful", False):
        return []
    olds, news = (keras.tree.flatten(getattr(x, "states", None) or ()) for x in (old, new))
    return list(zip(olds, news, strict=True)) if len(olds) == len(news) else []


def _assign(pairs: list[Pair]) -> None:
    for old, new in pairs:
        # Under JAX training gives up its arrays, so none is shared.
        new.assign(keras.ops.copy(keras.ops.convert_to_tensor(old)))


def _carry_stored(old: Any, new: Any) -> None:
    """What a layer stores beside its variables, by its own `save_own_variables`."""
    if type(old) is not type(new) or not isinstance(old, keras.Layer):
        return
    if type(old).save_own_variables is keras.Layer.save_own_variables:
        return
    store: dict[str, Any] = {}
    old.save_own_variables(store)
    variables = {id(variable) for variable in old.variables}
    if any(id(value) not in variables for value in store.values()):
        new.load_own_variables(store)


def _carry_tables(old: Any, new: Any) -> None:
    if hasattr(old, "save_assets") and hasattr(new, "load_assets"):
        # In the order of loading: a table's weights are there before its words.
        _carry_stored(old, new)
        with tempfile.TemporaryDirectory() as folder:
            old.save_assets(folder)
            new.load_assets(folder)
