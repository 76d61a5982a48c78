"""What a call of `fit` knows before the first step."""

import dataclasses
from typing import Any

import keras
import tensorflow as tf

from adaptive_nets.adanet.settings import SearchSettings
from adaptive_nets.data.preprocessing import Preprocessor
from adaptive_nets.data.schema import Spec, describe_spec, spec_to_json
from adaptive_nets.distribute import Group, make_strategy
from adaptive_nets.heads import Head
from adaptive_nets.serialization import describe_object, differences


@dataclasses.dataclass(frozen=True, eq=False)
class SearchContext:
    """A search's settings with what `fit` learnt of its data; nothing in it changes.

    It can be pickled for a worker, without the preprocessing model, which is in the state's
    files; the worker makes a strategy of its own by `settings.distribute`.

    Attributes:
        settings: `SearchSettings`.
        head: The head, adapted to the labels.
        spec: Of the raw features.
        batch_size: Rows per step.
        seed: The seed in use.
        fingerprint: Of the training rows.
        preprocessor: What all rows pass first.
        group: The processes that train together, with their strategy.
    """

    settings: SearchSettings
    head: Head
    spec: Spec
    batch_size: int
    seed: int
    fingerprint: str
    preprocessor: Preprocessor
    group: Group

    @property
    def strategy(self) -> tf.distribute.Strategy:
        return self.group.strategy

    @property
    def preprocessing(self) -> keras.Model | None:
        """The model that features pass first, or `None`."""
        return self.preprocessor.model

    def header(self) -> dict[str, Any]:
        """The part of the state that rounds do not change, as JSON values."""
        return {
            "seed": self.seed,
            "settings": self.settings.to_json(),
            "fit": self._fit_settings(),
            "spec": spec_to_json(self.spec),
            "adapted_head": describe_object(self.head),
            "data": self.fingerprint,
            "preprocessed": self.preprocessing is not None,
        }

    def check_same(self, state: dict[str, Any]) -> None:
        """Refuses to go on from the state of another configuration."""
        given = {**self.settings.to_json(), "fit": self._fit_settings(), "seed": self.seed}
        stored = {**state["settings"], "fit": state["fit"], "seed": state["seed"]}
        for settings in (given, stored):
            settings.pop("max_iterations")
        found = differences(stored, given)
        if found:
            more = f" and {len(found) - 6} more" if len(found) > 6 else ""
            raise ValueError(
                f"model_dir '{self.settings.model_dir}' holds a search of another configuration: "
                f"{'; '.join(found[:6])}{more}. Use the same settings or another model_dir."
            )

    def _fit_settings(self):
        return {"features": describe_spec(self.spec), "batch_size": self.batch_size}

    def __getstate__(self):
        return {**self.__dict__, "preprocessor": None, "group": None}

    def __setstate__(self, state):
        strategy = make_strategy(state["settings"].distribute)
        own = {"preprocessor": Preprocessor(), "group": Group(strategy)}
        self.__dict__.update({**state, **own})
