"""Two targets of one network: a kind and an amount."""

import os

import keras
import numpy as np
import tensorflow as tf

import adaptive_nets as an
from adaptive_nets.estimator import adanet

tf.estimator = an.estimator


class TwoTargetsBuilder(adanet.subnetwork.Builder):
    """A shared layer, and logits for each head."""

    def __init__(self, optimizer, layer_size):
        self._optimizer = optimizer
        self._layer_size = layer_size

    def build_subnetwork(
        self,
        features,
        logits_dimension,
        training,
        iteration_step,
        summary,
        previous_ensemble=None,
    ):
        last_layer = keras.layers.Dense(self._layer_size, activation="relu")(features["x"])
        last_layer = keras.layers.Dropout(0.1)(last_layer, training=training)
        logits = {
            "kind": keras.layers.Dense(3)(last_layer),
            "amount": keras.layers.Dense(1)(last_layer),
        }
        return adanet.Subnetwork(
            last_layer=last_layer,
            logits=logits,
            complexity=1.0,
            persisted_tensors={},
        )

    def build_subnetwork_train_op(
        self,
        subnetwork,
        loss,
        var_list,
        labels,
        iteration_step,
        summary,
        previous_ensemble,
    ):
        return self._optimizer

    @property
    def name(self):
        return "{}_wide".format(self._layer_size)


def rows(count, seed):
    rng = np.random.RandomState(seed)
    x = rng.normal(size=(count, 4)).astype(np.float32)
    kind = (x[:, 0] > 0).astype(np.int64) + (x[:, 1] > 0)
    amount = (x[:, :1] - x[:, 2:3]).astype(np.float32)
    return {"x": x}, {"kind": kind[:, None], "amount": amount}


def train_input_fn():
    return tf.data.Dataset.from_tensor_slices(rows(300, 0)).shuffle(300, seed=0).repeat().batch(32)


def eval_input_fn():
    return tf.data.Dataset.from_tensor_slices(rows(80, 1)).batch(32)


def main(folder, steps):
    head = tf.estimator.MultiHead(
        [
            tf.estimator.MultiClassHead(n_classes=3, name="kind"),
            tf.estimator.RegressionHead(name="amount"),
        ],
        head_weights=[1.0, 0.5],
    )
    estimator = adanet.Estimator(
        head=head,
        subnetwork_generator=adanet.subnetwork.SimpleGenerator(
            [
                TwoTargetsBuilder(tf.keras.optimizers.Adam(0.02), layer_size=8),
                TwoTargetsBuilder(tf.keras.optimizers.Adam(0.02), layer_size=16),
            ]
        ),
        max_iteration_steps=steps // 2,
        adanet_lambda=0.001,
        config=tf.estimator.RunConfig(tf_random_seed=1, model_dir=os.path.join(folder, "model")),
    )
    estimator.train(input_fn=train_input_fn, max_steps=steps)
    found = estimator.evaluate(input_fn=eval_input_fn)
    features = {"x": tf.io.FixedLenFeature([4], tf.float32)}
    exported = estimator.export_saved_model(
        os.path.join(folder, "served"),
        tf.estimator.export.build_parsing_serving_input_receiver_fn(features),
    )
    return estimator, found, exported
