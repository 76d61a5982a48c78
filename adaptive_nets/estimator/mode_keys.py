"""The modes of tf.estimator."""


class ModeKeys:
    """What an `input_fn` is called for.

    Example:

    ```python
    import adaptive_nets as an

    assert an.estimator.ModeKeys.TRAIN == "train"
    ```
    """

    TRAIN = "train"
    EVAL = "eval"
    PREDICT = "infer"
