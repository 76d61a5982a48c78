"""`AutoClassifier`."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin

from adaptive_nets.automl.base import AutoEstimator
from adaptive_nets.automl.deciding.decides import Decides
from adaptive_nets.automl.inputs import as_labels
from adaptive_nets.automl.targets import Classes, read_labels

if TYPE_CHECKING:
    import tensorflow as tf

    from adaptive_nets.adanet import Generator
    from adaptive_nets.data import Schema
    from adaptive_nets.distribute import Ray


class AutoClassifier(Decides, ClassifierMixin, AutoEstimator):
    """Predicts classes from a table: strings, numbers, dates and missing values as they are.

    `fit` finds out what each column is, holds out a part of the rows, fits baselines, and searches
    an ensemble of networks by its loss on the rows held out, on which its probabilities are
    calibrated too. The result is one Keras model whose inputs are the raw columns.

    Args:
        time_limit: Seconds for all of `fit`. Defaults to `None`: it ends by itself.
        preset: `"fast"` (10 seconds), `"good"`, or `"best"` (folds). Defaults to `"good"`.
        metric: What the choice is made by: `"auto"` (log loss) or the name of a scorer of
            scikit-learn that is defined for the classes. For `"f1"` and others that look for a
            positive class it is 1 or, where that is neither of two classes, the second one.
            Defaults to `"auto"`.
        schema: A `data.Schema` to read tables by. Defaults to `None`: it is inferred.
        folds: Number of networks per candidate, each trained without a fold of the rows, by which
            it is stopped and weighed; `None` for one, which the rows held out stop and weigh.
            `"auto"` is 8 with `preset="best"`, else `None`.
        repeats: How often the rows are divided into folds, each time in another way and with
            networks of their own. For few rows: what networks say of rows that they have not seen
            is averaged over the repeats. Defaults to 1.
        generator: An `adanet.Generator` of candidates. Defaults to `None`.
        model_dir: Folder to keep the search and the model in; `fit` continues a search that it
            finds there. Defaults to `None`.
        seed: Integer seed. Defaults to `None`: a random one, or 0 with a `model_dir`.
        verbose: `"auto"`, 0 (silent), 1 (live display) or 2 (one line per round).
        class_weight: What the weights of rows are multiplied by in training: a dict from class to
            weight, in which missing classes have 1; a list in the order of `classes_`; or
            `"balanced"`, which gives all classes the same total weight. The class is predicted
            whose probability times its weight is largest; probabilities are those of the rows as
            they are. Defaults to `None`.
        costs: What errors cost: a dict such as `{("no", "yes"): 5}` from pairs of true and
            predicted class, in which other errors cost 1; or a matrix with a row for each true
            class and a column for each predicted one, in the order of `classes_`. The class of the
            least expected cost is predicted. Defaults to `None`.
        distribute: What `distribute.make_strategy` takes, such as `"multi_worker"`: the processes
            of `TF_CONFIG` fit together, and each reads its share of Parquet files. Defaults to
            `None`: one device of this process.
        placement: `"replicated"`, or `"ray"` or a `distribute.Ray`: processes of a Ray cluster fit
            together, each with its share of a `ray.data.Dataset` or of Parquet files. Defaults to
            `"replicated"`.

    Attributes:
        classes_: `[classes]` labels, in the order of `predict_proba`.
        schema_: The `data.Schema`.
        search_: The `AdaNet`.
        model_: The served `keras.Model`.
        stop_reason_: Why the search ended.
        calibration_: How probabilities were calibrated.
        decision_: The rule by which `predict` chooses a class, or `None` for the most probable one.
        threshold_: Of two classes, the probability from which on the second one is predicted.
        n_features_in_: Number of columns.
        feature_names_in_: Names of the columns, if they have names.

    Example:

    ```python
    from sklearn.datasets import load_iris
    import adaptive_nets as an

    table = load_iris(as_frame=True).frame
    model = an.AutoClassifier(time_limit=1, seed=0, verbose=0).fit(table, "target")
    model.predict(table.drop(columns="target"))[:3]
    model.leaderboard()
    ```
    """

    _target, _own_metric = Classes, "log_loss"

    def __init__(
        self,
        *,
        time_limit: float | None = None,
        preset: str = "good",
        metric: str = "auto",
        schema: "Schema | None" = None,
        folds: int | str = "auto",
        repeats: int = 1,
        generator: "Generator | None" = None,
        model_dir: str | os.PathLike | None = None,
        seed: int | None = None,
        verbose: str | int = "auto",
        class_weight: "str | Mapping | Sequence[float] | None" = None,
        costs: "Mapping | Sequence | np.ndarray | pd.DataFrame | None" = None,
        distribute: "str | tf.distribute.Strategy | None" = None,
        placement: "str | Ray" = "replicated",
    ):
        super().__init__(
            time_limit=time_limit, preset=preset, metric=metric, schema=schema, folds=folds,
            repeats=repeats, generator=generator, model_dir=model_dir, seed=seed, verbose=verbose,
            distribute=distribute, placement=placement,
        )  # fmt: skip
        self.class_weight = class_weight
        self.costs = costs

    @property
    def classes_(self) -> np.ndarray:
        """The classes, in the order of `predict_proba`."""
        return self._known("classes_").target.labels

    @property
    def calibration_(self) -> pd.DataFrame | None:
        """How sure the model is, before and after its probabilities were calibrated.

        A `pandas.DataFrame` with rows `before` and `after`, and columns `temperature`, `log_loss`,
        `brier` and `ece` (expected calibration error), measured on held-out rows. Logits are
        divided by the temperature, which is 1 if that did not lower the log loss of rows that it
        was not learnt from. `None` if less than 50 rows were held out, or if the metric does not
        depend on how sure predictions are.
        """
        found = self._known("calibration_").temperature
        if found is None:
            return None
        rows = {"before": {"temperature": 1.0} | found.before}
        rows["after"] = {"temperature": found.value} | found.after
        return pd.DataFrame.from_dict(rows, orient="index")

    def predict(self, X: Any) -> np.ndarray:
        """Returns the class of each row: the most probable one, or what `decision_` says.

        Args:
            X: Features, as for `fit`.
        """
        return self.classes_[self._fitted.choose(self.predict_proba(X))]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Returns the probabilities `[rows, classes]` of `classes_`.

        Args:
            X: Features, as for `fit`.
        """
        return self._outputs(X)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Returns the share of rows whose class is predicted.

        Args:
            X: Features as for `fit`, or a table with the target among its columns.
            y: `[rows]` labels, or the name of their column. Defaults to `None`: the column that
                `fit` took.
            sample_weight: `[rows]` weights. Defaults to `None`.
        """
        table, labels, name = self._with_target(X, y)
        return super().score(table, read_labels(as_labels(labels), name), sample_weight)
