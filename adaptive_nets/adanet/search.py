"""`AdaNet`: the search."""

import copy
import numbers
import os
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from adaptive_nets.adanet.candidates.builder import Subnetwork
from adaptive_nets.adanet.candidates.generator import Generator, propose_builders
from adaptive_nets.adanet.candidates.strategy import Strategy, resolve
from adaptive_nets.adanet.checkpoints.following import ReadOnlyModelDir
from adaptive_nets.adanet.checkpoints.load import StoredSearch
from adaptive_nets.adanet.checkpoints.model_dir import ModelDir
from adaptive_nets.adanet.checkpoints.search_state import SearchState
from adaptive_nets.adanet.ensembles.ensembler import Ensembler, MixtureEnsembler, UniformEnsembler
from adaptive_nets.adanet.fit_data import read_fit_data
from adaptive_nets.adanet.loop import SearchLoop, TimeBudget
from adaptive_nets.adanet.monitoring.progress import make_progress
from adaptive_nets.adanet.objective.complexity import Complexity, make_complexity
from adaptive_nets.adanet.objective.evaluator import Evaluator
from adaptive_nets.adanet.placement.ray import RayPlacement
from adaptive_nets.adanet.placement.round_robin import RoundRobinPlacement
from adaptive_nets.adanet.settings import check_settings
from adaptive_nets.data.preprocessing import make_preprocessing
from adaptive_nets.data.schema import describe_spec
from adaptive_nets.data.spool import MEMORY_LIMIT
from adaptive_nets.distribute import (
    Group,
    Ray,
    Task,
    import_ray,
    make_strategy,
    share_of,
    task_from_environment,
)
from adaptive_nets.heads import Head
from adaptive_nets.serialization import restore_object


