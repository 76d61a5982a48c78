"""`Tuned`: candidates whose settings a sampler of Optuna chooses."""

import contextlib
import copy
import math
import pathlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras

from adaptive_nets._checks import (
    check_choice,
    check_config,
    check_dict,
    check_instance,
    check_integer,
    check_list,
    check_text,
    or_none,
    show,
)
from adaptive_nets.adanet import Builder, Ensemble, Generator, Report, Subnetwork, TrainingData
from adaptive_nets.adanet.candidates.stock.layer_builder import Features
from adaptive_nets.generators.tabular.portfolio import score
from adaptive_nets.generators.tabular.space import realmlp_builder, realmlp_space, realmlp_usual
from adaptive_nets.generators.tabular.statistics import TableStatistics, learn_statistics

# The stock space, and stock samplers by name.
REALMLP = "realmlp"
SAMPLERS = ("tpe", "random", "qmc")
# Under this name a trial of a storage says which candidate it is.
_CANDIDATE = "adaptive_nets_candidate"


@keras.saving.register_keras_serializable(package="adaptive_nets")
class Tuned(Generator):
    """Asks a sampler of Optuna for the settings of each candidate, and tells it what they gained.

    Each round asks for `candidates_per_round` points of the space. What is told is the candidate's
    loss on held-out rows, where there are some, or else the objective of its best ensemble. A
    candidate that diverged, or for which there was no time, is told as failed.

    The study is made from the reports of the search each time: all earlier trials are asked for and
    told again, in order. So a search that was interrupted goes on with the study as if it had not
    been, for every sampler with a seed. Functions and samplers are not stored: pass an equal
    generator to `AdaNet.load`, or run the same script again.

    It needs Optuna: `pip install 'adaptive-nets[tune]'`.

    Args:
        space: Dict of names to `optuna.distributions`; a function that takes a trial, calls its
            `suggest_...` methods and returns a dict of settings, or `None` for what was suggested;
            or `"realmlp"`: layers, width, embedding, dropout, learning rate and decay of RealMLP,
            for features as `generators.Tabular` takes them, whose settings are tried first.
            Defaults to `"realmlp"`.
        build: Function that takes a dict of settings and returns an `adanet.Builder`. Its name is
            replaced by `trial_<number>`. Defaults to `None`, for `space="realmlp"` only.
        sampler: `"tpe"`, `"random"`, `"qmc"`, or a sampler of `optuna.samplers` with a seed.
            Defaults to `"tpe"`.
        candidates_per_round: Number of candidates of a round, at least 1. Defaults to 3.
        seed: Seed of a sampler that is given by name. Defaults to 0.
        storage: URL or storage of Optuna to which trials are copied once they are told, for its
            dashboard. Defaults to `None`. It is not read and not part of the search's state.
        study_name: Name of the study there. Defaults to `"adaptive_nets"`.

    Raises:
        ImportError: Optuna is not installed.
        TypeError: A setting is of the wrong type.
        ValueError: A setting is out of range; or, from `generate`, the sampler does not ask again
            for what the search has tried.

    Example:

    ```python
    import keras
    import optuna
    import adaptive_nets as an

    class OneLayer(an.adanet.Builder):
        name = "one_layer"

        def __init__(self, units, rate):
            self.units, self.rate = units, rate

        def build(self, inputs, units, previous=None):
            hidden = keras.layers.Dense(self.units, activation="relu")(inputs)
            return an.adanet.Subnetwork(keras.layers.Dense(units)(hidden), hidden)

        def optimizer(self):
            return keras.optimizers.Adam(self.rate)

    space = {
        "units": optuna.distributions.IntDistribution(4, 64, log=True),
        "rate": optuna.distributions.FloatDistribution(1e-3, 1e-1, log=True),
    }
    generator = an.generators.Tuned(space, lambda settings: OneLayer(**settings))
    ```
    """

    def __init__(
        self,
        space: str | Mapping[str, Any] | Callable[[Any], dict[str, Any] | None] = REALMLP,
        build: Callable[[dict[str, Any]], Builder] | None = None,
        sampler: Any = "tpe",
        candidates_per_round: int = 3,
        seed: int = 0,
        storage: Any = None,
        study_name: str = "adaptive_nets",
    ):
        optuna = _optuna()
        self.space = _checked_space(space, optuna)
        if (build is None) != (self.space == REALMLP):
            raise ValueError(
                "build must be a function from settings to an adanet.Builder, except for "
                f"space='realmlp', which has its own. Received: build={show(build)}, "
                f"space={show(space)}."
            )
        if build is not None and not callable(build):
            raise TypeError(f"build must be a function. Received: build={show(build)}.")
        self.build = build
        if not isinstance(sampler, optuna.samplers.BaseSampler):
            sampler = check_choice("sampler", sampler, SAMPLERS)
        self.sampler = sampler
        self.candidates_per_round = check_integer("candidates_per_round", candidates_per_round, 1)
        self.seed = check_integer("seed", seed, 0)
        kinds = (str, optuna.storages.BaseStorage, optuna.storages.journal.BaseJournalBackend)
        storage = or_none(check_instance, "storage", storage, kinds, "a URL or storage of Optuna")
        self._storage = _Shared(storage)
        self.study_name = check_text("study_name", study_name)
        self._statistics: TableStatistics | None = None
        # What is not in the state of a search that was loaded.
        self._lacks = ""

    @property
    def needs_features(self) -> bool:
        return self.space == REALMLP

    def prepare(self, features: Any, folder: pathlib.Path | None = None) -> None:
        if self.needs_features and self._statistics is None:
            self._statistics = learn_statistics(features, self.seed)

    def generate(
        self, previous: Ensemble | None, iteration: int, reports: list[Report]
    ) -> list["TunedBuilder"]:
        if self._lacks:
            raise ValueError(
                f"The {self._lacks} of generators.Tuned is not in the search's state. "
                "Pass the generator: AdaNet.load(model_dir, generator=...)."
            )
        if self.needs_features and self._statistics is None:
            raise ValueError(
                "generators.Tuned('realmlp') must learn from the features first, as AdaNet.fit "
                "lets it do. Call prepare(features) to use it on its own."
            )
        with _quiet():
            study = self._told(reports, iteration - 1)
            asked = self._ask(study)
        _copy(study, self._storage.value, self.study_name)
        return [TunedBuilder(self._built(settings), *rest) for settings, *rest in asked]

    def study(self, reports: list[Report]) -> Any:
        """Returns the study of a search as an `optuna.Study` in memory.

        With `storage`, all of its trials are then there too: `generate` copies those of earlier
        rounds only.

        Args:
            reports: The search's reports, `search.state.reports`.
        """
        check_instance("reports", reports, list | tuple, "a list of adanet.Report objects")
        reports = check_list("reports", reports, Report, "a list of adanet.Report objects")
        with _quiet():
            study = self._told(reports, max((r.iteration for r in reports), default=0))
        _copy(study, self._storage.value, self.study_name)
        return study

    def _told(self, reports, rounds):
        """Returns a new study that has been asked and told all that these rounds tried."""
        optuna = _optuna()
        study = optuna.create_study(sampler=self._new_sampler(optuna))
        if self.space == REALMLP:
            study.enqueue_trial(realmlp_usual())
        known = {(report.iteration, report.name): report for report in reports}
        for iteration in range(1, rounds + 1):
            for _, trial, name in self._ask(study):
                report = known.get((iteration, name))
                _check_same(trial.params, report, iteration)
                value = math.nan if report is None else score(report)
                if report is None or report.status != "trained" or not math.isfinite(value):
                    study.tell(trial, state=optuna.trial.TrialState.FAIL)
                else:
                    study.tell(trial, value)
        return study

    def _ask(self, study):
        """Returns settings, trials and names of one round."""
        found = []
        for _ in range(self.candidates_per_round):
            if callable(self.space):
                trial = study.ask()
                returned = self.space(trial)
                settings = dict(trial.params if returned is None else returned)
            else:
                trial = study.ask(fixed_distributions=self._distributions())
                settings = dict(trial.params)
            found.append((settings, trial, f"trial_{trial.number}"))
        return found

    def _distributions(self):
        if self.space == REALMLP:
            return realmlp_space(_optuna().distributions)
        return self.space

    def _built(self, settings):
        if self.build is None:
            return realmlp_builder(settings, self._statistics)
        made = self.build(dict(settings))
        if not isinstance(made, Builder):
            raise TypeError(f"build must return an adanet.Builder. Received: {show(made)}.")
        return made

    def _new_sampler(self, optuna):
        if not isinstance(self.sampler, str):
            # What it has drawn so far is in the reports, and is drawn again.
            return copy.deepcopy(self.sampler)
        if self.sampler == "random":
            return optuna.samplers.RandomSampler(seed=self.seed)
        if self.sampler == "qmc":
            return optuna.samplers.QMCSampler(seed=self.seed, warn_independent_sampling=False)
        # The candidates of a round are asked for before any of them is told.
        return optuna.samplers.TPESampler(
            seed=self.seed, constant_liar=True, n_startup_trials=2 * self.candidates_per_round
        )

    def get_config(self) -> dict[str, Any]:
        space = self.space
        if isinstance(space, dict):
            as_json = _optuna().distributions.distribution_to_json
            space = {name: as_json(each) for name, each in space.items()}
        return {
            "space": None if callable(space) else space,
            "sampler": self.sampler if isinstance(self.sampler, str) else None,
            "candidates_per_round": self.candidates_per_round,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Tuned":
        config = check_config(cls, config)
        lacks = "sampler" if config.get("sampler", "tpe") is None else ""
        space = config.pop("space", REALMLP)
        if space != REALMLP:
            lacks = "function `build`"
        if lacks == "sampler":
            config["sampler"] = "tpe"
        made = cls(**config)
        made._lacks = lacks
        if isinstance(space, dict):
            read = _optuna().distributions.json_to_distribution
            try:
                made.space = {str(name): read(each) for name, each in space.items()}
            except (ValueError, TypeError, KeyError) as error:
                raise ValueError(
                    "config must be the output of Tuned.get_config, whose space is a dict of "
                    f"Optuna distributions. Received: space={show(space)}."
                ) from error
        return made


class TunedBuilder(Builder):
    """Wraps the builder of one trial.

    Args:
        builder: The `Builder`.
        trial: The trial of Optuna.
        name: The candidate's name.
    """

    def __init__(self, builder: Builder, trial: Any, name: str):
        self.builder, self.name = builder, name
        self.rescale_output, self.majority = builder.rescale_output, builder.majority
        self.steps_per_call = builder.steps_per_call
        self._settings = {**trial.params, "trial": trial.number}

    def build(self, inputs: Features, units: int, previous: Ensemble | None = None) -> Subnetwork:
        return self.builder.build(inputs, units, previous)

    def optimizer(self) -> keras.optimizers.Optimizer:
        return self.builder.optimizer()

    def after_steps(self, step: int, loss: float, done: bool) -> bool:
        return self.builder.after_steps(step, loss, done)

    def training_data(self, rows: int, seed: int) -> TrainingData | None:
        return self.builder.training_data(rows, seed)

    def hyperparameters(self) -> dict[str, Any]:
        return {**self.builder.hyperparameters(), **self._settings}


class _Shared:
    """A storage, which copies of a generator share."""

    def __init__(self, value: Any):
        self.value = value

    def __deepcopy__(self, memo: dict) -> "_Shared":
        return self


def _check_same(suggested, report, iteration):
    """Refuses a study that asks for other settings than those that a report has."""
    tried = {} if report is None else report.hyperparameters
    for name, value in suggested.items():
        if name in tried and tried[name] != value:
            raise ValueError(
                "generators.Tuned cannot go on with this search: its sampler asks for other "
                "settings than were tried. Pass the space, seed and sampler that it was begun "
                f"with; a sampler needs a seed. Received: {name}={show(value)} in round "
                f"{iteration}, where {name}={show(tried[name])} was tried."
            )


def _copy(study, storage, study_name):
    """Copies trials that are told to a storage, those that are there already excepted."""
    if storage is None:
        return
    optuna = _optuna()
    if isinstance(storage, optuna.storages.journal.BaseJournalBackend):
        storage = optuna.storages.JournalStorage(storage)
    with _quiet():
        kept = optuna.create_study(storage=storage, study_name=study_name, load_if_exists=True)
        there = {trial.user_attrs.get(_CANDIDATE) for trial in kept.get_trials(deepcopy=False)}
        for trial in study.get_trials():
            name = f"trial_{trial.number}"
            if trial.state.is_finished() and name not in there:
                trial.user_attrs = {**trial.user_attrs, _CANDIDATE: name}
                kept.add_trial(trial)


def _checked_space(space, optuna):
    if callable(space) or (isinstance(space, str) and space == REALMLP):
        return space
    known = optuna.distributions.BaseDistribution
    words = "'realmlp', a function of a trial, or a dict of names to optuna.distributions"
    return check_dict("space", space, known, words, 1)


def _optuna() -> Any:
    try:
        import optuna
        import optuna.storages.journal
    except ImportError as error:
        raise ImportError(
            "generators.Tuned needs Optuna. Install it: pip install 'adaptive-nets[tune]'."
        ) from error
    return optuna


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps Optuna from announcing studies that only live for a call, and stock settings."""
    optuna = _optuna()
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(before, optuna.logging.WARNING))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
