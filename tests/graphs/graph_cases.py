"""Models that a copy must not lose anything of; each with inputs for it."""

import dataclasses

import keras
import numpy as np
from keras import layers


@dataclasses.dataclass(frozen=True)
class Case:
    """A model to be copied.

    Attributes:
        make: Returns the model and its inputs.
        tensorflow: Whether it needs TensorFlow.
        loads: Whether Keras can load it from a file at all.
        is_graph: Whether its layers' calls are known.
        edits: Whether `graphs.editable` takes it: a graph of one output.
    """

    make: callable
    tensorflow: bool = False
    loads: bool = True
    is_graph: bool = True
    edits: bool = True


CASES: dict[str, Case] = {}


def case(**options):
    """Registers a function that makes a model and its inputs."""

    def register(make):
        CASES[make.__name__] = Case(make, **options)
        return make

    return register


def rows(*shape):
    return np.random.default_rng(0).normal(size=(5, *shape)).astype("float32")


def disturbed(model):
    """The model with weights that no initializer gives."""
    rng = np.random.default_rng(1)
    for variable in model.weights:
        if "float" in variable.dtype and "seed" not in variable.path:
            variable.assign(variable + rng.uniform(0.1, 0.5, variable.shape))
    for layer in model.layers:
        if isinstance(layer, layers.Normalization):
            layer.finalize_state()
    return model


def scale_class(module, factor):
    """A class that is called `Scale` in every module, and is not registered."""

    class Scale(keras.Layer):
        def build(self, shape):
            self.gain = self.add_weight(shape=shape[-1:], initializer="ones", name="gain")

        def call(self, x):
            return x * self.gain * factor

        def compute_output_shape(self, shape):
            return shape

    Scale.__module__ = module
    return Scale


One, Two = scale_class("package.one", 2.0), scale_class("package.two", 3.0)


def shifted(x):
    """A function that is not registered."""
    return x + 1.0


@keras.saving.register_keras_serializable("graphs_cases")
class Pair(keras.Layer):
    """Two layers in a layer, by their serialized forms."""

    def __init__(self, first, second, **kwargs):
        super().__init__(**kwargs)
        self.both = [
            keras.saving.deserialize_keras_object(x) if isinstance(x, dict) else x
            for x in (first, second)
        ]

    def build(self, shape):
        for layer in self.both:
            if not layer.built:
                layer.build(shape)

    def call(self, x):
        return self.both[1](self.both[0](x))

    def get_config(self):
        first, second = (keras.saving.serialize_keras_object(x) for x in self.both)
        return {**super().get_config(), "first": first, "second": second}


@keras.saving.register_keras_serializable("graphs_cases")
class Counter(keras.Layer):
    """Weights of one name, weights without a name, and a number that is not a weight."""

    seen = 0

    def build(self, shape):
        self.a = self.add_weight(shape=shape[-1:], name="gain")
        self.b = self.add_weight(shape=shape[-1:], name="gain", trainable=False)
        self.c = self.add_weight(shape=shape[-1:])
        self.d = self.add_weight(shape=shape[-1:])

    def call(self, x):
        return (x * self.a + self.b) * self.c + self.d + self.seen

    def save_own_variables(self, store):
        super().save_own_variables(store)
        store["seen"] = np.array(self.seen)

    def load_own_variables(self, store):
        rest = {key: store[key] for key in list(store.keys())}
        self.seen = int(np.array(rest.pop("seen")))
        super().load_own_variables(rest)


@case()
def sequential():
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(6, "relu", name="a"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.GaussianNoise(0.1, seed=3),
            layers.Dense(3),
        ]
    )
    return model, rows(4)


@case()
def shared_layers():
    x = keras.Input((4,))
    dense = layers.Dense(4, "tanh")
    y = layers.Add()([dense(x), dense(dense(inputs=x))]) * 2.0 + 3.0
    return keras.Model(x, keras.ops.maximum(y[:, 1:], 0.5)), rows(4)


@case(loads=False)
def one_name_in_two_modules():
    x = keras.Input((6, 4))
    y = layers.TimeDistributed(One(name="one"))(x)
    y = layers.TimeDistributed(Two(name="two"))(y)
    y = Pair(One(), Two(), name="pair")(Two()(One()(y)))
    return keras.Model(x, layers.Dense(2, activation=shifted)(y)), rows(6, 4)


