"""`LinearClassifier`, `LinearRegressor` and `LinearEstimator`."""

from collections.abc import Sequence
from typing import Any

from adaptive_nets._arguments import takes
from adaptive_nets.estimator.canned.base import CannedEstimator
from adaptive_nets.estimator.canned.optimizers import chosen_optimizer
from adaptive_nets.estimator.canned.settings import (
    FLAT,
    check_reduction,
    class_head,
    number_head,
    weight_key,
)
from adaptive_nets.estimator.config import RunConfig
from adaptive_nets.heads import Head

# tf.estimator's learning rate of an optimizer that is named.
RATE = 0.2


@takes(FLAT)
class LinearEstimator(CannedEstimator):
    """A linear model of feature columns, with any head.

    Args:
        head: A `heads.Head`.
        feature_columns: Columns of `tf.feature_column`.
        model_dir: Folder of the state. Defaults to `None`: that of `config`, or a temporary one.
        optimizer: A name, a Keras optimizer, or a function that returns one. Defaults to `"Ftrl"`,
            with a learning rate of 0.2.
        config: A `RunConfig`. Defaults to `None`: `RunConfig()`.
        sparse_combiner: How the weights of several values in a row are combined: `"sum"`,
            `"mean"` or `"sqrtn"`. Defaults to `"sum"`.
        warm_start_from: Folder of another estimator. Defaults to `None`.
        weight_column: Name of the feature with the weights of rows. Defaults to `None`.
        **kwargs: `partitioner` is accepted but ignored, with a warning.

    Raises:
        TypeError: An argument is unknown or of the wrong type.
        ValueError: A setting is out of range, or a column cannot be translated.
    """

    def __init__(
        self,
        head: Head,
        feature_columns: Any,
        model_dir: Any = None,
        optimizer: Any = "Ftrl",
        config: RunConfig | None = None,
        sparse_combiner: str = "sum",
        warm_start_from: Any = None,
        weight_column: Any = None,
        **kwargs: Any,
    ) -> None:
        network = {"linear_columns": feature_columns, "sparse_combiner": sparse_combiner}
        super().__init__(
            head, "linear", network, chosen_optimizer("optimizer", optimizer, RATE), model_dir,
            config, warm_start_from, weight_key(weight_column),
        )  # fmt: skip


@takes(FLAT)
class LinearClassifier(LinearEstimator):
    """A linear classifier of feature columns.

    Args:
        feature_columns: Columns of `tf.feature_column`.
        model_dir: Folder of the state. Defaults to `None`: that of `config`, or a temporary one.
        n_classes: Number of classes. Defaults to `2`.
        weight_column: Name of the feature with the weights of rows. Defaults to `None`.
        label_vocabulary: The labels in their order. Defaults to `None`: integers from 0.
        optimizer: A name, a Keras optimizer, or a function that returns one. Defaults to `"Ftrl"`,
            with a learning rate of 0.2.
        config: A `RunConfig`. Defaults to `None`: `RunConfig()`.
        warm_start_from: Folder of another estimator. Defaults to `None`.
        loss_reduction: The loss is the mean over the batch; another value gives a warning.
            Defaults to `"sum_over_batch_size"`.
        sparse_combiner: How the weights of several values in a row are combined: `"sum"`,
            `"mean"` or `"sqrtn"`. Defaults to `"sum"`.
        **kwargs: `partitioner` is accepted but ignored, with a warning.

    Raises:
        TypeError: An argument is unknown or of the wrong type.
        ValueError: A setting is out of range, or a column cannot be translated.

    Example:

    ```python
    import tensorflow as tf
    from adaptive_nets import estimator as est

    jobs = tf.feature_column.categorical_column_with_hash_bucket("job", 100)
    cities = tf.feature_column.categorical_column_with_hash_bucket("city", 100)
    both = tf.feature_column.crossed_column(["job", "city"], 1000)
    classifier = est.LinearClassifier(feature_columns=[jobs, cities, both])
    ```
    """

    def __init__(
        self,
        feature_columns: Any,
        model_dir: Any = None,
        n_classes: int = 2,
        weight_column: Any = None,
        label_vocabulary: Sequence[str] | None = None,
        optimizer: Any = "Ftrl",
        config: RunConfig | None = None,
        warm_start_from: Any = None,
        loss_reduction: Any = "sum_over_batch_size",
        sparse_combiner: str = "sum",
        **kwargs: Any,
    ) -> None:
        check_reduction(loss_reduction)
        super().__init__(
            class_head(n_classes, label_vocabulary), feature_columns, model_dir, optimizer, config,
            sparse_combiner, warm_start_from, weight_column, **kwargs,
        )  # fmt: skip


@takes(FLAT)
class LinearRegressor(LinearEstimator):
    """A linear regressor of feature columns.

    Args:
        feature_columns: Columns of `tf.feature_column`.
        model_dir: Folder of the state. Defaults to `None`: that of `config`, or a temporary one.
        label_dimension: Number of targets of a row. Defaults to `1`.
        weight_column: Name of the feature with the weights of rows. Defaults to `None`.
        optimizer: A name, a Keras optimizer, or a function that returns one. Defaults to `"Ftrl"`,
            with a learning rate of 0.2.
        config: A `RunConfig`. Defaults to `None`: `RunConfig()`.
        warm_start_from: Folder of another estimator. Defaults to `None`.
        loss_reduction: The loss is the mean over the batch; another value gives a warning.
            Defaults to `"sum_over_batch_size"`.
        sparse_combiner: How the weights of several values in a row are combined: `"sum"`,
            `"mean"` or `"sqrtn"`. Defaults to `"sum"`.
        **kwargs: `partitioner` is accepted but ignored, with a warning.

    Raises:
        TypeError: An argument is unknown or of the wrong type.
        ValueError: A setting is out of range, or a column cannot be translated.
    """

    def __init__(
        self,
        feature_columns: Any,
        model_dir: Any = None,
        label_dimension: int = 1,
        weight_column: Any = None,
        optimizer: Any = "Ftrl",
        config: RunConfig | None = None,
        warm_start_from: Any = None,
        loss_reduction: Any = "sum_over_batch_size",
        sparse_combiner: str = "sum",
        **kwargs: Any,
    ) -> None:
        check_reduction(loss_reduction)
        super().__init__(
            number_head(label_dimension), feature_columns, model_dir, optimizer, config,
            sparse_combiner, warm_start_from, weight_column, **kwargs,
        )  # fmt: skip
