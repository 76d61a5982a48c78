"""The checks of `AdaNet.fit` before the first step. They write and change nothing."""

import copy
import dataclasses
import json
import math
import os
import zlib

import tensorflow as tf
from absl import logging

from adaptive_nets._checks import show
from adaptive_nets._seeds import derive_seed
from adaptive_nets.adanet.candidates.generator import propose_builders
from adaptive_nets.adanet.checkpoints.changes import changes_of
from adaptive_nets.adanet.checkpoints.load import read_schema, read_search, same_ensembler
from adaptive_nets.adanet.checkpoints.reader import ModelDirReader
from adaptive_nets.adanet.checkpoints.search_state import SearchState
from adaptive_nets.adanet.context import SearchContext, configuration_of
from adaptive_nets.adanet.defaults import MOST_STEPS, Defaults
from adaptive_nets.adanet.fit_data import FitArguments, FitData, read_fit_data
from adaptive_nets.adanet.placement.base import Placement
from adaptive_nets.adanet.placement.identity import Identity
from adaptive_nets.adanet.repetitions import stream_long_repetitions
from adaptive_nets.adanet.rounds.folding.sources import check_folds
from adaptive_nets.adanet.settings import SearchSettings
from adaptive_nets.data.columns.feature import MismatchError
from adaptive_nets.data.datasets import ReadLimits
from adaptive_nets.data.preprocessing import Preprocessor, make_preprocessing
from adaptive_nets.data.schema import Schema
from adaptive_nets.distribute import Group, share_of
from adaptive_nets.heads.loss_scale import LossScale
from adaptive_nets.keras_internals import seeded
from adaptive_nets.serialization import restore_object

# At most this share of a time limit is for reading a dataset.
READING_SHARE = 0.5


@dataclasses.dataclass(frozen=True)
class Known:
    """What a search knows when `fit` is called.

    Args:
        context: The context of an earlier call or of a loaded state, or `None`.
        state: The `SearchState` so far.
        schema: The schema that the data is read by, or `None`.
    """

    context: SearchContext | None
    state: SearchState
    schema: Schema | None


@dataclasses.dataclass(frozen=True)
class Prepared:
    """The starting point of the loop over rounds.

    Args:
        context: `SearchContext`.
        state: `SearchState`.
        data: `FitData`.
        other_data: Whether the ensemble has to be measured again: earlier rounds used other
            training data, or another objective.
        finished: Whether there is nothing left to do.
        resumed: Context of a search that has begun before, with the data that it was measured
            on; `None` for a new one.
        restarts: Whether a round that is half trained has to begin again.
    """

    context: SearchContext
    state: SearchState
    data: FitData
    other_data: bool
    finished: bool
    resumed: SearchContext | None
    restarts: bool = False


