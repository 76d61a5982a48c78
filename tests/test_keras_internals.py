"""Every private name of Keras that is used, one test each: on a new Keras they fail by name."""

import ast
import contextlib
import pathlib

import keras
import numpy as np
import pytest
from keras import layers

from adaptive_nets import keras_internals as internals

REPO = pathlib.Path(__file__).resolve().parents[1]
PACKAGE = REPO / "adaptive_nets"
ROOMS = PACKAGE / "keras_internals"
CHECKS = {}


def check(function):
    """Registers the check of the function of this name."""
    CHECKS[function.__name__] = function
    return function


def dense_model():
    model = keras.Sequential(
        [keras.Input((3,)), layers.Dense(2, "relu", name="a"), layers.Dropout(0.1)], name="m"
    )
    model.compile(keras.optimizers.Adam(), "mse")
    return model


def functional_model():
    x = keras.Input((3,), name="x")
    return keras.Model({"x": x}, [layers.Dense(2, name="d")(x)])


@pytest.mark.backend_agnostic
@pytest.mark.parametrize("name", sorted(internals.__all__))
def test_keras_has(name):
    assert name in CHECKS, f"keras_internals.{name} has no check in this file"
    CHECKS[name]()


# graph -------------------------------------------------------------------------------------------


@check
def functional_class():
    assert type(functional_model()) is internals.functional_class()


@check
def has_graph():
    assert internals.has_graph(functional_model())
    assert not internals.has_graph(keras.Model())


@check
def graph_inside():
    model = dense_model()
    graph = internals.graph_inside(model)
    assert internals.has_graph(graph) and graph.outputs[0] is model.outputs[0]
    assert internals.graph_inside(keras.Sequential([layers.Dense(2)])) is None


@check
def nodes_by_depth():
    found = internals.nodes_by_depth(functional_model())
    assert sorted(found) == [0, 1] and found[0][0].operation.name == "d"
    assert found[1][0].is_input and not found[0][0].is_input
    (tensor,) = found[0][0].input_tensors
    args, kwargs = found[0][0].arguments.fill_in({id(tensor): "other"})
    assert args == ("other",)


@check
def input_structure():
    model = functional_model()
    assert internals.input_structure(model) == {"x": model.inputs[0]}


@check
def output_structure():
    model = functional_model()
    assert internals.output_structure(model) == [model.outputs[0]]


@check
def origin():
    model = functional_model()
    assert internals.origin(model.outputs[0]) == (model.get_layer("d"), 0, 0)


@check
def call_of():
    model = functional_model()
    call = internals.call_of(model.outputs[0])
    assert call.operation is model.get_layer("d") and call.input_tensors == [model.inputs[0]]


@check
def take_graph():
    model, other = dense_model(), dense_model()
    internals.take_graph(model, other)
    assert model.layers == other.layers and model.outputs[0] is other.outputs[0]
    assert [id(v) for v in model.weights] == [id(v) for v in other.weights]
    if keras.backend.backend() == "tensorflow":
        names = model._trackable_children()  # what a checkpoint would write
        assert names["_functional"] is internals.graph_inside(other)


# layers ------------------------------------------------------------------------------------------


@check
def layers_in():
    layer = layers.TimeDistributed(layers.Dense(2))
    assert internals.layers_in(layer) == [layer, layer.layer]
    assert internals.layers_in(layer, include_self=False) == [layer.layer]


@check
def direct_layers():
    layer = layers.TimeDistributed(layers.TimeDistributed(layers.Dense(2)))
    assert list(internals.direct_layers(layer)) == [layer.layer]


@check
def own_variables():
    layer = layers.BatchNormalization()
    layer.build((None, 2))
    expected = [layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance]
    assert [id(v) for v in internals.own_variables(layer)] == [id(v) for v in expected]


@check
def own_seed_generators():
    layer = layers.Dropout(0.5)
    assert internals.own_seed_generators(layer) == [layer.seed_generator]


@check
def own_trainable():
    model = dense_model()
    model.layers[0].trainable = False
    assert not internals.own_trainable(model.layers[0]) and internals.own_trainable(model)


@check
def set_own_trainable():
    model = dense_model()
    internals.set_own_trainable(model, False)
    assert not model.trainable and internals.own_trainable(model.layers[0])


@check
def unlocked():
    layer = layers.Dense(2)
    layer.build((None, 2))
    with pytest.raises(ValueError, match="already built"):
        layer.more = layer.add_weight(shape=(1,))
    with internals.unlocked(layer):
        layer.more = layer.add_weight(shape=(1,))
    with pytest.raises(ValueError, match="already built"):
        layer.another = layer.add_weight(shape=(1,))


