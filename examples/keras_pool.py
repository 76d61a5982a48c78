"""An ensemble of Keras models that you already have.

    python examples/keras_pool.py [--steps=150]

Three models read scikit-learn's digits as images of 8 x 8: a dense one, a convolutional one with
batch normalisation and dropout, and one that was trained before and slides one dense layer
over all rows of an image. A model is given as it is, or as a function that makes it.
"""

import argparse

import keras
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import adaptive_nets as an


def dense() -> keras.Model:
    """Logits at the end, no softmax: the head knows what to do with them."""
    return keras.Sequential(
        [
            keras.Input((8, 8)),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10),
        ]
    )


def convolutional() -> keras.Model:
    """Its moving averages and its dropout are trained, frozen and saved with it."""
    inputs = keras.Input((8, 8))
    x = keras.layers.Reshape((8, 8, 1))(inputs)
    x = keras.layers.Conv2D(16, 3, padding="same")(x)
    x = keras.layers.BatchNormalization(momentum=0.9)(x)
    x = keras.layers.Activation("relu")(x)
    # One layer used twice has one set of weights, also in the copy.
    shared = keras.layers.Conv2D(16, 3, padding="same", activation="relu")
    x = shared(shared(x))
    x = keras.layers.GlobalMaxPooling2D()(x)
    x = keras.layers.Dropout(0.2)(x)
    return keras.Model(inputs, keras.layers.Dense(10)(x), name="convolutional")


def row_reader() -> keras.Model:
    """One dense layer for all eight rows of an image, then all rows together."""
    inputs = keras.Input((8, 8))
    rows = keras.layers.TimeDistributed(keras.layers.Dense(8, activation="relu"))(inputs)
    x = keras.layers.Dense(32, activation="relu")(keras.layers.Flatten()(rows))
    return keras.Model(inputs, keras.layers.Dense(10)(x), name="row_reader")


def main(steps: int) -> tuple[an.AdaNet, dict[str, float]]:
    """Trains one model, searches with all three, and prints accuracies."""
    digits = load_digits()
    x, x_test, y, y_test = train_test_split(
        digits.images / 16, digits.target, test_size=0.25, random_state=0, stratify=digits.target
    )

    keras.utils.set_random_seed(0)
    trained = row_reader()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trained.compile("adam", loss, metrics=["accuracy"])
    trained.fit(x, y, epochs=3, verbose=0)

    pool = an.generators.Pool(
        {
            # A model is copied with its weights: each round trains on from them.
            "row_reader": trained,
            # A function makes a model with fresh weights each round.
            "dense": dense,
            "convolutional": convolutional,
        },
        optimizer={"row_reader": "sgd", "dense": "adam", "convolutional": "adam"},
        learning_rate=3e-3,
    )
    search = an.AdaNet(
        an.heads.MultiClass(),
        pool,
        max_iterations=2,
        steps_per_iteration=steps,
        ensemble_strategies=("grow", "all"),
        seed=0,
    )
    search.fit(x, y)

    print(
        search.leaderboard()[["round", "candidate", "status", "objective"]].to_string(index=False)
    )
    accuracies = {
        "ensemble": search.evaluate(x_test, y_test)["accuracy"],
        # The search leaves the model that it was given as it was.
        "row_reader as given": trained.evaluate(x_test, y_test, verbose=0)[1],
    }
    print("held-out accuracy:", accuracies)
    return search, accuracies


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=150, help="training steps of a round")
    main(parser.parse_args().steps)
