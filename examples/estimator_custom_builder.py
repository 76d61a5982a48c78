"""adanet's tutorial, migrated: a builder and a generator of one's own behind the Estimator.

    python examples/estimator_custom_builder.py [--model_dir=FOLDER]

Of the script that imported adanet the builder has changed: it makes Keras layers, and says which
optimizer trains them, where it made a graph and a train operation.
"""

import argparse
import tempfile

import keras
import tensorflow as tf
from sklearn.datasets import load_diabetes

import adaptive_nets as an

est = an.estimator


class SimpleDNNBuilder(an.adanet.Builder):
    """A network of some hidden layers."""

    def __init__(self, layers: int, width: int, learning_rate: float):
        self.name = "linear" if layers == 0 else f"{layers}_layer_dnn"
        self.layers, self.width, self.learning_rate = layers, width, learning_rate

    def build(self, inputs, units, previous=None) -> an.adanet.Subnetwork:
        last = inputs["x"]
        for _ in range(self.layers):
            last = keras.layers.Dense(self.width, "relu")(last)
        logits = keras.layers.Dense(units)(last)
        return an.adanet.Subnetwork(logits, last_layer=last, depth=self.layers)

    def optimizer(self) -> keras.optimizers.Optimizer:
        return keras.optimizers.Adam(self.learning_rate)


@keras.saving.register_keras_serializable(package="examples")
class SimpleDNNGenerator(an.adanet.Generator):
    """Proposes networks as deep as the deepest so far, and a layer deeper."""

    def __init__(self, width: int = 16, learning_rate: float = 1e-2):
        self.width, self.learning_rate = width, learning_rate

    def generate(self, previous, iteration, reports) -> list[SimpleDNNBuilder]:
        depth = 0 if previous is None else previous.depth
        return [
            SimpleDNNBuilder(layers, self.width, self.learning_rate)
            for layers in (depth, depth + 1)
        ]

    def get_config(self) -> dict:
        return {"width": self.width, "learning_rate": self.learning_rate}


def main(model_dir: str | None = None) -> dict:
    """Trains on scikit-learn's diabetes; returns the evaluation."""
    x, y = load_diabetes(return_X_y=True)
    x, y = x.astype("float32") * 20, (y / y.max()).astype("float32")

    def input_fn(training):
        def rows():
            part = slice(0, 330) if training else slice(330, None)
            found = tf.data.Dataset.from_tensor_slices(({"x": x[part]}, y[part]))
            return found.shuffle(330, seed=0).repeat().batch(32) if training else found.batch(32)

        return rows

    estimator = est.Estimator(
        head=an.heads.Regression(),
        subnetwork_generator=SimpleDNNGenerator(),
        max_iteration_steps=200,
        max_iterations=3,
        adanet_lambda=1e-3,
        config=est.RunConfig(model_dir=model_dir or tempfile.mkdtemp(), tf_random_seed=0),
    )
    found, _ = est.train_and_evaluate(
        estimator,
        est.TrainSpec(input_fn(training=True), max_steps=600),
        est.EvalSpec(input_fn(training=False), steps=None),
    )
    print({name: round(value, 4) for name, value in found.items()})
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model_dir")
    main(parser.parse_args().model_dir)