# Keras loads other weights where a model stands in two others.
@case(loads=False)
def nested():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(4, "relu"), layers.Dropout(0.2)])
    inner.layers[0].trainable = False
    x = keras.Input((4,))
    deep = keras.Model(x, layers.Dense(4)(inner(x)))
    deep.trainable = False
    deep.layers[-1].trainable = True
    return keras.Model(x, inner(deep(inner(x)))), rows(4)


@case()
def normalization():
    norm = layers.Normalization()
    norm.adapt(3 * rows(4) + 1)
    x = keras.Input((4,))
    return keras.Model(x, layers.Dense(2)(norm(x))), rows(4)


@case()
def bins():
    adapted = layers.Discretization(num_bins=3, epsilon=0.01)
    adapted.adapt(rows(4))
    return keras.Sequential([keras.Input((4,)), adapted, layers.Dense(2)]), rows(4)


@case(tensorflow=True)
def vocabularies():
    words = np.array([["red green"], ["blue"], ["red blue blue"], ["green"], ["unseen"]])
    text = layers.TextVectorization(output_mode="tf_idf", max_tokens=9)
    text.adapt(words)
    kinds = layers.StringLookup(output_mode="multi_hot")
    kinds.adapt(words)
    numbers = layers.IntegerLookup()
    numbers.adapt(np.array([3, 5, 5, 9]))
    w, n = keras.Input((1,), dtype="string", name="w"), keras.Input((1,), dtype="int64", name="n")
    ends = layers.Flatten()(layers.Embedding(6, 2)(numbers(n)))
    y = layers.Concatenate()([layers.Flatten()(text(w)), kinds(w), ends])
    inputs = {"w": words, "n": np.array([[3], [5], [9], [7], [5]])}
    return keras.Model({"w": w, "n": n}, layers.Dense(2)(y)), inputs


@case()
def own_state():
    x = keras.Input((4,))
    layer = Counter(name="counter")
    y = layer(x)
    layer.seen = 7
    layer.c.trainable = False
    return keras.Model(x, layers.Dense(2)(y)), rows(4)


@case(edits=False)
def many_inputs_and_outputs():
    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    y = layers.Concatenate(name="join")([layers.Dense(2)(a), b])
    outputs = {"sum": layers.Dense(1)(y), "parts": [y, layers.Softmax()(y)]}
    return keras.Model({"a": a, "b": b}, outputs), {"a": rows(4), "b": rows(3)}


@case()
def tied_embedding():
    x = keras.Input((6,), dtype="int32")
    table = layers.ReversibleEmbedding(9, 4, mask_zero=True)
    y = layers.MultiHeadAttention(2, 2)(*(table(x),) * 2, use_causal_mask=True)
    return keras.Model(x, table(y, reverse=True)), np.arange(30).reshape(5, 6) % 9


@case()
def mixed_precision():
    policy = "mixed_float16"
    x = keras.Input((4,))
    y = layers.LayerNormalization(dtype=policy)(layers.Dense(8, "gelu", dtype=policy)(x))
    return keras.Model(x, layers.Dense(2, dtype="float32")(y)), rows(4)


@case()
def recurrent():
    x = keras.Input(batch_shape=(5, 6, 4))
    y = layers.Bidirectional(layers.GRU(3, return_sequences=True))(x)
    return keras.Model(x, layers.LSTM(2, stateful=True)(y)), rows(6, 4)


@case()
def adapters():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(5, "relu"), layers.Dense(2)])
    model.layers[0].enable_lora(2)
    return model, rows(4)


@keras.saving.register_keras_serializable("graphs_cases")
class Subclassed(keras.Model):
    """A model that hides its graph."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.parts = {"a": layers.Dense(4, "relu"), "b": layers.Dropout(0.3)}
        self.last = layers.Dense(2)

    def build(self, shape):
        self.parts["a"].build(shape)
        self.last.build((None, 4))

    def call(self, x, training=False):
        return self.last(self.parts["b"](self.parts["a"](x), training=training))


@case(is_graph=False, edits=False)
def subclassed():
    model = Subclassed()
    model.build((None, 4))
    return model, rows(4)


@keras.saving.register_keras_serializable("graphs_cases")
class Derived(keras.Model):
    """A Functional model of one's own class."""

    def loudly(self, x):
        return 2 * self(x)


@case()
def derived():
    x = keras.Input((4,))
    inner = Derived(x, layers.Dense(4, "relu", name="first")(x))
    return Derived(x, layers.Dense(2)(inner(x))), rows(4)