@seeded(0)
def prepare(
    settings: SearchSettings,
    given: FitArguments,
    known: Known,
    placement: Placement,
    group: Group,
    folder: ModelDirReader | None,
) -> Prepared:
    """Reads the data and, in a new process, the stored state, and checks that they match.

    Args:
        settings: `SearchSettings`.
        given: The arguments of `fit`.
        known: What the search knows.
        placement: `Placement` that trains the subnetworks.
        group: The processes that train together.
        folder: The search's folder, or `None`.

    Raises:
        ValueError: The data or an argument is invalid, or the folder holds another search.
    """
    _check_held_out(settings, given)
    _check_groups(settings, given)
    _check_compiled(settings, group)
    given = stream_long_repetitions(settings, given)
    before, state = known.context, known.state
    stored, found = None, None
    if folder is not None and before is None:
        stored, found = folder.read_whole(_reader(settings, folder)) or (None, None)
    seed = _seed(settings, before, stored, group)
    head = copy.deepcopy(settings.head if before is None else before.head)
    if stored is not None:
        head = restore_object(stored["adapted_head"], "head")
    schema = known.schema if stored is None else read_schema(stored)
    try:
        data = read_fit_data(
            head, given, settings.evaluator, seed, schema, settings.preprocessing,
            _read_limits(settings, given, group),
        )  # fmt: skip
    except MismatchError as error:
        if stored is None:
            raise
        raise ValueError(
            f"model_dir '{folder.path}' holds a search with another configuration: "
            f"fit.features: stored '{error.expected}', now '{error.received}'. {error} Use the "
            "same settings or another model_dir."
        ) from error
    settings = dataclasses.replace(
        settings, defaults=_defaults(settings, head, data, before, stored)
    )
    _tell_renamed(data.schema, group)
    share_of(data.batch_size, group.strategy)
    if settings.folds is not None:
        check_folds(data, settings.folds)
    placement.check_fit(data, given.time_limit, given.max_steps, settings.steps)
    fingerprint = data.train.fingerprint()
    if data.groups is not None:
        fingerprint = f"{fingerprint}/{zlib.crc32(data.groups.astype('int64').tobytes()):08x}"
    if settings.weighs_held_out:
        fingerprint = f"{fingerprint}+{data.valid.fingerprint()}"
    preprocessor = Preprocessor() if before is None else before.preprocessor
    context = SearchContext(
        settings, head, data.schema, data.batch_size, seed, fingerprint, preprocessor, group,
        _loss_scale(head, data, before, stored),
    )  # fmt: skip
    seen = before and before.fingerprint
    if stored is not None:
        state, seen, preprocessor = (
            found.state,
            found.fingerprint,
            Preprocessor(found.preprocessing),
        )
    if settings.folds is not None and seen not in (None, fingerprint):
        raise ValueError(
            "A search with folds goes on only with the training rows that it began with, which "
            "tell what each network has not seen. Received: other rows. Begin a new search."
        )
    _check_generator(settings, state)
    changes = _changes(context, before, stored, state, given, folder)
    state = dataclasses.replace(state, changes=(*state.changes, *changes))
    if any(change.trains for change in changes):
        state = state.without_checkpoint()
    group.check_same("the round that a search goes on from", [state.iteration])
    other_data = seen not in (None, fingerprint) or any(change.measures for change in changes)
    finished = state.stop_reason == "no_improvement" and not other_data and not changes
    if state.iteration == 0 and preprocessor.model is None and not finished:
        with seeded(derive_seed(seed, "preprocessing")):
            model = make_preprocessing(
                settings.preprocessing,
                settings.generator.standardize,
                data.train,
                data.schema.renamed,
            )
        preprocessor = Preprocessor(model)
    context = dataclasses.replace(context, preprocessor=preprocessor)
    _check_group(context, data)
    begun = stored is not None or state.current.ensemble is not None or state.paused is not None
    resumed = dataclasses.replace(context, fingerprint=seen) if begun else None
    restarts = any(change.trains for change in changes)
    return Prepared(context, state, data, other_data, finished, resumed, restarts)


def _check_held_out(settings, given):
    if given.validation_data is not None or given.validation_split:
        return
    needed = {"early_stopping": settings.stopping, "mixture_data": settings.weighs_held_out}
    for name, wanted in needed.items():
        if wanted and not (name == "early_stopping" and settings.folds is not None):
            raise ValueError(
                f"{name} requires held-out rows. Pass validation_data or validation_split to fit. "
                f"Received: {name}={show(getattr(settings, name))} without them."
            )


def _check_groups(settings, given):
    if given.groups is None:
        return
    if settings.folds is None:
        raise ValueError(
            "groups says which rows are in the same fold, and requires folds. Create the search "
            f"with folds=5, or leave groups out. Received: groups={show(given.groups)}, folds=None."
        )
    if given.validation_split and given.validation_data is None:
        raise ValueError(
            "validation_split draws rows one by one, also from a group. With groups, pass "
            f"validation_data instead. Received: validation_split={given.validation_split:g}."
        )


def _check_compiled(settings, group):
    strategy = group.strategy
    if settings.jit_compile is not True or strategy.num_replicas_in_sync == 1:
        return
    devices = len(strategy.extended.worker_devices)
    if devices > 1 and not isinstance(strategy, tf.distribute.TPUStrategy):
        raise ValueError(
            "jit_compile=True compiles whole steps for one device, and replicas on several devices "
            "exchange gradients within each step. Pass jit_compile='auto' or False, or search on "
            f"one device with distribute='one_device'. Received: jit_compile=True with {devices} "
            "replicas in this process."
        )