@check
def untrack():
    layer = layers.Dense(2)
    layer.build((None, 2))
    with internals.unlocked(layer):
        internals.untrack(layer, layer.bias)
    assert [v.name for v in layer.weights] == ["kernel"]


@check
def take_call_signature():
    class Plain(keras.Layer):
        def call(self, *args, **kwargs):
            return args[0]

    layer = Plain()
    internals.take_call_signature(layer, layers.LSTM(2))
    assert layer._call_signature == layers.LSTM(2)._call_signature
    assert layer._call_has_training_arg


@check
def take_path():
    model = dense_model()
    layer = layers.Dense(2, name="b")
    layer.build((None, 2))
    internals.take_path(layer, model.layers[0])
    assert layer.path == model.layers[0].path == "m/a"


@check
def KERNEL():  # noqa: N802
    layer = layers.Dense(2)
    layer.build((None, 2))
    assert getattr(layer, internals.KERNEL) is layer.kernel


@check
def EMBEDDINGS():  # noqa: N802
    layer = layers.Embedding(3, 2)
    layer.build()
    assert getattr(layer, internals.EMBEDDINGS) is layer.embeddings


def attention(**settings):
    layer = layers.MultiHeadAttention(2, 4, **settings)
    layer.build((None, 5, 3), (None, 5, 3))
    return layer


@check
def projection():
    layer = attention()
    for role in ("query", "key", "value"):
        assert getattr(layer, internals.projection(role)).kernel.shape == (3, 2, 4)
    assert getattr(layer, internals.projection("output")) is internals.output_projection(layer)


@check
def output_projection():
    assert internals.output_projection(attention()).kernel.shape == (2, 4, 3)


@check
def attention_setting():
    found = [getattr(attention(value_dim=5), internals.attention_setting(name))
             for name in ("num_heads", "key_dim", "value_dim")]  # fmt: skip
    assert found == [2, 4, 5]


@check
def attention_is_gated():
    assert not internals.attention_is_gated(attention())
    assert internals.attention_is_gated(attention(use_gate=True))


@check
def attention_output_shape():
    assert internals.attention_output_shape(attention()) is None
    assert tuple(internals.attention_output_shape(attention(output_shape=(7,)))) == (7,)


@check
def statistics_axes():
    layer = layers.Normalization(axis=(1, -1))
    layer.build((None, 4, 3))
    assert list(internals.statistics_axes(layer)) == [1, 2]


@check
def states_batch_size():
    layer = layers.LSTM(2, stateful=True)
    layer(keras.Input(batch_shape=(5, 3, 2)))
    assert internals.states_batch_size(layer) == 5


@check
def create_states():
    layer = layers.GRU(2, stateful=True)
    layer.build((4, 3, 2))
    internals.create_states(layer, 4)
    assert layer.states[0].shape == (4, 2) and internals.states_batch_size(layer) == 4


# variables ---------------------------------------------------------------------------------------


def waiting_variable(make=lambda: keras.Variable(lambda shape, dtype: 1.0, (), "float32")):
    waiting = []
    with internals.waiting_variables(waiting), keras.StatelessScope(initialize_variables=False):
        variable = make()
    return variable, waiting


@check
def initializer_of():
    layer = layers.Dense(2, kernel_initializer="ones")
    _, waiting = waiting_variable(lambda: layer.build((None, 2)))
    assert isinstance(internals.initializer_of(waiting[0]), keras.initializers.Ones)


@check
def set_initializer():
    variable, _ = waiting_variable()
    internals.set_initializer(variable, lambda shape, dtype: keras.ops.full(shape, 7, dtype))
    internals.initialize(variable)
    assert float(variable) == 7


@check
def initialize():
    variable, _ = waiting_variable()
    internals.initialize(variable)
    assert float(variable) == 1


@check
def waiting_variables():
    variable, waiting = waiting_variable()
    assert len(waiting) == 1 and waiting[0] is variable
    keras.Variable(2.0)
    assert len(waiting) == 1


@check
def set_path():
    variable = keras.Variable(2.0, name="v")
    internals.set_path(variable, "a/v")
    assert variable.path == "a/v"


@check
def without_stateless_scope():
    variable = keras.Variable(2.0)
    with keras.StatelessScope() as scope, internals.without_stateless_scope():
        variable.assign(3.0)
    assert float(variable) == 3 and scope.get_current_value(variable) is None


@check
def stateless_scope():
    assert internals.stateless_scope() is None
    with keras.StatelessScope() as scope:
        assert internals.stateless_scope() is scope


@check
def call_context():
    found = []

    class Looks(keras.Layer):
        def call(self, x):
            found.append(internals.call_context())
            return x

    layer = Looks()
    layer(np.ones((1, 2)))
    assert internals.call_context() is None and found[-1].entry_layer is layer


