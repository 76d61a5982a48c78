"""Sets up a round: builds its subnetworks, and prepares their training data."""

import functools
from collections.abc import Callable, Sequence

import numpy as np
from absl import logging

from adaptive_nets._pieces import RowWise
from adaptive_nets._seeds import derive_seed
from adaptive_nets.adanet.candidates.builder import Builder, Subnetwork
from adaptive_nets.adanet.context import SearchContext
from adaptive_nets.adanet.ensembles.ensemble import Ensemble
from adaptive_nets.adanet.ensembles.output_cache import OutputCache
from adaptive_nets.adanet.fit_data import FitData, own_rows
from adaptive_nets.adanet.objective.complexity import summarize_rows
from adaptive_nets.adanet.rounds.build_member import build_member
from adaptive_nets.adanet.rounds.folding.joined import join_folds
from adaptive_nets.adanet.rounds.folding.sources import fold_feed, refuse_own_data
from adaptive_nets.adanet.rounds.penalty import loss_units, penalties
from adaptive_nets.adanet.rounds.round import Round
from adaptive_nets.adanet.rounds.stopping.best_weights import BestWeights
from adaptive_nets.adanet.rounds.stopping.held_out import HeldOut
from adaptive_nets.adanet.rounds.stopping.watched_trainer import WatchedTrainer
from adaptive_nets.adanet.rounds.trainer import RoundTrainer, loss_scaled
from adaptive_nets.adanet.rounds.xla import choose_xla, rewrites
from adaptive_nets.data.feeds import JoinedFeed, StreamFeed, finite_feed
from adaptive_nets.data.spool import Spool
from adaptive_nets.graphs.loadable import why_not_loaded
from adaptive_nets.heads import Multi

# Up to this many logits of the previous ensemble are held in float64.
WIDE_NUMBERS = 1 << 24


def set_up_round(
    context: SearchContext,
    data: FitData,
    train: OutputCache,
    stream: StreamFeed | None,
    builders: Sequence[Builder],
    number: int,
    previous: Ensemble | None,
    expected_steps: int | None = None,
    valid: OutputCache | None = None,
) -> Round:
    """Sets up a `Round` for training.

    Args:
        context: `SearchContext`.
        data: Checked `FitData`.
        train: Training `OutputCache`.
        stream: Feed of an endless dataset, or `None`.
        builders: The round's builders.
        number: The round, from 1.
        previous: The current ensemble, or `None`.
        expected_steps: About how many steps it will train. Defaults to `None`: those of the
            settings.
        valid: Validation `OutputCache`, for early stopping. Defaults to `None`.
    """
    scales = base = None
    if context.settings.training == "residual":
        scales = context.settings.ensembler.scales(len(previous.members) if previous else 0)
        base = _base(context, train, previous)
    output_range = context.head.output_range(train.rows.y, base)
    measure = complexity_of(context, train)
    folds = context.settings.networks
    parts = None
    if isinstance(context.head, Multi):
        parts = {name: head.units for name, head in context.head.heads.items()}
    with context.strategy.scope():
        networks = [
            build_member(
                b, train.rows.spec, context.head.units, previous, number, measure,
                context.seed, output_range, context.head.mean_of, fold, parts,
                context.schema.renamed,
            )
            for b in builders
            for fold in (range(folds) if folds else (None,))
        ]  # fmt: skip
        members = networks if not folds else [
            join_folds(networks[k * folds : (k + 1) * folds], context.head, train.rows.spec, b.name)
            for k, b in enumerate(builders)
        ]  # fmt: skip
    _check_loads(members, context)
    if context.settings.warm_start is not None:
        context.settings.warm_start.apply(networks)
    steps = context.settings.steps
    size = (
        [m.model for m in networks],
        expected_steps or steps,
        context.strategy.num_replicas_in_sync,
    )
    jit_compile = choose_xla(context.settings.jit_compile, *size)
    own = [b.training_data(len(train.rows), _seed(context, number, b)) for b in builders]
    groups = [1 + k if given is not None else 0 for k, given in enumerate(own)]
    if folds:
        refuse_own_data(builders, own)
        feed = _fold_feed(context, data, train, networks, base, number)
        groups = list(range(folds)) * len(builders)
    elif stream is not None:
        _refuse_own_data_of_streams(builders, own)
        feed = stream
        feed.begin_round()
        feed.frozen = _stream_function(context, train, members, previous)
    else:
        feed = _finite_feed(context, data, train, builders, own, members, base, previous, number)
        used = sorted(set(groups))
        groups = [used.index(group) for group in groups]
    best = _best_weights(context, data, train, valid, networks, scales, previous)
    kind = RoundTrainer if best is None else functools.partial(WatchedTrainer, best=best)
    with context.strategy.scope():
        optimizers = [loss_scaled(b.optimizer()) for b in builders for _ in range(folds or 1)]
        # Networks of a builder's folds differ only in what they begin with.
        kinds = [k for k in range(len(builders)) for _ in range(folds or 1)]
        trainer = kind(
            networks, optimizers, context.head, scales, jit_compile, groups,
            penalties(context, networks), loss_units(context, networks), kinds,
            jit_compile or rewrites(*size),
        )  # fmt: skip
    return Round(number, members, trainer, feed, steps, context.group)


