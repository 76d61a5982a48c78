"""Exporters: what `train_and_evaluate` exports and when."""

import json
import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adaptive_nets._arguments import takes
from adaptive_nets._checks import (
    check_bool,
    check_dict,
    check_function,
    check_integer,
    check_text,
    or_none,
    show,
)
from adaptive_nets.estimator.compat.contract import EXPORTER
from adaptive_nets.estimator.export import exports_in
from adaptive_nets.files.atomic import atomic_write

if TYPE_CHECKING:
    from adaptive_nets.estimator.estimator import Estimator


class Exporter:
    """Base class of exporters, which export after evaluations.

    Args:
        name: Name of the folder in `model_dir/export`.
    """

    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not name or os.sep in name:
            raise ValueError(
                f"An exporter's name must be a folder name. Received: name={show(name)}."
            )
        self.name = name

    def export(
        self,
        estimator: "Estimator",
        export_path: str,
        checkpoint_path: str,
        eval_result: dict[str, Any],
        is_the_final_export: bool,
    ) -> str | None:
        """Exports, if this exporter decides to.

        Args:
            estimator: The trained estimator.
            export_path: Folder for this exporter's exports.
            checkpoint_path: State file that was evaluated.
            eval_result: Metrics of the evaluation.
            is_the_final_export: Whether training has ended.

        Returns:
            Path of the exported folder, or `None` if nothing was exported.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement `export`.")


class _Saving(Exporter):
    def __init__(
        self,
        name: str,
        serving_input_receiver_fn: Callable,
        assets_extra: dict[str, str] | None = None,
        as_text: bool = False,
        exports_to_keep: int | None = 5,
    ) -> None:
        super().__init__(name)
        or_none(check_integer, "exports_to_keep", exports_to_keep, 1)
        check_function("serving_input_receiver_fn", serving_input_receiver_fn)
        words = "a dict from paths in assets.extra to files"
        or_none(check_dict, "assets_extra", assets_extra, str | os.PathLike, words)
        as_text = check_bool("as_text", as_text)
        self.serving_input_receiver_fn, self.assets_extra = serving_input_receiver_fn, assets_extra
        self.as_text, self.exports_to_keep = as_text, exports_to_keep

    def export(
        self,
        estimator: "Estimator",
        export_path: str,
        checkpoint_path: str,
        eval_result: dict[str, Any],
        is_the_final_export: bool,
    ) -> str | None:
        if not self.wants(export_path, eval_result, is_the_final_export):
            return None
        path = estimator.export_saved_model(
            export_path, self.serving_input_receiver_fn, self.assets_extra, self.as_text,
            checkpoint_path,
        )  # fmt: skip
        if self.exports_to_keep is not None:
            for old in exports_in(export_path)[: -self.exports_to_keep]:
                shutil.rmtree(old, ignore_errors=True)
        return path

    def wants(self, export_path: str, eval_result: dict[str, Any], final: bool) -> bool:
        """Returns whether to export now."""
        return True


@takes(EXPORTER)
class FinalExporter(_Saving):
    """Exports once, at the end of training.

    Args:
        name: Name of the folder in `model_dir/export`.
        serving_input_receiver_fn: Function that defines what a server receives.
        assets_extra: Files to copy, by their path in `assets.extra`. Defaults to `None`.
        as_text: Not supported. Must be `False`.
    """

    def __init__(
        self,
        name: str,
        serving_input_receiver_fn: Callable,
        assets_extra: dict[str, str] | None = None,
        as_text: bool = False,
    ) -> None:
        super().__init__(name, serving_input_receiver_fn, assets_extra, as_text, None)

    def wants(self, export_path: str, eval_result: dict[str, Any], final: bool) -> bool:
        return final


@takes(EXPORTER)
class LatestExporter(_Saving):
    """Exports after each evaluation and keeps the newest exports.

    Args:
        name: Name of the folder in `model_dir/export`.
        serving_input_receiver_fn: Function that defines what a server receives.
        assets_extra: Files to copy, by their path in `assets.extra`. Defaults to `None`.
        as_text: Not supported. Must be `False`.
        exports_to_keep: Number of exports to keep, or `None` to keep all. Defaults to `5`.
    """


def loss_smaller(best_eval_result: dict[str, Any], current_eval_result: dict[str, Any]) -> bool:
    """Returns whether the current loss is lower than the best one."""
    return current_eval_result["loss"] < best_eval_result["loss"]


@takes(EXPORTER)
class BestExporter(_Saving):
    """Exports after an evaluation that beats all previous ones, including earlier processes'.

    Args:
        name: Name of the folder in `model_dir/export`. Defaults to `"best_exporter"`.
        serving_input_receiver_fn: Function that defines what a server receives.
        event_file_pattern: Ignored: the best result is stored next to the exports.
            Defaults to `None`.
        compare_fn: Function of `best_eval_result` and `current_eval_result` that returns whether
            the current one is better. Defaults to `loss_smaller`: a lower loss is better.
        assets_extra: Files to copy, by their path in `assets.extra`. Defaults to `None`.
        as_text: Not supported. Must be `False`.
        exports_to_keep: Number of exports to keep, or `None` to keep all. Defaults to `5`.
    """

    def __init__(
        self,
        name: str = "best_exporter",
        serving_input_receiver_fn: Callable | None = None,
        event_file_pattern: str | None = None,
        compare_fn: Callable[[dict, dict], bool] = loss_smaller,
        assets_extra: dict[str, str] | None = None,
        as_text: bool = False,
        exports_to_keep: int | None = 5,
    ) -> None:
        if serving_input_receiver_fn is None:
            raise ValueError(
                "BestExporter needs a serving_input_receiver_fn. "
                "Received: serving_input_receiver_fn=None."
            )
        super().__init__(name, serving_input_receiver_fn, assets_extra, as_text, exports_to_keep)
        or_none(check_text, "event_file_pattern", event_file_pattern)
        self.compare_fn = check_function("compare_fn", compare_fn)

    def export(self, *arguments: Any, **named: Any) -> str | None:
        path = super().export(*arguments, **named)
        if path is not None:
            # The result becomes the one to beat only once the export exists.
            with atomic_write(self._kept(os.path.dirname(path))) as name:
                # The architecture that adanet's results have is no measure.
                kept = {k: v for k, v in self._result.items() if not isinstance(v, bytes)}
                Path(name).write_text(json.dumps(kept))
        return path

    def wants(self, export_path: str, eval_result: dict[str, Any], final: bool) -> bool:
        kept, self._result = self._kept(export_path), eval_result
        if not kept.exists():
            return True
        try:
            best = check_dict("best", json.loads(kept.read_text("utf-8")), object, "a dict")
        except (OSError, ValueError, TypeError, RecursionError):
            warnings.warn(
                f"{kept} is damaged: expected the metrics of the best export as JSON. The new "
                "result is exported and becomes the one to beat.",
                stacklevel=2,
            )
            return True
        return self.compare_fn(best_eval_result=best, current_eval_result=eval_result)

    def _kept(self, export_path: str) -> Path:
        return Path(export_path) / "best.json"
