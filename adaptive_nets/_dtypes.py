"""The dtype of what this package adds to a model."""

import keras


def whole_dtype() -> str:
    """Returns the dtype of scaling, mixing and logits: float32, or float64 if floatx is.

    Half precision, of a mixed policy or of floatx, holds neither the offset of a target nor large
    features.
    """
    return "float64" if keras.config.floatx() == "float64" else "float32"


def whole(tensor: keras.KerasTensor, name: str | None = None) -> keras.KerasTensor:
    """Returns a symbolic tensor in `whole_dtype`, cast by a stock layer if it is of half precision.

    Args:
        tensor: `keras.KerasTensor`.
        name: Name of the layer. Defaults to `None`: numbered by Keras.
    """
    if keras.backend.standardize_dtype(tensor.dtype) in ("float32", "float64"):
        return tensor
    return keras.layers.Activation("linear", dtype=whole_dtype(), name=name)(tensor)
