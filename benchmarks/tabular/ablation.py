"""adaptive_nets with one ingredient off, or with one on that is off by default.

Each variant is a system `adaptive_nets:NAME`. Ingredients are not settings of the front, so a
variant replaces what the front calls while it is fitted.
"""

import contextlib
import dataclasses
import functools
import importlib
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from unittest import mock

from benchmarks.tabular import ours
from benchmarks.tabular.measures import measure
from benchmarks.tabular.systems import SYSTEMS, Predict
from benchmarks.tabular.tasks import Split, load

# What every variant is compared with.
FULL = "adaptive_nets"
# Tables of the ablation: few and many rows, numbers, codes, categories and dates, all three tasks.
TABLES = (
    "attrition", "concrete", "telco_churn", "phoneme", "covertype", "california_housing",
    "kc_housing", "adult",
)  # fmt: skip

_SEARCHING = "adaptive_nets.automl.searching"
_TABULAR = "adaptive_nets.generators.tabular"


def _as_it_is(given):
    return given


@dataclasses.dataclass(frozen=True)
class Variant:
    """How a variant differs.

    Args:
        about: What is off, or on.
        settings: Arguments of the front.
        tabular: Arguments of `generators.Tabular`.
        search: Function that returns arguments of `AdaNet`.
        generator: Function from the front's generator to the variant's.
        patches: Function that returns other values of names in modules.
    """

    about: str
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    tabular: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    search: Callable[[], dict[str, Any]] = dict
    generator: Callable[[Any], Any] = _as_it_is
    patches: Callable[[], dict[str, Any]] = dict


def _no_codes():
    portfolio = importlib.import_module(f"{_TABULAR}.portfolio")
    return {
        f"{_TABULAR}.generator.first_recipes": lambda base, _: portfolio.first_recipes(base, False),
        f"{_TABULAR}.generator.next_recipes": lambda base, _, reports: portfolio.next_recipes(
            base, False, reports
        ),
    }


def _mixed_by(weights):
    import adaptive_nets as an

    return {"mixture_weights": weights(an.adanet)}


def _stopping_at_best():
    import adaptive_nets as an

    return {"early_stopping": an.adanet.EarlyStopping()}


def _growing(generator):
    import adaptive_nets as an

    return an.generators.Growth(generator, fresh=True)


def _with_majority(generator):
    """TabM with two majority kernels for each of its shared ones; other kinds as they are."""
    import adaptive_nets as an

    majority = an.generators.Tabular("tabm", majority=2).majority
    propose = generator.generate

    def generate(*given):
        builders = propose(*given)
        for builder in builders:
            if builder.name.startswith("tabm"):
                builder.majority = majority
        return builders

    generator.generate = generate
    return generator


# More of a prior on equal weights than rows could outweigh.
_EQUAL = 1e9

VARIANTS = {
    "no_embeddings": Variant(
        "numbers as one scaled value each instead of embeddings",
        patches=lambda: {f"{_TABULAR}.columns.NUMBER_UNITS": 1},
    ),
    "no_codes": Variant("integers of few values as numbers only", patches=_no_codes),
    "no_realmlp": Variant("no RealMLP", tabular={"kinds": ["tabm", "wide"]}),
    "no_tabm": Variant("no TabM", tabular={"kinds": ["realmlp", "wide"]}),
    "no_wide": Variant("no wide linear model", tabular={"kinds": ["tabm", "realmlp"]}),
    "one_kind": Variant("TabM only, in all rounds", tabular={"kinds": ["tabm"]}),
    "one_round": Variant("only the first round", search=lambda: {"max_iterations": 1}),
    "no_linear": Variant(
        "the linear model is not a member",
        patches=lambda: {f"{_SEARCHING}.FirstRound": lambda generator, _: generator},
    ),
    "no_averaging": Variant(
        "the best weights instead of averaged ones", search=_stopping_at_best
    ),
    "one_network": Variant(
        "the best single network instead of an ensemble",
        search=lambda: {"ensemble_strategies": ("solo",)},
    ),
    "equal_weights": Variant(
        "members weigh the same",
        search=lambda: _mixed_by(lambda adanet: adanet.ProbabilityEnsembler(shrinkage=_EQUAL)),
    ),
    "greedy_weights": Variant(
        "Caruana's greedy selection instead of the convex solution",
        search=lambda: _mixed_by(lambda adanet: adanet.GreedyEnsembler()),
    ),
    "folds": Variant("five folds instead of one held-out part", settings={"folds": 5}),
    "majority": Variant("TabM with two majority kernels", generator=_with_majority),
    "energy": Variant("widths learnt by an EnergyNet", tabular={"width": "energy"}),
    "growth": Variant("later rounds also grow the best member", generator=_growing),
}  # fmt: skip