@check
def full_precision():
    class Reads(keras.Layer):
        def build(self, shape):
            self.w = self.add_weight(shape=(1,), name="w")

        def call(self, x):
            with internals.full_precision():
                full = self.w.value
            found = (self.w.value, full)
            assert [keras.backend.standardize_dtype(t.dtype) for t in found] == [
                "float16",
                "float32",
            ]
            return x

    Reads(dtype="mixed_float16")(np.ones((1, 2)))


@check
def unsafe_deserialization():
    config = keras.saving.serialize_keras_object(layers.Lambda(lambda x: x))
    with pytest.raises(ValueError, match="safe_mode"):
        keras.saving.deserialize_keras_object(config)
    with internals.unsafe_deserialization():
        assert isinstance(keras.saving.deserialize_keras_object(config), layers.Lambda)


# training ----------------------------------------------------------------------------------------


@check
def compiled_loss():
    model = dense_model()
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    loss = internals.compiled_loss(model)
    assert float(loss(keras.ops.ones((4, 2)), keras.ops.zeros((4, 2)))) == 1
    assert internals.compiled_loss(keras.Sequential([layers.Dense(2)])) is None


@check
def set_optimizer():
    model = dense_model()
    optimizer = keras.optimizers.SGD()
    internals.set_optimizer(model, optimizer)
    assert model.optimizer is optimizer
    assert model.get_compile_config()["optimizer"]["class_name"] == "SGD"


@check
def forget_traces():
    model = dense_model()
    x, y = np.ones((4, 3)), np.ones((4, 2))
    model.fit(x, y, verbose=0)
    model.layers[0].trainable = False
    before = model.layers[0].get_weights()
    internals.forget_traces(model)
    assert model.train_function is None
    optimizer = keras.optimizers.SGD()
    optimizer.build(model.trainable_variables)
    internals.set_optimizer(model, optimizer)
    model.fit(x, y, verbose=0)
    for one, other in zip(before, model.layers[0].get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@check
def learning_rate_of():
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 3)
    assert internals.learning_rate_of(keras.optimizers.SGD(schedule)) is schedule


@check
def set_learning_rate():
    optimizer = keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 3))
    internals.set_learning_rate(optimizer, keras.optimizers.schedules.CosineDecay(0.7, 3))
    assert abs(float(optimizer.learning_rate) - 0.7) < 1e-6


def built_adam():
    model = dense_model()
    model.optimizer.build(model.trainable_variables)
    return model, model.optimizer


@check
def optimized_variables():
    model, optimizer = built_adam()
    found = internals.optimized_variables(optimizer)
    assert [id(v) for v in found] == [id(v) for v in model.trainable_variables]


@check
def optimizer_variables():
    _, optimizer = built_adam()
    assert [id(v) for v in internals.optimizer_variables(optimizer)] == [
        id(v) for v in optimizer.variables
    ]


@check
def optimizer_slots():
    model, optimizer = built_adam()
    slots = internals.optimizer_slots(optimizer)
    assert set(slots) == {"momentums", "velocities"}
    assert slots["momentums"][0].shape == model.layers[0].kernel.shape
    kinds = {
        keras.optimizers.SGD: {"momentums"},
        keras.optimizers.RMSprop: {"velocities", "momentums", "average_gradients"},
        keras.optimizers.Adagrad: {"accumulators"},
        keras.optimizers.Adadelta: {"accumulated_grads", "accumulated_delta_vars"},
        keras.optimizers.Adamax: {"m", "u"},
        keras.optimizers.Adafactor: {"r", "c", "v"},
        keras.optimizers.Lion: {"momentums"},
    }
    for kind, names in kinds.items():
        momentum = {"momentum": 0.9} if names & {"momentums"} and kind.__name__ != "Lion" else {}
        centered = {"centered": True} if "average_gradients" in names else {}
        optimizer = kind(use_ema=True, gradient_accumulation_steps=2, **momentum, **centered)
        optimizer.build(model.trainable_variables)
        extra = {"model_variables_moving_average", "accumulated_gradients"}
        assert set(internals.optimizer_slots(optimizer)) == names | extra, kind


@check
def drop_all_reduce():
    optimizer = keras.optimizers.SGD()
    internals.drop_all_reduce(optimizer)
    if keras.backend.backend() == "tensorflow":
        assert optimizer._all_reduce_sum_gradients("as they are") == "as they are"
        assert hasattr(keras.optimizers.SGD(), "_all_reduce_sum_gradients")


