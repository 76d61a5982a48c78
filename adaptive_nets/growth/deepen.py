"""Deeper models that compute what the shallow ones did."""

import contextlib
import dataclasses
from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from adaptive_nets._checks import check_choice, check_integer, check_list, or_none, show
from adaptive_nets._seeds import new_seed
from adaptive_nets.graphs.shared_memory import read
from adaptive_nets.graphs.state import carry_extras, layer_pairs
from adaptive_nets.growth.core.grown_model import initialise, postponed
from adaptive_nets.growth.core.optimizer_slots import Carried
from adaptive_nets.growth.core.plan import Plan, apply, table_of
from adaptive_nets.growth.core.registry import check_grown_whole, find_rule
from adaptive_nets.growth.core.weight_roles import continue_draws
from adaptive_nets.growth.depth.graph_blocks import join
from adaptive_nets.growth.depth.inserting import Inserter
from adaptive_nets.growth.depth.insertion import Copy
from adaptive_nets.growth.depth.places import Places, views
from adaptive_nets.keras_internals import origin

if TYPE_CHECKING:
    import pandas as pd

METHODS = ("auto", "identity", "residual", "stack")


def deepen(
    model: keras.Model,
    after: str | Sequence[str] | int | None = None,
    method: str = "auto",
    preserve: str = "exact",
    seed: int | None = None,
    times: int = 2,
    verify: bool | str = "auto",
) -> keras.Model:
    """Puts new layers into a model; it computes what it did.

    Args:
        model: A built Sequential or Functional model. It is not changed.
        after: The name of a layer ("inner/dense" for one of a model inside), or a list of names;
            or how many layers or blocks to put in, spread evenly over the places where it is
            exact, the deepest first. Of these, residual blocks come first, then convolutions; a
            linear layer is not repeated, and none is put in that would add more than half of the
            model's parameters where another adds less than a quarter of that. Default: one; with
            "stack", whole stacks are repeated.
        method: "identity": a layer of the same kind with an identity kernel, where its activation
            changes nothing the second time (relu, none). "residual": behind the sum of a residual
            block, or a layer of your own that is one, a fresh copy of that block that adds zero at
            first; elsewhere
            x + last(relu(first(x))) with a zero last layer. "stack": the block with its weights
            once more, which changes the function. "auto": a residual block's copy, else an
            identity, else a residual branch: the first that is exact.
        preserve: "exact" refuses what would change the function; "approximate" does it and
            reports the gap (use `plan_deepen` and `apply` to see the report).
        seed: Makes all draws repeatable. Default: one drawn from NumPy's entropy.
        times: With "stack" and no `after`, how often the repeated blocks come in all.
        verify: Whether outputs are compared before and after: True, False, or "auto", which does
            it where it takes no longer than the growth did (`adaptive_nets.growth.apply`).

    Returns:
        The deeper model. Old layers keep their names. A Sequential stays one unless a residual
        branch is put in.

    Raises:
        ValueError: If a layer is unknown, is an output or is called more than once, if the method
            is not exact there, or if the model is not built or is subclassed.

    Example:

    ```python
    import keras
    from adaptive_nets import growth

    model = keras.Sequential([
        keras.Input((8,)), keras.layers.Dense(16, "relu", name="hidden"), keras.layers.Dense(3)
    ])
    deeper = growth.deepen(model, after="hidden")
    ```

    References: Chen, Goodfellow, Shlens, "Net2Net", arXiv 1511.05641, section 2.3, for "identity";
    Du et al., "Stacking Your Transformers", arXiv 2405.15319, for "stack".
    """
    return apply(plan_deepen(model, after, method, preserve, seed, times), verify=verify)[0]


