"""Tables in, predictions out: adaptive_nets beside other systems on the same splits.

    python benchmarks/automl.py --data_dir DIR [--systems a,b] [--tables a,b] [--seconds 120,20]
    python benchmarks/automl.py --summary
    python benchmarks/automl.py --quick

Each fit runs in a process of its own, and each result is added to `automl.json` at once; what is
there already is not run again. `DIR` holds `tables/tables.json` and what `tabular/tasks.py` names.
Without `--data_dir`, small tables that scikit-learn ships and one that is drawn.
"""

import argparse
import importlib
import json
import os
import pathlib
import subprocess
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from benchmarks.tabular import others, summary, systems, tasks
from benchmarks.tabular.measures import measure

RESULTS = pathlib.Path(__file__).with_suffix(".json")
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
    predicted = predict(split.test)
    truth = split.test[split.target].to_numpy()
    served = getattr(predict, "served", dict)()
    return {
        "table": name, "system": system, "seed": seed, "seconds": seconds, "task": split.task,
        "taken": round(taken, 2), **measure(split.task, truth, predicted, split.classes), **served,
    }  # fmt: skip


def key(result):
    """What identifies a result: systems without a time limit have one for all."""
    timed = result["system"].partition(":")[0] in systems.TIMED
    seconds = result["seconds"] if timed else None
    return result["table"], result["system"], result["seed"], seconds


def read():
    """The results so far."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else []


def add(result):
    """Adds a result to the file."""
    found = {key(each): each for each in [*read(), result]}
    lines = ",\n".join(json.dumps(found[each]) for each in sorted(found, key=str))
    RESULTS.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def in_process(name, system, seed, seconds, data_dir):
    """The result of a job that runs in a process of its own, or `None` if it failed."""
    command = [
        sys.executable, __file__, "--job", json.dumps([name, system, seed, seconds]),
        *([] if data_dir is None else ["--data_dir", str(data_dir)]),
    ]  # fmt: skip
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])


def parsed(argv):
    """The command's arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="seconds: only shows that it runs")
    parser.add_argument("--data_dir", type=pathlib.Path, help="folder of the tables")
    parser.add_argument("--systems", default=",".join(HERE), help="names, with commas")
    parser.add_argument("--tables", help="names, with commas; default: all")
    parser.add_argument("--seconds", default="120,20", help="time limits, with commas")
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


def main(argv=None):
    """Runs what is asked for; returns all results."""
    given = parsed(argv)
    if given.job:
        print(json.dumps(job(*json.loads(given.job), given.data_dir)))
        return None
    if given.quick:
        found = quick()
        print(summary.table(found))
        return found
    names = given.tables.split(",") if given.tables else tasks.names(given.data_dir)
    for seed in map(int, given.seeds.split(",")) if not given.summary else ():
        for name in names:
            for system in given.systems.split(","):
                for seconds in map(float, given.seconds.split(",")):
                    wanted = {"table": name, "system": system, "seed": seed, "seconds": seconds}
                    if key(wanted) in {key(each) for each in read()}:
                        continue
                    result = in_process(name, system, seed, seconds, given.data_dir)
                    if result is None:
                        print(f"{name} {system} {seed}: failed", flush=True)
                        continue
                    add(result)
                    print(f"{name} {system} {seed} {seconds:g} s: {result['loss']:.4g}", flush=True)
    found = read()
    print(summary.table(found))
    return found


if __name__ == "__main__":
    main()
