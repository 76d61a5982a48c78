"""The models on which growth is tried: dicts `MODELS` of files in the folders beside this one.

A value is a function without arguments that builds a tiny model, or a model and inputs for it.
"""

import importlib.util
import pathlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

HERE = pathlib.Path(__file__).parent


def groups() -> dict[str, dict[str, Callable[[], Any]]]:
    """All models by "folder/file"; a file that needs what is not installed is left out."""
    return {name: models for name, models in _groups() if models}


def _groups() -> Iterator[tuple[str, dict[str, Callable[[], Any]]]]:
    for path in sorted(HERE.glob("*/[!_]*.py")):
        spec = importlib.util.spec_from_file_location(f"coverage_{path.stem}", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        if str(path.parent) not in sys.path:
            sys.path.append(str(path.parent))
        try:
            spec.loader.exec_module(module)
        except ModuleNotFoundError as error:
            if error.name != "keras_hub":
                raise
            continue
        name = f"{path.parent.name}/{path.stem}"
        yield name, dict(getattr(module, "MODELS", {}))
