"""`Tabular`: networks for tables."""

import pathlib
from collections.abc import Iterable
from typing import Any

import keras

from adaptive_nets._checks import check_choice, check_integer, check_list, check_number, or_none
from adaptive_nets.adanet import Ensemble, Generator, Report
from adaptive_nets.adanet.candidates.stock.layer_builder import MajoritySetting, describe_majority
from adaptive_nets.generators.tabular.builder import TabularBuilder
from adaptive_nets.generators.tabular.portfolio import first_recipes, next_recipes
from adaptive_nets.generators.tabular.recipe import KINDS, USUAL, Recipe
from adaptive_nets.generators.tabular.statistics import TableStatistics, learn_statistics
from adaptive_nets.generators.tabular.structure import learn_widths

# Kinds whose layers have majority versions.
MAJORITY_KINDS = ("mlp", "tabm")


@keras.saving.register_keras_serializable(package="adaptive_nets")
class Tabular(Generator):
    """Networks for tables: TabM, RealMLP, wide linear models and plain ones, of embedded columns.

    The first round tries networks of different kinds. Later rounds read the reports and try
    neighbours of the best ones: another kind, embedding, depth or width, never only another seed.

    Features are one array `[rows, columns]` of numbers, or a dict with some of these keys:

    - `"numbers"`: `[rows, columns]` floats.
    - `"missing"`: `[rows, columns]` of 0 and 1, which numbers were missing.
    - `"categories"`: `[rows, columns]` integers: 0 missing, 1 unseen in training, 2 rare, and from
      3 on the known values.
    - `"codes"`: The same for integers with few values that are also in `"numbers"`. The first round
      tries to use and to ignore them.
    - `"tokens"`: `[rows, texts, length]` integers of words, 0 for padding.

    What the networks need to know of the columns, such as their quantiles, is learnt from the
    training rows before the first round. Networks for tables overfit soon: they are best stopped
    by held-out rows, with averaged weights, by `adanet.EarlyStopping(average=0.995)`.

    Args:
        kinds: Kinds of networks to try, the first two of them in the first round: `"tabm"`,
            `"realmlp"`, `"wide"` (a linear model of the pieces of numbers, of categories and of
            pairs of columns) and `"mlp"`. Defaults to `"auto"`: the first three in this order;
            with majority kernels `"mlp"` and `"tabm"`.
        members: Number k of members of a TabM, at least 1. They share kernels; each has scales and
            a head of its own. Defaults to 8.
        width: Units of a hidden layer; or `"energy"`: widths and depth are learnt from the training
            rows by an `energy.EnergyNet`. Defaults to `None`, the kind's own: three layers of 256
            for RealMLP, two of 256 for TabM and of 128 for a plain network.
        dropout: Dropout rate after each hidden layer, in [0, 1). Defaults to `None`, the kind's
            own: 0.15 for RealMLP, 0 for others.
        majority: Number k of majority kernels of each shared dense layer, as for
            `generators.Dense`; for `"mlp"` and `"tabm"` only. Defaults to 1: plain layers.
        seed: Seed of what is learnt from the training rows. Defaults to 0.

    Raises:
        ValueError: A setting is out of range, the features are of an unknown form, or `generate`
            is called before `prepare`.

    Example:

    ```python
    import adaptive_nets as an
    from sklearn.datasets import load_iris

    x, y = load_iris(return_X_y=True)
    generator = an.generators.Tabular(members=4, width=32)
    search = an.AdaNet(
        an.heads.MultiClass(3), generator, max_iterations=1, steps_per_iteration=20
    )
    search.fit(x.astype("float32"), y, verbose=0)
    ```

    Reference: Gorishniy et al., "TabM", arXiv 2410.24210; Holzmüller et al., "Better by Default"
    (RealMLP), arXiv 2407.04491. How rounds vary them is this package's own.
    """

    needs_features = True

    def __init__(
        self,
        kinds: str | Iterable[str] = "auto",
        members: int = 8,
        width: int | str | None = None,
        dropout: float | None = None,
        majority: MajoritySetting = 1,
        seed: int = 0,
    ):
        if not (isinstance(kinds, str) and kinds == "auto"):
            kinds = [kinds] if isinstance(kinds, str) else kinds
            kinds = check_list("kinds", kinds, str, f"'auto' or some of {', '.join(KINDS)}", 1)
            for kind in kinds:
                check_choice("kinds", kind, KINDS)
            kinds = list(dict.fromkeys(kinds))
        self.kinds = kinds
        self.members = check_integer("members", members, 1)
        learnt = isinstance(width, str) and width == "energy"
        self.width = width if learnt else or_none(check_integer, "width", width, 1)
        self.dropout = or_none(check_number, "dropout", dropout, 0, 1, "low")
        self.majority = describe_majority(majority)
        plain = [kind for kind in self._kinds() if kind not in MAJORITY_KINDS]
        if self.majority and plain:
            raise ValueError(
                f"majority is for kinds with dense layers, {' and '.join(MAJORITY_KINDS)}. "
                f"Received: kinds={self.kinds!r}, of which {plain[0]!r} has none."
            )
        self.seed = check_integer("seed", seed, 0)
        self._statistics: TableStatistics | None = None
        self._widths: tuple[int, ...] | None = None

    def prepare(self, features: Any, folder: pathlib.Path | None = None) -> None:
        if self._statistics is not None:
            return
        statistics = learn_statistics(features, self.seed)
        if self.width == "energy":
            self._widths = learn_widths(features, statistics, folder, self.seed)
        self._statistics = statistics

    def generate(
        self, previous: Ensemble | None, iteration: int, reports: list[Report]
    ) -> list[TabularBuilder]:
        known = self._statistics
        if known is None:
            raise ValueError(
                "generators.Tabular must learn from the features first, as AdaNet.fit lets it do. "
                "Call prepare(features) to use it on its own."
            )
        base = {kind: self._usual(kind) for kind in self._kinds()}
        has_codes = known.codes is not None
        if previous is None:
            recipes = first_recipes(base, has_codes)
        else:
            recipes = next_recipes(base, has_codes, reports)
        return [self.builder(recipe) for recipe in recipes]

    def builder(self, recipe: Recipe) -> TabularBuilder:
        """Returns what builds a network of a recipe, once `prepare` has been called."""
        return TabularBuilder(recipe, self._statistics, self.majority)

    def _kinds(self):
        if self.kinds != "auto":
            return self.kinds
        return list(MAJORITY_KINDS) if self.majority else ["tabm", "realmlp", "wide"]

    def _usual(self, kind):
        recipe = Recipe(kind, members=self.members, **USUAL[kind])
        if kind == "wide":
            return recipe
        if self._widths is not None:
            recipe = recipe.changed(widths=self._widths)
        elif isinstance(self.width, int):
            recipe = recipe.changed(widths=(self.width,) * len(recipe.widths))
        return recipe if self.dropout is None else recipe.changed(dropout=self.dropout)

    def get_config(self) -> dict:
        return {
            "kinds": self.kinds,
            "members": self.members,
            "width": self.width,
            "dropout": self.dropout,
            "majority": self.majority,
            "seed": self.seed,
        }