def plan_deepen(
    model: keras.Model,
    after: str | Sequence[str] | int | None = None,
    method: str = "auto",
    preserve: str = "exact",
    seed: int | None = None,
    times: int = 2,
) -> Plan:
    """The plan of `deepen`, with the same arguments; nothing is changed.

    Returns:
        A plan; `print(plan)` shows what is put where, `adaptive_nets.growth.apply` does it.
    """
    times = check_deepening(after, method, preserve, seed, times)
    check_grown_whole(model)
    rule = find_rule(type(model))
    own = None if rule is None else rule.deepening(model, after, method, new_seed(seed))
    if own is not None:
        return own
    if after is None and method == "stack":
        found = _whole_stacks(model, times)
    elif after is None or isinstance(after, int | np.integer):
        found = _spread(model, 1 if after is None else after, method)
    else:
        names = [after] if isinstance(after, str) else list(after)
        found = [_named(model, name, method) for name in names]
    return DeepenPlan(model, tuple(found), preserve, new_seed(seed))


def check_deepening(after: Any, method: Any, preserve: Any, seed: Any, times: Any) -> int:
    """Checks the arguments of `deepen` that hold for every model. Returns `times`.

    Raises:
        ValueError: If one is out of range or of the wrong type.
    """
    check_choice("method", method, METHODS)
    check_choice("preserve", preserve, ("exact", "approximate"))
    or_none(check_integer, "seed", seed, 0)
    if isinstance(after, bool | float | np.bool_):
        check_integer("after", after)
    elif after is not None and not isinstance(after, str | Integral):
        check_list("after", after, str, "the name of a layer, a list of names, or a number", 1)
    return check_integer("times", times, 2)


@dataclasses.dataclass
class DeepenPlan(Plan):
    """A growth in depth that has not happened yet; `str(plan)` is a table.

    Args:
        model: The source.
        places: The path of the layer behind which each insertion goes, and the insertion.
        preserve: "exact" or "approximate".
        seed: For all that is drawn.
    """

    model: keras.Model
    places: tuple[tuple[str, Any], ...]
    preserve: str = "exact"
    seed: int = 0
    verb = "deepen"
    advice = "; or method='residual', which is exact"

    def __post_init__(self) -> None:
        self.check_exact()

    @property
    def models(self) -> tuple[keras.Model, ...]:
        """The one source; its layers are copied, so they need no rules."""
        return (self.model,)

    @property
    def inexact(self) -> list[str]:
        stacked = [path for path, each in self.places if each.method == "stack"]
        if not stacked:
            return []
        return [f"blocks repeated with their weights change the function ({', '.join(stacked)})"]

    @property
    def parameters(self) -> int:
        return self._graph()[0].count_params()

    @property
    def table(self) -> "pd.DataFrame":
        """What is put where, as a DataFrame."""
        return table_of(
            [
                {
                    "after": path,
                    "method": each.method,
                    "new": each.kinds,
                    "shape": str(tuple(each.tensor.shape)),
                }
                for path, each in self.places
            ]
        )

    def grow(self) -> tuple[keras.Model, list[Carried]]:
        grown, pairs = self.build()
        return grown, [Carried((old,), new) for old, new in pairs]

    def build(self) -> tuple[keras.Model, list[tuple[keras.Variable, keras.Variable]]]:
        """The deeper model, and each weight of the source with the one that carries its value.

        Optimizer slots of these pairs are carried as they are; all other weights are new.
        """
        grown, copier, new = self._graph()
        pairs = copier.pairs()
        values: dict[int, Any] = {id(to): read(old) for old, to in pairs}
        drawn: set[int] = set()
        for layer, make in copier.new_layers:
            values |= _own_values(layer, make)
            drawn |= {id(variable) for variable in getattr(layer, "weights", ())}
        initialise(new, values, drawn, self.seed, "float64")
        for old, layer in copier.carried:
            continue_draws(old, layer)
            if isinstance(layer, keras.Layer):
                for one, other in layer_pairs(old, layer):
                    carry_extras(one, other)
        return grown, pairs

    def _graph(self) -> tuple[keras.Model, Inserter, list[keras.Variable]]:
        """The deeper model without values, what made it, and its variables."""
        insertions: dict[int, list[Any]] = {}
        for _, each in self.places:
            insertions.setdefault(id(each.tensor), []).append(each)
        names = {node.operation.name for view in views(self.model) for node in view.nodes}
        names |= {origin(t)[0].name for v in views(self.model) for t in v.graph.inputs}
        copier = Inserter(insertions, names)
        with postponed() as new:
            grown = copier.model(self.model)
        return grown, copier, new


