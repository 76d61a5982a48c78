"""Connections from frozen subnetworks' hidden layers to a new one (AdaNet, section 3)."""

from typing import TYPE_CHECKING

import keras

from adaptive_nets._checks import check_choice, check_instance, check_integer, check_number, show

if TYPE_CHECKING:
    from adaptive_nets.adanet.ensembles.ensemble import Ensemble

CONNECTIONS = ("all", "previous", "none")


def connect(
    x: keras.KerasTensor,
    previous: "Ensemble | None",
    layer: int,
    which: str = "all",
    dropout: float = 0.0,
) -> keras.KerasTensor:
    """Concatenates a hidden layer of a new subnetwork with those of the frozen subnetworks.

    The result is the input of layer `layer + 1`: a dense layer on it computes
    `U φ(a) + Σ_s V_s φ(a^(s))`, with a and a^(s) from layer `layer` of the new and of each frozen
    subnetwork. Frozen layers are not trained, and on finite data their outputs are computed once.

    Args:
        x: KerasTensor `(batch, ..., units)`, the new subnetwork's own layer.
        previous: The `Ensemble` that was passed to the builder, or `None`.
        layer: Number of the hidden layer, from 1.
        which: Members to read: `"all"` that have such a layer, `"previous"`, only the last one
            added (AdaNet.P), or `"none"`. Defaults to `"all"`.
        dropout: Dropout rate on the frozen layers, in [0, 1) (AdaNet.D). Defaults to 0.

    Returns:
        KerasTensor `(batch, ..., more units)`, or `x` itself if there is nothing to read.

    Raises:
        ValueError: A frozen layer differs from `x` in an axis other than the last.

    Example:

    ```python
    import keras
    import adaptive_nets as an

    class Connected(an.adanet.Builder):
        name = "connected"

        def build(self, inputs, units, previous=None):
            first = keras.layers.Dense(8, activation="relu")(inputs)
            read = an.adanet.connect(first, previous, layer=1, dropout=0.1)
            second = keras.layers.Dense(8, activation="relu")(read)
            logits = keras.layers.Dense(units)(second)
            return an.adanet.Subnetwork(logits, second, hidden=[first, second], depth=2)
    ```
    """
    check_choice("which", which, CONNECTIONS)
    check_instance("x", x, keras.KerasTensor, "a KerasTensor")
    layer = check_integer("layer", layer, 1)
    dropout = check_number("dropout", dropout, 0, 1, "low")
    if previous is not None and not hasattr(previous, "hidden"):
        raise TypeError(
            f"previous must be an adanet.Ensemble or None. Received: previous={show(previous)}."
        )
    if previous is None or which == "none":
        return x
    listed = list(zip(previous.members, previous.hidden, strict=True))
    if which == "previous":
        listed = listed[-1:]
    frozen = []
    for member, hidden in listed:
        if len(hidden) < layer:
            continue
        tensor = hidden[layer - 1]
        if tuple(tensor.shape[1:-1]) != tuple(x.shape[1:-1]):
            raise ValueError(
                f"Cannot connect to hidden layer {layer} of subnetwork '{member.name}': expected "
                f"the shape {(*x.shape[:-1], 'units')} of the new subnetwork's layer. Received: "
                f"{tuple(tensor.shape)}. Pool or resize the layer that both list in `hidden`."
            )
        frozen.append(tensor)
    if not frozen:
        return x
    joined = frozen[0] if len(frozen) == 1 else keras.layers.Concatenate()(frozen)
    if dropout:
        joined = keras.layers.Dropout(dropout)(joined)
    return keras.layers.Concatenate()([x, joined])
