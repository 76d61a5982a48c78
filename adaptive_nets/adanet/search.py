"""`AdaNet`: the search."""

import dataclasses
import functools
import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

import keras
import tensorflow as tf

from adaptive_nets.adanet.candidates.builder import Subnetwork
from adaptive_nets.adanet.candidates.generator import Generator
from adaptive_nets.adanet.candidates.stock.dense import Dense
from adaptive_nets.adanet.candidates.strategy import Strategy
from adaptive_nets.adanet.checkpoints.checkpointer import Checkpointer
from adaptive_nets.adanet.checkpoints.model_dir import ModelDir, ModelDirReader
from adaptive_nets.adanet.checkpoints.search_state import SearchState
from adaptive_nets.adanet.context import SearchContext
from adaptive_nets.adanet.ensembles.ensembler import Ensembler
from adaptive_nets.adanet.fit_data import FitArguments
from adaptive_nets.adanet.loading import load_search, replay_search
from adaptive_nets.adanet.loop import SearchLoop
from adaptive_nets.adanet.monitoring.hooks import Hooks
from adaptive_nets.adanet.monitoring.progress import make_progress
from adaptive_nets.adanet.objective.complexity import Complexity
from adaptive_nets.adanet.objective.evaluator import Evaluator
from adaptive_nets.adanet.placement.base import make_placement
from adaptive_nets.adanet.preparation import Known, prepare
from adaptive_nets.adanet.results import SearchResults
from adaptive_nets.adanet.rounds.budget import Budget
from adaptive_nets.adanet.settings import SearchSettings
from adaptive_nets.data.schema import Spec
from adaptive_nets.data.spool import MEMORY_LIMIT
from adaptive_nets.distribute import Group, Ray, make_strategy
from adaptive_nets.heads import Head

P, R = ParamSpec("P"), TypeVar("R")
# What a search is bound to from the beginning.
_FIXED = ("distribute", "model_dir", "placement", "seed")


def _of_results(method: Callable[Concatenate[SearchResults, P], R]) -> Callable[..., R]:
    """The method of a search that its `results` has, with the same signature and docstring."""

    @functools.wraps(method)
    def ask(self: "AdaNet", *args: P.args, **kwargs: P.kwargs) -> R:
        return method(self.results, *args, **kwargs)

    return ask


def _property_of_results(name: str) -> property:
    """The property of a search that its `results` has."""
    doc = getattr(SearchResults, name).__doc__
    return property(lambda self: getattr(self.results, name), doc=doc)


