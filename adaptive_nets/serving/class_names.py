"""The names of the classes, for those who read a SavedModel's outputs as columns."""

import json
import os
from pathlib import Path

from adaptive_nets._checks import check_dict, check_instance, check_list, check_path
from adaptive_nets.heads import Head, Multi
from adaptive_nets.serving.signatures import class_names

CLASSES_FILE = "classes.json"


def named_outputs(head: Head) -> dict[str, list[str]]:
    """Returns the names of the columns of each of a head's outputs that has one per class.

    Args:
        head: An adapted `heads.Head`.

    Returns:
        Dict such as `{"probabilities": ["setosa", "versicolor", "virginica"]}`; empty for heads
        without classes.
    """
    check_instance("head", head, Head, "a heads.Head")
    if isinstance(head, Multi):
        parts = {name: named_outputs(each) for name, each in head.heads.items()}
        return {f"{part}/{k}": names for part, found in parts.items() for k, names in found.items()}
    names = class_names(head)
    # Only the classes of several labels are columns too.
    outputs = ("probabilities", "classes", *getattr(head, "class_outputs", ()))
    return {} if names is None else dict.fromkeys(outputs, names)


def write_class_names(folder: str | os.PathLike, head: Head) -> None:
    """Writes the names into the `assets.extra` of a SavedModel, if the head has classes."""
    names = named_outputs(head)
    if names:
        file = Path(folder, "assets.extra", CLASSES_FILE)
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(names, ensure_ascii=False), encoding="utf-8")


def read_class_names(folder: str | os.PathLike) -> dict[str, list[str]]:
    """Reads the names from a SavedModel; there are none if another program has written it."""
    file = Path(check_path("folder", folder), "assets.extra", CLASSES_FILE)
    if not file.is_file():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        names = check_dict("names", found, list, "a dict of lists")
        return {
            key: check_list("names", given, str | int, "a list") for key, given in names.items()
        }
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(
            f"'{file}' is damaged: expected the class names as JSON, a dict of lists by the name "
            "of the output. Export the SavedModel again."
        ) from error
