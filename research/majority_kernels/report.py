"""Results as JSON and as the tables of README.md."""

import json
import os
import pathlib
from collections.abc import Sequence

import numpy as np
from arms import ARMS

HERE = pathlib.Path(__file__).resolve().parent
README, RESULTS = HERE / "README.md", HERE / "results.json"
BEGIN, END = "<!-- tables: run.py --readme -->", "<!-- end of tables -->"
TITLES = {
    "digits": "Digits",
    "digits_noisy": "Digits, 30 % of the training labels drawn anew",
    "cifar10": "CIFAR-10, 10,000 training images",
    "cifar10_noisy": "CIFAR-10, 10,000 training images, 30 % of the labels drawn anew",
}


def collect(kept: pathlib.Path, tasks: Sequence[str]) -> None:
    """Puts the arms that are done into results.json, beside those that it holds."""
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for task in tasks:
        paths = {arm: kept / f"{task}.{arm}.json" for arm in ARMS}
        done = {a: json.loads(p.read_text()) for a, p in paths.items() if p.exists()}
        known = {**found.get(task, {}), **done}
        found[task] = {arm: known[arm] for arm in ARMS if arm in known}
    write(RESULTS, json.dumps(found, indent=1) + "\n")


def write_readme(tasks: Sequence[str]) -> None:
    """Replaces the tables in README.md."""
    results = json.loads(RESULTS.read_text())
    parts = [table(TITLES[task], results[task]) for task in tasks if results.get(task)]
    text = README.read_text()
    start, rest = text.split(BEGIN)
    write(README, f"{start}{BEGIN}\n\n" + "\n\n".join(parts) + f"\n\n{END}{rest.split(END)[1]}")


def table(title: str, results: dict) -> str:
    """One task's arms as Markdown."""
    rows = [f"**{title}**", "", "| arm | test accuracy | test loss | minus baseline |"]
    rows.append("|---|---|---|---|")
    for arm, found in results.items():
        base = results.get("sgd" if arm.startswith("sgd") else "baseline", found)
        gap = cell(np.subtract(found["accuracy"], base["accuracy"]), sign="+")
        losses = cell(found["loss"], scale=1, digits=3)
        rows.append(f"| {ARMS[arm].title} | {cell(found['accuracy'])} | {losses} | {gap} |")
    return "\n".join(rows)


def cell(values: Sequence[float], sign: str = "", scale: float = 100, digits: int = 1) -> str:
    """Mean ± standard error, accuracies in per cent."""
    values = scale * np.asarray(values)
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return f"{values.mean():{sign}.{digits}f} ± {error:.{digits}f}"


def write(path: pathlib.Path, text: str) -> None:
    """Writes a file whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    os.replace(part, path)
