"""What a distilled network loses, and what it saves."""

import json
import pathlib
import subprocess
import sys
from typing import Any

from benchmarks.tabular import ours
from benchmarks.tabular.measures import in_order, measure
from benchmarks.tabular.tasks import load

RESULTS = pathlib.Path(__file__).with_suffix(".json")
# Tables of few and many rows, numbers and categories, all three tasks.
TABLES = (
    "attrition", "concrete", "telco_churn", "phoneme", "covertype", "california_housing",
    "kc_housing", "adult",
)  # fmt: skip
# The figures of the leaderboard that are kept.
COSTS = ("parameters", "bytes", "microseconds_one_row", "microseconds_a_row")
# A distilled network is to lose at most this share, in this share of the time.
MOST_RISE, MOST_TIME = 0.005, 0.1


def job(
    name: str,
    seed: int,
    seconds: float,
    size: int,
    data_dir: pathlib.Path | None,
    most: int | None = None,
) -> dict[str, Any]:
    """Fits a table, distils the model, and measures both on the test rows.

    Args:
        name: Name of the table.
        seed: Seed of the split.
        seconds: Time for each of the two.
        size: Units of each hidden layer of the small network.
        data_dir: Folder of the tables, or `None` for what is bundled.
        most: Number of rows to keep. Defaults to `None`: all.
    """
    split = load(name, seed, data_dir, most)
    model = ours.adaptive_nets(split, seconds, seed).model
    small = model.distil(size=size, time_limit=seconds)
    rows, truth = split.test.drop(columns=split.target), split.test[split.target].to_numpy()
    result = {"table": name, "seed": seed, "seconds": seconds, "size": size, "task": split.task}
    board = small.leaderboard()
    for place, (prefix, each) in enumerate({"": model, "distilled_": small}.items()):
        if split.classes is None:
            predicted = each.predict(rows)
        else:
            predicted = in_order(each.predict_proba(rows), each.classes_, split.classes)
        result[f"{prefix}loss"] = measure(split.task, truth, predicted, split.classes)["loss"]
        result |= {f"{prefix}{cost}": float(board[cost].iloc[place]) for cost in COSTS}
    result["note"] = str(board["note"].iloc[-1])
    return result


def in_process(*given: Any, data_dir: pathlib.Path | None) -> dict[str, Any] | None:
    """Returns the result of a job in a process of its own; `None` if it failed."""
    code = (
        "import json, pathlib, sys; from benchmarks.tabular.distilled import job; "
        "given, data_dir = json.loads(sys.argv[1]); "
        "print(json.dumps(job(*given, data_dir and pathlib.Path(data_dir))))"
    )
    text = json.dumps([given, None if data_dir is None else str(data_dir)])
    done = subprocess.run(
        [sys.executable, "-c", code, text], stdout=subprocess.PIPE, text=True, check=False,
        cwd=pathlib.Path(__file__).parents[2],
    )  # fmt: skip
    return None if done.returncode else json.loads(done.stdout.strip().splitlines()[-1])


def run(
    data_dir: pathlib.Path, tables: list[str], seconds: float, size: int
) -> list[dict[str, Any]]:
    """Runs tables that have no result yet, and adds each result to the file at once.

    Args:
        data_dir: Folder of the tables.
        tables: Their names.
        seconds: Time for each fit and each distillation.
        size: Units of each hidden layer of the small networks.
    """
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    done = {(each["table"], each["seconds"], each["size"]) for each in found}
    for name in tables:
        if (name, seconds, size) in done:
            continue
        result = in_process(name, 0, seconds, size, data_dir=data_dir)
        if result is None:
            print(f"{name}: failed", flush=True)
            continue
        found = sorted([*found, result], key=lambda each: (each["table"], each["size"]))
        lines = ",\n".join(map(json.dumps, found))
        RESULTS.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
        print(f"{name}: {result['loss']:.4g}, {result['distilled_loss']:.4g}", flush=True)
    return found


def table(found: list[dict[str, Any]]) -> str:
    """Returns results as a table in Markdown, with how many reach what is asked for."""
    lines = [
        "| table | loss | distilled | rise | microseconds a row | distilled | one row | distilled "
        "| bytes |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    near, quick = 0, 0
    for each in found:
        rise = each["distilled_loss"] / each["loss"] - 1.0
        time = each["distilled_microseconds_a_row"] / each["microseconds_a_row"]
        near, quick = near + (rise <= MOST_RISE), quick + (time <= MOST_TIME)
        lines.append(
            f"| {each['table']} | {_shown(each['loss'])} | {_shown(each['distilled_loss'])} "
            f"| {100 * rise:+.1f} % | {each['microseconds_a_row']:.1f} "
            f"| {each['distilled_microseconds_a_row']:.1f} ({time:.2f}) "
            f"| {each['microseconds_one_row']:,.0f} "
            f"| {each['distilled_microseconds_one_row']:,.0f} "
            f"| {each['distilled_bytes'] / each['bytes']:.2f} |"
        )
    lines.append(
        f"\nLoss within {100 * MOST_RISE:g} % on {near} of {len(found)} tables; time for a row at "
        f"most {MOST_TIME:g} times on {quick}."
    )
    return "\n".join(lines)


def _shown(loss):
    return f"{loss:,.0f}" if loss >= 1e4 else f"{loss:.4g}"
