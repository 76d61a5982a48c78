"""`Portable`: the part of `AdaNet` that is copied and pickled."""

import contextlib
import copy
import os
from collections.abc import Iterator
from typing import Any, Self

from adaptive_nets._checks import check_number
from adaptive_nets.adanet.checkpoints import portable
from adaptive_nets.adanet.checkpoints.model_dir import ModelDir
from adaptive_nets.adanet.checkpoints.reader import ModelDirReader
from adaptive_nets.adanet.checkpoints.search_state import SearchState
from adaptive_nets.adanet.checkpoints.writer_lease import WriterLease
from adaptive_nets.adanet.placement.base import make_placement
from adaptive_nets.adanet.preparation import Known
from adaptive_nets.adanet.results import SearchResults
from adaptive_nets.adanet.settings import SearchSettings
from adaptive_nets.distribute import Group, make_strategy

# What a search makes of its settings, and what it knows.
_MADE = frozenset(
    ("settings", "_placement", "strategy", "group", "is_chief", "_known", "_results", "lease")
)  # fmt: skip


class Portable:
    """What a search is made of, so that `copy.deepcopy` and `pickle` give an equal one.

    The copy shares no model with the first, predicts the same and continues from the same round.
    Of a search with a `model_dir` that has been fitted, only one may continue in the folder.

    Attributes:
        lease: `WriterLease` that is held already for the search, or `None`: it takes its own.
    """

    lease: WriterLease | None

    def _begin(self, settings: SearchSettings) -> None:
        """Makes a search that knows nothing yet."""
        self.settings = settings
        self._placement = make_placement(settings)
        self.strategy = make_strategy(self._placement.distribute)
        self.group = Group(self.strategy)
        self.is_chief = self._placement.is_chief(self.group)
        self.stop_training, self.lease = False, None
        # The folder of the last call, and the number of its newest state.
        self._left = ("", 0)
        self._known = Known(None, SearchState(), None)
        self._results = SearchResults(None, SearchState())

    @contextlib.contextmanager
    def _opened(
        self, path: str | os.PathLike | None, lock_timeout: float
    ) -> Iterator[ModelDirReader | None]:
        """Opens the folder in which a search is kept; the chief alone writes to it meanwhile.

        Args:
            path: Its path: the search's own or a callback's. `None` for none.
            lock_timeout: Seconds to wait for another writer to end.

        Raises:
            ModelDirInUseError: Another `fit` writes to it.
            ValueError: Another search has continued there from what this one knows.
        """
        lock_timeout = check_number("lock_timeout", lock_timeout, 0)
        if path is None:
            yield None
        elif not self.is_chief:
            yield ModelDirReader(path)
        else:
            folder = ModelDir(path)
            with contextlib.ExitStack() as stack:

                def take_lease():
                    return stack.enter_context(WriterLease(folder.path).held(lock_timeout))

                # Of a finished search nothing is written, not even a lease.
                if self.lease is not None:
                    folder.lease = self.lease
                elif folder.is_finished(self.settings.rounds):
                    folder.take_lease = take_lease
                else:
                    folder.lease = take_lease()
                self._check_left(folder)
                try:
                    yield folder
                finally:
                    newest = folder.newest
                    # Of what another writer has added since, this search knows nothing.
                    with contextlib.suppress(OSError):
                        if folder.lease is not None:
                            folder.lease.confirm()
                        self._left = str(folder.path), newest
            folder.leave()

    def _check_left(self, folder: ModelDir) -> None:
        """Refuses a folder in which another search has gone on from what this one knows."""
        path, number = self._left
        fitted = self._known.context is not None
        if fitted and path == str(folder.path) and folder.newest > number:
            raise ValueError(
                f"model_dir '{folder.path}' holds the rounds of another copy of this search, or of "
                "another process, which has continued since this one used it last. Expected one of "
                "them to use the folder. Load it with AdaNet.load to go on from there, or use "
                "another folder."
            )

    def __copy__(self) -> Self:
        new = type(self).__new__(type(self))
        new.__dict__.update(self.__dict__)
        return new

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        new = type(self).__new__(type(self))
        memo[id(self)] = new
        new._begin(portable.copy_settings(self.settings))
        new.__dict__.update(copy.deepcopy(self._own(), memo))
        context, state, schema = self._known.context, self._known.state, self._known.schema
        new.adopt(
            portable.copy_context(context, self.settings, new.settings, new.group),
            portable.copy_state(state),
            schema,
        )
        return new

    def __getstate__(self) -> dict[str, Any]:
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
