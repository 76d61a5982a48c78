"""What every registered rule keeps: the function, the settings, the state; and what it gives."""

import contextlib
import importlib.util
import inspect
import os
import pathlib
import sys

import keras
import numpy as np
import pytest

from adaptive_nets import growth
from adaptive_nets.graphs.read import functional, ordered_nodes
from adaptive_nets.growth.core.compare import random_inputs
from adaptive_nets.growth.core.grown_values import grown_slot, maps_of
from adaptive_nets.growth.core.rebuild import Rebuilder
from adaptive_nets.growth.core.registry import find_rule
from adaptive_nets.growth.core.weight_roles import variable_of

pytestmark = pytest.mark.backend_agnostic
layers = keras.layers


def cases():
    """The cases in the files beside this one, found by path, as tests are not a package."""
    for name in ("contract_case", "contract_cases", "contract_sequence_cases"):
        path = pathlib.Path(__file__).with_name(f"{name}.py")
        spec = importlib.util.spec_from_file_location(name, path)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules["contract_case"].CASES


CASES = cases()
ON_TENSORFLOW = keras.backend.backend() == "tensorflow"
# keras.Model with inputs and outputs is a Functional, so no layer is ever of this class.
# The second has tests of its own, for its state changes with every step.
NEVER_MADE = {keras.Model, layers.SpectralNormalization}


@contextlib.contextmanager
def dtypes(name):
    """Layers and inputs of one dtype, or of one policy."""
    policy, floatx = keras.config.dtype_policy(), keras.config.floatx()
    if "mixed" not in name:
        keras.config.set_floatx(name)
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)


# Step by step, JAX compiles every operation of every shape, which takes seconds a model.
# `make contract` runs them all.
BRIEF = ("dense", "bidirectional", "masked", "root_mean_square")
BRIEF = tuple(CASES) if os.environ.get("WHOLE_CONTRACT") else BRIEF
# Under JAX keras.ops.mean, which norms use, computes in float32 whatever it is given, and Keras'
# SimpleRNN does not run in float64.
ROUNDED = () if ON_TENSORFLOW else ("root_mean_square", "norms", "simple_rnn")


def named(condition=lambda case: True, brief=False):
    """The names of the cases that a test applies to; under JAX a few, where they take long."""
    return [
        name
        for name, case in CASES.items()
        if condition(case)
        and (ON_TENSORFLOW or (not case.strings and (name in BRIEF or not brief)))
    ]


def settled(model):
    """What a normalisation of inputs computes once from its weights follows them."""
    for layer in model.layers:
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()
    return model


def made(gc, case):
    model = settled(gc.randomise(case.make()))
    x = case.inputs() if case.inputs is not None else random_inputs(model)
    if case.inputs is not None:
        x = [keras.ops.convert_to_tensor(each) for each in x]
    return model, x


def operations(graph):
    """Every layer and operation of a model, those inside models and wrappers too."""
    for node in ordered_nodes(graph):
        yield node.operation
        inner = getattr(node.operation, "_functional", node.operation)
        if hasattr(inner, "_nodes_by_depth"):
            yield from operations(inner)


@pytest.mark.skipif(not ON_TENSORFLOW, reason="the cases are the same under JAX")
def test_every_registered_class_has_a_case():
    held = set()
    for name in named():
        with dtypes("float32"):
            held |= {type(each) for each in operations(CASES[name].make())}
    # Operations are in test_operations.py.
    known = {kind for kind in growth.registered() if issubclass(kind, layers.Layer)}
    missing = known - held - NEVER_MADE
    here = {kind for kind in missing if kind.__module__.partition(".")[0] == "keras"}
    assert not here, sorted(kind.__name__ for kind in here)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-10)])
@pytest.mark.parametrize("name", named())
def test_the_function_is_preserved(gc, name, dtype, tolerance):
    case = CASES[name]
    double = case.double and name not in ROUNDED and (ON_TENSORFLOW or name in BRIEF)
    if dtype == "float64" and not double:
        pytest.skip("computes in float32 only")
    with dtypes(dtype):
        model, x = made(gc, case)
        expected = gc.outputs(model, x)
        assert all(np.abs(y).max() > 1e-3 for y in expected)
        for method in case.methods:
            plan = growth.plan_widen(model, 2.0, method, seed=1)
            grown = growth.apply(plan)[0]
            assert plan.parameters == grown.count_params() > model.count_params()
            assert gc.gap(gc.outputs(grown, x), expected) <= tolerance, method
        if case.fuses:
            plan = growth.plan_self_fuse(model, 2, "zero", case.norm, "exact")
            fused = growth.apply(plan)[0]
            assert plan.parameters == fused.count_params() > model.count_params()
            assert gc.gap(gc.outputs(fused, x), expected) <= tolerance


