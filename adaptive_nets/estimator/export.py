"""Exports with a `serving_input_receiver_fn` into folders named by a timestamp."""

import os
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from adaptive_nets._checks import check_instance, check_path
from adaptive_nets.adanet import AdaNet
from adaptive_nets.estimator.compat.names import EXPORT_INSTEAD, missing
from adaptive_nets.serving import (
    ServingInputReceiver,
    build_parsing_serving_input_receiver_fn,
    build_raw_serving_input_receiver_fn,
    receiver_of,
)

__all__ = [
    "ServingInputReceiver",
    "build_parsing_serving_input_receiver_fn",
    "build_raw_serving_input_receiver_fn",
    "export_timestamped",
    "exports_in",
    "next_export",
]


def export_timestamped(
    search: AdaNet,
    export_dir_base: str | os.PathLike,
    serving_input_receiver_fn: Callable,
    assets_extra: dict[str, str] | None = None,
    subnetworks: Sequence[str] = (),
) -> str:
    """Writes a SavedModel into a new folder, atomically.

    Args:
        search: A search with an ensemble.
        export_dir_base: Parent of the new folder.
        serving_input_receiver_fn: Function that defines what a server receives.
        assets_extra: Files to copy, by their path in `assets.extra`. Defaults to `None`.
        subnetworks: Outputs of each subnetwork, as in `AdaNet.export`. Defaults to `()`.

    Returns:
        Path of the folder, whose name is the time in seconds, or the next number if there is one
        as high already.
    """
    check_instance("search", search, AdaNet, "an AdaNet")
    receiver = receiver_of(serving_input_receiver_fn)
    return search.export(
        next_export(export_dir_base), receiver=receiver, assets_extra=assets_extra,
        subnetworks=subnetworks,
    )  # fmt: skip


def next_export(export_dir_base: str | os.PathLike) -> Path:
    """Returns the folder of a new export, named by a timestamp higher than all before."""
    base = Path(check_path("export_dir_base", export_dir_base))
    # Servers take the highest number, so it rises even where the clock was set back.
    return base / str(max(int(time.time()), *(1 + int(p.name) for p in exports_in(base)[-1:]), 0))


def exports_in(folder: str | os.PathLike) -> list[Path]:
    """Returns the folders named by a timestamp, oldest first."""
    folder = Path(check_path("folder", folder))
    if not folder.is_dir():
        return []
    return sorted(
        (path for path in folder.iterdir() if re.fullmatch(r"\d+", path.name)),
        key=lambda path: int(path.name),
    )


def __getattr__(name: str) -> Any:
    raise missing("adaptive_nets.estimator.export", name, EXPORT_INSTEAD)
