"""`DNNClassifier`, `DNNRegressor` and `DNNEstimator`."""

from collections.abc import Sequence
from typing import Any

import keras

from adaptive_nets._arguments import takes
from adaptive_nets._checks import check_bool
from adaptive_nets.estimator.canned.base import CannedEstimator
from adaptive_nets.estimator.canned.network import check_rate
from adaptive_nets.estimator.canned.optimizers import chosen_optimizer
from adaptive_nets.estimator.canned.settings import (
    DEEP,
    check_reduction,
    class_head,
    number_head,
    weight_key,
)
from adaptive_nets.estimator.config import RunConfig
from adaptive_nets.heads import Head

# What activation_fn is where none is passed.
RELU = keras.activations.relu


@takes(DEEP)
class DNNEstimator(CannedEstimator):
    """A network of dense layers over feature columns, with any head.

    Args:
        head: A `heads.Head`.
        hidden_units: Widths of the hidden layers, such as `[64, 32]`.
        feature_columns: Dense columns of `tf.feature_column`.
        model_dir: Folder of the state. Defaults to `None`: that of `config`, or a temporary one.
        optimizer: A name, a Keras optimizer, or a function that returns one. Defaults to
            `"Adagrad"`.
        activation_fn: A Keras activation, its name, or a function of `tf.nn`. Defaults to ReLU.
        dropout: Share of the outputs of hidden layers that is dropped in training. Defaults to
            `None`: none.
        config: A `RunConfig`. Defaults to `None`: `RunConfig()`.
        warm_start_from: Folder of another estimator. Defaults to `None`.
        batch_norm: Whether hidden layers are followed by batch normalization. Defaults to `False`.
        weight_column: Name of the feature with the weights of rows. Defaults to `None`.
        **kwargs: `input_layer_partitioner` is accepted but ignored, with a warning.

    Raises:
        TypeError: An argument is unknown or of the wrong type.
        ValueError: A setting is out of range, or a column cannot be translated.
    """

    def __init__(
        self,
        head: Head,
        hidden_units: Sequence[int],
        feature_columns: Any,
        model_dir: Any = None,
        optimizer: Any = "Adagrad",
        activation_fn: Any = RELU,
        dropout: float | None = None,
        config: RunConfig | None = None,
        warm_start_from: Any = None,
        batch_norm: bool = False,
        weight_column: Any = None,
        **kwargs: Any,
    ) -> None:
        network = {
            "deep_columns": feature_columns,
            "hidden_units": hidden_units,
            "activation": activation_fn,
            "dropout": check_rate("dropout", dropout),
            "batch_norm": check_bool("batch_norm", batch_norm),
        }
        super().__init__(
            head, "dnn", network, chosen_optimizer("optimizer", optimizer), model_dir, config,
            warm_start_from, weight_key(weight_column),
        )  # fmt: skip


