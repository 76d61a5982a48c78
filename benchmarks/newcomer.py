"""A newcomer's way: from a wheel and tables as they are to a served model, by commands alone.

    python benchmarks/newcomer.py --data_dir DIR [--tables a,b] [--seconds 60] [--work_dir DIR]
    python benchmarks/newcomer.py --pages [--work_dir DIR]
    python benchmarks/newcomer.py --quick [--pages]

The package is built and installed into a new environment, and a model is fitted to each table,
evaluated and exported. `saved_model_cli` then predicts raw rows with the export, in a process that
cannot import adaptive_nets; its predictions are compared with those of `adaptive-nets predict`.
`--pages` follows pages instead, word by word: from the start page to a served prediction, from an
import to a grown model, and from an estimator script to a SavedModel. `--quick` takes this
environment, a table that is drawn, and of the pages the first.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np
import pandas as pd

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from benchmarks.tabular.tasks import mixed_table

ROOT = pathlib.Path(__file__).resolve().parents[1]
TABLES = ("titanic", "telco_churn", "kc_housing", "sms_spam")
PAGES = ("docs/start.md", "docs/growth.md", "docs/gallery/estimator.md")
_BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What is read is the table as it is; the predictions of so many rows are compared.
ROWS = 1000


class Steps:
    """Runs commands of an environment in a folder, and keeps the seconds of each.

    Args:
        programs: The environment's folder of programs.
        work: The folder.
    """

    def __init__(self, programs, work):
        self.programs, self.work, self.seconds = programs, work, {}
        # Where a process serves, this stands in place of the package.
        self.barred = work / "barred"
        self.barred.mkdir(parents=True)
        (self.barred / "adaptive_nets.py").write_text("raise ImportError('it is not to be used')\n")

    def __call__(self, step, program, *arguments):
        """Runs a program to its end."""
        began = time.perf_counter()
        (self.serve if program == "saved_model_cli" else self.run)([program, *map(str, arguments)])
        self.seconds[step] = round(time.perf_counter() - began, 1)

    def run(self, command, path=""):
        """Runs a command in a process whose modules are the environment's, or before them `path`'s.

        Raises:
            RuntimeError: It failed. The message is the end of what it printed.
        """
        command = [str(self.programs / command[0]), *command[1:]]
        done = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": path}, cwd=self.work, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")

    def serve(self, command):
        """Runs a command in a process that cannot import adaptive_nets."""
        self.run(command, str(self.barred))


class StepsHere(Steps):
    """The same with the package of this process, which need not start again."""

    def run(self, command, path=""):
        from adaptive_nets.cli import app

        if path:
            return super().run(command, path)
        with contextlib.chdir(self.work):
            if command[0] == "python":
                exec(compile(command[-1], "a page", "exec"), {"__name__": "example"})
            elif app.main(command[1:]):
                raise RuntimeError(f"{command} failed")
        return None


def new_environment(work):
    """An environment with the package's wheel in it; returns its programs, and the seconds."""
    source, seconds = work / "source", {}
    shutil.copytree(
        ROOT, source, ignore=shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "dist"),
    )  # fmt: skip
    programs = work / "env" / ("Scripts" if os.name == "nt" else "bin")
    pip = [programs / "python", "-m", "pip", "--disable-pip-version-check", "--quiet"]

    def run(step, *command):
        began = time.perf_counter()
        subprocess.run(list(map(str, command)), check=True)
        seconds[step] = round(time.perf_counter() - began, 1)

    run("environment", sys.executable, "-m", "venv", work / "env")
    run("wheel", *pip, "wheel", "--no-deps", "--wheel-dir", work, source)
    # By its path: an index may have another of that name.
    run("install", *pip, "install", *work.glob("*.whl"))
    return programs, seconds


def raw_inputs(file, schema, folder):
    """Writes a table's first rows as they stand there, for `saved_model_cli run --inputs`.

    Numbers are floats, NaN where one is missing; all else is text, "" where it is missing.
    """
    given = pd.read_csv(file, dtype=str, keep_default_na=False, nrows=ROWS)
    columns = {}
    for feature in schema["features"]:
        column = given[feature["name"]]
        if feature["dtype"] == "string":
            columns[feature["key"]] = column.to_numpy().astype("U")
        else:
            columns[feature["key"]] = pd.to_numeric(column).to_numpy(feature["dtype"])
    np.savez(folder / "rows.npz", **columns)
    return ";".join(f"{key}=rows.npz[{key}]" for key in columns)


