"""The search of a front: how `AdaNet` is called, and which of its ensembles is served."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import keras
import numpy as np

from adaptive_nets._seeds import derive_seed
from adaptive_nets.adanet import AdaNet, EarlyStopping
from adaptive_nets.adanet.ensembles.assemble import assemble
from adaptive_nets.adanet.ensembles.outputs import Folds
from adaptive_nets.adanet.rounds.folding.sources import assign_folds
from adaptive_nets.adanet.rounds.folding.unseen import unseen_logits
from adaptive_nets.automl.baselines.candidate import LinearBuilder
from adaptive_nets.automl.baselines.linear import LinearModel
from adaptive_nets.automl.clusters.together import ALONE, Together
from adaptive_nets.automl.labelled import Labelled
from adaptive_nets.automl.refitting.choice import Choice
from adaptive_nets.automl.settings import Settings
from adaptive_nets.automl.targets import Numbers, Target
from adaptive_nets.callbacks import SearchCallback
from adaptive_nets.data.schema import Schema
from adaptive_nets.data.tables.row_stream import RowStream
from adaptive_nets.generators import FirstRound, Tabular

if TYPE_CHECKING:
    from adaptive_nets.adanet import Ensemble

# Ensembles of the last rounds that compete by another metric than the search's own.
_MOST_ENSEMBLES = 4
# A round that begins with TabMs takes about so many seconds for each row until they have learnt.
_TABM_SECONDS = 2.5e-3
# The time that the shortest search takes, counted in times that the encoding takes to be traced:
# with networks of all kinds, with RealMLP alone, and with TabM or wide networks alone. The last
# grows by one for each `_ROWS_A_TRACE` rows, up to `_MOST_TRACES`.
_ALL_TRACES, _REALMLP_TRACES = 30.0, 15.0
_LEAST_TRACES, _ROWS_A_TRACE, _MOST_TRACES = 6.5, 5000, 10.0


class _KeepEnsembles(SearchCallback):
    """Keeps the ensemble of every round."""

    def __init__(self):
        super().__init__()
        self.found: list[Ensemble] = []

    def on_round_end(self, iteration: int, logs: dict | None = None) -> None:
        if not self.found or self.found[-1] is not self.model.ensemble:
            self.found.append(self.model.ensemble)


class Searching:
    """Runs a search on encoded columns.

    Args:
        settings: The estimator's settings.
        target: The target.
        schema: How a table is read.
        encoding: The model from raw columns to encoded ones.
        linear: The linear baseline, which joins the first round as it is. With folds it does not:
            it has seen every training row.
        kinds: Kinds of networks to try, as for `generators.Tabular`.
        callbacks: Callbacks of the search. Defaults to none.
        sample: Encoded rows from which the generator learns, if rows are streamed. Defaults to
            `None`: it learns from all training rows.
        together: The processes that fit. Defaults to one that is alone.
        grouped: Whether rows have groups, which folds keep together. Defaults to `False`.
    """

    def __init__(
        self,
        settings: Settings,
        target: Target,
        schema: Schema,
        encoding: keras.Model,
        linear: LinearModel,
        kinds: list[str],
        callbacks: Sequence[keras.callbacks.Callback] = (),
        sample: dict[str, np.ndarray] | None = None,
        together: Together = ALONE,
        grouped: bool = False,
    ):
        self.settings, self.target, self._together = settings, target, together
        if isinstance(target, Numbers):
            linear = target.linear(linear)
        generator = Tabular(kinds)
        if settings.folds is None:
            generator = FirstRound(generator, [LinearBuilder(linear)])
        generator = settings.generator or generator
        if sample is not None and generator.needs_features:
            generator.prepare(sample)
        self._ensembles, self._callbacks = _KeepEnsembles(), callbacks
        self._grouped = grouped and settings.folds is not None
        self.search = AdaNet(
            target.head(),
            generator,
            training="independent",
            ensemble_strategies=("grow", "all"),
            mixture_weights="probability",
            mixture_data="validation" if settings.folds is None else "folds",
            folds=settings.folds,
            repeats=settings.repeats,
            # What held-out rows say needs no penalty on top.
            adanet_lambda=0.0,
            # Networks for tables learn at a constant rate: only their average is worth keeping.
            early_stopping=EarlyStopping(average=0.995),
            preprocessing=encoding,
            distribute=settings.distribute,
            model_dir=settings.search_folder,
            seed=derive_seed(settings.seed, "search"),
        )
        # The search reads the table as the front does.
        self.search.adopt(None, self.search.state, schema)

    def run(
        self, train: Labelled, valid: Labelled, seconds: float, stream: RowStream | None = None
    ) -> AdaNet:
        """Runs the search.

        Args:
            train: Rows to train on.
            valid: Rows to judge by.
            seconds: Time for it, perhaps infinite.
            stream: The rows to train on instead, if they do not fit into memory. Defaults to
                `None`.
        """
        held = (valid.x, self.target.encode(valid.y))
        given = (stream,) if stream is not None else (train.x, self.target.encode(train.y))
        return self.search.fit(
            *given,
            sample_weight=train.w if stream is None else None,
            validation_data=held if valid.w is None else (*held, valid.w),
            groups=train.by if self._grouped else None,
            batch_size=self._together.rows_per_step(batch_size(len(train.x))),
            time_limit=None if math.isinf(seconds) else max(0.1, seconds),
            callbacks=[self._ensembles, *self._callbacks],
            verbose=self.settings.verbose,
        )

    def folds(self, train: Labelled) -> Folds | None:
        """Returns the folds of the training rows, or `None`."""
        context, y = self.search.context, self.target.encode(train.y)
        groups = train.by if self._grouped else None
        return assign_folds(context, context.head.encode(y), groups)

    def unseen(self, choice: Choice, train: Labelled) -> np.ndarray:
        """Returns logits of the training rows by networks that have not seen them.

        Args:
            choice: What is served, but not a linear model.
            train: The training rows.

        Returns:
            `[rows, units]`.
        """
        single = choice.kind == "single"
        found = self.search.state.current.best_single if single else choice.ensemble
        groups = train.by if self._grouped else None
        context, y = self.search.context, self.target.encode(train.y)
        return unseen_logits(context, found, train.x, y, groups)

    def models(self, left: Callable[[], float]) -> Iterator[tuple[str, Choice, keras.Model]]:
        """Yields the models that may be served with a note, the search's own choice first.

        By another metric than that of the search, the ensembles of its last rounds compete too,
        and the best single network.

        Args:
            left: Function that returns the seconds that are left for further ones.
        """
        search = self.search
        yield "", Choice.of(search.ensemble), search.model
        if self.settings.metric.scorer is None:
            return
        context = search.context
        for ensemble in self._ensembles.found[:-1][: -_MOST_ENSEMBLES - 1 : -1]:
            if left() <= 0:
                return
            model = assemble(ensemble, context.ensembler, context.spec, context.preprocessing)
            yield f"the ensemble of round {ensemble.iteration}", Choice.of(ensemble), model
        if left() > 0:
            yield "the best single network", Choice("single"), search.best_single


def kinds_within(seconds: float, rows: int, traces: float = math.inf) -> list[str]:
    """Returns the kinds of networks to try, those that learn soonest first if time is short.

    Args:
        seconds: Time for the search, perhaps infinite.
        rows: Number of training rows.
        traces: How often the encoding could be traced in that time, which tells how fast this
            machine is. If there is no time to set up networks of all kinds, only the first kind
            for which there is time is returned, or none. Defaults to infinity.
    """
    short = seconds <= _TABM_SECONDS * rows
    kinds = ["realmlp", "wide", "tabm"] if short else ["tabm", "realmlp", "wide"]
    if traces > _ALL_TRACES:
        return kinds
    least = min(_MOST_TRACES, _LEAST_TRACES + rows / _ROWS_A_TRACE)
    needed = {"realmlp": _REALMLP_TRACES, "tabm": least, "wide": least}
    return [kind for kind in kinds if traces > needed[kind]][:1]


def batch_size(rows: int) -> int:
    """Returns the rows per step: a power of 2 from 32 to 256, such that few rows make many steps.

    Args:
        rows: Number of training rows.
    """
    return int(2 ** np.clip(round(math.log2(max(rows, 1) / 150)), 5, 8))
