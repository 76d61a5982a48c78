"""Every verb tried on one random graph: exact, approximate or refused; all else is a fault."""

import contextlib
import os
import tempfile
import traceback

import keras
import layer_steps
import numpy as np
import operation_steps
from random_graphs import INPUTS, STEPS, Builder, values

from adaptive_nets import growth, majority
from adaptive_nets.graphs.read import functional, ordered_nodes
from adaptive_nets.keras_internals import layers_in

VERBS = ("widen", "replicate", "named", "deepen", "self_fuse", "fuse", "expand", "stack")
# The largest gap that is rounding.
ROUNDING = {"float64": 1e-7, "float32": 2e-3}
assert layer_steps and operation_steps


class FaultError(Exception):
    """A verb that is silently wrong, or fails with an error that is not ours."""


@contextlib.contextmanager
def computed_in(dtype):
    """Models made here compute in this dtype."""
    policy, floatx = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)


def refused(error):
    """Whether an error is one of ours, and says what came."""
    last = traceback.extract_tb(error.__traceback__)[-1].filename
    ours = isinstance(error, ValueError | TypeError) and "adaptive_nets" in last
    return ours and "Cannot" in str(error) and "fault of" not in str(error)


def described(model):
    """The graph in a few words a call, for the log."""
    words = []
    for node in ordered_nodes(functional(model)):
        shapes = ",".join(str(tuple(t.shape[1:])) for t in node.outputs)
        words.append(f"{type(node.operation).__name__}{shapes}")
    return " > ".join(words)