def difference(predicted, folder):
    """The greatest difference of served predictions, relative to the greatest one above 1."""
    found = next(
        each for each in ("probabilities", "predictions") if (folder / f"{each}.npy").exists()
    )
    served = np.load(folder / f"{found}.npy")
    served = served.reshape(len(served), -1)
    wanted = predicted.filter(regex=r"^(probability_|prediction)").to_numpy()[: len(served)]
    return float(np.max(np.abs(served - wanted)) / max(1.0, np.max(np.abs(wanted))))


def way(run, file, target, seconds):
    """Fits, evaluates and serves one table; returns figures."""
    model, table = ("--model_dir", "model"), ("--table", file)
    limit = ("--time_limit", seconds)
    run("fit", "adaptive-nets", "fit", *table, "--target", target, *model, *limit)
    run("predict", "adaptive-nets", "predict", *model, *table, "--out", "predicted.csv")
    run("evaluate", "adaptive-nets", "evaluate", *model, *table)
    run("export", "adaptive-nets", "export", *model, "--path", "served")
    schema = json.loads((run.work / "served" / "assets.extra" / "schema.json").read_text())
    inputs = raw_inputs(file, schema, run.work)
    served = ("--dir", "served", "--tag_set", "serve", "--signature_def", "serving_default")
    run("show", "saved_model_cli", "show", *served)
    run("serve", "saved_model_cli", "run", *served, "--inputs", inputs, "--outdir", "outputs")
    predicted = pd.read_csv(run.work / "predicted.csv")
    return {**run.seconds, "difference": difference(predicted, run.work / "outputs")}


def follow(run, text, seconds=None):
    """Runs a page's commands and Python blocks in their order; returns the seconds of each.

    Blocks of Python share their names: each runs after those before it. The commands that install
    have been run already.

    Args:
        run: The `Steps` to run with.
        text: The page.
        seconds: Time limit in place of those of the page, or `None`.
    """
    if seconds is not None:
        text = re.sub(r"(time_limit[ =])\d+", rf"\g<1>{seconds}", text)
    before = ""
    for number, (kind, block) in enumerate(_BLOCK.findall(text)):
        if kind == "python":
            before += block
            run(f"{number} python", "python", "-c", before)
        elif "pip install" not in block:
            for line in block.splitlines():
                program, *arguments = shlex.split(line)
                run(f"{number} {program} {arguments[0]}", program, *arguments)
    return run.seconds


def parsed(argv):
    """The command's arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="seconds: only shows that it runs")
    parser.add_argument("--pages", action="store_true", help="follow pages, and no tables")
    parser.add_argument("--data_dir", type=pathlib.Path, help="folder of the tables")
    parser.add_argument("--tables", default=",".join(TABLES), help="names, with commas")
    parser.add_argument("--seconds", default="60", help="time limit of each fit")
    parser.add_argument("--work_dir", type=pathlib.Path, help="folder to write; default: a new one")
    given = parser.parse_args(argv)
    if not given.quick and not given.pages and given.data_dir is None:
        parser.error("--data_dir is needed, or --pages or --quick")
    return given


def main(argv=None):
    """Goes the way with each table; returns the figures by table."""
    given = parsed(argv)
    work = pathlib.Path(tempfile.mkdtemp(dir=given.work_dir)).resolve()
    programs = pathlib.Path(sys.executable).parent
    if not given.quick:
        programs, installed = new_environment(work)
        print(", ".join(f"{step}: {taken} s" for step, taken in installed.items()), flush=True)
    make = StepsHere if given.quick else Steps
    if given.pages:
        found = {}
        for name in PAGES[:1] if given.quick else PAGES:
            run = make(programs, work / pathlib.Path(name).stem)
            text = (ROOT / name).read_text(encoding="utf-8")
            found[name] = follow(run, text, 1 if given.quick else None)
            print(f"{name}: {sum(found[name].values()):.0f} s, {found[name]}", flush=True)
        return found
    if given.quick:
        seconds = "2"
        mixed_table(200, 0).to_csv(work / "mixed.csv", index=False)
        tables = {"mixed": (work / "mixed.csv", "bought")}
    else:
        folder, seconds = given.data_dir.resolve() / "tables", given.seconds
        about = json.loads((folder / "tables.json").read_text())
        tables = {
            name: (folder / f"{name}.csv.gz", about[name]["target"])
            for name in given.tables.split(",")
        }
    found = {}
    for name, (file, target) in tables.items():
        found[name] = way(make(programs, work / name), file, target, seconds)
        print(f"{name}: {found[name]}", flush=True)
    print(pd.DataFrame(found).T.to_string())
    return found


if __name__ == "__main__":
    main()
