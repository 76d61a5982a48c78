"""Sentiment of short texts: words in hashed buckets, embedded and averaged."""

import os

import tensorflow as tf

import adaptive_nets as an

tf.estimator = an.estimator

fc = tf.feature_column


def parse(line):
    label, text = tf.unstack(tf.strings.split(line, "\t", maxsplit=1), num=2)
    words = tf.strings.split(tf.strings.lower(text))
    return {"words": words}, tf.strings.to_number(label, tf.int32)


def input_fn(path, training):
    dataset = tf.data.TextLineDataset(path).map(parse)
    if training:
        dataset = dataset.shuffle(500, seed=0).repeat()
    return dataset.padded_batch(32, padded_shapes=({"words": [None]}, []))


def serving_input_receiver_fn():
    texts = tf.compat.v1.placeholder(tf.string, [None], name="texts")
    words = tf.strings.split(tf.strings.lower(texts)).to_tensor(default_value="")
    return tf.estimator.export.ServingInputReceiver({"words": words}, {"texts": texts})


def main(folder, steps):
    words = fc.categorical_column_with_hash_bucket("words", hash_bucket_size=500)
    classifier = tf.estimator.DNNClassifier(
        hidden_units=[8],
        feature_columns=[fc.embedding_column(words, dimension=6, combiner="sqrtn")],
        n_classes=2,
        optimizer=tf.keras.optimizers.Adagrad(0.3),
        config=tf.estimator.RunConfig(model_dir=os.path.join(folder, "model"), tf_random_seed=0),
    )
    classifier.train(lambda: input_fn(os.path.join(folder, "train.tsv"), True), steps=steps)
    found = classifier.evaluate(lambda: input_fn(os.path.join(folder, "test.tsv"), False))
    exported = classifier.export_saved_model(
        os.path.join(folder, "served"), serving_input_receiver_fn
    )
    return classifier, found, exported
