"""What a growth costs beside copying the new weights, in time and in memory.

    python benchmarks/growth.py [--layers 6]

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


def self_fusion(cross, layers, queue):
    """Measures one fusion; figures go into the queue."""
    import keras_hub

    from adaptive_nets import growth

    model = keras_hub.models.T5Backbone(
        32128, layers, 8, 512, 2048, key_value_dim=64, use_gated_activation=False
    )
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
    queue.put(
        {
            "parameters": f"{report.parameters_before / len(plan.trace.models) / 1e6:.1f} M -> "
            f"{report.parameters / 1e6:.1f} M",
            "plan": f"{planned:.2f} s",
            "apply": f"{report.seconds:.2f} s",
            "processor time of both, with the measured gap": f"{cpu:.2f} s",
            "first copy of the new weights": f"{first:.2f} s",
            "best copy of the new weights": f"{best:.2f} s",
            "plan and apply / first copy": f"{(planned + report.seconds) / first:.2f}",
            "plan and apply / best copy": f"{(planned + report.seconds) / best:.2f}",
            "extra peak memory / new weights": f"{extra / size:.2f}",
        }
    )


def main():
    """Both fusions."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layers", type=int, default=6)
    arguments = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    for cross in ("zero", 0.1):
        queue = context.Queue()
        process = context.Process(target=self_fusion, args=(cross, arguments.layers, queue))
        process.start()
        figures = queue.get()
        process.join()
        print(f"self_fuse of T5, cross={cross!r}")
        for name, value in figures.items():
            print(f"  {name:46} {value}")


if __name__ == "__main__":
    main()