class AdaNet:
    """Searches an ensemble of subnetworks, round by round (AdaNet, figure 3).

    Each round the generator proposes subnetworks, all of which are trained side by side in one
    compiled function. Ensemble strategies turn them into candidate ensembles, whose mixture
    weights are solved as the convex problem they are. The candidate with the lowest objective

        F(w) = (1/m) Σ_i loss(y_i, Σ_j w_j·h_j(x_i)) + Σ_j (λ r_j + β) ||w_j||_1

    (equation 4; r_j measures the complexity of subnetwork j) becomes the ensemble if it beats
    the previous one, and the search ends if none does.

    Args:
        head: The task: a `heads.Head`. It is copied; after `fit`, `search.head` is the copy that
            has learnt the labels.
        generator: An `adanet.Generator`. Defaults to `generators.Dense()`.
        max_iterations: Rounds at most. Defaults to 5.
        steps_per_iteration: Training steps of a round. Defaults to 500.
        ensemble_strategies: `"grow"`, `"solo"`, `"all"`, or `adanet.Strategy` objects, one or
            several. Defaults to `("grow",)`.
        mixture_weights: `"scalar"`, `"vector"`, `"matrix"`, `"uniform"` or an
            `adanet.Ensembler`. Defaults to `"scalar"`.
        mixture_bias: Whether the mixture has a bias. Defaults to `False`.
        training: `"residual"` trains a subnetwork on what the ensemble lacks (the paper),
            `"independent"` on its own loss. Defaults to `"residual"`.
        refit: Whether each round solves for `"all"` mixture weights or, as the paper, for
            `"new"` ones only. Defaults to `"all"`.
        adanet_lambda: λ >= 0 of the objective. At 0 the mixture weights of an ensemble that fits
            its training data perfectly have no finite optimum. Defaults to 1e-3.
        adanet_beta: β >= 0 of the objective. Defaults to 0.
        complexity: `"sqrt_depth"`, `"rademacher"` (lemma 2, with p = 2 and Λ = 1), `"std"` (of
            the last layer's outputs: AdaNet.SD), an `adanet.Complexity` such as
            `adanet.Rademacher(p, norm_bound)`, or a function from `adanet.Subnetwork` to a
            number >= 0.
        evaluator: An `adanet.Evaluator` to choose by instead of the objective.
        force_grow: Whether a round's best candidate is taken even if the objective rises.
        penalize_training: Whether subnetworks are trained with the penalty `Γ ||w||_1` on their
            output weights (AdaNet.R). Defaults to `False`.
        preprocessing: `"auto"` standardises features where the generator asks for it, `None`
            leaves them, `"standardize"` always does; or a built Keras layer or model, or an
            adapted `keras.utils.FeatureSpace` of just the features, which come as a dict.
        distribute: Where candidates are trained: `"auto"`, `"one_device"`, `"mirrored"`,
            `"multi_worker"`, `"tpu"` or a `tf.distribute.Strategy` (`distribute.make_strategy`).
            Each replica takes its share of a batch, which is that of all. Defaults to `None`: the
            strategy in whose scope the search is made, or one device.
        placement: `"replicated"`: all processes of `TF_CONFIG` train all candidates together, by
            `distribute`. `"round_robin"`: each trains its share of a round's candidates on its own
            devices, and they meet in `model_dir`; the share of a lost process is taken over, from
            its checkpoint. `"ray"` or a `distribute.Ray`: so do workers of a Ray cluster, which
            need not see `model_dir`. The last two need finite data, a `model_dir` and a seed.
            Defaults to `"replicated"`.
        model_dir: Folder for the search's state; a search goes on from what is there.
        seed: Integer seed, or `None` for a random one.
        jit_compile: `"auto"` (XLA where it is faster), `True` or `False`.
        checkpoint_seconds: Time between checkpoints within a round. Defaults to 30.
        cache_bytes: Frozen subnetworks' outputs that are held in memory; what is above it is kept
            on disk. Defaults to 1 GiB.

    Attributes:
        settings: The arguments as a `SearchSettings`; each is an attribute of the search too.
        state: What is known so far: ensemble, leaderboard entries, reports.
        stop_training: Set it to `True` in a callback to end the search.

    Raises:
        TypeError: The head, the generator or the evaluator is of another type.
        ValueError: A setting is out of range or of the wrong type.

    Example:

    ```python
    import numpy as np
    import adaptive_nets as an

    x = np.random.default_rng(0).normal(size=(200, 4))
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    search = an.AdaNet(an.heads.BinaryClass(), max_iterations=2, steps_per_iteration=50, seed=0)
    search.fit(x, y, verbose=0)
    search.leaderboard()
    search.predict(x[:3])
    ```
    """

    def __init__(
        self,
        head: Head,
        generator: Generator | None = None,
        max_iterations: int = 5,
        steps_per_iteration: int = 500,
        ensemble_strategies: str | Strategy | Sequence[str | Strategy] = ("grow",),
        mixture_weights: str | Ensembler = "scalar",
        mixture_bias: bool = False,
        training: str = "residual",
        refit: str = "all",
        adanet_lambda: float = 1e-3,
        adanet_beta: float = 0.0,
        complexity: str | Complexity | Callable[[Subnetwork], float] = "sqrt_depth",
        evaluator: Evaluator | None = None,
        force_grow: bool = False,
        penalize_training: bool = False,
        preprocessing: str | keras.Layer | None = "auto",
        distribute: str | tf.distribute.Strategy | None = None,
        placement: str | Ray = "replicated",
        model_dir: str | os.PathLike | None = None,
        seed: int | None = None,
        jit_compile: str | bool = "auto",
        checkpoint_seconds: float = 30.0,
        cache_bytes: int = MEMORY_LIMIT,
    ):
        arguments = {name: value for name, value in locals().items() if name != "self"}
        if generator is None:
            arguments["generator"] = Dense()
        self.settings = SearchSettings(**arguments)
        self._placement = make_placement(self.settings)
        self.group = Group(make_strategy(self._placement.distribute))
        self.is_chief = self._placement.is_chief(self.group)
        self.stop_training = False
        self._known = Known(None, SearchState(), None)
        self._results = SearchResults(None, SearchState())

    def fit(
        self,
        x: Any,
        y: Any = None,
        *,
        sample_weight: Any = None,
        class_weight: dict | None = None,
        validation_data: Any = None,
        validation_split: float = 0.0,
        report_data: Any = None,
        batch_size: int = 32,
        time_limit: float | None = None,
        max_steps: int | None = None,
        callbacks: Sequence[keras.callbacks.Callback] | None = None,
        verbose: str | int = "auto",
    ) -> "AdaNet":
        """Runs rounds until one of the limits, no improvement, or a callback.

        Calling `fit` again, or in a new process with the same `model_dir`, goes on where the
        search stopped, also within a round.

        Args:
            x: Features: array, tensor, DataFrame, dict of arrays, or a batched
                `tf.data.Dataset` of `(features, labels[, weights])`. A finite dataset is read
                once and kept (on disk if large); an endless one is streamed.
            y: Labels, as the head takes them; absent for a dataset.
            sample_weight: One weight >= 0 a row.
            class_weight: Dict from class to weight.
            validation_data: `(x, y)`, `(x, y, sample_weight)` or a dataset: measured on the
                leaderboard, and what an `Evaluator` without data of its own judges by.
            validation_split: Fraction of the rows to hold out at random; `validation_data`
                stands before it, as in Keras.
            report_data: As `validation_data`: what the subnetworks' metrics in the generator's
                reports are measured on. It chooses nothing.
            batch_size: Rows a step; a dataset brings its own. Defaults to 32.
            time_limit: Seconds for this call, in all. When they end in the middle of a round,
                its candidates compete as they are and the next `fit` finishes the round.
            max_steps: Training steps of the whole search, those of earlier calls among them. They
                end as `time_limit` does. Defaults to `None`: all rounds' steps.
            callbacks: Keras callbacks: epochs are rounds, and a batch is one compiled call.
                `on_round_begin(iteration, logs)` and `on_round_end(iteration, logs)` are called
                too.
            verbose: `"auto"`, 0 silent, 1 live display, 2 one line a round.

        Returns:
            The search itself.

        Raises:
            ValueError: The data or an argument is not usable; nothing was written or lost.
            DivergedError: All candidates of a round had a non-finite loss.
            distribute.WorkersLostError: A process of the cluster is gone; start all again.
        """
        given = FitArguments(
            x, y, sample_weight, class_weight, validation_data, validation_split, report_data,
            batch_size, time_limit, max_steps,
        )  # fmt: skip
        budget = Budget(time_limit, max_steps)
        progress = make_progress(verbose if self.is_chief else 0)
        folder = self._folder()
        ready = prepare(self.settings, given, self._known, self._placement, self.group, folder)
        self.stop_training = False
        if ready.finished:
            self.adopt(ready.context, ready.state)
            return self
        publish = functools.partial(self.adopt, ready.context)
        keeper = Checkpointer(ready.context, ready.state, folder, publish)
        hooks = Hooks(callbacks, self)
        hooks.train_begin()
        try:
            with self.group.together():
                SearchLoop(
                    ready.context, ready.data, self._placement, keeper, hooks, progress, budget
                ).run(ready.other_data)
        finally:
            progress.close()
            hooks.train_end()
        return self

    def _folder(self):
        if self.settings.model_dir is None:
            return None
        kind = ModelDir if self.is_chief else ModelDirReader
        return kind(self.settings.model_dir)

    def adopt(
        self, context: SearchContext | None, state: SearchState, spec: Spec | None = None
    ) -> None:
        """Makes a state the search's; called once it is on disk, where there is a folder.

        Args:
            context: What its `fit` began with, or `None` for a search that was not fit.
            state: What is known.
            spec: The features that `fit` must be given; of a context its own.
        """
        self._known = Known(context, state, context.spec if context is not None else spec)
        self._results = SearchResults(context, state)

    # What is known ----------------------------------------------------------------------------

    @property
    def state(self) -> SearchState:
        return self._known.state

    @property
    def context(self) -> SearchContext | None:
        """What the last `fit` began with; `None` before the first."""
        return self._known.context

    @property
    def results(self) -> SearchResults:
        """What the search gives: leaderboard, models, predictions."""
        return self._results

    @property
    def head(self) -> Head:
        """The head; after `fit`, the copy that has learnt the labels."""
        context = self._known.context
        return self.settings.head if context is None else context.head

    @property
    def preprocessing(self) -> keras.Model | None:
        """The model that features pass first, or `None`."""
        context = self._known.context
        return None if context is None else context.preprocessing

    @property
    def seed(self) -> int | None:
        """The seed in use; `None` where none was given and `fit` has not drawn one yet."""
        context = self._known.context
        return self.settings.seed if context is None else context.seed

    @property
    def complexity(self) -> Complexity:
        """The rule that measures how complex a subnetwork is."""
        return self.settings.complexity_rule

    def __getattr__(self, name: str) -> Any:
        # A search that is being copied or unpickled has no settings yet.
        settings = self.__dict__.get("settings")
        if settings is not None and name in settings.as_arguments():
            return getattr(settings, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _FIXED:
            raise AttributeError(f"{name} cannot be changed once the search is made.")
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

    stop_reason = _property_of_results("stop_reason")
    global_step = _property_of_results("global_step")
    feature_spec = _property_of_results("feature_spec")
    ensemble = _property_of_results("ensemble")
    model = _property_of_results("model")
    best_single = _property_of_results("best_single")
    leaderboard = _of_results(SearchResults.leaderboard)
    learning_curves = _of_results(SearchResults.learning_curves)
    architecture = _of_results(SearchResults.architecture)
    member_weights = _of_results(SearchResults.member_weights)
    evaluate = _of_results(SearchResults.evaluate)
    predict = _of_results(SearchResults.predict)
    fuse = _of_results(SearchResults.fuse)
    export = _of_results(SearchResults.export)

    # Deprecated names -------------------------------------------------------------------------

    @property
    def record(self) -> SearchState:
        """Deprecated: use `state`."""
        _deprecated("record", "state")
        return self.state

    @property
    def mixture_weights(self) -> Callable[[], Any]:
        """Deprecated: use `member_weights`, or `settings.mixture_weights`."""
        _deprecated("mixture_weights", "member_weights")
        return self.member_weights

    load = classmethod(load_search)
    replay = classmethod(replay_search)


def _deprecated(old, new):
    warnings.warn(
        f"AdaNet.{old} is deprecated; use AdaNet.{new}.", DeprecationWarning, stacklevel=3
    )
