"""Recommenders, agents, and ways to write a model."""

import keras
from _example_layers import register
from keras import layers, ops


def dot_of_embeddings():
    """People and things as vectors, with a bias each."""
    pair = keras.Input((2,), dtype="int32")
    person, thing = pair[:, 0], pair[:, 1]
    vectors = [layers.Embedding(12, 6)(person), layers.Embedding(12, 6)(thing)]
    biases = [layers.Embedding(12, 1)(person), layers.Embedding(12, 1)(thing)]
    score = layers.Dot(axes=1)(vectors) + biases[0] + biases[1]
    return keras.Model(pair, ops.sigmoid(score))


def two_towers():
    """A tower for the question and one for the answer."""
    inputs = {name: keras.Input((1,), dtype="int32", name=name) for name in ("user", "item")}

    def tower(x, name):
        h = layers.Flatten()(layers.Embedding(12, 6, name=f"{name}_vectors")(x))
        return layers.Dense(4)(layers.Dense(8, "relu")(h))

    sides = [tower(x, name) for name, x in inputs.items()]
    return keras.Model(inputs, layers.Dot(axes=1, normalize=True)(sides))


def actor_and_critic():
    """One body, a policy and a value."""
    x = keras.Input((4,))
    common = layers.Dense(8, activation="relu")(x)
    policy = layers.Dense(2, activation="softmax", name="policy")(common)
    return keras.Model(x, [policy, layers.Dense(1, name="value")(common)])


def deterministic_critic():
    """State and action meet in a network; the answer is one number."""
    state, action = keras.Input((3,), name="state"), keras.Input((1,), name="action")
    one = layers.Dense(8, "relu")(layers.Dense(6, "relu")(state))
    two = layers.Dense(8, "relu")(action)
    h = layers.Dense(8, "relu")(layers.Concatenate()([one, two]))
    return keras.Model([state, action], layers.Dense(1)(layers.Dense(8, "relu")(h)))


def q_network():
    """Convolutions over frames, scaled by a Lambda."""
    return keras.Sequential(
        [
            keras.Input((12, 12, 4)),
            layers.Lambda(lambda frames: frames / 255.0),
            layers.Conv2D(4, 4, strides=2, activation="relu"),
            layers.Conv2D(6, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(8, activation="relu"),
            layers.Dense(3, activation="linear"),
        ]
    )


def duelling_network():
    """Advantages minus their mean, plus a value."""
    x = keras.Input((5,))
    h = layers.Dense(8, "relu")(layers.Dense(8, "relu")(x))
    value, advantage = layers.Dense(1)(h), layers.Dense(3)(h)
    centred = layers.Lambda(lambda a: a - ops.mean(a, axis=1, keepdims=True))(advantage)
    return keras.Model(x, value + centred)


@register
class Noisy(keras.Model):
    """A Functional model that trains with noise on its targets."""

    def train_step(self, data):
        x, y = data
        return super().train_step((x, y + 0.1 * ops.sin(y)))


def own_training_step():
    """A class derived from Functional."""
    x = keras.Input((5,))
    h = layers.Dense(8, "relu")(layers.Dense(8, "relu")(x))
    return Noisy(x, layers.Dense(2)(h))


def nested_own_class():
    """A model of such a class inside another, called twice."""
    x = keras.Input((5,), name="inner")
    inner = Noisy(x, layers.Dense(4)(layers.Dense(8, "relu")(x)), name="noisy")
    one, two = keras.Input((5,), name="one"), keras.Input((5,), name="two")
    h = layers.Dense(6, "relu")(layers.concatenate([inner(one), inner(two)]))
    return keras.Model([one, two], layers.Dense(1)(h))


def mixed_precision():
    """Half precision inside, float32 at the end."""
    x = keras.Input((6, 6, 1))
    kind = {"dtype": "mixed_bfloat16"}
    h = layers.Conv2D(4, 3, activation="relu", **kind)(x)
    h = layers.Dense(8, activation="relu", **kind)(layers.Flatten()(h))
    h = layers.Dense(8, activation="relu", **kind)(h)
    return keras.Model(x, layers.Dense(3, dtype="float32")(h))


def low_rank_tuned():
    """A Dense that is trained through matrices of low rank."""
    x = keras.Input((5,))
    tuned = layers.Dense(8, "relu")
    h = layers.Dense(8, "relu")(tuned(x))
    model = keras.Model(x, layers.Dense(2)(h))
    tuned.enable_lora(2)
    return model


def many_inputs_and_outputs():
    """Dicts in and out, with an image, a series and numbers."""
    inputs = {
        "image": keras.Input((6, 6, 1), name="image"),
        "series": keras.Input((5, 2), name="series"),
        "numbers": keras.Input((3,), name="numbers"),
    }
    image = layers.Flatten()(layers.Conv2D(4, 3, activation="relu")(inputs["image"]))
    series = layers.GRU(4)(inputs["series"])
    h = layers.concatenate([image, series, layers.Dense(4, "relu")(inputs["numbers"])])
    h = layers.Dense(8, "relu")(h)
    outputs = {"kind": layers.Dense(3, name="kind")(h), "size": layers.Dense(1, name="size")(h)}
    return keras.Model(inputs, outputs)


MODELS = {
    each.__name__: each
    for each in (
        *(dot_of_embeddings, two_towers, actor_and_critic, deterministic_critic, q_network),
        *(duelling_network, own_training_step, nested_own_class, mixed_precision),
        *(low_rank_tuned, many_inputs_and_outputs),
    )
}
