"""`DNNLinearCombinedClassifier`, `DNNLinearCombinedRegressor`, `DNNLinearCombinedEstimator`."""

import math
from collections.abc import Sequence
from typing import Any

from adaptive_nets._arguments import takes
from adaptive_nets._checks import check_bool, check_choice
from adaptive_nets.adanet.candidates.stock.optimizers import describe_optimizer
from adaptive_nets.estimator.canned.base import CannedEstimator
from adaptive_nets.estimator.canned.dnn import RELU
from adaptive_nets.estimator.canned.network import check_rate
from adaptive_nets.estimator.canned.optimizers import PartedOptimizer, chosen_optimizer
from adaptive_nets.estimator.canned.settings import (
    DEEP,
    check_reduction,
    class_head,
    number_head,
    weight_key,
)
from adaptive_nets.estimator.config import RunConfig
from adaptive_nets.heads import Head

# tf.estimator's greatest learning rate of the linear part, where its optimizer is named.
_RATE = 0.005


@takes(DEEP)
class DNNLinearCombinedEstimator(CannedEstimator):
    """A linear model and a network of dense layers that are summed and trained together.

    Args:
        head: A `heads.Head`.
        model_dir: Folder of the state. Defaults to `None`: that of `config`, or a temporary one.
        linear_feature_columns: Columns of the linear model. Defaults to `None`: no linear model.
        linear_optimizer: A name, a Keras optimizer, or a function that returns one. Defaults to
            `"Ftrl"`, with a learning rate of at most 0.005.
        dnn_feature_columns: Dense columns of the network. Defaults to `None`: no network.
        dnn_optimizer: A name, a Keras optimizer, or a function that returns one. Defaults to
            `"Adagrad"`.
        dnn_hidden_units: Widths of the hidden layers. Defaults to `None`.
        dnn_activation_fn: A Keras activation, its name, or a function of `tf.nn`. Defaults to
            ReLU.
        dnn_dropout: Share of the outputs of hidden layers that is dropped in training. Defaults to
            `None`: none.
        config: A `RunConfig`. Defaults to `None`: `RunConfig()`.
        batch_norm: Whether hidden layers are followed by batch normalization. Defaults to `False`.
        linear_sparse_combiner: `"sum"`, `"mean"` or `"sqrtn"`. Defaults to `"sum"`.
        warm_start_from: Folder of another estimator. Defaults to `None`.
        weight_column: Name of the feature with the weights of rows. Defaults to `None`.
        **kwargs: `input_layer_partitioner` is accepted but ignored, with a warning.

    Raises:
        TypeError: An argument is unknown or of the wrong type.
        ValueError: A setting is out of range, or a column cannot be translated.
    """

    def __init__(
        self,
        head: Head,
        model_dir: Any = None,
        linear_feature_columns: Any = None,
        linear_optimizer: Any = "Ftrl",
        dnn_feature_columns: Any = None,
        dnn_optimizer: Any = "Adagrad",
        dnn_hidden_units: Sequence[int] | None = None,
        dnn_activation_fn: Any = RELU,
        dnn_dropout: float | None = None,
        config: RunConfig | None = None,
        batch_norm: bool = False,
        linear_sparse_combiner: str = "sum",
        warm_start_from: Any = None,
        weight_column: Any = None,
        **kwargs: Any,
    ) -> None:
        combiners = ("sum", "mean", "sqrtn")
        check_choice("linear_sparse_combiner", linear_sparse_combiner, combiners)
        # tf.estimator takes an empty list for none.
        linear_columns = _or_none(linear_feature_columns)
        deep_columns = _or_none(dnn_feature_columns)
        network = {
            "linear_columns": linear_columns,
            "deep_columns": deep_columns,
            "hidden_units": () if dnn_hidden_units is None else dnn_hidden_units,
            "activation": dnn_activation_fn,
            "dropout": check_rate("dnn_dropout", dnn_dropout),
            "batch_norm": check_bool("batch_norm", batch_norm),
            "sparse_combiner": linear_sparse_combiner,
        }
        count = len(linear_columns) if isinstance(linear_columns, list | tuple | set) else 1
        rate = min(_RATE, 1 / math.sqrt(count))
        linear = chosen_optimizer("linear_optimizer", linear_optimizer, rate)
        deep = chosen_optimizer("dnn_optimizer", dnn_optimizer)
        if linear_columns is None or deep_columns is None:
            optimizer = deep if linear_columns is None else linear
        else:
            optimizer = PartedOptimizer(describe_optimizer(linear), describe_optimizer(deep))
        super().__init__(
            head, "dnn_linear", network, optimizer, model_dir, config, warm_start_from,
            weight_key(weight_column),
        )  # fmt: skip


def _or_none(columns):
    return None if isinstance(columns, list | tuple | set) and not columns else columns


