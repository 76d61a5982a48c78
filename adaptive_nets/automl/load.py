"""`load`: a saved estimator."""

import os

from adaptive_nets.automl import files
from adaptive_nets.automl.arguments import restore_arguments
from adaptive_nets.automl.classifier import AutoClassifier
from adaptive_nets.automl.regressor import AutoRegressor

_KINDS = {"AutoClassifier": AutoClassifier, "AutoRegressor": AutoRegressor}


def load(path: str | os.PathLike) -> AutoClassifier | AutoRegressor:
    """Loads an estimator that `save` has written, or that was fitted with a `model_dir`.

    Args:
        path: The folder that was passed to `save`, or the `model_dir`.

    Returns:
        An estimator that predicts the same, with the arguments that it was made with; one that no
        file can hold has its default. With a `model_dir`, it has its `search_` too, and its next
        fit goes on there.

    Raises:
        ValueError: There is none, or a file is damaged.

    Example:

    ```python
    from sklearn.datasets import load_iris
    import adaptive_nets as an

    x, y = load_iris(return_X_y=True)
    an.AutoClassifier(time_limit=0.1, seed=0, verbose=0).fit(x, y).save("saved")
    an.automl.load("saved").predict(x[:2])
    ```
    """
    fitted, about = files.read(path)
    kind = _KINDS.get(about["kind"])
    if kind is None:
        raise ValueError(f"'{path}' cannot be loaded: it is of an unknown kind.")
    arguments = restore_arguments(kind, about["arguments"], path)
    return kind(**arguments).adopt(fitted, about["features"])
