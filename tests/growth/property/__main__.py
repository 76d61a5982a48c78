"""Grows many random graphs and goes on after faults, which it prints.

    python tests/growth/property 2000 --seed 1 [--verbs widen,fuse]

Each graph is grown by one verb that is drawn, by those that are named, or with `--verbs all` by
all. A fault is printed with what draws it again: `--only SEED` tries one graph.
"""

import argparse
import collections
import importlib.util
import pathlib
import sys
import time
import warnings

import numpy as np


def helpers(path):
    """What the fixture `gc` gives."""
    spec = importlib.util.spec_from_file_location("growth_helpers", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main():
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    from trying_graphs import VERBS, FaultError, random_graph, tried

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("graphs", type=int, nargs="?", default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int)
    parser.add_argument("--verbs", default="")
    parser.add_argument("--seconds", type=float, default=1e9)
    given = parser.parse_args()
    gc = helpers(pathlib.Path(__file__).parents[1] / "conftest.py")
    verbs = VERBS if given.verbs == "all" else given.verbs.split(",") if given.verbs else [None]
    first = given.seed * 1_000_000 if given.only is None else given.only
    counts, used, faults = collections.Counter(), 0, 0
    began = time.perf_counter()
    warnings.simplefilter("ignore")
    for seed in range(first, first + (given.graphs if given.only is None else 1)):
        if time.perf_counter() - began > given.seconds:
            break
        graph = random_graph(np.random.default_rng(seed))
        for verb in verbs:
            try:
                found = tried(gc, graph, verb and [verb])
            except FaultError as fault:
                faults += 1
                found = {str(fault).partition(":")[0]: "fault"}
                print(f"#{seed} {fault}\n", flush=True)
            if not found and verb == verbs[0]:
                break
            counts.update(found.items())
        else:
            used += 1
    print(f"{used} graphs, {faults} faults, {time.perf_counter() - began:.0f} s")
    for (verb, what), count in sorted(counts.items()):
        print(f"{verb:10} {what:12} {count}")


if __name__ == "__main__":
    main()