def plans_of(models, choice):
    """The plan of each verb, and the settings that are drawn for it."""
    model = models[0]

    def named():
        rows = growth.plan_widen(model, 2.0, seed=0).rows()
        name = rows[choice % len(rows)].layer if rows else "none"
        return growth.plan_widen(model, {name: 1.5 + choice % 2}, seed=0)

    method = ("auto", "identity", "residual")[choice % 3]
    norm = ("grouped", "joint")[choice // 2 % 2]
    output = ("mean", "sum", "concatenate")[choice // 3 % 3]
    return {
        "widen": lambda: growth.plan_widen(model, (2.0, 1.5)[choice % 2], seed=0),
        "replicate": lambda: growth.plan_widen(model, (2.0, 1.5)[choice % 2], "replicate", seed=0),
        "named": named,
        "deepen": lambda: growth.plan_deepen(model, 1 + choice % 2, method, seed=0),
        "stack": lambda: growth.plan_deepen(model, None, "stack", "approximate", seed=0),
        "self_fuse": lambda: growth.plan_self_fuse(
            model, 2 + choice % 2, "zero", norm, preserve="exact"
        ),
        "fuse": lambda: growth.plan_fuse(models, norm=norm, output=output),
    }, output


def grown_by(verb, models, choice):
    """The model that a verb makes, whether it is said to be exact, and how outputs are mixed."""
    if verb == "expand":
        scope = ("layer", "global", "unit")[choice % 3]
        expanded = majority.expand(models[0], 2, scope=scope, verify=False)
        return majority.collapse(expanded, verify=False)[0], True, "mean"
    plans, output = plans_of(models, choice)
    plan = plans[verb]()
    str(plan)
    grown = growth.apply(plan, verify=False)[0]
    return grown, plan.exact, output if verb == "fuse" else "mean"


def check(gc, verb, models, given, x, choice):
    """What one verb says: "exact", "approximate" or "refused"."""
    dtype = keras.config.floatx()
    try:
        grown, exact, output = grown_by(verb, models, choice)
    except Exception as error:
        if refused(error):
            return "refused"
        where = "".join(traceback.format_tb(error.__traceback__)[-3:])
        raise FaultError(f"{verb}: {type(error).__name__}: {error}\n{where}") from error
    try:
        found = gc.outputs(grown, x)  # also where it is not exact
    except Exception as error:
        raise FaultError(f"{verb}: what it makes cannot be called: {error}") from error
    if not exact:
        return "approximate"
    sources = given if verb == "fuse" else given[:1]
    expected = []
    for each, now in zip(zip(*sources, strict=True), found, strict=True):
        if output == "concatenate":
            expected.append(joined(each, now.shape))
        else:
            expected.append(np.sum(each, axis=0) / (len(each) if output == "mean" else 1))
    shapes = [[y.shape for y in each] for each in (found, expected)]
    if shapes[0] != shapes[1]:
        raise FaultError(f"{verb}: outputs of other shapes, {shapes[0]} for {shapes[1]}")
    gap = gc.gap(found, expected)
    if not gap <= ROUNDING[dtype]:
        raise FaultError(f"{verb}: it is said to be exact, and the gap is {gap:.2g}")
    if choice % 7 == 0:
        reloaded(gc, verb, grown, models[0], found, x)
    return "exact"


def joined(outputs, shape):
    """The sources' features side by side, on the axis that has grown; once what all share."""
    pairs = enumerate(zip(outputs[0].shape, shape, strict=True))
    axis = next((number for number, (one, now) in pairs if one != now), None)
    return outputs[0] if axis is None else np.concatenate(outputs, axis=axis)


def reloaded(gc, verb, grown, source, found, x):
    """What a verb makes is stored and read like its source."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.keras")
        try:
            source.save(path)
            keras.models.load_model(path, safe_mode=False)
        except Exception:
            return  # Keras cannot
        try:
            grown.save(path)
            again = keras.models.load_model(path, safe_mode=False)
        except Exception as error:
            raise FaultError(
                f"{verb}: cannot be stored: {type(error).__name__}: {error}"
            ) from error
        gap = gc.gap(gc.outputs(again, x), found)
        if not gap <= ROUNDING[keras.config.floatx()]:
            raise FaultError(f"{verb}: stored and read again, the gap is {gap:.2g}")


def sources_of(gc, graph):
    """Two models of one graph, with random weights; or None if they are of no use."""
    steps, inputs, difference, double = (graph[k] for k in ("steps", "inputs", "other", "double"))
    models = []
    for variant in (0, 1):
        try:
            model = Builder(steps, inputs, variant, difference, double).model
        except Exception:
            return None, None, None  # not a graph
        gc.randomise(model, variant)
        for layer in layers_in(model):
            if isinstance(layer, keras.layers.Normalization):
                layer.finalize_state()
        models.append(model)
    x = values(models[0])
    try:
        given = [gc.outputs(model, x) for model in models]
    except Exception:
        return None, None, None  # Keras cannot call it
    for y in (each for outputs in given for each in outputs):
        if not y.size or not np.isfinite(y).all() or not 1e-6 < np.abs(y).max() < 1e6:
            return None, None, None
    return models, given, x


def tried(gc, graph, verbs=None):
    """What the verbs say of one graph.

    Args:
        gc: The helpers of `tests/growth/conftest.py`.
        graph: What was drawn: `steps`, `inputs`, `other` (what a second source does), `double`
            and `choice`, which chooses the verbs and their settings.
        verbs: Which verbs; `None` for one of them.
    """
    keras.utils.clear_session(free_memory=False)
    found = {}
    with computed_in("float64" if graph["double"] else "float32"):
        models, given, x = sources_of(gc, graph)
        if models is None:
            return found
        for verb in verbs or [VERBS[graph["choice"] // 7 % len(VERBS)]]:
            shapes = [[y.shape for y in outputs] for outputs in given]
            if verb == "fuse" and shapes[0] != shapes[1]:
                continue
            try:
                found[verb] = check(gc, verb, models, given, x, graph["choice"])
            except FaultError as error:
                raise FaultError(f"{error}\n{described(models[0])}") from error
    return found


def random_graph(rng):
    """A graph, drawn without hypothesis."""

    def step():
        return tuple(int(rng.integers(n)) for n in LARGEST)

    number = int(rng.integers(3, 16))
    other = (int(rng.integers(number)), step()) if rng.random() < 0.5 else None
    return {
        "steps": [step() for _ in range(number)],
        "inputs": int(rng.integers(len(INPUTS))),
        "other": other,
        "double": bool(rng.random() < 0.7),
        "choice": int(rng.integers(10_000)),
    }


# The largest number in each place of a step, and one.
LARGEST = (len(STEPS), 6, 24, 120)