def _check_loads(members, context):
    """Says before training what could not be loaded from a file afterwards.

    Raises:
        ValueError: A subnetwork could not be loaded from the search's folder.
    """
    for member in members:
        reason = why_not_loaded(member.model)
        if reason is None:
            continue
        cure = (
            "Register its class or function with keras.saving.register_keras_serializable, give "
            "it a get_config, and pass named functions in place of lambdas"
        )
        if context.settings.model_dir is not None:
            raise ValueError(
                f"The subnetwork of builder '{member.builder}' could not be loaded from "
                f"model_dir: {reason} {cure}; or search without model_dir."
            )
        if context.group.is_chief:
            logging.warning(
                "A saved search.model could not be loaded with the subnetwork of builder '%s': %s "
                "%s. It can be exported.", member.builder, reason, cure,
            )  # fmt: skip


def complexity_of(
    context: SearchContext, train: OutputCache
) -> Callable[[Subnetwork, tuple[int, ...] | None], float]:
    """Returns the search's complexity as a function of a subnetwork and its widths."""
    if train.sample is None:
        train.sample = summarize_rows(train.rows)
    sample = train.sample

    def measure(subnetwork, widths):
        # Units of the last layer are functions of that layer; logits are one layer later.
        if widths and context.settings.ensembler.reads_last_layer:
            widths = widths[:-1]
        return context.settings.complexity_rule.before(subnetwork, widths, sample)

    return measure


def _base(context, view, previous):
    if previous is None:
        return None
    ensembler, outputs = context.ensembler, view.outputs(previous.members)
    logits = RowWise(lambda rows: ensembler.apply(previous.mixture, rows), outputs)
    units = context.head.units
    # Subtracted from targets, it keeps their digits; many logits are of classes.
    return logits.whole(units, "float64" if len(logits) * units <= WIDE_NUMBERS else "float32")


def _best_weights(context, data, train, valid, networks, scales, previous):
    """Returns the round's `BestWeights`, or `None` without early stopping."""
    stopping, folds = context.settings.stopping, context.settings.folds
    if stopping is None:
        return None
    steps, view = context.settings.steps, train if folds else valid
    rule = stopping.rule(steps, data.epoch_steps, data.batch_size, len(view.rows) // (folds or 1))
    base = _base(context, view, previous) if scales is not None else None
    parts = [None]
    if folds:
        parts = [train.folds.within(f) for f in range(context.settings.networks)]
    groups = [k % len(parts) for k in range(len(networks))]
    held_out = HeldOut.of_rows(view, networks, base, context.head, rule.rows, parts, groups)
    return BestWeights(networks, context.head, scales, held_out, rule)


def _fold_feed(context, data, train, networks, base, number):
    steps, seed = context.settings.steps, derive_seed(context.seed, number, "batches")
    common = finite_feed(train.rows, data.batch_size, steps, base, seed, train.hidden(networks))
    return fold_feed(common, train.folds, context.settings.networks, seed)


def _seed(context, number, builder):
    return derive_seed(context.seed, number, builder.name, "data")


def _finite_feed(context, data, train, builders, own, members, base, previous, number):
    steps, size = context.settings.steps, data.batch_size
    shared = [m for m, given in zip(members, own, strict=True) if given is None or given.x is None]
    seed = derive_seed(context.seed, number, "batches")
    common = finite_feed(train.rows, size, steps, base, seed, train.hidden(shared))
    feeds = [common] if any(given is None for given in own) else []
    for builder, given, member in zip(builders, own, members, strict=True):
        if given is None:
            continue
        seed = _seed(context, number, builder)
        if given.x is None:
            given.check(len(train.rows), builder.name)
            feeds.append(common.variant(given.indices, given.sample_weight, seed))
            continue
        rows = own_rows(given, context.head, context.schema, builder.name)
        view = OutputCache(context.preprocessor(rows), train.keep_last_layer)
        own_base = (
            _base(context, view, previous) if context.settings.training == "residual" else None
        )
        feeds.append(finite_feed(view.rows, size, steps, own_base, seed, view.hidden([member])))
    return feeds[0] if len(feeds) == 1 else JoinedFeed(feeds)


def _refuse_own_data_of_streams(builders, own):
    names = [b.name for b, given in zip(builders, own, strict=True) if given is not None]
    if names:
        raise ValueError(
            f"Builder '{names[0]}' has its own training data, which requires finite data in fit. "
            "Received: an endless dataset."
        )


def _stream_function(context, train, members, previous):
    """Returns a function from a chunk's features to frozen members' outputs, or `None`."""
    reads = list(dict.fromkeys(key for m in members for key in m.reads))
    residual = context.settings.training == "residual" and previous is not None
    old = previous.members if residual else ()
    if not old and not reads:
        return None
    parents = {p.name: p for m in members for p in m.parents}
    keys = list(dict.fromkeys([*train.keys(old), *reads]))
    function = train.function([*old, *parents.values()], keys, whole=True)

    ensembler = context.ensembler

    def frozen(x):
        found = function(x, lambda rows: Spool(train.cache_limit, expected=rows))
        given = {}
        if residual:
            base = ensembler.apply(previous.mixture, train.by_member(old, found))
            given["base"] = np.asarray(base, "float32")
        if reads:
            given["hidden"] = {key: found[key] for key in reads}
        return given

    return frozen
