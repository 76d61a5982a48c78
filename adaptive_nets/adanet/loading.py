"""`AdaNet.load` and `AdaNet.replay`: searches from the saved state of another one."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any, TypeVar

from adaptive_nets._checks import check_dict, check_path, or_none, show
from adaptive_nets.adanet.candidates.replay import ReplayGenerator, ReplayStrategy
from adaptive_nets.adanet.checkpoints.load import (
    open_folder,
    read_search,
    restore_settings,
    same_ensembler,
)
from adaptive_nets.adanet.checkpoints.search_state import SearchState
from adaptive_nets.adanet.context import SearchContext, configuration_of
from adaptive_nets.adanet.defaults import Defaults
from adaptive_nets.adanet.settings import SearchSettings
from adaptive_nets.data.preprocessing import Preprocessor
from adaptive_nets.files.models import reading
from adaptive_nets.heads.loss_scale import LossScale
from adaptive_nets.keras_internals import check_not_forked, seeded
from adaptive_nets.serialization import restore_object

S = TypeVar("S")


@seeded(0)
def load_search(
    cls: type[S],
    model_dir: str | os.PathLike,
    *,
    state_file: str | os.PathLike | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    trust: bool = False,
    **settings: Any,
) -> S:
    """Loads the search in a `model_dir`, ready to predict, export or continue with `fit`.

    The folder is data: it names classes and functions, which must be Keras' own or this package's,
    registered with `keras.saving.register_keras_serializable`, or passed. None is imported because
    the folder names it.

    Args:
        cls: `AdaNet`, or a subclass.
        model_dir: Folder of a search.
        state_file: One of its state files, of which those of three rounds are kept. Defaults to
            `None`: the newest one that is whole.
        custom_objects: Classes and functions by name, besides those that are registered, as for
            `keras.saving.load_model`. Defaults to `None`.
        trust: Whether the models in the folder may hold and name code, such as Lambda layers of
            Python lambdas, which then runs. Use it only for folders that you, or people you trust,
            have written. Defaults to `False`.
        **settings: Constructor arguments to replace: `max_iterations`, or what JSON cannot hold
            (a generator of functions, a complexity function, an evaluator's data).

    Returns:
        The search.

    Raises:
        ValueError: The folder holds no search or only damaged ones, or a part of it cannot be
            rebuilt and was not passed, or names what it may not name.
    """
    check_not_forked("AdaNet.load")
    state_file = or_none(check_path, "state_file", state_file)
    folder = open_folder(model_dir)
    # Looked up first: a state that comes later has not been read.
    left = folder.newest

    def load(stored):
        search = cls(**restore_settings(stored, {"model_dir": model_dir, **settings}))
        same = same_ensembler(stored, search.settings.to_json())
        found = read_search(stored, folder, search.settings.ensembler if same else None)
        used = dataclasses.replace(search.settings, defaults=Defaults.of_state(stored))
        context = SearchContext(
            used, restore_object(stored["adapted_head"], "head"), found.schema,
            found.batch_size, found.seed, found.fingerprint, Preprocessor(found.preprocessing),
            search.group, LossScale.from_json(stored.get("loss_scale")), configuration_of(stored),
        )  # fmt: skip
        search.adopt(context, found.state, left=(str(folder.path), left))
        return search

    with reading(custom_objects, trust):
        search = folder.read_whole(load, state_file)
    if search is None:
        raise ValueError(
            f"There is no search to load in '{model_dir}'. Received: model_dir={show(model_dir)}."
        )
    return search


def _recorded_steps(recorded):
    """Returns the steps of a round; of the longest one, if they have followed from the time."""
    steps = recorded.settings.steps_per_iteration
    return max(entry.steps for entry in recorded.state.entries) if steps == "auto" else steps


def replay_search(
    cls: type[S],
    model_dir: str | os.PathLike,
    x: Any,
    y: Any = None,
    *,
    settings: dict | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    trust: bool = False,
    **arguments: Any,
) -> S:
    """Trains the architecture that a search has found on other data, without searching.

    Each round trains only the subnetworks that the recorded round selected, and selects them
    again. Weights, mixture weights and the head's labels are learnt from the new data.

    Args:
        cls: `AdaNet`, or a subclass.
        model_dir: Folder of the recorded search. It is only read.
        x: Features with the recorded search's feature spec, as for `fit`.
        y: Labels, as for `fit`.
        settings: Constructor arguments to replace, such as `model_dir` (none by default),
            `seed`, or what JSON cannot hold.
        custom_objects: As for `AdaNet.load`.
        trust: As for `AdaNet.load`.
        **arguments: Further arguments of `fit`.

    Returns:
        A new, fitted search.

    Raises:
        ValueError: The folder holds no search or no ensemble, or the features do not match.
            Nothing is trained then.

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
    words = "a dict of constructor arguments, or None"
    given = or_none(check_dict, "settings", settings, object, words)
    settings = {"model_dir": None, **(given or {})}
    unknown = sorted(settings.keys() - set(SearchSettings.argument_names()))
    if unknown:
        raise ValueError(
            f"settings must be constructor arguments of AdaNet. Received: {', '.join(unknown)}."
        )
    given = {k: v for k, v in settings.items() if k not in ("model_dir", "seed")}
    recorded = load_search(cls, model_dir, custom_objects=custom_objects, trust=trust, **given)
    rounds = recorded.state.chosen_candidates()
    chosen = list(rounds.values())
    if not chosen:
        raise ValueError(f"Nothing to replay in '{model_dir}': no round has been completed.")
    found = {
        **recorded.settings.as_arguments(),
        "evaluator": None,
        "steps_per_iteration": _recorded_steps(recorded),
        **settings,
        "generator": ReplayGenerator(
            recorded.settings.generator, chosen, recorded.state.reports, list(rounds)
        ),
        "ensemble_strategies": ReplayStrategy(chosen),
        "max_iterations": len(chosen),
        "force_grow": True,
    }
    search = cls(**found)
    search.adopt(None, SearchState(), recorded.schema)
    return search.fit(x, y, **arguments)
