"""Majority kernels beside their controls, on digits and on a part of CIFAR-10.

python research/majority_kernels/run.py                      # digits, clean and with wrong labels
python research/majority_kernels/run.py --data_dir FOLDER    # CIFAR-10 as well
python research/majority_kernels/run.py --readme             # only README.md, from results.json

An arm that is done is not trained again. JAX trains all seeds of an arm at once.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "jax"

import argparse
import json
import multiprocessing
import pathlib
import time

import report
from arms import ARMS

TASKS = ("digits", "digits_noisy", "cifar10", "cifar10_noisy")
NOISE = 0.3


def make_task(name: str, data_dir: str | None):
    """The task of a name."""
    import tasks

    noise = NOISE if name.endswith("_noisy") else 0.0
    if name.startswith("digits"):
        return tasks.digits(noise)
    return tasks.cifar10(data_dir, noise=noise)


def run_arm(name: str, arm_name: str, data_dir: str | None, kept: pathlib.Path) -> None:
    """Trains one arm of a task, and keeps its test accuracies and losses by seed."""
    path = kept / f"{name}.{arm_name}.json"
    if path.exists():
        return
    from trial import accuracy_and_loss, trial

    task, started = make_task(name, data_dir), time.perf_counter()
    found = [accuracy_and_loss(each, task.y_test) for each in trial(task, ARMS[arm_name])]
    result = {
        "accuracy": [accuracy for accuracy, _ in found],
        "loss": [loss for _, loss in found],
        "seconds": round(time.perf_counter() - started, 1),
    }
    report.write(path, json.dumps(result))
    print(name, arm_name, report.cell(result["accuracy"]), result["seconds"], flush=True)


def main() -> None:
    """Runs what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", help="folder with cifar10/cifar10_lossless.npz")
    parser.add_argument("--tasks", nargs="*", choices=TASKS, help="default: all that have data")
    parser.add_argument("--arms", nargs="*", choices=ARMS, help="default: all")
    parser.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    parser.add_argument("--kept", type=pathlib.Path, default=pathlib.Path("runs/majority_kernels"))
    parser.add_argument("--readme", action="store_true", help="only write README.md")
    given = parser.parse_args()
    if not given.readme:
        names = given.tasks or (TASKS if given.data_dir else TASKS[:2])
        given.kept.mkdir(parents=True, exist_ok=True)
        jobs = [
            (name, arm, given.data_dir, given.kept) for name in names for arm in given.arms or ARMS
        ]
        with multiprocessing.get_context("spawn").Pool(given.workers) as pool:
            pool.starmap(run_arm, jobs, chunksize=1)
        report.collect(given.kept, TASKS)
    report.write_readme(TASKS)


if __name__ == "__main__":
    main()