def grown_parts(plan):
    """The grown model, and for each weight: its record, description, old and new variables, maps.

    Made as `growth.apply` makes it; the layers are kept, so that weights can be followed.
    """
    kept = []

    class Keeping(Rebuilder):
        def __init__(self, *args):
            super().__init__(*args)
            kept.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("adaptive_nets.growth.core.plan.Rebuilder", Keeping)
        grown = growth.apply(plan)[0]
    parts = []
    for key, record in plan.trace.records.items():
        for weight in record.weights.values():
            olds = [variable_of(layer, weight.attribute) for layer in record.layers]
            new = variable_of(kept[0].layers[key], weight.attribute)
            maps = maps_of(weight, [tuple(old.shape) for old in olds], plan.maps)
            parts.append((record, weight, olds, new, maps))
    return grown, parts


def old_entries(maps):
    """An index of the grown entries that continue the source, and of the source's entries."""
    positions = [each.positions(0) for each in maps]
    return np.ix_(*(p for p, _ in positions)), np.ix_(*(i for _, i in positions))


def step(model, x, y, optimizer=None):
    """One step of training; what is learnt is the square error."""
    if optimizer is not None:
        model.compile(optimizer, loss="mse", run_eagerly=ON_TENSORFLOW)
    x = keras.tree.flatten(x)
    return model.train_on_batch(x if len(x) > 1 else x[0], y)


def targets(gc, model, x):
    rng = np.random.default_rng(5)
    found = [rng.normal(size=y.shape).astype("float32") for y in gc.outputs(model, x)]
    return found if len(found) > 1 else found[0]


@pytest.mark.parametrize("name", named(lambda case: not case.strings, brief=True))
def test_new_units_learn_and_the_model_is_a_plain_one(gc, name, tmp_path):
    case = CASES[name]
    with dtypes("float32"):
        model, x = made(gc, case)
        grown, parts = grown_parts(growth.plan_widen(model, 2.0, case.methods[0], seed=1))
        y = targets(gc, model, x)
        again = keras.Model.from_config(grown.get_config())
        assert [w.shape for w in again.weights] == [w.shape for w in grown.weights]
        grown.save(tmp_path / "grown.keras")
        loaded = keras.models.load_model(tmp_path / "grown.keras")
        assert gc.gap(gc.outputs(loaded, x), gc.outputs(grown, x)) <= 1e-6
        assert np.isfinite(step(loaded, x, y, keras.optimizers.Adam())).all()

        # The first step moves what reads new units, the second what they read.
        step(grown, x, y, keras.optimizers.SGD(0.05))
        before = {id(new): np.array(new) for *_, new, _ in parts}
        step(grown, x, y)
        learns = {}
        for record, _, _, new, maps in parts:
            if new.trainable and not all(each.is_identity for each in maps):
                moved = np.array(new) != before[id(new)]
                if case.methods[0] == "zero":
                    moved[old_entries(maps)[0]] = False
                learns[record.path] = learns.get(record.path, False) or bool(moved.any())
        assert learns
        assert all(learns.values()), learns


@pytest.mark.skipif(not ON_TENSORFLOW, reason="a SavedModel is TensorFlow's")
@pytest.mark.parametrize("name", named(lambda case: not case.random))
def test_the_export_gives_the_same(gc, name, tmp_path):
    import tensorflow as tf

    case = CASES[name]
    with dtypes("float32"):
        model, x = made(gc, case)
        grown = growth.widen(model, 2.0, case.methods[0], seed=1)
        grown.export(tmp_path / "served", verbose=False)
        loaded = tf.saved_model.load(tmp_path / "served")  # kept: its variables go with it
        found = keras.tree.flatten(loaded.serve(x))
        assert gc.gap([np.array(y) for y in found], gc.outputs(model, x)) <= 1e-5


@pytest.mark.parametrize("name", named(lambda c: "zero" in c.methods and not c.random, brief=True))
def test_slots_are_carried(gc, name):
    """The step after growth moves old entries just as the source's next step does."""
    case = CASES[name]
    double = case.double and name not in ROUNDED
    with dtypes("float64" if double else "float32"):
        model, x = made(gc, case)
        y = targets(gc, model, x)
        optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
        for _ in range(2):
            step(model, x, y, optimizer if not model.compiled else None)
        grown, parts = grown_parts(growth.plan_widen(model, 2.0, "zero", seed=1))
        theirs = keras.optimizers.SGD(0.01, momentum=0.9)
        grown.compile(theirs, loss="mse", run_eagerly=ON_TENSORFLOW)
        theirs.build(grown.trainable_variables)
        slots = {
            id(v): m for v, m in zip(model.trainable_variables, optimizer.momentums, strict=True)
        }
        carried = {
            id(v): m for v, m in zip(grown.trainable_variables, theirs.momentums, strict=True)
        }
        for _, weight, (old,), new, maps in parts:
            if old.trainable:
                value = grown_slot(weight, [np.array(slots[id(old)])], maps, (1.0,), 1)
                carried[id(new)].assign(value)
        step(model, x, y)
        step(grown, x, y)
        for _, weight, (old,), new, maps in parts:
            if weight.scale is None:
                there, here = old_entries(maps)
                expected = np.array(old)[here]
                error = np.abs(np.array(new)[there] - expected).max()
                limit = 1e-10 if double else 1e-5
                assert error <= limit * max(np.abs(expected).max(), 1.0), new.path


