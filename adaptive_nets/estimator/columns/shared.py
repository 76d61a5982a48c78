"""`shared_embeddings`, which TensorFlow refuses to make in eager mode."""

from collections.abc import Sequence
from typing import Any

from adaptive_nets._checks import (
    check_bool,
    check_choice,
    check_integer,
    check_list,
    check_number,
    check_text,
    or_none,
)


def shared_embeddings(
    categorical_columns: Sequence[Any],
    dimension: int,
    combiner: str = "mean",
    initializer: Any = None,
    shared_embedding_collection_name: str | None = None,
    max_norm: float | None = None,
    trainable: bool = True,
) -> list[Any]:
    """Returns embedding columns that share one table, as `tf.feature_column.shared_embeddings`.

    TensorFlow's own function works only where eager execution is off.

    Args:
        categorical_columns: Categorical columns of `tf.feature_column` with equal ids.
        dimension: Size of the embedding.
        combiner: `"mean"`, `"sqrtn"` or `"sum"`. Defaults to `"mean"`.
        initializer: An initializer. Defaults to `None`: a truncated normal distribution.
        shared_embedding_collection_name: Name of the table. Defaults to `None`: by the columns.
        max_norm: Norm that embeddings are clipped to. Defaults to `None`: not clipped.
        trainable: Whether the table is trained. Defaults to `True`.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: The columns cannot share a table.
    """
    import tensorflow as tf

    words = "a list of categorical columns of tf.feature_column"
    listed = check_list("categorical_columns", categorical_columns, object, words, 1)
    check_integer("dimension", dimension, 1)
    check_choice("combiner", combiner, ("mean", "sqrtn", "sum"))
    or_none(check_text, "shared_embedding_collection_name", shared_embedding_collection_name)
    if max_norm is not None:
        check_number("max_norm", max_norm, 0, inclusive=False)
    check_bool("trainable", trainable)
    try:
        # Nothing is computed here: the columns are read by their attributes.
        with tf.Graph().as_default():
            return tf.feature_column.shared_embeddings(
                listed, dimension, combiner, initializer, shared_embedding_collection_name,
                None, None, max_norm, trainable,
            )  # fmt: skip
    except Exception as error:
        told = " ".join(str(error).split())
        raise ValueError(f"categorical_columns cannot share a table. Received: {told}") from error
