"""`FitsTogether`: the estimators' fit as several processes begin and end it."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any, Self
from zlib import crc32

import numpy as np
import pandas as pd

from adaptive_nets._checks import show
from adaptive_nets.automl.clusters.shares import Shares
from adaptive_nets.automl.clusters.together import Together
from adaptive_nets.automl.files import MODEL_FOLDER
from adaptive_nets.automl.inputs import opened
from adaptive_nets.automl.judging.division import Division
from adaptive_nets.automl.settings import Settings
from adaptive_nets.data.tables.source import TableSource

# Arguments that may differ from process to process.
_OWN = ("model_dir", "verbose", "distribute")
# Arrays of more values, such as the rows themselves, are not compared here.
_COMPARED = 10_000


class FitsTogether:
    """An estimator that several processes fit, each with its share of the rows of files."""

    _own_metric: str
    folds: Any

    def _begun(
        self, x: Any, y: Any, validation_data: Any, division: Division, together: Together
    ) -> tuple[Settings, Any]:
        """Returns the checked settings, and the table.

        Raises:
            ValueError: An argument is invalid, or the processes have other ones, or other files.
        """

        def begin():
            settings = Settings.of(self, self._own_metric)
            settings = division.check(validation_data, settings, self.folds)
            return settings, opened(x, shared=not together.alone)

        settings, given = together.in_step(begin)
        if together.alone:
            return settings, given
        asked = {k: v for k, v in self.get_params(deep=False).items() if k not in _OWN}
        asked |= {"X": given, "y": y, "validation_data": validation_data}
        asked |= {"groups": division.groups, "time": division.time, "gap": division.gap}
        together.check_same("arguments", {name: _told(value) for name, value in asked.items()})
        if isinstance(given, TableSource):
            Shares(given, together).check()
        settings = dataclasses.replace(settings, seed=int(together.agree(settings.seed)))
        return settings, given

    def _kept_in(self, model_dir: str | None, together: Together) -> Self:
        """Writes the model to a folder, if there is one; of several processes the chief does."""
        if model_dir is not None and together.is_chief:
            self.save(os.path.join(model_dir, MODEL_FOLDER))
        return self


def _told(value):
    """Returns a value as other processes compare it: large tables by their type alone."""
    if value is None or isinstance(value, str | int | float):
        return show(value)
    if isinstance(value, np.ndarray | pd.DataFrame) and value.size <= _COMPARED:
        value = np.asarray(value).tolist()
    if not isinstance(value, Mapping | list | tuple):
        return type(value).__name__
    text = repr(value)
    return text if len(text) < 200 else f"{text[:100]}... with checksum {crc32(text.encode()):08x}"
