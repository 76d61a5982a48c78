"""What users put into a `Pool`: one function per habit, which returns a search's arguments.

It imports nothing of the package under test, so that the process that loads the saved models, where
the package is missing, finds the custom layers here.
"""

import keras
import numpy as np

layers = keras.layers
HABITS = {}
ROWS = 24
RNG = np.random.default_rng(0)
VECTOR = RNG.normal(size=(ROWS, 4)).astype("float32")
IMAGE = RNG.normal(size=(ROWS, 8, 8, 3)).astype("float32")
SEQUENCE = RNG.normal(size=(ROWS, 5, 3)).astype("float32")
TOKENS = np.where(np.arange(6) < RNG.integers(2, 7, (ROWS, 1)), RNG.integers(1, 9, (ROWS, 6)), 0)
WORDS = ["red", "green", "blue", "old", "new", "tea"]
TEXT = np.array([" ".join(RNG.choice(WORDS, 3)) for _ in range(ROWS)], object)
WORD = RNG.choice(WORDS[:4], (ROWS, 1)).astype(object)


def habit(function):
    """Adds a habit to the table, by its name."""
    HABITS[function.__name__] = function
    return function


def search(models, x, **more):
    return {"models": models, "x": x, **more}


def top(*inside, shape=(4,), dtype=None, units=3, name=None):
    """A Sequential that ends in logits."""
    return keras.Sequential(
        [keras.Input(shape, dtype=dtype), *inside, layers.Dense(units)], name=name
    )


@keras.saving.register_keras_serializable(package="habits")
class Gate(layers.Layer):
    """A layer of the user's own."""

    def __init__(self, power=1.0, **kwargs):
        super().__init__(**kwargs)
        self.power = power

    def build(self, shape):
        self.gate = self.add_weight(shape=(shape[-1],), initializer="ones", name="gate")

    def call(self, x):
        return x * self.gate**self.power

    def get_config(self):
        return {**super().get_config(), "power": self.power}


