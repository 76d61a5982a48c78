"""A script as it is after moving: a census in the wide and deep way, with a JSON receiver."""

import os

import tensorflow as tf

from adaptive_nets import estimator as est

fc = tf.feature_column
COLUMNS = ["age", "trade", "schooling", "hours", "district", "income"]
DEFAULTS = [[0], [""], [""], [0], [""], [""]]
TRADES = ["baker", "smith", "teacher", "clerk"]


def build_columns():
    age, hours = fc.numeric_column("age"), fc.numeric_column("hours")
    trade = fc.categorical_column_with_vocabulary_list("trade", TRADES)
    schooling = fc.categorical_column_with_hash_bucket("schooling", hash_bucket_size=20)
    district = fc.categorical_column_with_hash_bucket("district", hash_bucket_size=50)
    ages = fc.bucketized_column(age, boundaries=[25, 35, 45, 55, 65])
    wide = [
        trade, schooling, ages,
        fc.crossed_column(["trade", "schooling"], hash_bucket_size=200),
        fc.crossed_column([ages, "trade"], hash_bucket_size=200),
    ]  # fmt: skip
    deep = [
        age, hours, fc.indicator_column(trade), fc.embedding_column(district, dimension=4),
    ]  # fmt: skip
    return wide, deep


def input_fn(path, epochs, shuffle, batch_size):
    def parse(line):
        columns = tf.io.decode_csv(line, record_defaults=DEFAULTS)
        features = dict(zip(COLUMNS, columns, strict=True))
        return features, tf.equal(features.pop("income"), "high")

    data = tf.data.TextLineDataset(path)
    data = data.shuffle(500, seed=0) if shuffle else data
    return data.map(parse).repeat(epochs).batch(batch_size)


def json_serving_input_fn():
    """What a server gets as JSON: a value of each column in every row."""
    wide, deep = build_columns()
    inputs = {
        name: tf.compat.v1.placeholder(
            shape=[None], dtype=tf.float32 if name in ("age", "hours") else tf.string
        )
        for name in fc.make_parse_example_spec(wide + deep)
    }
    return est.export.ServingInputReceiver(inputs, inputs)


def main(folder, steps):
    wide, deep = build_columns()
    model = est.DNNLinearCombinedClassifier(
        model_dir=os.path.join(folder, "model"),
        linear_feature_columns=wide,
        dnn_feature_columns=deep,
        dnn_hidden_units=[20, 10],
        config=est.RunConfig(tf_random_seed=0),
        dnn_optimizer=tf.keras.optimizers.Adagrad(0.05),
        linear_optimizer=tf.keras.optimizers.Ftrl(0.05, l1_regularization_strength=0.01),
    )
    train = os.path.join(folder, "train.csv")
    test = os.path.join(folder, "test.csv")
    found, exports = est.train_and_evaluate(
        model,
        est.TrainSpec(lambda: input_fn(train, None, True, 40), max_steps=steps),
        est.EvalSpec(
            lambda: input_fn(test, 1, False, 40),
            steps=None,
            exporters=[est.FinalExporter("census", json_serving_input_fn)],
        ),
    )
    return model, found, exports[0], lambda: input_fn(test, 1, False, 40)
