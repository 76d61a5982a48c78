"""A search's state on disk: what is written of it, how it is read back, and its replay."""

import os
from typing import TYPE_CHECKING, Any

from adaptive_nets.adanet.candidates.replay import ReplayGenerator, ReplayStrategy
from adaptive_nets.adanet.checkpoints.checkpointer import PREPROCESSING_FILE
from adaptive_nets.adanet.checkpoints.codec import differences
from adaptive_nets.adanet.checkpoints.model_dir import ModelDir
from adaptive_nets.adanet.checkpoints.search_state import SearchState, chosen_candidates
from adaptive_nets.adanet.ensembles.member import Member
from adaptive_nets.adanet.results import SearchResults
from adaptive_nets.data.schema import spec_from_json, spec_to_json
from adaptive_nets.serialization import describe_object, restore_object

if TYPE_CHECKING:
    from adaptive_nets.adanet.search import AdaNet


class StoredSearch(SearchResults):
    """The part of `AdaNet` that knows its `model_dir`."""

    @classmethod
    def load(
        cls,
        model_dir: str | os.PathLike,
        *,
        state_file: str | os.PathLike | None = None,
        **settings: Any,
    ) -> "AdaNet":
        """The search that a `model_dir` holds, ready to predict, export or `fit` on.

        Args:
            model_dir: Folder of a search.
            state_file: One of its state files, of which the newest three are kept. Defaults to
                `None`: the newest.
            **settings: Constructor arguments to replace: `max_iterations`, or what JSON could
                not hold (a generator of functions, a complexity function, an evaluator's data).

        Raises:
            ValueError: There is no search in the folder, or a part of it cannot be rebuilt and
                was not given.
        """
        if not os.path.isdir(model_dir):
            raise ValueError(f"There is no search to load: no folder '{model_dir}'.")
        folder = ModelDir(model_dir)
        state = folder.read_state(state_file)
        if state is None:
            raise ValueError(f"There is no search to load in '{model_dir}'.")
        stored = state["settings"]
        rebuilt = {
            name: restore_object(value, name) for name, value in stored.items()
            if name not in settings
        }  # fmt: skip
        search = cls(**{**rebuilt, "model_dir": model_dir, "seed": state["seed"], **settings})
        search.head = restore_object(state["adapted_head"], "head")
        search._restore(state, folder)
        return search

    @classmethod
    def replay(
        cls,
        model_dir: str | os.PathLike,
        x: Any,
        y: Any = None,
        *,
        settings: dict | None = None,
        **arguments: Any,
    ) -> "AdaNet":
        """Trains the architecture that a search has found on other data, without searching.

        Each round trains only what the recorded round chose, and takes it. Weights, mixture
        weights and what the head learns of the labels are those of the new data.

        Args:
            model_dir: Folder of the recorded search; it is only read.
            x: Features of the same form as the recorded search's, as for `fit`.
            y: Labels, as for `fit`.
            settings: Constructor arguments to replace, such as `model_dir` (none by default),
                `seed`, or what JSON could not hold.
            **arguments: Of `fit`.

        Returns:
            A new, fitted search.

        Raises:
            ValueError: There is no search in the folder, its ensemble is missing, or the data has
                another form. Nothing is trained then.

        Example:

        ```python
        import numpy as np
        import adaptive_nets as an

        x = np.random.default_rng(0).normal(size=(200, 4))
        y = (x[:, 0] * x[:, 1] > 0).astype(int)
        first = an.AdaNet(
            an.heads.BinaryClass(), max_iterations=2, steps_per_iteration=20, model_dir="first"
        )
        first.fit(x[:100], y[:100], verbose=0)
        again = an.AdaNet.replay("first", x[100:], y[100:], verbose=0)
        ```
        """
        settings = {"model_dir": None, **(settings or {})}
        given = {k: v for k, v in settings.items() if k not in ("model_dir", "seed")}
        recorded = cls.load(model_dir, **given)
        record = recorded.record
        chosen = chosen_candidates(record)
        if not chosen:
            raise ValueError(f"There is nothing to replay in '{model_dir}': no round is complete.")
        found = {
            **recorded._settings,
            "seed": recorded.used_seed,
            "evaluator": None,
            **settings,
            "generator": ReplayGenerator(recorded.generator, chosen, record.reports),
            "ensemble_strategies": ReplayStrategy(chosen),
            "max_iterations": len(chosen),
            "force_grow": True,
        }
        search = cls(**found)
        search._spec = recorded._spec
        return search.fit(x, y, **arguments)

    def state_header(self) -> dict:
        """The part of the state that rounds do not change, as JSON values."""
        return {
            "seed": self.used_seed,
            "settings": self._described(),
            "fit": self._fit_settings,
            "spec": spec_to_json(self._spec),
            "adapted_head": describe_object(self.head),
            "data": self.data_fingerprint,
            "preprocessed": self.preprocessing is not None,
        }

    def _described(self):
        plain = {"model_dir", "seed", "jit_compile", "checkpoint_seconds", "cache_bytes"}
        plain |= {"distribute", "placement"}
        return {k: describe_object(v) for k, v in self._settings.items() if k not in plain}

    def _check_same(self, state, fit_settings):
        given = {**self._described(), "fit": fit_settings, "seed": self.used_seed}
        stored = {**state["settings"], "fit": state["fit"], "seed": state["seed"]}
        for settings in (given, stored):
            settings.pop("max_iterations")
        found = differences(stored, given)
        if found:
            more = f" and {len(found) - 6} more" if len(found) > 6 else ""
            raise ValueError(
                f"model_dir '{self.model_dir}' holds a search of another configuration: "
                f"{'; '.join(found[:6])}{more}. Use the same settings or another model_dir."
            )

    def _restore(self, state, folder):
        members = {}
        for name, fields in state["members"].items():
            plain = {k: v for k, v in fields.items() if k != "file"}
            plain["parents"] = tuple(members[parent] for parent in fields["parents"])
            members[name] = Member(model=folder.load_model(fields["file"]), **plain)
        self.record = SearchState.from_json(state["record"], members)
        self._spec, self._fit_settings = spec_from_json(state["spec"]), state["fit"]
        self.data_fingerprint, self.used_seed = state["data"], state["seed"]
        if state["preprocessed"]:
            self.preprocessing = folder.load_model(PREPROCESSING_FILE)
        self._opened = True
