"""Tries all models, or some, and writes what came of them to the table.

`python tests/growth/coverage` tries every model, `... --missing` those that the table does not
have, and `... WORD ...` those whose group or name holds one of the words.
"""

import gc
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[3]))

import keras
from coverage_models import groups
from coverage_table import read, write
from trying import tried


def main(words: list[str]) -> None:
    """Tries the models, prints each and writes the table."""
    missing = "--missing" in words
    words = [word for word in words if not word.startswith("--")]
    for group, models in groups().items():
        for name, make in models.items():
            if words and not any(word in f"{group} {name}" for word in words):
                continue
            if missing and name in read().get(group, {}):
                continue
            began = time.perf_counter()
            try:
                found = tried(make)
            except Exception as error:
                print(f"{group} {name} cannot be built or called: {error}", flush=True)
                continue
            print(f"{group} {name} ({time.perf_counter() - began:.0f} s)", flush=True)
            for verb, x in found.items():
                print(f"    {verb}: {x.kind} {x.gap} {x.note}", flush=True)
            # Another process may try other models.
            table = read()
            table.setdefault(group, {})[name] = found
            write(table)
            keras.utils.clear_session()
            gc.collect()


main(sys.argv[1:])
