"""Tries all models, or some, and writes the table: `python tests/growth/coverage [WORD ...]`.

With words only models whose group or name holds one of them are tried, and what came of each is
printed; the table is not written. Names of verbs among the words leave the other verbs out.
"""

import gc
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[3]))

import keras
from coverage_models import groups
from coverage_table import PATH, Table, written
from trying import VERBS, tried


def main(words: list[str]) -> None:
    """Tries the models and prints, or writes the table."""
    verbs = [word for word in words if word in VERBS] or list(VERBS)
    words = [word for word in words if word not in VERBS and not word.startswith("--")]
    table: Table = {}
    for group, models in groups().items():
        for name, make in models.items():
            if words and not any(word in f"{group} {name}" for word in words):
                continue
            began = time.perf_counter()
            try:
                found = tried(make, verbs)
            except Exception as error:
                print(f"{group} {name}: cannot be built: {error}", flush=True)
                continue
            table.setdefault(group, {})[name] = found
            shown = ", ".join(
                f"{verb} {x.kind}" + ("" if x.gap is None else f" {x.gap:.0e}")
                for verb, x in found.items()
            )
            print(f"{group} {name}: {shown} ({time.perf_counter() - began:.0f} s)", flush=True)
            for verb, outcome in found.items() if words else ():
                print(f"    {verb}: {outcome.note}", flush=True)
            keras.utils.clear_session()
            gc.collect()
    if not words and len(verbs) == len(VERBS):
        PATH.write_text(written(table), "utf-8")


main(sys.argv[1:])
