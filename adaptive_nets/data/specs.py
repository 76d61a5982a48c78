"""`FeatureSpec`: shape and dtype of one feature, as models take it."""

import dataclasses

import keras


@dataclasses.dataclass(frozen=True)
class FeatureSpec:
    """Shape (without the batch axis) and dtype of one feature."""

    shape: tuple
    dtype: str

    def __str__(self):
        return f"{self.dtype}{list(self.shape)}"


Spec = FeatureSpec | dict[str, FeatureSpec]


def spec_from_json(spec: dict) -> Spec:
    """Restores a feature spec, as version 0.1 stored it."""
    if set(spec) == {"shape", "dtype"} and isinstance(spec["dtype"], str):
        return FeatureSpec(tuple(spec["shape"]), spec["dtype"])
    return {name: spec_from_json(s) for name, s in spec.items()}


def describe_spec(spec: Spec) -> str:
    """Returns a readable form of a feature spec."""
    if isinstance(spec, dict):
        return "{" + ", ".join(f"{k}: {v}" for k, v in spec.items()) + "}"
    return str(spec)


def make_inputs(spec: Spec) -> keras.KerasTensor | dict[str, keras.KerasTensor]:
    """Creates symbolic inputs for a feature spec: one, or a dict of them."""
    if isinstance(spec, dict):
        return {name: keras.Input(s.shape, dtype=s.dtype, name=name) for name, s in spec.items()}
    return keras.Input(spec.shape, dtype=spec.dtype, name="features")
