"""Images by an ensemble of convolutional networks, each wider than the last."""

import os

import keras
import tensorflow as tf

import adaptive_nets as an
from adaptive_nets.estimator import adanet

tf.estimator = an.estimator

FEATURES_KEY = "images"
RANDOM_SEED = 42


class SimpleCNNBuilder(adanet.subnetwork.Builder):
    """Builds a CNN subnetwork."""

    def __init__(self, learning_rate, max_iteration_steps, seed):
        self._learning_rate = learning_rate
        self._max_iteration_steps = max_iteration_steps
        self._seed = seed

    def build_subnetwork(
        self,
        features,
        logits_dimension,
        training,
        iteration_step,
        summary,
        previous_ensemble=None,
    ):
        images = features[FEATURES_KEY]
        filters = 4
        if previous_ensemble:
            last = previous_ensemble.weighted_subnetworks[-1].subnetwork
            filters = 2 * last.shared["filters"]
        initializer = keras.initializers.HeNormal(seed=self._seed)
        x = keras.layers.Conv2D(filters, 3, activation="relu", kernel_initializer=initializer)(
            images
        )
        x = keras.layers.MaxPooling2D(pool_size=2, strides=2)(x)
        x = keras.layers.Flatten()(x)
        x = keras.layers.Dense(16, activation="relu", kernel_initializer=initializer)(x)
        logits = keras.layers.Dense(logits_dimension, kernel_initializer=initializer)(x)
        return adanet.Subnetwork(
            last_layer=x,
            logits=logits,
            complexity=tf.constant(1),
            persisted_tensors={},
            shared={"filters": filters},
        )

    def build_subnetwork_train_op(
        self,
        subnetwork,
        loss,
        var_list,
        labels,
        iteration_step,
        summary,
        previous_ensemble=None,
    ):
        learning_rate = keras.optimizers.schedules.CosineDecay(
            self._learning_rate, decay_steps=self._max_iteration_steps
        )
        return keras.optimizers.SGD(learning_rate, momentum=0.9)

    @property
    def name(self):
        return "simple_cnn"


class SimpleCNNGenerator(adanet.subnetwork.Generator):
    """Generates a `SimpleCNN` at each iteration."""

    def __init__(self, learning_rate, max_iteration_steps, seed=None):
        self._seed = seed
        self._dnn_builder_fn = lambda **kwargs: SimpleCNNBuilder(
            learning_rate=learning_rate, max_iteration_steps=max_iteration_steps, **kwargs
        )

    def generate_candidates(
        self, previous_ensemble, iteration_number, previous_ensemble_reports, all_reports
    ):
        seed = self._seed
        # Change the seed according to the iteration so that each subnetwork learns differently.
        if seed is not None:
            seed += iteration_number
        return [self._dnn_builder_fn(seed=seed)]


def main(folder, steps, train, test):
    def input_fn(partition, training, batch_size):
        def preprocess(image, label):
            return {FEATURES_KEY: tf.cast(image, tf.float32) / 16.0}, label

        def _input_fn():
            dataset = tf.data.Dataset.from_tensor_slices(train if partition == "train" else test)
            if training:
                dataset = dataset.shuffle(10 * batch_size, seed=RANDOM_SEED).repeat()
            return dataset.map(preprocess).batch(batch_size)

        return _input_fn

    def serving_input_fn():
        images = tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 1])
        return tf.estimator.export.ServingInputReceiver(
            {FEATURES_KEY: images}, {FEATURES_KEY: images}
        )

    estimator = adanet.Estimator(
        head=tf.estimator.MultiClassHead(n_classes=10),
        subnetwork_generator=SimpleCNNGenerator(
            learning_rate=0.05, max_iteration_steps=steps // 2, seed=RANDOM_SEED
        ),
        max_iteration_steps=steps // 2,
        evaluator=adanet.Evaluator(input_fn=input_fn("train", False, 64), steps=3),
        adanet_lambda=0.01,
        config=tf.estimator.RunConfig(
            tf_random_seed=RANDOM_SEED, model_dir=os.path.join(folder, "model")
        ),
    )
    results, _ = tf.estimator.train_and_evaluate(
        estimator,
        train_spec=tf.estimator.TrainSpec(input_fn("train", True, 64), max_steps=steps),
        eval_spec=tf.estimator.EvalSpec(input_fn("test", False, 64), steps=None),
    )
    summary = tf.compat.v1.Summary.FromString(results["architecture/adanet/ensembles"])
    architecture = summary.value[0].tensor.string_val[0]
    exported = estimator.export_saved_model(os.path.join(folder, "served"), serving_input_fn)
    return estimator, results, architecture, exported
