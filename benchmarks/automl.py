"""Tables in, predictions out: adaptive_nets beside other systems on the same splits.

    python benchmarks/automl.py --data_dir DIR [--systems a,b] [--tables a,b] [--seconds 120,20]
    python benchmarks/automl.py --ablation --data_dir DIR [--systems a,b] [--seconds 60]
    python benchmarks/automl.py --distilled --data_dir DIR [--tables a,b] [--seconds 30] [--size 64]
    python benchmarks/automl.py [--ablation|--distilled] --summary [--systems a,b] [--seeds 0]
    python benchmarks/automl.py [--ablation|--distilled] --quick

Each fit runs in a process of its own, and each result is added to `automl.json` (of an ablation,
which switches off one ingredient of adaptive_nets after another: `ablation.json`) at once; what is
there already is not run again. `DIR` holds `tables/tables.json` and what `tabular/tasks.py` names.
Without `--data_dir`, small tables that scikit-learn ships and one that is drawn.
`--tables generated_1000000` draws one of so many rows: is the time kept, and for what memory?
"""

import argparse
import importlib
import itertools
import json
import os
import pathlib
import resource
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import joblib

from benchmarks.tabular import ablation, distilled, others, summary, systems, tasks
from benchmarks.tabular.kept import add, in_process, read
from benchmarks.tabular.measures import measure

RESULTS = pathlib.Path(__file__).with_suffix(".json")
ABLATION = RESULTS.with_name("ablation.json")
# Systems of this environment; `others` have one each.
HERE = ("constant", "linear", "sklearn_mlp", "hist_gradient_boosting", "lightgbm", "adaptive_nets")
QUICK_ROWS = 150


def job(name, system, seed, seconds, data_dir=None, most=None):
    """Fits one system to one split; returns its result."""
    split = tasks.load(name, seed, data_dir, most)
    fit = systems.SYSTEMS[system]
    if hasattr(fit, "needs"):
        # What an import takes is not part of a fit.
        importlib.import_module(fit.needs)
    began = time.perf_counter()
    predict = fit(split, seconds, seed)
    taken = time.perf_counter() - began
    # MiB of resident memory: on Linux the system counts in KiB.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    predicted = predict(split.test)
    truth = split.test[split.target].to_numpy()
    served = getattr(predict, "served", dict)()
    return {
        "table": name, "system": system, "seed": seed, "seconds": seconds, "task": split.task,
        "taken": round(taken, 2), "peak": peak, "cores": joblib.cpu_count(),
        **measure(split.task, truth, predicted, split.classes), **served,
    }  # fmt: skip


def key(result):
    """What identifies a result: systems without a time limit have one for all."""
    timed = result["system"].partition(":")[0] in systems.TIMED
    seconds = result["seconds"] if timed else None
    return result["table"], result["system"], result["seed"], seconds


def parsed(argv):
    """The command's arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="seconds: only shows that it runs")
    parser.add_argument("--data_dir", type=pathlib.Path, help="folder of the tables")
    parser.add_argument("--ablation", action="store_true", help="adaptive_nets and its variants")
    parser.add_argument("--distilled", action="store_true", help="models and what they distil to")
    parser.add_argument("--size", type=int, default=64, help="units of distilled networks")
    parser.add_argument("--systems", help="names, with commas; default: all of this environment")
    parser.add_argument("--tables", help="names, with commas; default: all, of an ablation 8")
    parser.add_argument("--seconds", help="time limits, with commas; default: 120,20 (ablation 60)")
    parser.add_argument("--seeds", default="0,1,2", help="seeds of the splits, with commas")
    parser.add_argument("--summary", action="store_true", help="only print what was found before")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def quick():
    """All systems of this environment on small tables, in this process."""
    found = []
    for name in tasks.names(None):
        for system in HERE:
            if system == "lightgbm" and not others.installed("lightgbm"):
                continue
            if system == "adaptive_nets" and name != "mixed":
                continue
            found.append(job(name, system, 0, 2.0, most=QUICK_ROWS))
    return found


def wanted(given):
    """What is asked for, in the order in which it runs."""
    if given.ablation:
        systems, seconds, tables = ablation.NAMES, "60", list(ablation.TABLES)
    else:
        systems, seconds, tables = HERE, "120,20", tasks.names(given.data_dir)
    systems = given.systems.split(",") if given.systems else systems
    tables = given.tables.split(",") if given.tables else tables
    limits = map(float, (given.seconds or seconds).split(","))
    order = itertools.product(map(int, given.seeds.split(",")), tables, systems, list(limits))
    return [
        {"table": table, "system": system, "seed": seed, "seconds": limit}
        for seed, table, system, limit in order
    ]


def _chosen(result, given):
    """Whether a summary is asked of a result."""
    chosen = {
        "system": given.systems, "table": given.tables, "seed": given.seeds,
        "seconds": given.seconds and key(result)[-1] and given.seconds,
    }  # fmt: skip
    return all(
        str(result[name]).removesuffix(".0") in asked.split(",")
        for name, asked in chosen.items()
        if asked
    )


def _distilled(given):
    """What distilled networks lose and save; returns all results."""
    if given.quick:
        found = [distilled.job("mixed", 0, 2.0, 8, None, QUICK_ROWS)]
    else:
        tables = given.tables.split(",") if given.tables else list(distilled.TABLES)
        seconds = float(given.seconds or 30)
        found = distilled.run(given.data_dir, [] if given.summary else tables, seconds, given.size)
    print(distilled.table(found))
    return found


def main(argv=None):
    """Runs what is asked for; returns all results."""
    given = parsed(argv)
    if given.job:
        print(json.dumps(job(*json.loads(given.job), given.data_dir)))
        return None
    if given.distilled:
        return _distilled(given)
    show = summary.ablation if given.ablation else summary.table
    if given.quick:
        found = ablation.quick() if given.ablation else quick()
        print(show(found))
        return found
    file = ABLATION if given.ablation else RESULTS
    for each in [] if given.summary else wanted(given):
        if key(each) in map(key, read(file)):
            continue
        result = in_process(__file__, list(each.values()), given.data_dir)
        if result is None:
            print(" ".join(map(str, each.values())) + ": failed", flush=True)
            continue
        add(result, file, key)
        print(" ".join(map(str, each.values())) + f": {result['loss']:.4g}", flush=True)
    found = [each for each in read(file) if not given.summary or _chosen(each, given)]
    print(show(found))
    return found


if __name__ == "__main__":
    main()
