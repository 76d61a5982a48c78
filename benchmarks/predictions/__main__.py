"""How sure, how wrong: what adaptive_nets says of its predictions, beside scikit-learn.

    python benchmarks/predictions --data_dir DIR [--parts a,b] [--tables a,b] [--systems a,b]
    python benchmarks/predictions --summary
    python benchmarks/predictions --quick

Parts: `intervals`, `calibration`, `counts`, `tuned`. Each fit runs in a process of its own, and
each result is added to `results.json` at once; what is there already is not run again. `DIR` is
that of `benchmarks/automl.py`; without it, small tables that scikit-learn ships or that are drawn.
"""

import argparse
import itertools
import json
import os
import pathlib
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

from benchmarks.predictions import calibration, counts, intervals, tuned
from benchmarks.tabular import tasks
from benchmarks.tabular.kept import add, in_process, read

PARTS = {"intervals": intervals, "calibration": calibration, "counts": counts, "tuned": tuned}
RESULTS = pathlib.Path(__file__).with_name("results.json")
QUICK_ROWS = 200


def job(part, table, system, seed, seconds, data_dir=None, most=None):
    """Fits one system to one split; returns its result."""
    module = PARTS[part]
    split = tasks.load(module.name_of(table), seed, data_dir, most)
    if system in module.OURS:
        # What an import takes is not part of a fit.
        import adaptive_nets.automl  # noqa: F401
    began = time.perf_counter(), time.process_time()
    measure = module.fit(system, table, split, seconds, seed)
    taken = round(time.perf_counter() - began[0], 2)
    # Of the processor: beside other processes a time limit gives less than it says.
    processor = round(time.process_time() - began[1], 2)
    return {
        "part": part, "table": table, "system": system, "seed": seed, "seconds": seconds,
        "taken": taken, "processor": processor, **measure(),
    }  # fmt: skip


def key(result):
    """What identifies a result: systems without a time limit have one for all."""
    timed = result["system"] in PARTS[result["part"]].OURS
    names = "part", "table", "system", "seed"
    return *(result[name] for name in names), result["seconds"] if timed else None


def parsed(argv):
    """The command's arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="seconds: only shows that it runs")
    parser.add_argument("--data_dir", type=pathlib.Path, help="folder of the tables")
    parser.add_argument("--parts", default=",".join(PARTS), help="names, with commas")
    parser.add_argument("--tables", help="names, with commas; default: all of the part")
    parser.add_argument("--systems", help="names, with commas; default: all of the part")
    parser.add_argument("--seconds", type=float, default=20.0, help="time limit of a fit")
    parser.add_argument("--seeds", default="0", help="seeds of the splits, with commas")
    parser.add_argument("--summary", action="store_true", help="only print what was found before")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def wanted(given):
    """What is asked for, in the order in which it runs."""
    for part, seed in itertools.product(given.parts.split(","), given.seeds.split(",")):
        module = PARTS[part]
        tables = given.tables.split(",") if given.tables else module.tables(given.data_dir)
        systems = given.systems.split(",") if given.systems else module.SYSTEMS
        for table, system in itertools.product(tables, systems):
            if module.suits(system, table, given.data_dir):
                yield [part, table, system, int(seed), given.seconds]


def most_worked(results):
    """Of several fits of a system to a split, in different time, that which had the most of it."""
    found = {}
    for each in sorted(results, key=lambda result: result.get("processor", 0.0)):
        found[*key(each)[:-1]] = each
    return list(found.values())


def shown(results):
    """All parts as the tables of the README."""
    parts = {name: [r for r in most_worked(results) if r["part"] == name] for name in PARTS}
    return "\n\n".join(
        f"{name}\n\n{PARTS[name].show(found)}" for name, found in parts.items() if found
    )


def main(argv=None):
    """Runs what is asked for; returns all results."""
    given = parsed(argv)
    if given.job:
        print(json.dumps(job(*json.loads(given.job), given.data_dir)))
        return None
    if given.quick:
        found = []
        for part, module in PARTS.items():
            table, seconds, systems = module.QUICK
            found += [job(part, table, each, 0, seconds, most=QUICK_ROWS) for each in systems]
        print(shown(found))
        return found
    for each in [] if given.summary else wanted(given):
        names = "part", "table", "system", "seed", "seconds"
        if key(dict(zip(names, each, strict=True))) in map(key, read(RESULTS)):
            continue
        result = in_process(str(pathlib.Path(__file__).parent), each, given.data_dir)
        if result is not None:
            add(result, RESULTS, key)
        print(*each, "failed" if result is None else json.dumps(result), flush=True)
    found = read(RESULTS)
    print(shown(found))
    return found


if __name__ == "__main__":
    main()
