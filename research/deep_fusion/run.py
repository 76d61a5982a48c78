"""Growth against training from scratch, on a character language model in miniature.

python research/deep_fusion/run.py --data_dir FOLDER   # everything: results.json, README.md, plot
python research/deep_fusion/run.py --readme            # only README.md and plot, from results.json
python research/deep_fusion/run.py --quick             # seconds: shows that it runs, writes nothing

An interrupted run goes on when it is started again.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import io
import json
import multiprocessing
import pathlib
import tempfile
import time
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import report
from protocol import MOMENT_SEEDS, MOMENTS, Job, grid, jobs, quick_jobs, shape_of

if TYPE_CHECKING:
    from text import Text
    from training import Trainer

RESULTS = pathlib.Path(__file__).with_name("results.json")


def take(kept: pathlib.Path, names: list[str] | None) -> Job | None:
    """The next job that is not done, not taken by another worker, and whose sources are done."""
    waiting = True
    while waiting:
        waiting = False
        for job in jobs():
            if (kept / f"{job.name}.json").exists() or (names and job.name not in names):
                continue
            if not all((kept / f"{name}.json").exists() for name in job.needs):
                waiting = True
                continue
            try:
                (kept / f"{job.name}.taken").touch(exist_ok=False)
            except FileExistsError:
                continue
            return job
        if waiting:
            time.sleep(2)
    return None


def work(data_dir: str, kept: pathlib.Path, names: list[str] | None) -> None:
    """A worker, until no job is left."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # The models are too small to share a step between cores.
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    from text import Text, read

    text = Text(read(data_dir))
    trainers: dict[tuple[int, int], Trainer] = {}
    while (job := take(kept, names)) is not None:
        train(job, text, kept, trainers)


def train(job: Job, text: "Text", kept: pathlib.Path, trainers: dict, **options: Any) -> None:
    """Trains a job's model; its curve and the weights that others need go into a folder.

    Args:
        job: Which.
        text: Where batches come from.
        kept: The folder.
        trainers: Those of earlier jobs, by the shape of their model; a new one is added.
        **options: Of a new `Trainer`.
    """
    from arms import make
    from model import language_model
    from training import Trainer

    given = [_weights(kept / f"{name}.npz", step) for name, step in job.sources]
    model = make(job, text.size, given)
    # One compiled model an architecture: compiling takes as long as 150 steps.
    shape = shape_of(job)
    if shape not in trainers:
        trainers[shape] = Trainer(language_model(text.size, *shape, 0), text, **options)
    rate = job.rate or best_rate(kept, job.arm)
    curve, weights = trainers[shape].train(
        model.get_weights(), job.seed + 1000, rate, job.steps, job.decay, job.keep
    )
    if weights:
        np.savez(kept / f"{job.name}.npz", **weights)
    report.write(kept / f"{job.name}.json", json.dumps(curve))
    print(f"{job.name}: {curve['loss'][0]} -> {curve['loss'][-1]}", flush=True)


def quick() -> dict:
    """Two small sources, what is fused out of them, and a diagnosis, on characters of chance."""
    import moments
    from text import Text

    characters = np.random.default_rng(0).integers(97, 103, 2000, dtype=np.uint8)
    text, steps = Text(characters.tobytes(), 32), 2
    trainers: dict[tuple[int, int], Trainer] = {}
    with tempfile.TemporaryDirectory() as folder:
        kept = pathlib.Path(folder)
        for job in quick_jobs(steps):
            train(job, text, kept, trainers, every=steps, jit_compile=False)
        weights = _weights(kept / f"{job.sources[0][0]}.npz", steps)
        results = report.collect(kept, quick_jobs(steps))
    advice = moments.diagnose(text, {steps: weights}, seed=0, batches=2, blocks=1)
    results["diagnosis"] = {"1": advice}
    print(report.tables(results))
    report.plot(results, io.BytesIO())
    return results


def diagnose(data_dir: str, kept: pathlib.Path, seed: int) -> None:
    """What `diagnose` says at each moment at which one small model grows."""
    import moments
    from text import Text, read

    weights = {step: _weights(kept / f"moment_source_{seed}.npz", step) for step in MOMENTS}
    found = moments.diagnose(Text(read(data_dir)), weights, seed=0)
    report.write(kept / f"diagnosis_{seed}.json", json.dumps(found))


def best_rate(kept: pathlib.Path, arm: str) -> float:
    """The rate of an arm's grid that ends lowest."""
    losses = {
        job.rate: min(json.loads((kept / f"{job.name}.json").read_text())["loss"])
        for job in grid(arm)
    }
    return min(losses, key=losses.get)


def _weights(path: pathlib.Path, step: int) -> list[np.ndarray]:
    with np.load(path) as found:
        count = sum(name.startswith(f"{step}/") for name in found)
        return [found[f"{step}/{i}"] for i in range(count)]


def main(argv: list[str] | None = None) -> dict:
    """Runs what is asked for, and returns the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", help="folder with tiny_shakespeare/tinyshakespeare.txt")
    parser.add_argument("--workers", type=int, default=2, help="processes (default: 2)")
    parser.add_argument("--jobs", nargs="*", help="names of jobs (default: all)")
    parser.add_argument("--kept", type=pathlib.Path, default=pathlib.Path("runs/deep_fusion"))
    parser.add_argument("--readme", action="store_true", help="only write README.md and the plot")
    parser.add_argument("--quick", action="store_true", help="seconds: only shows that it runs")
    arguments = parser.parse_args(argv)
    if arguments.quick:
        return quick()
    if not arguments.readme:
        if arguments.data_dir is None:
            parser.error("--data_dir is needed")
        arguments.kept.mkdir(parents=True, exist_ok=True)
        for stale in arguments.kept.glob("*.taken"):
            stale.unlink()
        context = multiprocessing.get_context("spawn")
        given = (arguments.data_dir, arguments.kept, arguments.jobs)
        with context.Pool(arguments.workers) as pool:
            pool.starmap(work, [given] * arguments.workers, chunksize=1)
            if not arguments.jobs:
                seeds = [
                    (arguments.data_dir, arguments.kept, seed)
                    for seed in MOMENT_SEEDS
                    if not (arguments.kept / f"diagnosis_{seed}.json").exists()
                ]
                pool.starmap(diagnose, seeds, chunksize=1)
        report.write(RESULTS, json.dumps(report.collect(arguments.kept), indent=1) + "\n")
    results = json.loads(RESULTS.read_text())
    report.plot(results)
    report.write_readme(results)
    return results


if __name__ == "__main__":
    main()