@keras.saving.register_keras_serializable(package="habits")
class Subclassed(keras.Model):
    """A model without a graph."""

    def __init__(self, width=5, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.hidden = layers.Dense(width, activation="relu")
        self.out = layers.Dense(3)

    def call(self, x):
        return self.out(self.hidden(x))

    def get_config(self):
        return {**super().get_config(), "width": self.width}


@keras.saving.register_keras_serializable(package="habits")
class Untied(layers.Layer):
    """Maps back with the kernel of another layer, which it holds."""

    def __init__(self, other, **kwargs):
        super().__init__(**kwargs)
        self.other = other

    def call(self, x):
        return keras.ops.matmul(x, keras.ops.transpose(self.other.kernel))

    def get_config(self):
        other = keras.saving.serialize_keras_object(self.other)
        return {**super().get_config(), "other": other}

    @classmethod
    def from_config(cls, config):
        config["other"] = keras.saving.deserialize_keras_object(config["other"])
        return cls(**config)


@keras.saving.register_keras_serializable(package="habits")
def doubled(x):
    return 2.0 * x


@keras.saving.register_keras_serializable(package="habits")
class OwnLoss(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)


# Layers that members share -----------------------------------------------------------------------


@habit
def shared_frozen_base():
    base = keras.Sequential([keras.Input((4,)), layers.Dense(6, activation="relu")], name="base")
    base.trainable = False
    return search(
        {"a": lambda: top(base), "b": lambda: top(base, layers.Dense(5))}, VECTOR, rounds=2
    )


@habit
def shared_trainable_base():
    base = keras.Sequential([keras.Input((4,)), layers.Dense(6, activation="relu")], name="base")
    return search({"a": top(base), "b": top(base, layers.Dense(5))}, VECTOR)


@habit
def shared_frozen_layer():
    shared = layers.Dense(6, trainable=False)
    return search({"a": lambda: top(shared), "b": lambda: top(shared, Gate())}, VECTOR, rounds=2)


@habit
def shared_embedding():
    shared = layers.Embedding(9, 4, trainable=False)

    def make(*inside):
        return lambda: top(shared, *inside, layers.Flatten(), shape=(6,), dtype="int32")

    return search({"a": make(), "b": make(layers.Dropout(0.2))}, TOKENS)


@habit
def shared_normalization():
    shared = layers.Normalization()
    shared.adapt(VECTOR)
    return search({"a": lambda: top(shared), "b": lambda: top(shared, layers.Dense(5))}, VECTOR)


@habit
def normalization_shared_with_preprocessing():
    shared = layers.Normalization()
    shared.adapt(VECTOR)
    models = {"a": lambda: top(shared), "b": lambda: top(shared, layers.Dense(5))}
    return search(models, VECTOR, rounds=2, preprocessing=shared)


@habit
def text_layer_shared_with_preprocessing():
    shared = layers.TextVectorization(output_sequence_length=4)
    shared.adapt(TEXT)
    table = layers.Embedding(9, 3)
    model = top(table, layers.Flatten(), shape=(4,), dtype="int64")
    return search({"a": model}, TEXT, preprocessing=shared)


def text_model(shared, *inside):
    return lambda: keras.Sequential([keras.Input((1,), dtype="string"), shared, *inside])


@habit
def shared_text_layer_to_numbers():
    shared = layers.TextVectorization(output_sequence_length=4)
    shared.adapt(TEXT)
    inside = [lambda: layers.Embedding(9, 3), layers.GlobalAveragePooling1D]
    models = {
        "a": text_model(shared, *(f() for f in inside), layers.Dense(3)),
        "b": lambda: text_model(shared, *(f() for f in inside), layers.Dense(3))(),
    }
    models["a"] = models["a"]()
    return search(models, TEXT[:, None])


@habit
def shared_everything_twice():
    inner = layers.Dense(4, trainable=False)
    one = keras.Sequential([keras.Input((4,)), inner], name="one")
    other = keras.Sequential([keras.Input((4,)), inner, layers.Activation("relu")], name="other")
    inputs = keras.Input((4,))
    joined = layers.Add()([one(inputs), other(inputs), inner(inputs)])
    return search({"a": keras.Model(inputs, layers.Dense(3)(joined))}, VECTOR)


@habit
def one_model_twice():
    model = top(layers.Dense(5, activation="relu"))
    return search({"a": model, "b": model}, VECTOR, rounds=2)


@habit
def layer_called_twice():
    inputs = keras.Input((4,))
    twice = layers.Dense(4, activation="tanh", name="twice")
    model = keras.Model(inputs, layers.Dense(3)(twice(twice(inputs))))
    return search({"a": model}, VECTOR)


@habit
def tied_weights():
    def make():
        inputs = keras.Input((4,))
        forth = layers.Dense(5, name="forth")
        back = Untied(forth, name="back")(forth(inputs))
        return keras.Model(inputs, layers.Dense(3)(back))

    return search({"a": make}, VECTOR)


# Encoders ----------------------------------------------------------------------------------------


def encoded_text(mode):
    shared = layers.TextVectorization(output_mode=mode)
    shared.adapt(TEXT)
    return search({"a": top(shape=(shared.vocabulary_size(),))}, TEXT, preprocessing=shared)


@habit
def text_multi_hot():
    return encoded_text("multi_hot")


@habit
def text_count():
    return encoded_text("count")


@habit
def text_tf_idf():
    return encoded_text("tf_idf")


@habit
def text_tf_idf_of_columns():
    return {**encoded_text("tf_idf"), "x": TEXT[:, None]}


@habit
def text_tf_idf_in_a_pool_model():
    layer = layers.TextVectorization(output_mode="tf_idf")
    layer.adapt(TEXT)
    return search({"a": text_model(layer, layers.Dense(3))()}, TEXT)


@habit
def string_lookup():
    lookup = layers.StringLookup(vocabulary=WORDS, output_mode="one_hot")
    inputs = keras.Input((1,), dtype="string")
    return search({"a": keras.Model(inputs, layers.Dense(3)(lookup(inputs)))}, WORD)


@habit
def integer_lookup():
    lookup = layers.IntegerLookup(vocabulary=[1, 3, 5, 7])
    inside = [lookup, layers.Embedding(6, 2), layers.Flatten()]
    return search({"a": top(*inside, shape=(6,), dtype="int64")}, TOKENS)


@habit
def hashing():
    inputs = keras.Input((1,), dtype="string")
    cells = layers.Flatten()(layers.Embedding(7, 3)(layers.Hashing(7)(inputs)))
    return search({"a": keras.Model(inputs, layers.Dense(3)(cells))}, WORD)


@habit
def category_encoding():
    encode = layers.CategoryEncoding(9, output_mode="multi_hot")
    return search({"a": top(encode, shape=(6,), dtype="int32")}, TOKENS)


@habit
def discretization():
    bins = layers.Discretization(num_bins=3, epsilon=0.01)
    bins.adapt(VECTOR)
    return search({"a": top(bins, layers.Embedding(3, 2), layers.Flatten())}, VECTOR)


@habit
def feature_space():
    space = keras.utils.FeatureSpace({"size": "float_normalized", "colour": "string_categorical"})
    x = {"size": VECTOR[:, 0], "colour": WORD[:, 0]}
    import tensorflow as tf

    space.adapt(tf.data.Dataset.from_tensor_slices(dict(x, colour=[str(w) for w in x["colour"]])))
    width = space.get_encoded_features().shape[-1]
    return search({"a": top(shape=(width,))}, x, preprocessing=space)


@habit
def scalar_features():
    inputs = {"size": keras.Input((), name="size"), "age": keras.Input((), name="age")}
    wide = [layers.Reshape((1,))(each) for each in inputs.values()]
    model = keras.Model(inputs, layers.Dense(3)(layers.Concatenate()(wide)))
    return search({"a": model}, {"size": VECTOR[:, 0], "age": VECTOR[:, 1]})


@habit
def scalar_features_as_columns():
    inputs = {"size": keras.Input((1,), name="size"), "age": keras.Input((1,), name="age")}
    model = keras.Model(inputs, layers.Dense(3)(layers.Concatenate()(list(inputs.values()))))
    return search({"a": model}, {"size": VECTOR[:, 0], "age": VECTOR[:, 1]})


@habit
def one_scalar():
    inputs = keras.Input(())
    model = keras.Model(inputs, layers.Dense(3)(layers.Reshape((1,))(inputs)))
    return search({"a": model}, VECTOR[:, 0])


# Names, and what models bring along ---------------------------------------------------------------


@habit
def models_of_one_name():
    def make(width):
        return top(layers.Dense(width, name="same"), name="model")

    return search({"a": make(4), "b": make(5), "c": lambda: make(6)}, VECTOR, rounds=2)


@habit
def odd_names():
    names = ["a.b", "self", "x" * 60, "1-2"]
    return search({name: top(layers.Dense(2, name="a.b->c")) for name in names}, VECTOR)


@habit
def compiled_with_own_loss():
    model = top(layers.Dense(5))
    model.compile("rmsprop", OwnLoss(), metrics=["mae"])
    return search({"a": model}, VECTOR)


@habit
def already_fitted():
    model = top(layers.Dense(5), layers.Dropout(0.1))
    model.compile("adam", "mse", jit_compile=False)
    model.fit(VECTOR, VECTOR[:, :3], epochs=1, verbose=0)
    return search({"a": model}, VECTOR)


@habit
def frozen_as_a_whole():
    model = top(layers.Dense(5))
    model.trainable = False
    return search({"a": model, "b": top()}, VECTOR)


@habit
def kernels_of_several_folds():
    return search({"a": top(layers.Dense(5, activation="relu"))}, VECTOR, majority=3)