@takes(DEEP)
class DNNClassifier(DNNEstimator):
    """A classifier of dense layers over feature columns.

    Args:
        hidden_units: Widths of the hidden layers, such as `[64, 32]`.
        feature_columns: Dense columns of `tf.feature_column`.
        model_dir: Folder of the state. Defaults to `None`: that of `config`, or a temporary one.
        n_classes: Number of classes. Defaults to `2`.
        weight_column: Name of the feature with the weights of rows. Defaults to `None`.
        label_vocabulary: The labels in their order. Defaults to `None`: integers from 0.
        optimizer: A name, a Keras optimizer, or a function that returns one. Defaults to
            `"Adagrad"`.
        activation_fn: A Keras activation, its name, or a function of `tf.nn`. Defaults to ReLU.
        dropout: Share of the outputs of hidden layers that is dropped in training. Defaults to
            `None`: none.
        config: A `RunConfig`. Defaults to `None`: `RunConfig()`.
        warm_start_from: Folder of another estimator. Defaults to `None`.
        loss_reduction: The loss is the mean over the batch; another value gives a warning.
            Defaults to `"sum_over_batch_size"`.
        batch_norm: Whether hidden layers are followed by batch normalization. Defaults to `False`.
        **kwargs: `input_layer_partitioner` is accepted but ignored, with a warning.

    Raises:
        TypeError: An argument is unknown or of the wrong type.
        ValueError: A setting is out of range, or a column cannot be translated.

    Example:

    ```python
    import tensorflow as tf
    from adaptive_nets import estimator as est

    def input_fn():
        features = {"age": [30.0, 40.0, 50.0, 60.0], "job": ["cook", "pilot", "cook", "pilot"]}
        return tf.data.Dataset.from_tensor_slices((features, [0, 1, 0, 1])).batch(2)

    jobs = tf.feature_column.categorical_column_with_vocabulary_list("job", ["cook", "pilot"])
    columns = [tf.feature_column.numeric_column("age"), tf.feature_column.indicator_column(jobs)]
    classifier = est.DNNClassifier(hidden_units=[8], feature_columns=columns)
    classifier.train(input_fn, steps=2)
    classifier.evaluate(input_fn)["accuracy"]
    ```
    """

    def __init__(
        self,
        hidden_units: Sequence[int],
        feature_columns: Any,
        model_dir: Any = None,
        n_classes: int = 2,
        weight_column: Any = None,
        label_vocabulary: Sequence[str] | None = None,
        optimizer: Any = "Adagrad",
        activation_fn: Any = RELU,
        dropout: float | None = None,
        config: RunConfig | None = None,
        warm_start_from: Any = None,
        loss_reduction: Any = "sum_over_batch_size",
        batch_norm: bool = False,
        **kwargs: Any,
    ) -> None:
        check_reduction(loss_reduction)
        super().__init__(
            class_head(n_classes, label_vocabulary), hidden_units, feature_columns, model_dir,
            optimizer, activation_fn, dropout, config, warm_start_from, batch_norm, weight_column,
            **kwargs,
        )  # fmt: skip


@takes(DEEP)
class DNNRegressor(DNNEstimator):
    """A regressor of dense layers over feature columns.

    Args:
        hidden_units: Widths of the hidden layers, such as `[64, 32]`.
        feature_columns: Dense columns of `tf.feature_column`.
        model_dir: Folder of the state. Defaults to `None`: that of `config`, or a temporary one.
        label_dimension: Number of targets of a row. Defaults to `1`.
        weight_column: Name of the feature with the weights of rows. Defaults to `None`.
        optimizer: A name, a Keras optimizer, or a function that returns one. Defaults to
            `"Adagrad"`.
        activation_fn: A Keras activation, its name, or a function of `tf.nn`. Defaults to ReLU.
        dropout: Share of the outputs of hidden layers that is dropped in training. Defaults to
            `None`: none.
        config: A `RunConfig`. Defaults to `None`: `RunConfig()`.
        warm_start_from: Folder of another estimator. Defaults to `None`.
        loss_reduction: The loss is the mean over the batch; another value gives a warning.
            Defaults to `"sum_over_batch_size"`.
        batch_norm: Whether hidden layers are followed by batch normalization. Defaults to `False`.
        **kwargs: `input_layer_partitioner` is accepted but ignored, with a warning.

    Raises:
        TypeError: An argument is unknown or of the wrong type.
        ValueError: A setting is out of range, or a column cannot be translated.
    """

    def __init__(
        self,
        hidden_units: Sequence[int],
        feature_columns: Any,
        model_dir: Any = None,
        label_dimension: int = 1,
        weight_column: Any = None,
        optimizer: Any = "Adagrad",
        activation_fn: Any = RELU,
        dropout: float | None = None,
        config: RunConfig | None = None,
        warm_start_from: Any = None,
        loss_reduction: Any = "sum_over_batch_size",
        batch_norm: bool = False,
        **kwargs: Any,
    ) -> None:
        check_reduction(loss_reduction)
        super().__init__(
            number_head(label_dimension), hidden_units, feature_columns, model_dir, optimizer,
            activation_fn, dropout, config, warm_start_from, batch_norm, weight_column, **kwargs,
        )  # fmt: skip
