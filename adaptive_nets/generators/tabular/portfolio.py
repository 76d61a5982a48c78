"""Which recipes a round tries."""

from collections.abc import Iterable, Iterator

from adaptive_nets.adanet import Report
from adaptive_nets.generators.tabular.recipe import Recipe

# Kinds of the first round, and candidates of a later one.
FIRST_KINDS, LATER = 2, 3

# Narrowest and widest layers that neighbours may have.
NARROWEST, WIDEST = 32, 512

# Highest dropout rate that neighbours may have.
MOST_DROPOUT = 0.5


def first_recipes(base: dict[str, Recipe], has_codes: bool) -> list[Recipe]:
    """Returns the recipes of the first round: of the first kinds, and variants of the first one.

    Whether codes help or mislead, and whether dropout does, depends on the table: where labels have
    little noise, a network without dropout is far better, and elsewhere it overfits.

    Args:
        base: For each kind to try, its usual recipe.
        has_codes: Whether there are integers with few values.
    """
    first, *others = list(base.values())[:FIRST_KINDS]
    found = [first, first.changed(codes=True)] if has_codes else [first]
    found += [first.changed(dropout=0.0)] if first.dropout else []
    return found + [other.changed(codes=has_codes and other.kind == "wide") for other in others]


def next_recipes(
    base: dict[str, Recipe], has_codes: bool, reports: Iterable[Report]
) -> list[Recipe]:
    """Returns the recipes of a later round: neighbours of the best ones that are still untried.

    Args:
        base: For each kind to try, its usual recipe.
        has_codes: Whether there are integers with few values.
        reports: `Report`s of the earlier rounds.
    """
    known = {"kind", "embedding", "widths"}
    trained = [r for r in reports if r.status == "trained" and known <= set(r.hyperparameters)]
    ranked = sorted(trained, key=score)
    best = [Recipe.read(report.hyperparameters) for report in ranked] or list(base.values())
    tried, found = {recipe.name for recipe in best}, []
    for recipe in _candidates(best, base, has_codes):
        if recipe.name not in tried:
            tried.add(recipe.name)
            found.append(recipe)
        if len(found) == LATER:
            break
    return found


def score(report: Report) -> float:
    """Returns a candidate's loss, as it is compared with those of other rounds.

    Without held-out rows it is the objective of its best ensemble: after residual training, a
    candidate's own loss says little.
    """
    metrics = report.metrics
    return metrics.get("held_out_loss", metrics.get("objective", float("inf")))


def _candidates(best, base, has_codes):
    """Yields recipes, those that promise most first, without end."""
    for recipe in best[:2]:
        yield from _neighbours(recipe, base, has_codes)
    # Never the same network with another seed: wider by an eighth, again and again; or, where
    # nothing can be wider, slower.
    last = next((recipe for recipe in best if recipe.widths), best[0])
    while True:
        if last.widths:
            last = last.changed(widths=tuple(width + max(1, width // 8) for width in last.widths))
        else:
            last = last.changed(learning_rate=0.8 * last.learning_rate)
        yield last


def _neighbours(recipe: Recipe, base: dict[str, Recipe], has_codes: bool) -> Iterator[Recipe]:
    """Yields recipes near one, those that differ most from it first."""
    others = [kind for kind in base if kind != recipe.kind]
    if recipe.kind == "wide":
        yield from (base[kind].changed(codes=recipe.codes) for kind in others)
        yield recipe.changed(crosses=not recipe.crosses)
        if has_codes:
            yield recipe.changed(codes=not recipe.codes)
        return
    doubled = tuple(min(WIDEST, 2 * width) for width in recipe.widths)
    halved = tuple(max(NARROWEST, width // 2) for width in recipe.widths)
    yield from (base[kind].changed(codes=recipe.codes) for kind in others)
    yield recipe.changed(widths=(*recipe.widths, recipe.widths[-1]))
    yield recipe.changed(embedding="periodic" if recipe.embedding == "pieces" else "pieces")
    if recipe.dropout:
        yield recipe.changed(dropout=0.0)
    yield recipe.changed(widths=doubled, dropout=min(MOST_DROPOUT, recipe.dropout + 0.15))
    if has_codes:
        yield recipe.changed(codes=not recipe.codes)
    yield recipe.changed(widths=halved)
    if recipe.kind == "tabm":
        yield recipe.changed(scales="all" if recipe.scales == "first" else "first")
