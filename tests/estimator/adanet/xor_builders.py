"""Builders of adanet's own tests, moved: their two methods make Keras layers."""

import keras
import numpy as np
import tensorflow as tf

from adaptive_nets import estimator as est
from adaptive_nets.estimator import adanet

X = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0], [1.0, 1.0]], "float32")
Y = np.array([[1.0], [0.0], [1.0], [0.0]], "float32")


class DNNBuilder(adanet.subnetwork.Builder):
    """A hidden layer, which reads that of the member before it.

    Args:
        name: Its name.
        learning_rate: Of gradient descent.
        layer_size: Units of the hidden layer.
        last: Whether the last layer is the hidden one, or the logits.
        keep: How many members an ensemble with it has at most.
        hooks: `SessionRunHook`s of its training.
        seed: Of its weights.
    """

    def __init__(
        self, name, learning_rate=0.001, layer_size=1, last=True, keep=None, hooks=None, seed=13
    ):
        self._name, self.learning_rate, self.layer_size = name, learning_rate, layer_size
        self.last, self.keep, self.hooks, self.seed = last, keep, hooks, seed

    @property
    def name(self):
        return self._name

    def build_subnetwork(
        self, features, logits_dimension, training, iteration_step, summary, previous_ensemble=None
    ):
        def dense(units):
            start = keras.initializers.GlorotUniform(seed=self.seed)
            return keras.layers.Dense(units, kernel_initializer=start)

        hidden = dense(self.layer_size)(features["x"])
        if previous_ensemble:
            member = previous_ensemble.weighted_subnetworks[-1].subnetwork
            hidden = keras.layers.Concatenate()([hidden, member.persisted_tensors["hidden"]])
        hidden = keras.layers.LeakyReLU(negative_slope=0.2)(hidden)
        logits = dense(logits_dimension)(hidden)
        summary.scalar("scalar", 3)
        persisted = {"hidden": hidden}
        return adanet.Subnetwork(
            last_layer=hidden if self.last else logits,
            logits=logits,
            complexity=tf.constant(3),
            persisted_tensors=persisted,
            shared={**persisted, "size": self.layer_size},
        )

    def build_subnetwork_train_op(
        self, subnetwork, loss, var_list, labels, iteration_step, summary, previous_ensemble
    ):
        optimizer = keras.optimizers.SGD(self.learning_rate)
        return adanet.subnetwork.TrainOpSpec(optimizer, self.hooks) if self.hooks else optimizer

    def build_subnetwork_report(self):
        three = tf.constant(3)
        return adanet.subnetwork.Report(
            hparams={"layer_size": self.layer_size},
            attributes={"complexity": three},
            metrics={"moo": (three, three)},
        )

    def prune_previous_ensemble(self, previous_ensemble):
        places = range(len(previous_ensemble.weighted_subnetworks))
        if self.keep is None:
            return places
        return [] if self.keep == 1 else places[-self.keep + 1 :]


class LinearBuilder(adanet.subnetwork.Builder):
    """Logits that are linear in the features."""

    def __init__(self, name, columns=None):
        self.name, self.columns = name, columns

    def build_subnetwork(self, features, logits_dimension, summary):
        read = features.get("x") if self.columns is None else None
        if read is None:
            read = est.columns.DenseColumns(self.columns)(features)
        start = keras.initializers.GlorotUniform(seed=42)
        logits = keras.layers.Dense(logits_dimension, kernel_initializer=start)(read)
        return adanet.Subnetwork(last_layer=read, logits=logits, complexity=1)

    def build_subnetwork_train_op(self, subnetwork):
        return keras.optimizers.SGD(0.001)


def xor(x=X, y=Y, **more):
    """Returns an input function of one batch, again and again."""
    return lambda: tf.data.Dataset.from_tensors(({"x": x, **more}, y)).repeat()


def once(x=X, y=Y):
    """Returns an input function of one batch."""
    return lambda: tf.data.Dataset.from_tensors(({"x": x}, y))


def made(folder, builders, **given):
    """Returns an estimator of builders, as adanet's tests make it."""
    config = {"tf_random_seed": 42, **given.pop("config", {})}
    generator = given.pop("generator", None) or adanet.subnetwork.SimpleGenerator(builders)
    arguments = {
        "head": est.RegressionHead(),
        "max_iteration_steps": 1,
        **given,
    }
    if "ensemblers" not in arguments:
        arguments = {
            "mixture_weight_type": adanet.MixtureWeightType.MATRIX, "use_bias": True, **arguments
        }  # fmt: skip
    return adanet.Estimator(
        subnetwork_generator=generator,
        model_dir=str(folder),
        config=est.RunConfig(**config),
        **arguments,
    )


def serving_input_fn(x=((0.0, 0.0),)):
    """Features that do not depend on the request, as in adanet's tests."""
    given = tf.compat.v1.placeholder(tf.string, (None,), name="serialized_example")
    return est.export.ServingInputReceiver({"x": tf.constant(x)}, given)


def members(estimator):
    """Names of the builders of the ensemble's members."""
    return [m.builder for m in estimator.load(estimator.latest_checkpoint()).ensemble.members]
