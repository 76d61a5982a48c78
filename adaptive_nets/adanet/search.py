"""`AdaNet`, the ensemble search."""

import contextlib
import dataclasses
import functools
import os
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from adaptive_nets.adanet.candidates.builder import Subnetwork
from adaptive_nets.adanet.candidates.generator import Generator
from adaptive_nets.adanet.candidates.stock.dense import Dense
from adaptive_nets.adanet.candidates.strategy import Strategy
from adaptive_nets.adanet.checkpoints.checkpointer import Checkpointer
from adaptive_nets.adanet.checkpoints.search_state import SearchState
from adaptive_nets.adanet.context import SearchContext
from adaptive_nets.adanet.ensembles.ensembler import Ensembler
from adaptive_nets.adanet.fit_data import FitArguments
from adaptive_nets.adanet.loading import load_search, replay_search
from adaptive_nets.adanet.loop import SearchLoop
from adaptive_nets.adanet.monitoring.hooks import Hooks
from adaptive_nets.adanet.monitoring.progress import make_progress
from adaptive_nets.adanet.objective.complexity import Complexity
from adaptive_nets.adanet.objective.early_stopping import EarlyStopping
from adaptive_nets.adanet.objective.evaluator import Evaluator
from adaptive_nets.adanet.portable import Portable
from adaptive_nets.adanet.preparation import Known, prepare
from adaptive_nets.adanet.results import SearchResults
from adaptive_nets.adanet.results_face import ResultsFace
from adaptive_nets.adanet.rounds.timing.budget import Budget
from adaptive_nets.adanet.scikit_learn import ScikitLearnFace, why_absent
from adaptive_nets.adanet.settings import SearchSettings
from adaptive_nets.data.schema import Schema
from adaptive_nets.data.spool import MEMORY_LIMIT
from adaptive_nets.distribute import Ray
from adaptive_nets.heads import Head
from adaptive_nets.keras_internals import check_not_forked
from adaptive_nets.machine import clock
from adaptive_nets.machine.signals import ended_by_signals

# Arguments that are fixed when the search is created.
_FIXED = ("distribute", "model_dir", "placement", "seed")