@takes(DEEP)
class DNNLinearCombinedClassifier(DNNLinearCombinedEstimator):
    """A classifier: a linear model and a network that are summed ("wide and deep").

    Args:
        model_dir: Folder of the state. Defaults to `None`: that of `config`, or a temporary one.
        linear_feature_columns: Columns of the linear model. Defaults to `None`: no linear model.
        linear_optimizer: A name, a Keras optimizer, or a function that returns one. Defaults to
            `"Ftrl"`, with a learning rate of at most 0.005.
        dnn_feature_columns: Dense columns of the network. Defaults to `None`: no network.
        dnn_optimizer: A name, a Keras optimizer, or a function that returns one. Defaults to
            `"Adagrad"`.
        dnn_hidden_units: Widths of the hidden layers. Defaults to `None`.
        dnn_activation_fn: A Keras activation, its name, or a function of `tf.nn`. Defaults to
            ReLU.
        dnn_dropout: Share of the outputs of hidden layers that is dropped in training. Defaults to
            `None`: none.
        n_classes: Number of classes. Defaults to `2`.
        weight_column: Name of the feature with the weights of rows. Defaults to `None`.
        label_vocabulary: The labels in their order. Defaults to `None`: integers from 0.
        config: A `RunConfig`. Defaults to `None`: `RunConfig()`.
        warm_start_from: Folder of another estimator. Defaults to `None`.
        loss_reduction: The loss is the mean over the batch; another value gives a warning.
            Defaults to `"sum_over_batch_size"`.
        batch_norm: Whether hidden layers are followed by batch normalization. Defaults to `False`.
        linear_sparse_combiner: `"sum"`, `"mean"` or `"sqrtn"`. Defaults to `"sum"`.
        **kwargs: `input_layer_partitioner` is accepted but ignored, with a warning.

    Raises:
        TypeError: An argument is unknown or of the wrong type.
        ValueError: A setting is out of range, or a column cannot be translated.

    Example:

    ```python
    import tensorflow as tf
    from adaptive_nets import estimator as est

    jobs = tf.feature_column.categorical_column_with_hash_bucket("job", 100)
    classifier = est.DNNLinearCombinedClassifier(
        linear_feature_columns=[jobs],
        dnn_feature_columns=[tf.feature_column.embedding_column(jobs, 4)],
        dnn_hidden_units=[16, 8],
    )
    ```
    """

    def __init__(
        self,
        model_dir: Any = None,
        linear_feature_columns: Any = None,
        linear_optimizer: Any = "Ftrl",
        dnn_feature_columns: Any = None,
        dnn_optimizer: Any = "Adagrad",
        dnn_hidden_units: Sequence[int] | None = None,
        dnn_activation_fn: Any = RELU,
        dnn_dropout: float | None = None,
        n_classes: int = 2,
        weight_column: Any = None,
        label_vocabulary: Sequence[str] | None = None,
        config: RunConfig | None = None,
        warm_start_from: Any = None,
        loss_reduction: Any = "sum_over_batch_size",
        batch_norm: bool = False,
        linear_sparse_combiner: str = "sum",
        **kwargs: Any,
    ) -> None:
        check_reduction(loss_reduction)
        super().__init__(
            class_head(n_classes, label_vocabulary), model_dir, linear_feature_columns,
            linear_optimizer, dnn_feature_columns, dnn_optimizer, dnn_hidden_units,
            dnn_activation_fn, dnn_dropout, config, batch_norm, linear_sparse_combiner,
            warm_start_from, weight_column, **kwargs,
        )  # fmt: skip


@takes(DEEP)
class DNNLinearCombinedRegressor(DNNLinearCombinedEstimator):
    """A regressor: a linear model and a network that are summed ("wide and deep").

    Args:
        model_dir: Folder of the state. Defaults to `None`: that of `config`, or a temporary one.
        linear_feature_columns: Columns of the linear model. Defaults to `None`: no linear model.
        linear_optimizer: A name, a Keras optimizer, or a function that returns one. Defaults to
            `"Ftrl"`, with a learning rate of at most 0.005.
        dnn_feature_columns: Dense columns of the network. Defaults to `None`: no network.
        dnn_optimizer: A name, a Keras optimizer, or a function that returns one. Defaults to
            `"Adagrad"`.
        dnn_hidden_units: Widths of the hidden layers. Defaults to `None`.
        dnn_activation_fn: A Keras activation, its name, or a function of `tf.nn`. Defaults to
            ReLU.
        dnn_dropout: Share of the outputs of hidden layers that is dropped in training. Defaults to
            `None`: none.
        label_dimension: Number of targets of a row. Defaults to `1`.
        weight_column: Name of the feature with the weights of rows. Defaults to `None`.
        config: A `RunConfig`. Defaults to `None`: `RunConfig()`.
        warm_start_from: Folder of another estimator. Defaults to `None`.
        loss_reduction: The loss is the mean over the batch; another value gives a warning.
            Defaults to `"sum_over_batch_size"`.
        batch_norm: Whether hidden layers are followed by batch normalization. Defaults to `False`.
        linear_sparse_combiner: `"sum"`, `"mean"` or `"sqrtn"`. Defaults to `"sum"`.
        **kwargs: `input_layer_partitioner` is accepted but ignored, with a warning.

    Raises:
        TypeError: An argument is unknown or of the wrong type.
        ValueError: A setting is out of range, or a column cannot be translated.
    """

    def __init__(
        self,
        model_dir: Any = None,
        linear_feature_columns: Any = None,
        linear_optimizer: Any = "Ftrl",
        dnn_feature_columns: Any = None,
        dnn_optimizer: Any = "Adagrad",
        dnn_hidden_units: Sequence[int] | None = None,
        dnn_activation_fn: Any = RELU,
        dnn_dropout: float | None = None,
        label_dimension: int = 1,
        weight_column: Any = None,
        config: RunConfig | None = None,
        warm_start_from: Any = None,
        loss_reduction: Any = "sum_over_batch_size",
        batch_norm: bool = False,
        linear_sparse_combiner: str = "sum",
        **kwargs: Any,
    ) -> None:
        check_reduction(loss_reduction)
        super().__init__(
            number_head(label_dimension), model_dir, linear_feature_columns, linear_optimizer,
            dnn_feature_columns, dnn_optimizer, dnn_hidden_units, dnn_activation_fn, dnn_dropout,
            config, batch_norm, linear_sparse_combiner, warm_start_from, weight_column, **kwargs,
        )  # fmt: skip