@check
def replica_loss():
    assert float(internals.replica_loss(dense_model(), keras.ops.convert_to_tensor(2.0))) == 2


@check
def loss_settings():
    assert internals.loss_settings(keras.losses.Huber(delta=3.0))["delta"] == 3
    assert internals.loss_settings(keras.losses.Loss()) == {}


@check
def model_of():
    callback = keras.callbacks.Callback()
    model = dense_model()
    callback.set_model(model)
    assert internals.model_of(callback) is model


@check
def print_message():
    import io

    with contextlib.redirect_stdout(io.StringIO()) as printed:
        internals.print_message("grown")
    assert "grown" in printed.getvalue()


# operations --------------------------------------------------------------------------------------


def used_operations():
    """The operations that the package asks `keras_internals` for, by name."""
    found = set()
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in (
                "operation_class",
                "operation_classes",
            ):
                found |= {x.value for x in ast.walk(node) if isinstance(x, ast.Constant)}
    return {name for name in found if isinstance(name, str)}


@check
def operation_classes():
    # Names of other versions of Keras, which spell some operations otherwise.
    others = {"TrueDivide", "HardTanh", "Identity", "Rsqrt"}
    missing = {name for name in used_operations() if not internals.operation_classes(name)}
    assert missing <= others
    x = keras.Input((3,))
    assert type(internals.origin(x + 1.0)[0]) in internals.operation_classes("Add")


@check
def operation_class():
    x = keras.Input((3,))
    assert type(internals.origin(x[:, 1:])[0]) is internals.operation_class("GetItem")


@check
def convolution_classes():
    kinds = (layers.Conv2D, layers.Conv2DTranspose, layers.DepthwiseConv2D, layers.SeparableConv2D)
    for kind, base in zip(kinds, internals.convolution_classes(), strict=True):
        assert issubclass(kind, base)


@check
def layer_scale_class():
    assert issubclass(internals.layer_scale_class(), keras.Layer)


@check
def stochastic_depth_class():
    assert issubclass(internals.stochastic_depth_class(), keras.Layer)


@check
def custom_scale_class():
    assert issubclass(internals.custom_scale_class(), keras.Layer)


# No other file ---------------------------------------------------------------------------------


def sources():
    return sorted(PACKAGE.rglob("*.py"))


def own_names(trees):
    """Private names that the package defines: functions, classes and attributes of `self`."""
    found = set()
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                if getattr(node.value, "id", "") in ("self", "cls"):
                    found.add(node.attr)
            elif isinstance(node, ast.AnnAssign | ast.Assign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                found |= {x.id for x in targets if isinstance(x, ast.Name)}
    return found


# The endings of settings' names, which are no attributes.
WORDS = {"_initializer"}


def is_private(name):
    return name.startswith("_") and not name.startswith("__") and name.isidentifier()


def keras_names():
    """The private names that `keras_internals` reads, as attributes or as strings."""
    found = set()
    for path in ROOMS.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                found.add(node.attr)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return {name for name in found if is_private(name) and len(name) > 2}


def private_uses(tree, own, keras_own):
    """Uses of private names of Keras in one file's syntax tree, as (line, name)."""
    words = keras_own - own - WORDS
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom | ast.Import):
            modules = [getattr(node, "module", None) or "", *(x.name for x in node.names)]
            for name in modules:
                if name.startswith(("keras.src", "tensorflow.python")):
                    yield node.lineno, name
        elif isinstance(node, ast.Attribute) and is_private(node.attr):
            of_self = getattr(node.value, "id", "") in ("self", "cls")
            if node.attr not in own or (node.attr in keras_own and not of_self):
                yield node.lineno, node.attr
        elif isinstance(node, ast.Constant) and node.value in words:
            yield node.lineno, node.value


def test_nothing_else_reads_what_is_private_to_keras():
    trees = {path: ast.parse(path.read_text()) for path in sources() if ROOMS not in path.parents}
    own, keras_own = own_names(trees.values()), keras_names()
    assert {"_flatten_layers", "_nodes_by_depth", "_kernel", "_tracker"} <= keras_own
    found = [
        f"{path.relative_to(REPO)}:{line} {name}"
        for path, tree in trees.items()
        for line, name in private_uses(tree, own, keras_own)
    ]
    assert not found


def test_the_search_finds_each_way_to_read_them():
    code = """
from keras.src.ops import nn
import keras.src.backend
layer._flatten_layers()
getattr(model, "_functional")
vars(model)["_layers"] = 1
self._own_thing
"""
    found = {name for _, name in private_uses(ast.parse(code), {"_own_thing"}, keras_names())}
    expected = {"_flatten_layers", "_functional", "_layers", "keras.src.ops", "keras.src.backend"}
    assert found == expected