def tuned(model):
    """The same model with a penalty and a constraint on every weight that can have one."""

    def clone(layer):
        config = layer.get_config()
        for key, value in config.items():
            if value is None and key != "activity_regularizer":
                if key.endswith("_regularizer"):
                    config[key] = keras.regularizers.L2(0.01)
                elif key.endswith("_constraint"):
                    config[key] = keras.constraints.MaxNorm(3.0)
        copy = type(layer).from_config(config)
        # Names that Keras counts up would make the choice depend on the tests before.
        copy.trainable = len(layer.name.rstrip("_0123456789")) % 2 == 0
        return copy

    return keras.models.clone_model(model, clone_function=clone)


def settings(variable):
    found = [variable.regularizer, variable.constraint]
    return [each and keras.saving.serialize_keras_object(each) for each in found]


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("name", named(lambda case: not case.strings and case.double, brief=True))
def test_settings_are_kept(gc, name, policy):
    case = CASES[name]
    with dtypes(policy):
        model, x = made(gc, case)
        model = settled(gc.randomise(tuned(model)))
        grown, parts = grown_parts(growth.plan_widen(model, 2.0, case.methods[0], seed=1))
        for _, _, (old,), new, _ in parts:
            assert settings(new) == settings(old)
            assert new.trainable == old.trainable, new.path
            assert new.dtype == old.dtype
        kept = {layer.name: layer for layer in grown.layers}
        for layer in model.layers:
            assert kept[layer.name].dtype_policy.name == layer.dtype_policy.name
            # Some layers without weights do not write down whether they are trainable.
            assert not layer.weights or kept[layer.name].trainable == layer.trainable
        assert gc.gap(gc.outputs(grown, x), gc.outputs(model, x)) <= 0.1


def called_on(node, change, training=False):
    """The first output of a layer that is called as in the model, on random inputs."""
    rng = np.random.default_rng(4)
    known = {}
    for tensor in node.input_tensors:
        value = rng.normal(size=[size or 2 for size in tensor.shape])
        known[id(tensor)] = keras.ops.cast(change(tensor, value), tensor.dtype)
    args, kwargs = node.arguments.fill_in(known)
    if "training" in inspect.signature(node.operation.call).parameters:
        kwargs["training"] = training
    first = keras.tree.flatten(node.operation(*args, **kwargs))[0]
    return keras.ops.convert_to_numpy(first)


@contextlib.contextmanager
def zeroed(variables):
    before = [np.array(variable) for variable in variables]
    for variable in variables:
        variable.assign(np.zeros(variable.shape))
    yield
    for variable, value in zip(variables, before, strict=True):
        variable.assign(value)


@pytest.mark.parametrize("name", named(lambda case: not case.strings, brief=True))
def test_what_depth_growth_is_told_of_a_layer_is_true(gc, name):
    model, _ = made(gc, CASES[name])
    for node in ordered_nodes(functional(model)):
        layer, rule = node.operation, find_rule(type(node.operation))
        weights, needed = rule.zero_weights(layer), rule.zero_inputs(layer)
        if weights is not None:
            assert weights and called_on(node, lambda _, value: value).any(), layer.name
            with zeroed(weights):
                assert not called_on(node, lambda _, value: value).any(), layer.name
        for training in (False, True) if needed is not None else ():
            with zeroed([*rule.zero_offsets(layer), *(weights or ())[1:]]):
                if needed == "all":
                    assert not called_on(node, lambda _, value: 0 * value, training).any()
                for one in node.input_tensors if needed == "any" else ():
                    found = called_on(node, lambda t, value, one=one: value * (t is not one))
                    assert not found.any(), layer.name
        if rule.is_idempotent(layer):
            once = called_on(node, lambda _, value: value)
            np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer(once)), once)
        config = rule.identity(layer)
        if config is not None:
            plain = {**layer.get_config(), **config, "activation": "linear", "name": "again"}
            again, x = type(layer).from_config(plain), called_on(node, lambda _, value: value)
            again.build(x.shape)
            values = rule.identity_values(again)
            for variable in again.weights:
                if id(variable) in values:
                    variable.assign(values[id(variable)])
            np.testing.assert_allclose(keras.ops.convert_to_numpy(again(x)), x, atol=1e-6)
