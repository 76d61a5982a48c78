"""The modes of tf.estimator."""


class ModeKeys:
    """Modes that an `input_fn` is called with.

    Example:

    ```python
    import adaptive_nets as an

    assert an.estimator.ModeKeys.TRAIN == "train"
    ```
    """

    TRAIN = "train"
    EVAL = "eval"
    PREDICT = "infer"
