"""Results in a JSON file, one a line, each found by a process of its own."""

import json
import pathlib
import subprocess
import sys
from collections.abc import Callable


def read(file: pathlib.Path) -> list[dict]:
    """The results so far."""
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else []


def add(result: dict, file: pathlib.Path, key: Callable[[dict], tuple]) -> None:
    """Adds a result to the file, in place of one with the same key."""
    found = {key(each): each for each in [*read(file), result]}
    lines = ",\n".join(json.dumps(found[each]) for each in sorted(found, key=str))
    file.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def in_process(script: str, job: list, data_dir: pathlib.Path | None) -> dict | None:
    """The result of a job that runs in a process of its own, or `None` if it failed.

    Args:
        script: The script or folder, whose `--job` prints the result as its last line.
        job: What identifies the job, as JSON values.
        data_dir: Folder of the tables, or `None`.
    """
    command = [sys.executable, script, "--job", json.dumps(job)]
    command += [] if data_dir is None else ["--data_dir", str(data_dir)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])