class AdaNet(StoredSearch):
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
        record: What is known so far: ensemble, leaderboard entries, reports.
        preprocessing: Model that features pass first, or `None`.
        paused: Checkpoint of an interrupted round where there is no `model_dir`, or `None`.
        stop_training: Set it to `True` in a callback to end the search.

    Raises:
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
        if generator is None:
            # Imported here: generators stand above this package.
            import adaptive_nets

            generator = adaptive_nets.generators.Dense()
        self._settings = {k: v for k, v in locals().items() if k not in ("self", "adaptive_nets")}
        check_settings(self._settings)
        for name in (
            "head", "generator", "max_iterations", "steps_per_iteration", "training",
            "evaluator", "force_grow", "penalize_training", "model_dir", "jit_compile",
            "checkpoint_seconds", "cache_bytes",
        ):  # fmt: skip
            setattr(self, name, self._settings[name])
        self.task = task_from_environment() if placement == "round_robin" else Task()
        self.ray = Ray() if placement == "ray" else None
        if isinstance(placement, Ray):
            self.ray = placement
        self.shared = self.ray is not None or self.task.workers > 1
        if self.shared:
            self._check_shared()
            distribute = "one_device" if distribute == "auto" else distribute
        self.strategy = make_strategy(distribute)
        self.group = Group(self.strategy)
        self.is_chief = self.task.is_chief if self.shared else self.group.is_chief
        self.strategies = resolve(ensemble_strategies)
        self.complexity = make_complexity(complexity)
        self.ensembler = self._make_ensembler()
        self.record = SearchState()
        self.stop_training = False
        self.used_seed = seed
        self.data_fingerprint = None
        self._spec = self.preprocessing = None
        self._opened = False
        self._models = {}
        self.paused = None

    # Training -------------------------------------------------------------------------------

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
        clock = TimeBudget(time_limit)
        if time_limit is not None and not time_limit > 0:
            raise ValueError(f"time_limit must be > 0 seconds. Received: {time_limit}.")
        for name, value in (("batch_size", batch_size), ("max_steps", max_steps)):
            whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
            if not (whole and value >= 1) and not (name == "max_steps" and value is None):
                raise ValueError(f"{name} must be an integer >= 1. Received: {value!r}.")
        progress = make_progress(verbose if self.is_chief else 0)
        kind = ModelDir if self.is_chief else ReadOnlyModelDir
        folder = None if self.model_dir is None else kind(self.model_dir)
        state = folder.read_state() if folder is not None and not self._opened else None
        if self.used_seed is None:
            self.used_seed = state["seed"] if state else int.from_bytes(os.urandom(4), "little")
            (self.used_seed,) = map(int, self.group.agree(self.used_seed))
        head = copy.deepcopy(self.head)
        if state is not None:
            head = restore_object(state["adapted_head"], "head")
        inputs = read_fit_data(
            head, x, y, sample_weight, class_weight, validation_data, validation_split,
            batch_size, self.evaluator, self.used_seed, report_data,
        )  # fmt: skip
        share_of(inputs.batch_size, self.strategy)
        if self.shared:
            self._check_whole_rounds(inputs.stream, time_limit, max_steps)
        if self._spec is not None and inputs.spec != self._spec:
            raise ValueError(
                f"The search reads features {describe_spec(self._spec)}. "
                f"Received: {describe_spec(inputs.spec)}."
            )
        fit_settings = {"features": describe_spec(inputs.spec), "batch_size": inputs.batch_size}
        if state is not None:
            self._check_same(state, fit_settings)
            self._restore(state, folder)
        # Asked before anything is written, so that a generator at fault leaves no trace.
        if self.record.iteration < self.max_iterations and not self.generator.needs_features:
            record = self.record
            propose_builders(self.generator, record.ensemble, record.iteration + 1, record.reports)
        self.stop_training = False
        fingerprint = inputs.train.fingerprint()
        known = [self.used_seed, self.record.iteration, zlib.crc32(str(fingerprint).encode())]
        self.group.check_same("what a search begins with (seed, rounds, data)", known)
        other_data = self.data_fingerprint not in (None, fingerprint)
        if self.record.stop_reason == "no_improvement" and not other_data:
            return self
        names = ("head", "data_fingerprint", "preprocessing", "_spec", "_opened")
        before = {name: getattr(self, name) for name in names}
        if self.record.iteration == 0 and self.preprocessing is None:
            self.preprocessing = make_preprocessing(
                self._settings["preprocessing"], self.generator.standardize, inputs.train
            )
        self.data_fingerprint = fingerprint
        self.head, self._spec, self._opened = head, inputs.spec, True
        self._fit_settings = fit_settings
        run = (
            RayPlacement
            if self.ray is not None
            else RoundRobinPlacement
            if self.shared
            else SearchLoop
        )
        listed = keras.callbacks.CallbackList(callbacks, model=self)
        listed.on_train_begin()
        try:
            with self.group.together():
                run(self, inputs, folder, clock, listed, progress, max_steps).run(other_data)
        except BaseException:
            if not self._begun(folder):
                # As if it had not been called: the next call may bring other data.
                for name, value in before.items():
                    setattr(self, name, value)
            raise
        finally:
            progress.close()
            listed.on_train_end()
        return self

    def _check_shared(self):
        """Refuses what processes that train shares cannot do."""
        placement = "round_robin" if self.ray is None else "ray"
        for name in ("model_dir", "seed"):
            if self._settings[name] is None:
                raise ValueError(
                    f"placement='{placement}' needs a {name}, the same in all processes. "
                    f"Received: {name}=None."
                )
        distribute = self._settings["distribute"]
        own = isinstance(distribute, tf.distribute.Strategy) and self.ray is not None
        if distribute == "multi_worker" or own:
            raise ValueError(
                f"placement='{placement}' trains each candidate in one process; use it with "
                f"distribute=None, 'one_device' or 'mirrored'. Received: distribute={distribute!r}."
            )
        if self.ray is not None:
            import_ray()

    def _check_whole_rounds(self, stream, time_limit, max_steps):
        """Refuses what would end a round in the middle: processes do not stop together."""
        given = {"an endless dataset": stream, "time_limit": time_limit}
        found = [name for name, value in given.items() if value is not None]
        if max_steps is not None and max_steps % self.steps_per_iteration:
            found.append(f"max_steps={max_steps}")
        if found:
            placement = "round_robin" if self.ray is None else "ray"
            raise ValueError(
                f"placement='{placement}' needs finite data, no time_limit, and max_steps of "
                f"whole rounds of {self.steps_per_iteration}. Received: {', '.join(found)}."
            )

    def _begun(self, folder):
        """Whether training has left anything, in memory or in the folder."""
        kept = self.record.current.ensemble is not None or self.paused is not None
        return kept or (folder is not None and folder.has_state())

    def _make_ensembler(self) -> Ensembler:
        s = self._settings
        if isinstance(s["mixture_weights"], Ensembler):
            return s["mixture_weights"]
        lam, beta = float(s["adanet_lambda"]), float(s["adanet_beta"])

        def gamma(r):
            return lam * r + beta

        if s["mixture_weights"] == "uniform":
            return UniformEnsembler(gamma)
        return MixtureEnsembler(s["mixture_weights"], gamma, s["mixture_bias"], s["refit"])
