"""`AutoRegressor`."""

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin

from adaptive_nets.automl.base import AutoEstimator
from adaptive_nets.automl.inputs import as_labels
from adaptive_nets.automl.targets import Numbers


class AutoRegressor(RegressorMixin, AutoEstimator):
    """Predicts numbers from a table: strings, numbers, dates and missing values as they are.

    It works as `AutoClassifier` does, with the same arguments; `metric="auto"` is the root mean
    squared error.

    Args:
        time_limit: Seconds for all of `fit`. Defaults to `None`: it ends by itself.
        preset: `"fast"` (10 seconds), `"good"`, or `"best"` (folds). Defaults to `"good"`.
        metric: What the choice is made by: `"auto"` or the name of a scorer of scikit-learn.
            Defaults to `"auto"`.
        schema: A `data.Schema` to read tables by. Defaults to `None`: it is inferred.
        folds: Number of networks per candidate, each trained without a fold of the rows, by which
            it is stopped and weighed; `None` for one, which the rows held out stop and weigh.
            `"auto"` is 8 with `preset="best"`, else `None`.
        generator: An `adanet.Generator` of candidates. Defaults to `None`.
        model_dir: Folder to keep the search and the model in; `fit` continues a search that it
            finds there. Defaults to `None`.
        seed: Integer seed. Defaults to `None`: a random one, or 0 with a `model_dir`.
        verbose: `"auto"`, 0 (silent), 1 (live display) or 2 (one line per round).

    Attributes:
        schema_: The `data.Schema`.
        search_: The `AdaNet`, to which the target has mean 0 and deviation 1.
        model_: The served `keras.Model`.
        stop_reason_: Why the search ended.
        n_features_in_: Number of columns.
        feature_names_in_: Names of the columns, if they have names.

    Example:

    ```python
    from sklearn.datasets import load_diabetes
    import adaptive_nets as an

    table = load_diabetes(as_frame=True).frame
    model = an.AutoRegressor(time_limit=1, seed=0, verbose=0).fit(table, "target")
    model.evaluate(table)  # its RMSE, MAE and R²
    ```
    """

    _target, _classifies = Numbers, False

    def predict(self, X: Any) -> np.ndarray:
        """Returns predictions `[rows]`, or `[rows, targets]` for several targets.

        Args:
            X: Features, as for `fit`.
        """
        return self._outputs(X)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Returns R² of the predictions.

        Args:
            X: Features as for `fit`, or a table with the target among its columns.
            y: `[rows]` numbers, or the name of their column. Defaults to `None`: the column that
                `fit` took.
            sample_weight: `[rows]` weights. Defaults to `None`.
        """
        table, labels, _ = self._with_target(X, y)
        return super().score(table, self._fitted.target.plain(as_labels(labels)), sample_weight)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
