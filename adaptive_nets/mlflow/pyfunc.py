"""What `mlflow.pyfunc.load_model` loads: a predictor of raw rows."""

import os
from pathlib import Path
from typing import Any

import pandas as pd

from adaptive_nets import automl
from adaptive_nets._checks import check_choice
from adaptive_nets.automl.files import saved_folder
from adaptive_nets.cli.predict import as_frame, from_saved_model
from adaptive_nets.cli.tables import schema_of
from adaptive_nets.serving import read_class_names

# The folder within that of the model, and what is in it.
DATA = "model"
SAVED_MODEL, KERAS_MODEL = "saved_model", "model.keras"


class TablePredictor:
    """Predicts with an estimator.

    Args:
        estimator: `AutoClassifier` or `AutoRegressor`.
        predict_fn: Name of the method to predict with.
    """

    def __init__(self, estimator: automl.AutoClassifier | automl.AutoRegressor, predict_fn: str):
        self.estimator = estimator
        self._probabilities = predict_fn == "predict_proba"

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        """Returns labels, numbers, or a column of probabilities per class.

        Args:
            model_input: Rows: a table, a dict of columns or an array.
            params: Not used.
        """
        if not self._probabilities:
            return self.estimator.predict(model_input)
        found = self.estimator.predict_proba(model_input)
        return pd.DataFrame(found, columns=[str(label) for label in self.estimator.classes_])


class SavedModelPredictor:
    """Predicts with the SavedModel of a search.

    Args:
        folder: The SavedModel.
    """

    def __init__(self, folder: str):
        self.folder = folder
        self._schema, self._names = schema_of(folder), read_class_names(folder)

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Returns a table such as `class`, `probability_...` or `prediction`.

        Args:
            model_input: Rows: a table, a dict of columns or an array.
            params: Not used.
        """
        outputs = from_saved_model(self.folder, model_input, self._schema)
        frames = [as_frame(each, None, self._names) for each in outputs]
        return pd.concat(frames, ignore_index=True)


def load(folder: str | os.PathLike, predict_fn: str) -> TablePredictor | SavedModelPredictor:
    """Returns the predictor of a folder that `save_model` has written.

    Args:
        folder: Its folder `model`.
        predict_fn: `"predict"` or `"predict_proba"`.
    """
    check_choice("predict_fn", predict_fn, ("predict", "predict_proba"))
    if saved_folder(folder) is None:
        return SavedModelPredictor(str(Path(folder, SAVED_MODEL)))
    return TablePredictor(automl.load(folder), predict_fn)


def _load_pyfunc(
    path: str, model_config: dict[str, Any] | None = None
) -> TablePredictor | SavedModelPredictor:
    """Called by MLflow with the folder, and with what `save_model` has kept in `model_config`."""
    return load(path, (model_config or {}).get("predict_fn", "predict"))
