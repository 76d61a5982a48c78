"""Free text as hashed words, pairs of words and parts of words."""

import tensorflow as tf

# Ids are 1 ... BUCKETS; 0 fills up short texts.
BUCKETS = 1 << 15
_SIZE = 3


def token_ids(texts: tf.Tensor, length: int | None = None) -> tf.Tensor:
    """Returns int32 ids of the tokens of texts: words first, then pairs of words, then trigrams.

    Args:
        texts: Strings `[n]`.
        length: Number of ids a text; further ones are left out. Defaults to `None`: the ids are
            returned as a ragged tensor.

    Returns:
        `[n, length]`, filled up with 0, or ragged.
    """
    lower = tf.strings.lower(texts, encoding="utf-8")
    plain = tf.strings.strip(tf.strings.regex_replace(lower, r"[^\p{L}\p{N}]+", " "))
    words = tf.strings.split(plain, " ")
    words = tf.ragged.boolean_mask(words, tf.not_equal(words, ""))
    pairs = tf.strings.ngrams(words, 2, separator=" ")
    letters = tf.strings.unicode_split(tf.strings.join([" ", plain, " "]), "UTF-8")
    parts = tf.strings.ngrams(letters, _SIZE, separator="")
    # What stands before a token tells a word from the same letters inside of words.
    marked = [
        tf.ragged.map_flat_values(lambda t, mark=mark: tf.strings.join([mark, t]), kind)
        for mark, kind in (("w", words), ("p", pairs), ("c", parts))
    ]
    tokens = tf.concat(marked, axis=1)
    ids = tf.ragged.map_flat_values(
        lambda t: tf.cast(tf.strings.to_hash_bucket_fast(t, BUCKETS), "int32") + 1, tokens
    )
    return ids if length is None else ids.to_tensor(shape=[None, length])
