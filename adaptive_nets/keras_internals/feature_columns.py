"""What TensorFlow's shared embedding columns keep to themselves."""

from typing import Any, NamedTuple


class SharedEmbedding(NamedTuple):
    """The table that several embedding columns share."""

    name: str
    dimension: int
    initializer: Any
    trainable: bool
    ckpt_to_load_from: str | None


def shared_embedding_of(creator: Any) -> SharedEmbedding:
    """The table of the columns that `tf.feature_column.shared_embeddings` returns."""
    return SharedEmbedding(
        creator._name,
        creator._dimension,
        creator._initializer,
        creator._trainable,
        creator._ckpt_to_load_from,
    )
