"""Settings and objects as JSON values, and back."""

import contextlib
import importlib
import numbers
from typing import Any

import keras


def describe_object(value: Any) -> Any:
    """A setting as JSON: plain values as they are, objects by class and configuration."""
    if value is None or isinstance(value, str | bool | numbers.Integral):
        return value if not isinstance(value, numbers.Integral) or value is None else _plain(value)
    if isinstance(value, numbers.Real):
        return float(value)
    if isinstance(value, list | tuple):
        return [describe_object(v) for v in value]
    if isinstance(value, dict):
        return {str(k): describe_object(v) for k, v in value.items()}
    if hasattr(value, "get_config"):
        return {
            "class": f"{type(value).__module__}.{type(value).__qualname__}",
            "registered": keras.saving.get_registered_name(type(value)),
            "config": describe_object(value.get_config()),
        }
    name = getattr(value, "__qualname__", type(value).__qualname__)
    return {"class": f"{getattr(value, '__module__', '')}.{name}", "config": None}


def _plain(value):
    return bool(value) if isinstance(value, bool) else int(value)


def restore_object(value: Any, setting: str) -> Any:
    """The setting that `describe_object` described."""
    if isinstance(value, list):
        return [restore_object(v, setting) for v in value]
    if not isinstance(value, dict) or "class" not in value:
        return value
    module, _, name = value["class"].rpartition(".")
    found = None
    # Importing the class's module registers it, as the stock generators' does.
    with contextlib.suppress(ImportError):
        found = getattr(importlib.import_module(module), name, None)
    found = keras.saving.get_registered_object(value.get("registered") or "") or found
    if found is None or value["config"] is None or value["config"].get("own_data"):
        raise ValueError(
            f"The search's {setting} ({value['class']}) cannot be rebuilt from its state. Pass "
            f"it: AdaNet.load(model_dir, {setting}=...)."
        )
    return found.from_config(value["config"])
