"""`Portable`: the part of `AdaNet` that is copied and pickled."""

import copy
import os
from typing import Any, Self

from adaptive_nets.adanet.checkpoints import portable
from adaptive_nets.adanet.checkpoints.model_dir import ModelDir
from adaptive_nets.adanet.checkpoints.reader import ModelDirReader
from adaptive_nets.adanet.checkpoints.search_state import SearchState
from adaptive_nets.adanet.placement.base import make_placement
from adaptive_nets.adanet.preparation import Known
from adaptive_nets.adanet.results import SearchResults
from adaptive_nets.adanet.settings import SearchSettings
from adaptive_nets.distribute import Group, make_strategy

# What a search makes of its settings, and what it knows.
_MADE = frozenset(
    ("settings", "_placement", "strategy", "group", "is_chief", "_known", "_results")
)  # fmt: skip


class Portable:
    """What a search is made of, so that `copy.deepcopy` and `pickle` give an equal one.

    The copy shares no model with the first, predicts the same and continues from the same round.
    Of a search with a `model_dir` that has been fitted, only one may continue in the folder.
    """

    def _begin(self, settings: SearchSettings) -> None:
        """Makes a search that knows nothing yet."""
        self.settings = settings
        self._placement = make_placement(settings)
        self.strategy = make_strategy(self._placement.distribute)
        self.group = Group(self.strategy)
        self.is_chief = self._placement.is_chief(self.group)
        self.stop_training = False
        self._copied_at = None
        self._known = Known(None, SearchState(), None)
        self._results = SearchResults(None, SearchState())

    def _folder(self, path: str | os.PathLike | None) -> ModelDirReader | None:
        """Returns the folder in which a search is kept, or `None`.

        Args:
            path: Its path: the search's own or a callback's.

        Raises:
            ValueError: Another copy of the search has continued there.
        """
        if path is None:
            return None
        kind = ModelDir if self.is_chief else ModelDirReader
        folder = kind(path)
        if self._copied_at is not None and folder.newest not in (0, self._copied_at):
            raise ValueError(
                f"model_dir '{path}' holds the rounds of another copy of this "
                "search, which has continued since they were copied. Expected one of them to use "
                "the folder. Load it with AdaNet.load, or copy the folder for the other."
            )
        self._copied_at = None
        return folder

    def __copy__(self) -> Self:
        new = type(self).__new__(type(self))
        new.__dict__.update(self.__dict__)
        return new

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        new = type(self).__new__(type(self))
        memo[id(self)] = new
        new._begin(portable.copy_settings(self.settings))
        self._mark()
        new.__dict__.update(copy.deepcopy(self._own(), memo))
        context, state, schema = self._known.context, self._known.state, self._known.schema
        new.adopt(
            portable.copy_context(context, self.settings, new.settings, new.group),
            portable.copy_state(state),
            schema,
        )
        return new

    def __getstate__(self) -> dict[str, Any]:
        self._mark()
        return {
            "settings": portable.pack_settings(self.settings),
            "context": portable.pack_context(self._known.context, self.settings),
            "state": portable.pack_state(self._known.state),
            "schema": self._known.schema,
            "own": self._own(),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._begin(portable.unpack_settings(state["settings"]))
        self.__dict__.update(state["own"])
        context = portable.unpack_context(state["context"], self.settings, self.group)
        self.adopt(context, portable.unpack_state(state["state"]), state["schema"])

    def _own(self) -> dict[str, Any]:
        """Returns the other attributes, such as those of a derived class."""
        return {name: value for name, value in self.__dict__.items() if name not in _MADE}

    def _mark(self) -> None:
        """Notes what the folder holds as the search is copied."""
        fitted = self.settings.model_dir is not None and self._known.context is not None
        if fitted and self._copied_at is None:
            self._copied_at = ModelDirReader(self.settings.model_dir).newest
