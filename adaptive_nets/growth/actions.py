"""Growth as a value: what a callback does to the model when its time has come."""

import abc
import dataclasses
from collections.abc import Mapping
from typing import Any

import keras

from adaptive_nets._checks import check_config, check_integer, plain
from adaptive_nets.graphs.read import check_model
from adaptive_nets.growth.core.plan import Plan
from adaptive_nets.growth.deepen import check_deepening, plan_deepen
from adaptive_nets.growth.fuse import check_fusion, plan_fuse, plan_self_fuse
from adaptive_nets.growth.widen import check_widening, plan_widen
from adaptive_nets.serialization import make_object


@dataclasses.dataclass(frozen=True)
class Action(abc.ABC):
    """Base class of actions; `plan(model)` says what would be done to a model."""

    def __post_init__(self) -> None:
        # A frozen dataclass is only changed while it is made.
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, plain(getattr(self, field.name)))

    @abc.abstractmethod
    def plan(self, model: keras.Model, seed: int | None = None) -> Plan:
        """The plan for a model; nothing is changed.

        Args:
            model: A built model.
            seed: For what is drawn, if the action has no seed of its own.

        Returns:
            A plan for `adaptive_nets.growth.apply`.
        """

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Action":
        """The action of a configuration."""
        return cls(**check_config(cls, config))


@keras.saving.register_keras_serializable(package="adaptive_nets")
@dataclasses.dataclass(frozen=True)
class Widen(Action):
    """Widens layers; the arguments are those of `adaptive_nets.growth.widen`."""

    widths: float | Mapping[str, int | float] = 2.0
    method: str = "zero"
    noise: float = 0.0
    preserve: str = "exact"
    round_to: int = 1
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_widening(
            self.widths, self.method, self.noise, self.preserve, self.round_to, self.seed
        )

    def plan(self, model: keras.Model, seed: int | None = None) -> Plan:
        own = seed if self.seed is None else self.seed
        return plan_widen(
            model, self.widths, self.method, self.noise, self.preserve, self.round_to, own
        )


@keras.saving.register_keras_serializable(package="adaptive_nets")
@dataclasses.dataclass(frozen=True)
class Deepen(Action):
    """Inserts layers; the arguments are those of `adaptive_nets.growth.deepen`."""

    after: Any = None
    method: str = "auto"
    preserve: str = "exact"
    seed: int | None = None
    times: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_deepening(self.after, self.method, self.preserve, self.seed, self.times)

    def plan(self, model: keras.Model, seed: int | None = None) -> Plan:
        own = seed if self.seed is None else self.seed
        return plan_deepen(model, self.after, self.method, self.preserve, own, self.times)


@keras.saving.register_keras_serializable(package="adaptive_nets")
@dataclasses.dataclass(frozen=True)
class SelfFuse(Action):
    """Fuses the model with itself; the arguments are those of `self_fuse`."""

    copies: int = 2
    cross: float | str = 0.1
    norm: str = "joint"
    preserve: str = "approximate"
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integer("copies", self.copies, 2)
        check_fusion(self.cross, self.norm, "mean", self.preserve, self.seed)

    def plan(self, model: keras.Model, seed: int | None = None) -> Plan:
        own = seed if self.seed is None else self.seed
        return plan_self_fuse(model, self.copies, self.cross, self.norm, self.preserve, own)


@keras.saving.register_keras_serializable(package="adaptive_nets")
@dataclasses.dataclass(frozen=True)
class FuseWith(Action):
    """Fuses the model with another trained one; the arguments are those of `fuse`."""

    other: keras.Model
    cross: float | str = "zero"
    norm: str = "joint"
    output: str = "mean"
    preserve: str = "exact"
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_model("other", self.other)
        check_fusion(self.cross, self.norm, self.output, self.preserve, self.seed)

    def plan(self, model: keras.Model, seed: int | None = None) -> Plan:
        own = seed if self.seed is None else self.seed
        sources = [model, self.other]
        return plan_fuse(sources, self.cross, self.norm, self.output, self.preserve, own)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config["other"] = keras.saving.serialize_keras_object(self.other)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "FuseWith":
        config = check_config(cls, config)
        return cls(**{**config, "other": make_object(config["other"], "layer")})