def _own_values(layer: Any, make: Any) -> dict[int, Any]:
    """The values that a rule gives to a new layer's variables, by their ids."""
    values = make(layer)
    if values.keys() - {id(variable) for variable in getattr(layer, "variables", ())}:
        raise ValueError(
            f"Cannot deepen by {layer.name!r}: its growth rule gives a value to what is "
            "not a variable of it. Expected its variables, not tensors that are computed of them. "
            "Mend the rule."
        )
    return values


def _whole_stacks(model: keras.Model, times: int) -> list[tuple[str, Any]]:
    found = []
    for view in views(model):
        for blocks in view.repeated():
            whole = join(blocks)
            name = view.name(view.producer[id(whole.end)])
            found.append((name, Copy(whole.end, whole, None, times - 1)))
    if not found:
        raise ValueError(
            f"Cannot stack {model.name!r}: no block of layers comes twice in a row. Expected "
            "repeated blocks that read and give the same shape. Name one with after=."
        )
    return found


def _spread(model: keras.Model, count: int, method: str) -> list[tuple[str, Any]]:
    if isinstance(count, bool) or count < 0:
        raise ValueError(
            f"Cannot deepen {model.name!r} by {count} layers: growth never shrinks. Expected a "
            f"whole number >= 0. Received: after={show(count)}."
        )
    refused: list[str] = []
    for view in views(model):
        finder = Places(view, method)
        places = [x for x in finder.candidates() if _inner(view, x)]
        refused += finder.refused
        if places:
            chosen = [places[-(-(i + 1) * len(places) // count) - 1] for i in range(count)]
            return [(view.name(view.producer[id(x.tensor)]), x) for x in chosen]
    raise ValueError(
        f"Cannot deepen {model.name!r} with method={method!r}: it has no place for it"
        + (f" ({'; '.join(dict.fromkeys(refused))})" if refused else "")
        + ". Expected hidden layers"
        + (" that are linear or end in a relu" if method == "identity" else "")
        + f".{_suggested(model, method)}"
    )


def _suggested(model: keras.Model, method: str) -> str:
    """What else a person can do where no place was found: nothing that would be refused."""
    if method == "identity":
        with contextlib.suppress(ValueError):
            _spread(model, 1, "residual")
            return " Pass method='residual'."
    for view in reversed(list(views(model))):
        for node in reversed(view.nodes):
            with contextlib.suppress(ValueError):
                _named(model, view.name(node), method)
                return f" Name a layer with after=, such as {view.name(node)!r}."
    return " It has none behind which a layer could be put."


def _inner(view: Any, insertion: Any) -> bool:
    return (
        isinstance(insertion, Copy)
        or bool(view.path)
        or (id(insertion.tensor) not in view.output_ids)
    )


def _named(model: keras.Model, name: str, method: str) -> tuple[str, Any]:
    known = []
    for view in views(model):
        nodes = [node for node in view.nodes if view.name(node) == name]
        if len(nodes) > 1:
            raise ValueError(
                f"Cannot deepen after {name!r}: the layer is called {len(nodes)} times. Expected "
                "a layer that is called once. Name the layer that reads its result."
            )
        if nodes:
            return name, Places(view, method).behind(nodes[0])
        known += [view.name(node) for node in view.nodes]
    raise ValueError(
        f"Cannot deepen after {name!r}: the model has no such layer. Expected one of {known}."
    )