def _reader(settings, folder):
    """Returns the function that loads a state, which other settings than its own refuse later."""

    def load(stored):
        same = same_ensembler(stored, settings.to_json())
        return stored, read_search(stored, folder, settings.ensembler if same else None)

    return load


def _read_limits(settings, given, group):
    """Returns how much of a dataset is used: the rows of all rounds that are begun, at most."""
    batches = seconds = None
    if given.max_steps is not None:
        # Whole rounds, so that a round that is stopped goes on with the same rows.
        steps = settings.steps_per_iteration
        # Where steps follow from the rows, these are not known yet.
        batches = given.max_steps + MOST_STEPS
        if steps != "auto":
            batches = -(-given.max_steps // steps) * steps
    if given.time_limit is not None and group.alone:
        seconds = READING_SHARE * given.time_limit
    return ReadLimits(batches, seconds)


def _tell_renamed(schema, group):
    if schema.renamed and group.is_chief:
        pairs = ", ".join(f"'{name}' as '{key}'" for name, key in schema.renamed.items())
        logging.info("Models and serving signatures name the features: %s.", pairs)


def _seed(settings, before, stored, group):
    if before is not None:
        return before.seed
    if settings.seed is not None:
        return settings.seed
    seed = stored["seed"] if stored else int.from_bytes(os.urandom(4), "little")
    (seed,) = map(int, group.agree(seed))
    return seed


def _defaults(settings, head, data, before, stored):
    if before is not None:
        return before.settings.defaults
    if stored is not None:
        return Defaults.of_state(stored)
    if math.isinf(data.epoch_steps):
        return Defaults()
    falls = settings.complexity_rule.falls_with_rows
    classes = head.strata(data.train.y) is not None
    judged = data.valid if settings.weighs_held_out else data.train
    held_out = len(judged) if settings.weighs_unseen else None
    return Defaults.of_rows(
        round(data.epoch_steps * data.batch_size),
        data.batch_size,
        classes,
        falls,
        settings.stopping is not None,
        held_out,
    )


def _loss_scale(head, data, before, stored):
    if before is not None:
        return before.loss_scale
    if stored is not None:
        return LossScale.from_json(stored.get("loss_scale"))
    return head.loss_scale(data.train.y, data.train.w)


def _check_group(context, data):
    """Compares what processes that train together begin with.

    Raises:
        RuntimeError: It differs from what the chief has.
    """
    group = context.group
    if group.alone:
        return
    own = Identity.of(context, data, 0)
    chief = Identity(json.loads(group.tell(json.dumps(own.values))))
    how = chief.differences(own, ("the chief has", "this process has"))
    if how:
        raise RuntimeError(
            f"This worker and the chief disagree: {how}. All workers need the same data, settings, "
            "seed and versions."
        )


def _changes(context, before, stored, state, given, folder):
    """Returns the settings with which a search that has begun goes on, and says so."""
    if stored is not None:
        begun, whose = configuration_of(stored), f"model_dir '{folder.path}'"
    elif before is not None:
        begun, whose = before.configuration(), "This object"
    else:
        return ()
    changes = changes_of(begun, context.configuration(), state.iteration, whose)
    if given.validation_split and any(change.setting == "seed" for change in changes):
        raise ValueError(
            f"{whose} holds a search with another configuration: seed: stored {begun['seed']}, now "
            f"{context.seed}, by which validation_split draws the rows that are held out: members "
            "have been trained on them. Use the same seed, or pass validation_data."
        )
    if context.group.is_chief:
        for change in changes:
            logging.info("The search goes on with another setting: %s.", change)
    return changes


def _check_generator(settings, state):
    # Called before anything is written, so that a faulty generator leaves no files behind.
    if state.iteration < settings.rounds and not settings.generator.needs_features:
        propose_builders(settings.generator, state.ensemble, state.iteration + 1, state.reports)
