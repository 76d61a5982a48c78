"""How Keras keeps what a layer holds."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras


def layers_in(layer: Any, include_self: bool = True) -> list[Any]:
    """A layer and all layers inside it."""
    return layer._flatten_layers(include_self=include_self)


def direct_layers(layer: Any) -> Sequence[Any]:
    """The layers that a layer holds itself."""
    return layer._layers


def own_variables(layer: Any) -> list[keras.Variable]:
    """A layer's own weights, without those of layers in it."""
    return [*layer._trainable_variables, *layer._non_trainable_variables]


def given_arguments(layer: Any) -> dict[str, Any]:
    """What a layer's constructor was given, where all of it was numbers, words and None."""
    found = getattr(layer, "_auto_config", None)
    return {} if found is None else dict(found.config)


def own_seed_generators(layer: Any) -> list[Any]:
    """The generators of random numbers that a layer holds itself."""
    return list(getattr(layer, "_seed_generators", ()))


def own_trainable(layer: Any) -> bool:
    """Whether a layer was set to learn, whatever holds it."""
    return layer._trainable


def set_own_trainable(layer: Any, value: bool) -> None:
    """Sets whether a layer learns, and leaves the layers in it as they are."""
    layer._trainable = value


@contextlib.contextmanager
def unlocked(layer: Any) -> Iterator[None]:
    """Within it a built layer takes in new variables."""
    layer._tracker.unlock()
    yield
    layer._tracker.lock()


def untrack(layer: Any, variable: keras.Variable) -> None:
    """Lets a layer forget one of its variables."""
    layer._untrack_variable(variable)


_CALL = ("_call_signature", "_call_has_training_arg", "_call_has_mask_arg", "_call_context_args")


def take_call_signature(layer: Any, other: Any) -> None:
    """Lets a layer be called as another: with its masks, its training and its inputs."""
    for name in _CALL:
        if hasattr(other, name):
            setattr(layer, name, getattr(other, name))


def take_path(layer: Any, other: Any) -> None:
    """Gives a layer the path of another."""
    layer._parent_path, layer._path = other._parent_path, other._path


# Where weights lie: the public attributes are computed where LoRA or quantization is on.
KERNEL = "_kernel"
EMBEDDINGS = "_embeddings"


def projection(role: str) -> str:
    """The attribute of an attention layer's "query", "key", "value", "gate" or "output"."""
    return f"_{role}_dense"


def output_projection(layer: Any) -> Any:
    """The layer behind an attention layer's heads."""
    return layer._output_dense


def attention_setting(name: str) -> str:
    """The attribute of a `MultiHeadAttention`'s "num_heads", "key_dim" or "value_dim"."""
    return f"_{name}"


def attention_is_gated(layer: Any) -> bool:
    """Whether a `MultiHeadAttention` has a gate; earlier versions of Keras have none."""
    return getattr(layer, "_use_gate", False)


def attention_output_shape(layer: Any) -> Any:
    """The output shape that a `MultiHeadAttention` was given, or None."""
    return layer._output_shape


def statistics_axes(layer: keras.layers.Normalization) -> Sequence[int]:
    """The axes for which a `Normalization` keeps statistics."""
    return layer._keep_axis


def states_batch_size(layer: keras.layers.RNN) -> int | None:
    """The batch size that a recurrent layer was built for."""
    return layer._expected_batch_size


def create_states(layer: keras.layers.RNN, batch_size: int) -> None:
    """Makes the states of a stateful recurrent layer."""
    layer._create_state_variables(batch_size)
    layer._expected_batch_size = batch_size
