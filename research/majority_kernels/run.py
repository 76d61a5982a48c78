"""Majority kernels beside their controls, on digits and on a part of CIFAR-10.

python research/majority_kernels/run.py                      # digits, clean and with wrong labels
python research/majority_kernels/run.py --data_dir FOLDER    # CIFAR-10 as well
python research/majority_kernels/run.py --readme             # only README.md, from results.json
python research/majority_kernels/run.py --quick              # seconds: shows that it runs

An arm that is done is not trained again. JAX trains all seeds of an arm at once.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "jax"

import argparse
import dataclasses
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


def result(task, arm_name: str) -> dict:
    """Test accuracies and losses of an arm by seed, and the seconds that it took."""
    from trial import accuracy_and_loss, trial

    started = time.perf_counter()
    found = [accuracy_and_loss(each, task.y_test) for each in trial(task, ARMS[arm_name])]
    return {
        "accuracy": [accuracy for accuracy, _ in found],
        "loss": [loss for _, loss in found],
        "seconds": round(time.perf_counter() - started, 1),
    }


def run_arm(name: str, arm_name: str, data_dir: str | None, kept: pathlib.Path) -> None:
    """Trains one arm of a task, and keeps its test accuracies and losses by seed."""
    path = kept / f"{name}.{arm_name}.json"
    if path.exists():
        return
    found = result(make_task(name, data_dir), arm_name)
    report.write(path, json.dumps(found))
    print(name, arm_name, report.cell(found["accuracy"]), found["seconds"], flush=True)


def quick() -> dict:
    """Two seeds of digits, a few steps, of arms that go different ways through the code."""
    import tasks

    task = tasks.digits(NOISE)
    task = dataclasses.replace(task, seeds=(0, 1), labels=task.labels[:2], steps=4)
    found = {arm: result(task, arm) for arm in ("baseline", "majority", "sam")}
    print(report.table(report.TITLES["digits_noisy"], found))
    return {"digits_noisy": found}


def main(argv: list[str] | None = None) -> dict:
    """Runs what is asked for, and returns the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", help="folder with cifar10/cifar10_lossless.npz")
    parser.add_argument("--tasks", nargs="*", choices=TASKS, help="default: all that have data")
    parser.add_argument("--arms", nargs="*", choices=ARMS, help="default: all")
    parser.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    parser.add_argument("--kept", type=pathlib.Path, default=pathlib.Path("runs/majority_kernels"))
    parser.add_argument("--readme", action="store_true", help="only write README.md")
    parser.add_argument("--quick", action="store_true", help="seconds: only shows that it runs")
    given = parser.parse_args(argv)
    if given.quick:
        return quick()
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
    return json.loads(report.RESULTS.read_text())


if __name__ == "__main__":
    main()
