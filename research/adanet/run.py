"""AdaNet beside logistic regression and plain networks on pairs of CIFAR-10's classes.

python research/adanet/run.py --data_dir FOLDER     # everything: results.json and README.md
python research/adanet/run.py --readme              # only README.md, from results.json
python research/adanet/run.py --quick               # seconds: shows that it runs, writes nothing

An interrupted run goes on when it is started again.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# One thread a worker: the models are too small to share a step between cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import multiprocessing
import pathlib
import time

import numpy as np
import report
from cifar10 import CLASSES, read_cifar10
from features import features
from protocol import PAIRS, split

RESULTS = pathlib.Path(__file__).with_name("results.json")
VARIANTS = ("base", "AdaNet.SD", "AdaNet.R", "AdaNet.P", "AdaNet.D")
VARIANTS_PAIR = "deer-truck"
NETWORKS = {
    "2048 and dropout": {"units": 2048, "dropouts": (0.3, 0.5)},
    "2048": {"units": 2048},
    "512": {"units": 512},
}

# The features of each pair, in a worker.
tables = {}


def read_tables(data_dir: str, pairs: list[str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Features and labels of each pair; 0 is the class named first."""
    images, labels = read_cifar10(data_dir)
    names = sorted({name for pair in pairs for name in pair.split("-")})
    of_class = {name: features(images[labels == CLASSES.index(name)]) for name in names}
    found = {}
    for pair in pairs:
        both = [of_class[name] for name in pair.split("-")]
        found[pair] = np.concatenate(both), np.repeat([0, 1], [len(x) for x in both])
    return found


def jobs(pairs: list[str], folds: int) -> list[tuple[str, int, str]]:
    """`(pair, fold, models)`, the long ones first so that the workers end together."""
    splits = [(pair, fold) for pair in pairs for fold in PAIRS[pair][:folds]]
    varied = [one for one in splits if one[0] == VARIANTS_PAIR]
    return [
        *((*one, "adanet") for one in splits),
        *((*one, variant) for variant in VARIANTS for one in varied),
        *((*one, network) for network in NETWORKS for one in splits),
        *((*one, "logistic") for one in splits),
    ]


def begin(given: dict) -> None:
    """Prepares a worker."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tables.update(given)


def work(job: tuple[str, int, str]) -> tuple:
    """A job and its results."""
    import models

    pair, fold, kind = job
    data = split(*tables[pair], fold)
    if kind == "adanet":
        return job, models.adanet(data)
    if kind == "logistic":
        return job, models.logistic(data)
    if kind in NETWORKS:
        return job, models.plain(data, **NETWORKS[kind])
    return job, models.variant(data, kind)


def collected(done: list, given: dict, minutes: float, workers: int) -> dict:
    """What `results.json` holds of jobs that are done, `(job, rows)` each."""
    found = [row for _, rows in done for row in rows]
    found.sort(key=lambda row: (list(PAIRS).index(row["pair"]), row["fold"], row["model"]))
    return {
        "rows": {pair: len(y) for pair, (_, y) in given.items()},
        "minutes": round(minutes, 1),
        "workers": workers,
        "results": [{k: v for k, v in row.items() if k != "correct"} for row in found],
        "differences": report.differences(found),
    }


def quick() -> dict:
    """One fold of images of chance, small models and few steps, in this process."""
    import models

    rng = np.random.default_rng(0)
    images, y = rng.integers(0, 256, (120, 32, 32, 3), dtype=np.uint8), np.repeat([0, 1], 60)
    given = {VARIANTS_PAIR: (features(images), y)}
    small = {"width": 4, "steps": 3, "rounds": 1}
    paper = {**models.PAPER, **small, "rounds": 2}
    brief = {"rates": (1e-3,), "max_steps": 1}
    data = split(*given[VARIANTS_PAIR], 1)
    results = [
        *models.adanet(data, [paper], [{**models.ALONE, **small}]),
        *models.variant(data, "AdaNet.SD", {**models.PAPER, **small}),
        *models.plain(data, 2048, dropouts=(0.3,), **brief),
        *models.plain(data, 2048, **brief),
        *models.plain(data, 512, **brief),
        *models.logistic(data),
    ]
    rows = [report.as_row(VARIANTS_PAIR, 1, each) for each in results]
    return collected([(None, rows)], given, 0.0, 1)


def run(data_dir: str, workers: int, pairs: list[str], folds: int, kept: pathlib.Path) -> dict:
    """Runs all jobs that `kept` does not hold; returns what `results.json` holds."""
    began = time.perf_counter()
    given = read_tables(data_dir, pairs)
    done = json.loads(kept.read_text()) if kept.exists() else {"minutes": 0.0, "jobs": []}
    before, held = done["minutes"], [tuple(job) for job, _ in done["jobs"]]
    waiting = [job for job in jobs(pairs, folds) if job not in held]
    context = multiprocessing.get_context("spawn")
    # New processes now and then, for TensorFlow keeps what it has compiled.
    with context.Pool(workers, begin, (given,), maxtasksperchild=6) as pool:
        for job, results in pool.imap_unordered(work, waiting):
            done["minutes"] = before + (time.perf_counter() - began) / 60
            done["jobs"].append((job, [report.as_row(*job[:2], result) for result in results]))
            report.write(kept, json.dumps(done))
            for result in results:
                print(
                    f"{done['minutes']:5.1f} min  {job[0]} {job[1]}  {result.model}: {result.test}",
                    flush=True,
                )
    return collected(done["jobs"], given, done["minutes"], workers)


def main(argv: list[str] | None = None) -> dict:
    """Runs what is asked for, and returns the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", help="folder with cifar10/cifar10_lossless.npz")
    parser.add_argument("--workers", type=int, default=2, help="processes (default: 2)")
    parser.add_argument("--pairs", nargs="*", default=list(PAIRS), choices=list(PAIRS))
    parser.add_argument("--folds", type=int, default=3, help="folds a pair at most (default: 3)")
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS, help="JSON to write")
    parser.add_argument("--readme", action="store_true", help="only write README.md's tables")
    parser.add_argument("--quick", action="store_true", help="seconds: only shows that it runs")
    arguments = parser.parse_args(argv)
    if arguments.quick:
        results = quick()
        print(report.tables(results))
        return results
    if not arguments.readme:
        if arguments.data_dir is None:
            parser.error("--data_dir is needed")
        kept = arguments.output.with_suffix(".part.json")
        results = run(arguments.data_dir, arguments.workers, arguments.pairs, arguments.folds, kept)
        report.write(arguments.output, json.dumps(results, indent=1) + "\n")
        kept.unlink()
    results = json.loads(arguments.output.read_text())
    print(report.tables(results))
    if arguments.output == RESULTS:
        report.write_readme(results)
    return results


if __name__ == "__main__":
    main()
