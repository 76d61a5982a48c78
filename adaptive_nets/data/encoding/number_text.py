"""Numbers that are written as text, parsed in the graph of a model."""

import tensorflow as tf

from adaptive_nets.data.columns.number_text import BEFORE, BEHIND, STYLES


def parse_numbers(texts: tf.Tensor, style: str) -> tf.Tensor:
    """Returns float64 numbers of strings, of the same shape; what is no number becomes NaN.

    Args:
        texts: Strings.
        style: How the numbers are written, one of `data.columns.number_text.STYLES`.
    """
    fits = tf.strings.regex_full_match(texts, f"{BEFORE}{STYLES[style]}{BEHIND}")
    found = tf.strings.regex_replace(texts, r"[$€£%\s]", "")
    if style == "1,234.5":
        found = tf.strings.regex_replace(found, ",", "")
    elif style == "1.234,5":
        found = tf.strings.regex_replace(tf.strings.regex_replace(found, r"\.", ""), ",", ".")
    return tf.strings.to_number(tf.where(fits, found, "nan"), "float64")
