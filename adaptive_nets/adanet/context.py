"""`SearchContext`: the settings of a search and facts about its data."""

import dataclasses
from typing import Any

import keras
import tensorflow as tf

from adaptive_nets.adanet.defaults import Defaults
from adaptive_nets.adanet.ensembles.ensembler import Ensembler
from adaptive_nets.adanet.settings import SearchSettings
from adaptive_nets.data.preprocessing import Preprocessor
from adaptive_nets.data.schema import Schema
from adaptive_nets.data.specs import Spec, describe_spec
from adaptive_nets.distribute import Group, make_strategy
from adaptive_nets.heads import Head
from adaptive_nets.heads.loss_scale import LossScale
from adaptive_nets.serialization import describe_object

# Settings that older states lack, and what these searches did.
_LATER = {"early_stopping": None, "folds": None, "repeats": 1, "mixture_data": "train"}


def configuration_of(state: dict[str, Any]) -> dict[str, Any]:
    """Returns the `SearchContext.configuration` of a stored state.

    Args:
        state: Its values.
    """
    stored = {**_LATER, **state["settings"], "fit": state["fit"], "seed": state["seed"]}
    return _explicit(stored, Defaults.of_state(state))


def _explicit(settings, values):
    """Returns settings without "auto": to pass the default explicitly is the same search."""
    found = {k: v for k, v in settings.items() if k != "max_iterations"}
    return {**found, "steps_per_iteration": values.steps, "adanet_lambda": values.adanet_lambda}


@dataclasses.dataclass(frozen=True, eq=False)
class SearchContext:
    """A search's settings and what `fit` has learnt about its data. It never changes.

    It can be pickled for a worker, without the preprocessing model, which is stored with the
    state. The worker creates its own strategy from `settings.distribute`.

    Args:
        settings: `SearchSettings`.
        head: The head, adapted to the labels.
        schema: `Schema` of the raw features.
        batch_size: Rows per step.
        seed: The seed in use.
        fingerprint: Fingerprint of the rows that ensembles are trained and weighed on.
        preprocessor: `Preprocessor` that is applied to all rows.
        group: The processes that train together, with their strategy.
        loss_scale: The head's `LossScale` on the first training rows, or `None`. States written
            before there was one have none, and go on as they began.
        loaded: The `configuration_of` the state that it was loaded with, whose settings may have
            been replaced since; `None` where it was not loaded.
    """

    settings: SearchSettings
    head: Head
    schema: Schema
    batch_size: int
    seed: int
    fingerprint: str
    preprocessor: Preprocessor
    group: Group
    loss_scale: LossScale | None = None
    loaded: dict[str, Any] | None = None

    @property
    def spec(self) -> Spec:
        """Feature spec of the raw features, as models take them."""
        return self.schema.spec

    @property
    def strategy(self) -> tf.distribute.Strategy:
        return self.group.strategy

    @property
    def ensembler(self) -> Ensembler:
        """The settings' `Ensembler` for the head, its penalty relative to the size of the loss."""
        ensembler = self.settings.ensembler.for_head(self.head)
        return ensembler if self.loss_scale is None else ensembler.relative_to(self.loss_scale)

    @property
    def loss_unit(self) -> float:
        """What the loss is measured in, 1 in classification."""
        return 1.0 if self.loss_scale is None else self.loss_scale.overall

    @property
    def preprocessing(self) -> keras.Model | None:
        """The preprocessing model, or `None`."""
        return self.preprocessor.model

    def header(self) -> dict[str, Any]:
        """Returns the part of the state that rounds do not change, as JSON values."""
        warm = self.settings.warm_start
        return {
            **({} if warm is None else {"warm_start": warm.to_json()}),
            "seed": self.seed,
            "settings": self.settings.to_json(),
            "defaults": self.settings.defaults.to_json(),
            "fit": self._fit_settings(),
            "schema": self.schema.to_dict(),
            "adapted_head": describe_object(self.head),
            "data": self.fingerprint,
            "loss_scale": self.loss_scale and self.loss_scale.to_json(),
            "preprocessed": self.preprocessing is not None,
        }

    def configuration(self) -> dict[str, Any]:
        """Returns what a search that goes on is compared by, as JSON values by name."""
        if self.loaded is not None:
            return self.loaded
        given = {**self.settings.to_json(), "fit": self._fit_settings(), "seed": self.seed}
        return _explicit(given, Defaults(self.settings.steps, self.settings.penalty))

    def _fit_settings(self):
        return {"features": describe_spec(self.spec), "batch_size": self.batch_size}

    def __getstate__(self):
        return {**self.__dict__, "preprocessor": None, "group": None}

    def __setstate__(self, state):
        strategy = make_strategy(state["settings"].distribute)
        own = {"preprocessor": Preprocessor(), "group": Group(strategy)}
        self.__dict__.update({**state, **own})
