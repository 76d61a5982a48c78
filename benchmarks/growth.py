"""What a growth costs beside copying the new weights, in time and in memory.

    python benchmarks/growth.py [--layers 6] [--quick]

Fuses a T5 of 60 million parameters with itself, each time in a process of its own: a growth
pays for what TensorFlow does once in a process, and for memory that was never touched. So does
the first copy of the new weights with NumPy, in the same process; a second copy into memory that
is known already is the harder measure. Every ratio is of two figures measured in this run.
"""

import argparse
import multiprocessing
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import psutil


def peak():
    """The most memory that this process has held, in bytes."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def copies(arrays):
    """Seconds of copying all arrays: at first, and at best of three times."""
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        kept = [array.copy() for array in arrays]
        seconds.append(time.perf_counter() - began)
        del kept
    return seconds[0], min(seconds)


# As keras-hub names them: t5-small's, and as small as they come.
SIZES = {
    "vocabulary_size": 32128, "num_heads": 8, "hidden_dim": 512, "intermediate_dim": 2048,
    "key_value_dim": 64,
}  # fmt: skip
QUICK = {
    "vocabulary_size": 32, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 16,
    "key_value_dim": 4,
}  # fmt: skip


def self_fusion(cross, layers, sizes):
    """Measures one fusion."""
    import keras_hub

    from adaptive_nets import growth

    model = keras_hub.models.T5Backbone(num_layers=layers, use_gated_activation=False, **sizes)
    before = max(peak(), psutil.Process().memory_info().rss)
    began, cpu = time.perf_counter(), time.process_time()
    plan = growth.plan_self_fuse(model, cross=cross, seed=0)
    planned = time.perf_counter() - began
    grown, report = growth.apply(plan)
    cpu = time.process_time() - cpu
    extra = peak() - before
    weights = [np.asarray(weight) for weight in grown.weights]
    first, best = copies(weights)
    size = sum(array.nbytes for array in weights)
    return {
        "parameters before": model.count_params(),
        "parameters": report.parameters,
        "plan, s": planned,
        "apply, s": report.seconds,
        "processor time of both, with the measured gap, s": cpu,
        "first copy of the new weights, s": first,
        "best copy of the new weights, s": best,
        "plan and apply / first copy": (planned + report.seconds) / first,
        "plan and apply / best copy": (planned + report.seconds) / best,
        "extra peak memory / new weights": extra / size,
    }


def in_own_process(*given):
    """The figures of a fusion in a new process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(self_fusion, given)


def main(argv=None):
    """Both fusions; returns their figures by `cross`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument(
        "--quick", action="store_true", help="seconds, in this process: only shows that it runs"
    )
    given = parser.parse_args(argv)
    found = {}
    for cross in ("zero", 0.1):
        if given.quick:
            found[cross] = self_fusion(cross, 1, QUICK)
        else:
            found[cross] = in_own_process(cross, given.layers, SIZES)
        print(f"self_fuse of T5, cross={cross!r}")
        for name, value in found[cross].items():
            print(f"  {name:50} {value:{',' if isinstance(value, int) else '.2f'}}", flush=True)
    return found


if __name__ == "__main__":
    main()
