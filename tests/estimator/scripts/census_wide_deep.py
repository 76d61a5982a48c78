"""A census in the wide and deep way, with crossed columns and a JSON receiver."""

import os

import tensorflow as tf

import adaptive_nets as an

tf.estimator = an.estimator

fc = tf.feature_column
CSV_COLUMNS = ["age", "trade", "schooling", "hours", "district", "income"]
CSV_DEFAULTS = [[0], [""], [""], [0], [""], [""]]
TRADES = ["baker", "smith", "teacher", "clerk"]

INPUT_COLUMNS = [
    fc.numeric_column("age"),
    fc.numeric_column("hours"),
    fc.categorical_column_with_vocabulary_list("trade", TRADES),
    fc.categorical_column_with_hash_bucket("schooling", hash_bucket_size=20),
    fc.categorical_column_with_hash_bucket("district", hash_bucket_size=50),
]


def build_columns():
    age, hours, trade, schooling, district = INPUT_COLUMNS
    ages = fc.bucketized_column(age, boundaries=[25, 35, 45, 55, 65])
    wide = [
        trade,
        schooling,
        ages,
        fc.crossed_column(["trade", "schooling"], hash_bucket_size=200),
        fc.crossed_column([ages, "trade"], hash_bucket_size=200),
    ]
    deep = [age, hours, fc.indicator_column(trade), fc.embedding_column(district, dimension=4)]
    return wide, deep


def parse_csv(line):
    columns = tf.io.decode_csv(line, record_defaults=CSV_DEFAULTS)
    features = dict(zip(CSV_COLUMNS, columns))
    return features, tf.equal(features.pop("income"), "high")


def input_fn(path, num_epochs=None, shuffle=True, batch_size=40):
    dataset = tf.data.TextLineDataset(path).map(parse_csv)
    if shuffle:
        dataset = dataset.shuffle(buffer_size=batch_size * 10, seed=0)
    dataset = dataset.repeat(num_epochs).batch(batch_size)
    return dataset


def json_serving_input_fn():
    inputs = {}
    for feat in INPUT_COLUMNS:
        inputs[feat.name] = tf.compat.v1.placeholder(shape=[None], dtype=feat.dtype)
    return tf.estimator.export.ServingInputReceiver(inputs, inputs)


def main(folder, steps):
    wide, deep = build_columns()
    estimator = tf.estimator.DNNLinearCombinedClassifier(
        model_dir=os.path.join(folder, "model"),
        linear_feature_columns=wide,
        dnn_feature_columns=deep,
        dnn_hidden_units=[20, 10],
        config=tf.estimator.RunConfig(tf_random_seed=0),
        dnn_optimizer=tf.keras.optimizers.Adagrad(0.05),
        linear_optimizer=tf.keras.optimizers.Ftrl(0.05, l1_regularization_strength=0.01),
    )
    train_spec = tf.estimator.TrainSpec(
        input_fn=lambda: input_fn(os.path.join(folder, "train.csv")), max_steps=steps
    )
    eval_input = lambda: input_fn(os.path.join(folder, "test.csv"), num_epochs=1, shuffle=False)
    exporter = tf.estimator.FinalExporter("census", json_serving_input_fn)
    eval_spec = tf.estimator.EvalSpec(
        input_fn=eval_input, steps=None, exporters=[exporter], name="census-eval"
    )
    found, exports = tf.estimator.train_and_evaluate(estimator, train_spec, eval_spec)
    return estimator, found, exports[0], eval_input
