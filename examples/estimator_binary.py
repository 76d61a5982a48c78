"""A tf.estimator script of two classes: train_and_evaluate, exporters, a served tf.Example.

python examples/estimator_binary.py [--model_dir=FOLDER]
"""

import argparse
import tempfile

import tensorflow as tf
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import adaptive_nets as an

est = an.estimator


def main(model_dir: str | None = None) -> dict:
    """Trains on scikit-learn's breast_cancer; returns the last evaluation."""
    x, y = load_breast_cancer(return_X_y=True)
    x = StandardScaler().fit_transform(x).astype("float32")
    x, x_test, y, y_test = train_test_split(x, y, test_size=0.25, random_state=0, stratify=y)

    def train_input_fn():
        rows = tf.data.Dataset.from_tensor_slices(({"cells": x}, y))
        return rows.shuffle(1000, seed=0).repeat().batch(32)

    def eval_input_fn():
        return tf.data.Dataset.from_tensor_slices(({"cells": x_test}, y_test)).batch(64)

    receive = est.export.build_parsing_serving_input_receiver_fn(
        {"cells": tf.io.FixedLenFeature([30], tf.float32)}
    )
    estimator = est.Estimator(
        head=an.heads.BinaryClass(),
        subnetwork_generator=an.generators.Dense([8, 16], [1, 2]),
        max_iteration_steps=200,
        max_iterations=3,
        adanet_lambda=1e-3,
        config=est.RunConfig(model_dir=model_dir or tempfile.mkdtemp(), tf_random_seed=0),
    )
    found, (exported,) = est.train_and_evaluate(
        estimator,
        est.TrainSpec(train_input_fn, max_steps=600),
        est.EvalSpec(eval_input_fn, steps=None, exporters=est.FinalExporter("served", receive)),
    )
    print({name: round(value, 4) for name, value in found.items()})
    cells = tf.train.Feature(float_list=tf.train.FloatList(value=x_test[0]))
    example = tf.train.Example(features=tf.train.Features(feature={"cells": cells}))
    classify = tf.saved_model.load(exported).signatures["classify"]
    print(classify(inputs=tf.constant([example.SerializeToString()]))["scores"].numpy())
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model_dir")
    main(parser.parse_args().model_dir)
