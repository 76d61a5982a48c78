"""What a result depends on beside the data: versions and settings."""

import importlib.metadata
import platform
from collections.abc import Mapping
from typing import Any

import pandas as pd

from adaptive_nets._version import __version__
from adaptive_nets.report.content.document import Section, Table

_PACKAGES = ("tensorflow", "keras", "numpy", "pandas", "scikit-learn")


def versions() -> dict[str, str]:
    """Returns the versions of this package, Python and what a result depends on."""
    found = {"adaptive_nets": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def settings_section(settings: Mapping[str, Any], found: Mapping[str, str] | None) -> Section:
    """Returns a section on settings and versions.

    Args:
        settings: Settings by name.
        found: Versions by name. `None` stands for those in use now.
    """
    told = pd.DataFrame(
        [(name, _short(value)) for name, value in settings.items()], columns=["setting", "value"]
    )
    installed = pd.DataFrame(list((found or versions()).items()), columns=["package", "version"])
    return Section(
        "settings",
        "Settings and versions",
        (
            Table("settings", "Settings", told),
            Table("versions", "Versions", installed),
        ),
    )


def _short(value):
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 200 else f"{text[:197]}..."
