"""Files that travel in a SavedModel's `assets.extra`."""

import os
import shutil
from typing import Any

from adaptive_nets._checks import check_dict, check_path, or_none


def check_assets(given: Any) -> dict[str, str]:
    """Returns the files to copy, with absolute paths, by their path in `assets.extra`."""
    words = "a dict from paths in assets.extra to files"
    found = or_none(check_dict, "assets_extra", given, str | os.PathLike, words) or {}
    found = {place: check_path("assets_extra", source) for place, source in found.items()}
    for source in found.values():
        if not os.path.isfile(source):
            raise ValueError(f"assets_extra must name existing files. Received: '{source}'.")
    return found


def copy_assets(assets: dict[str, str], folder: str) -> None:
    """Copies files into a SavedModel that is being written.

    Args:
        assets: Files by their path in `assets.extra`, as `check_assets` returns them.
        folder: The SavedModel's folder.
    """
    for place, source in assets.items():
        copied = os.path.join(folder, "assets.extra", place)
        os.makedirs(os.path.dirname(copied), exist_ok=True)
        shutil.copyfile(source, copied)