@contextlib.contextmanager
def changed(variant: Variant) -> Iterator[None]:
    """Within it, the front searches as the variant does; within others, as they do besides.

    Args:
        variant: The variant.
    """
    searching = importlib.import_module(_SEARCHING)
    make_search, make_tabular, arguments = searching.AdaNet, searching.Tabular, variant.search()

    def search(head, generator, **given):
        return make_search(head, variant.generator(generator), **{**given, **arguments})

    def tabular(kinds="auto", **given):
        return make_tabular(**{"kinds": kinds, **given, **variant.tabular})

    patches = {
        f"{_SEARCHING}.AdaNet": search,
        f"{_SEARCHING}.Tabular": tabular,
        **variant.patches(),
    }
    with contextlib.ExitStack() as stack:
        for name, value in patches.items():
            stack.enter_context(mock.patch(name, value))
        yield


def _system(variant):
    def fit(split: Split, seconds: float, seed: int) -> Predict:
        with changed(variant):
            return ours.adaptive_nets(split, seconds, seed, **variant.settings)

    fit.needs = ours.adaptive_nets.needs
    return fit


# What quick runs fit at once: variants of different parts of a search. Those that only differ in
# the kinds of networks need one fit for all.
_TOGETHER = (
    (),
    ("no_embeddings", "no_codes", "no_linear", "one_network", "no_averaging", "energy"),
    ("majority", "equal_weights", "one_round"),
    ("folds", "greedy_weights"),
    ("growth",),
    ("no_tabm", "no_realmlp", "no_wide", "one_kind"),
)


def _few_steps():
    return {f"{_TABULAR}.structure.STEPS": 10, **_no_codes()}


def quick(rows: int = 60) -> list[dict[str, Any]]:
    """Results of all variants on a table that is drawn, after steps that are only for show.

    Args:
        rows: Number of rows.
    """
    found = []
    for names in _TOGETHER:
        chosen = [VARIANTS[name] for name in names]
        kinds = {} if any("kinds" in each.tabular for each in chosen) else {"kinds": "tabm"}
        limits = {"max_iterations": 2 if "growth" in names else 1, "steps_per_iteration": 2}
        short = Variant(
            "short", tabular=kinds, search=functools.partial(dict, limits),
            # Fewer networks, except for the full system.
            patches=_few_steps if names else dict,
        )  # fmt: skip
        split, settings = load("mixed", 0, None, rows), {}
        with contextlib.ExitStack() as stack:
            for each in [short, *chosen]:
                stack.enter_context(changed(each))
                # Two folds show that folds run.
                settings |= dict.fromkeys(each.settings, 2)
            predict = ours.adaptive_nets(split, math.inf, 0, **settings)
        truth = split.test[split.target].to_numpy()
        result = {
            "table": "mixed", "seed": 0, "seconds": math.inf,
            "loss": measure(split.task, truth, predict(split.test), split.classes)["loss"],
            "candidates": list(predict.model.search_.leaderboard()["candidate"]),
        }  # fmt: skip
        found += [
            {"system": f"{FULL}:{name}" if name else FULL, **result} for name in names or [""]
        ]
    return found


NAMES = [FULL, *(f"{FULL}:{name}" for name in VARIANTS)]
SYSTEMS.update({f"{FULL}:{name}": _system(variant) for name, variant in VARIANTS.items()})