class AdaNet(ResultsFace, ScikitLearnFace, Portable):
    """Searches an ensemble of subnetworks, round by round (AdaNet, figure 3).

    In each round (an iteration, in argument names) the generator's builders make subnetworks, which
    are trained side by side in one compiled function. Ensemble strategies combine them with the
    previous ensemble into candidate ensembles, and the mixture weights w of each are solved as the
    convex problem they are. The candidate ensemble with the lowest objective (equation 4)

        F(w) = (1/m) Σ_i loss(y_i, Σ_j w_j·h_j(x_i)) + Σ_j (λ r_j + β) ||w_j||_1,

    r_j being the complexity of subnetwork j, replaces the previous one if it is better; if none is,
    the search ends. `settings`, a `SearchSettings`, holds the arguments; most are attributes too.

    Args:
        head: The task, a `heads.Head`. It is copied, and `fit` adapts the copy, `search.head`.
        generator: An `adanet.Generator`. Defaults to `generators.Dense()`.
        max_iterations: Maximum number of rounds. `"auto"` is 5; with a `time_limit`, any number.
        steps_per_iteration: Steps per round. `"auto"` reads the rows 20 times (few rows without
            classes 10 times), in 100 to 5,000 steps; with a `time_limit`, as far as it allows.
        ensemble_strategies: One or several of `"grow"`, `"solo"`, `"all"` and `adanet.Strategy`s.
        mixture_weights: `"scalar"`, `"vector"`, `"matrix"`, `"uniform"`, `"probability"` (a mean of
            predictions, of `training="independent"`) or an `adanet.Ensembler`.
        mixture_bias: Whether the mixture has a bias. Defaults to `False`.
        mixture_data: The rows that weigh and judge ensembles: `"train"` (the paper),
            `"validation"`, or `"folds"`: training rows, by networks that have not seen them.
            Unless it is `"train"`, members of weight 0 leave the ensemble.
        training: `"residual"` (learn what the ensemble lacks, the paper) or `"independent"`.
        refit: Which mixture weights each round solves for: `"all"`, or only `"new"` (the paper).
        adanet_lambda: λ >= 0, relative to the size of the loss. At 0, the weights of an ensemble
            that fits its training data perfectly have no finite optimum. `"auto"` is
            1 / sqrt(rows), at most 0.1 (of validation rows 1 / rows); 1e-3 with `"rademacher"` or
            endless data.
        adanet_beta: β >= 0. Defaults to 0.
        complexity: `"sqrt_depth"`, `"rademacher"` (lemma 2, p = 2, Λ = 1), `"std"` (AdaNet.SD), an
            `adanet.Complexity`, or a function from an `adanet.Subnetwork` to r >= 0.
        evaluator: An `adanet.Evaluator` to select by, instead of by the objective.
        early_stopping: Patience in steps, or an `adanet.EarlyStopping`, by held-out rows.
        folds: Number of networks per subnetwork, each trained without a fold of the rows, by which
            it is stopped, weighed and judged. Defaults to `None`: one network of all rows (5 folds
            if `mixture_data="folds"`).
        repeats: How often the rows are divided into folds, each time with networks of their own;
            outputs for rows that networks have not seen are means over them. Defaults to 1.
        force_grow: Whether to take the best candidate ensemble even if the objective rises.
        penalize_training: Whether training penalises output weights by `Γ ||w||_1` (AdaNet.R).
        preprocessing: `"auto"` standardises features if the generator asks for it, `"standardize"`
            always, `None` never; or a built Keras layer, model or adapted `FeatureSpace`.
        distribute: What `distribute.make_strategy` takes; each replica takes its share of a batch.
            Defaults to `None`: the current `tf.distribute` scope, or one device.
        placement: `"replicated"` (the default: all processes train all subnetworks together), or,
            to train shares in processes, `"round_robin"`, `"ray"`, or a `distribute.Ray`.
        model_dir: Folder for the search's state. If it holds a search, `fit` continues it.
        seed: Integer seed, or `None` for a random one.
        jit_compile: `"auto"` (XLA where it is faster), `True` or `False`.
        checkpoint_seconds: Seconds between checkpoints within a round. Defaults to 30.
        cache_bytes: Memory for frozen subnetworks' outputs, 1 GiB by default; the rest is on disk.

    Raises:
        TypeError: The head, generator or evaluator is of the wrong type.
        ValueError: Another setting is out of range or of the wrong type.

    Example:

    ```python
    import adaptive_nets as an
    from sklearn.datasets import load_iris

    x, y = load_iris(return_X_y=True)
    search = an.AdaNet(an.heads.MultiClass(), max_iterations=2, steps_per_iteration=50, seed=0)
    search.fit(x, y, verbose=0).leaderboard()
    ```
    """

    def __init__(
        self, head: Head, generator: Generator | None = None, max_iterations: int | str = "auto",
        steps_per_iteration: int | str = "auto",
        ensemble_strategies: str | Strategy | Sequence[str | Strategy] = ("grow",),
        mixture_weights: str | Ensembler = "scalar", mixture_bias: bool = False,
        mixture_data: str = "train", training: str = "residual", refit: str = "all",
        adanet_lambda: float | str = "auto", adanet_beta: float = 0.0,
        complexity: str | Complexity | Callable[[Subnetwork], float] = "sqrt_depth",
        evaluator: Evaluator | None = None, early_stopping: int | EarlyStopping | None = None,
        folds: int | None = None, repeats: int = 1, force_grow: bool = False,
        penalize_training: bool = False,
        preprocessing: str | keras.Layer | None = "auto",
        distribute: str | tf.distribute.Strategy | None = None, placement: str | Ray = "replicated",
        model_dir: str | os.PathLike | None = None, seed: int | None = None,
        jit_compile: str | bool = "auto", checkpoint_seconds: float = 30.0,
        cache_bytes: int = MEMORY_LIMIT,
    ):  # fmt: skip
        arguments = {name: value for name, value in locals().items() if name != "self"}
        if generator is None:
            arguments["generator"] = Dense()
        self._begin(SearchSettings(**arguments))

    def fit(
        self, x: Any, y: Any = None, *,
        sample_weight: Any = None, class_weight: Any = None,
        validation_data: Any = None, validation_split: float = 0.0, report_data: Any = None,
        batch_size: int = 32, time_limit: float | None = None, max_steps: int | None = None,
        callbacks: Sequence[keras.callbacks.Callback] | None = None, verbose: str | int = "auto",
        lock_timeout: float = 0.0, groups: Any = None,
    ) -> "AdaNet":  # fmt: skip
        """Runs rounds until a limit is reached, no improvement is found, or a callback stops it.

        Calling `fit` again, or in a new process with the same `model_dir`, continues where the
        search stopped, even mid-round. Returns the search itself. Ctrl-C, SIGTERM and SIGHUP save a
        checkpoint first.

        Args:
            x: Array, tensor, table (pandas, polars, Arrow), dict or list of arrays; or batches of
                `(features, labels[, weights])`: a `PyDataset`, generator, or `tf.data.Dataset`,
                which is streamed if endless, or if it repeats rows for more steps than all rounds
                take, else read once. See `search.schema`.
            y: Labels in the head's form. Omit for a dataset.
            sample_weight: One weight >= 0 per row; for `heads.Multi` also a dict by head.
            class_weight: `"balanced"`, a dict from class to weight, or a list in their order. As in
                Keras, `validation_data` is not weighted by it.
            validation_data: `(x, y[, sample_weight])` or batches: measured, and used by an
                `Evaluator` without data.
            validation_split: Fraction of rows to hold out; `validation_data` takes precedence.
            report_data: Like `validation_data`, for the metrics in the generator's reports only.
            batch_size: Rows per step, unless `x` yields batches. Defaults to 32.
            time_limit: Seconds to use, without those in which the process was stopped. A round cut
                short is judged; the next `fit` ends it.
            max_steps: Total training steps, including earlier calls. Ends `fit` as `time_limit`.
            callbacks: Keras' and `callbacks.SearchCallback`s (`docs/callbacks.md`); an epoch is a
                round.
            verbose: `"auto"`, 0 (silent), 1 (live display) or 2 (one line per round).
            lock_timeout: Seconds to wait for another `fit` on this `model_dir` to end. Defaults to
                0: refuse at once.
            groups: One value per row; with `folds`, rows of one group are in the same fold.

        Raises:
            ValueError: The data or an argument is invalid. Nothing was written or lost.
            ModelDirInUseError: Another `fit` is writing to the `model_dir`.
            DivergedError: All subnetworks of a round had a non-finite loss.
            distribute.WorkersLostError: A process was lost; restart all of them.
        """
        check_not_forked("AdaNet.fit")
        given = FitArguments(
            x, y, sample_weight, class_weight, validation_data, validation_split, report_data,
            batch_size, time_limit, max_steps, groups,
        )  # fmt: skip
        budget, hooks = Budget(time_limit, max_steps), Hooks(callbacks, self)
        shown = self.is_chief and not hooks.shows_progress
        progress = make_progress(verbose if shown else 0)
        self.stop_training = False
        kept = self._opened(hooks.model_dir(self.model_dir), lock_timeout)
        with ended_by_signals(), clock.watching(), kept as folder:
            ready = prepare(self.settings, given, self._known, self._placement, self.group, folder)
            if ready.resumed is not None:
                self.adopt(ready.resumed, ready.state)
            if ready.finished:
                return self
            publish = functools.partial(self.adopt, ready.context)
            keeper = Checkpointer(ready.context, ready.state, folder, publish)
            if ready.restarts:
                keeper.drop_checkpoints()
            hooks.check(keeper, ready.data.valid is not None, self._placement.apart)
            with hooks, contextlib.closing(progress), self.group.together():
                SearchLoop(
                    ready.context, ready.data, self._placement, keeper, hooks, progress, budget
                ).run(ready.other_data)
        return self

    def adopt(
        self, context: SearchContext | None, state: SearchState, schema: Schema | None = None,
        left: tuple[str, int] | None = None,
    ) -> None:  # fmt: skip
        """Adopts a saved state. Without a context, `schema` is the one that `fit` requires.

        `left` names the folder that it was read from, and its newest state's number.
        """
        self._left = left or self._left
        self._known = Known(context, state, schema if context is None else context.schema)
        self._results = SearchResults(context, state)

    @property
    def state(self) -> SearchState:
        """What is known so far: ensemble, leaderboard entries, reports."""
        return self._known.state

    @property
    def context(self) -> SearchContext | None:
        """The settings and data facts of the last `fit`; `None` before the first."""
        return self._known.context

    @property
    def results(self) -> SearchResults:
        """The search's results: leaderboard, models, predictions."""
        return self._results

    @property
    def head(self) -> Head:
        """The head; after `fit`, the copy that is adapted to the labels."""
        context = self._known.context
        return self.settings.head if context is None else context.head

    @property
    def preprocessing(self) -> keras.Model | None:
        """The preprocessing model that is applied to the features, or `None`."""
        return self._known.context and self._known.context.preprocessing

    @property
    def seed(self) -> int | None:
        """The seed in use; `None` if none was given and `fit` has not drawn one yet."""
        context = self._known.context
        return self.settings.seed if context is None else context.seed

    @property
    def complexity(self) -> Complexity:
        """The `Complexity` that measures subnetworks."""
        return self.settings.complexity_rule

    def __getattr__(self, name: str) -> Any:
        # While a search is copied or unpickled, it has no settings yet.
        settings = self.__dict__.get("settings")
        if settings is not None and name in settings.as_arguments():
            return getattr(settings, name)
        raise AttributeError(f"{type(self).__name__!r} object has no {name!r}{why_absent(name)}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _FIXED:
            raise AttributeError(f"{name} cannot be changed after the search has been created.")
        settings = self.__dict__.get("settings")
        if settings is not None and name in settings.as_arguments():
            name, value = "settings", dataclasses.replace(settings, **{name: value})
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        settings, done = self.settings, self.state.iteration
        return (
            f"<AdaNet head={settings.head.name} generator={type(settings.generator).__name__} "
            f"rounds={done}/{settings.max_iterations} model_dir={settings.model_dir!r}>"
        )

    load = classmethod(load_search)
    replay = classmethod(replay_search)
