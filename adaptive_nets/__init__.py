"""Keras networks whose shape changes while they learn.

    import adaptive_nets as an

    search = an.AdaNet(an.heads.MultiClass(), model_dir="runs/mine")
    search.fit(x, y)

Importing this package imports neither TensorFlow nor Keras: each name below is loaded when it is
first used.
"""

import importlib

from adaptive_nets._version import __version__ as __version__

# Type checkers and editors take it for true; `typing` itself would cost import time.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from adaptive_nets import (
        adanet,
        automl,
        callbacks,
        data,
        distribute,
        energy,
        estimator,
        generators,
        growth,
        heads,
        layers,
        majority,
        mlflow,
        report,
        serving,
    )
    from adaptive_nets.adanet import AdaNet
    from adaptive_nets.automl import AutoClassifier, AutoRegressor

__all__ = [
    "AdaNet",
    "AutoClassifier",
    "AutoRegressor",
    "__version__",
    "adanet",
    "automl",
    "callbacks",
    "data",
    "distribute",
    "energy",
    "estimator",
    "generators",
    "growth",
    "heads",
    "layers",
    "majority",
    "mlflow",
    "report",
    "serving",
]

_OBJECTS = {
    "AdaNet": "adaptive_nets.adanet",
    "AutoClassifier": "adaptive_nets.automl",
    "AutoRegressor": "adaptive_nets.automl",
}
_SUBMODULES = {*__all__} - {"__version__", *_OBJECTS}


if not TYPE_CHECKING:
    # To a type checker it would be a value for every misspelt name.
    def __getattr__(name: str) -> object:
        if name in _SUBMODULES:
            return importlib.import_module(f"{__name__}.{name}")
        if name in _OBJECTS:
            value = getattr(importlib.import_module(_OBJECTS[name]), name)
            globals()[name] = value
            return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
