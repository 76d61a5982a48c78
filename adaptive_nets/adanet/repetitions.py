"""Training data that repeats other data: streamed where more is repeated than training uses."""

import dataclasses

import keras

from adaptive_nets.adanet.candidates.builder import Builder
from adaptive_nets.adanet.candidates.generator import propose_builders
from adaptive_nets.adanet.defaults import LONGER, MOST_STEPS
from adaptive_nets.adanet.fit_data import SAMPLE_ROWS, FitArguments
from adaptive_nets.adanet.settings import SearchSettings
from adaptive_nets.data.datasets import is_dataset, is_endless, stream_repetitions


def stream_long_repetitions(settings: SearchSettings, given: FitArguments) -> FitArguments:
    """Returns the arguments of `fit` with `x` made endless if it repeats more than is used.

    A dataset that holds at least the steps of all rounds is never read to its end. That does not
    depend on the limits of a single call, so that a search goes on as it began.

    Args:
        settings: The settings of the search.
        given: The arguments of `fit`.

    Raises:
        ValueError: `x` repeats what are not batches of features and labels.
    """
    if given.y is not None or not is_dataset(given.x) or is_endless(given.x):
        return given
    steps = settings.steps_per_iteration
    if steps == "auto":
        steps = MOST_STEPS * (1 if settings.stopping is None else LONGER)

    def needed():
        weighed = given.sample_weight is not None
        counted = any(isinstance(each, str) for each in keras.tree.flatten(given.class_weight))
        return bool(weighed or counted or given.validation_split) or requires_end(settings)

    x = stream_repetitions(given.x, SAMPLE_ROWS, needed, settings.rounds * steps)
    return dataclasses.replace(given, x=x)


def requires_end(settings: SearchSettings) -> bool:
    """Returns whether a search trains on finite data only: on shares, folds or a builder's own."""
    if settings.placement != "replicated" or settings.folds is not None:
        return True
    if settings.generator.needs_features:
        return False
    return any(map(_has_own_data, propose_builders(settings.generator, None, 1, [])))


def _has_own_data(builder):
    """Returns whether a builder of the first round brings its own rows, beside finite ones."""
    given = getattr(builder.training_data, "__func__", None)
    return given is not Builder.training_data
