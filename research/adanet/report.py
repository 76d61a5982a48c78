"""Results as JSON rows, and as the tables of README.md beside the paper's."""

import dataclasses
import os
import pathlib
from collections import defaultdict

import numpy as np
from protocol import PAIRS

README = pathlib.Path(__file__).with_name("README.md")
BEGIN, END = "<!-- tables: run.py --readme -->", "<!-- end of tables -->"
OTHERS = ("logistic", "plain 512", "plain 2048", "plain 2048, dropout")
MODELS = ("AdaNet", "AdaNet, the paper's", *OTHERS)
VARIANTS = ("base", "AdaNet.SD", "AdaNet.R", "AdaNet.P", "AdaNet.D")
# Of each pair: AdaNet, logistic regression, networks; then the units that AdaNet learnt.
PAPER = {
    "deer-truck": (".9372 ± .0082", ".8997 ± .0066", ".9213 ± .0065", "990"),
    "deer-horse": (".8430 ± .0076", ".7685 ± .0119", ".8055 ± .0178", "1475"),
    "automobile-truck": (".8461 ± .0069", ".7976 ± .0076", ".8063 ± .0064", "2000"),
    "cat-dog": (".6924 ± .0129", ".6664 ± .0099", ".6595 ± .0141", "1800 + 25"),
    "dog-horse": (".8350 ± .0089", ".7968 ± .0128", ".8066 ± .0087", "1600"),
}
PAPER_VARIANTS = (".9372", ".9309", ".9336", ".9321", ".9376")


def as_row(pair: str, fold: int, result) -> dict:
    """A result as JSON values; `correct` as a list of 0 and 1."""
    fields = {**dataclasses.asdict(result), "correct": result.correct.astype(int).tolist()}
    return {"pair": pair, "fold": fold, **fields}


def differences(found: list[dict]) -> list[dict]:
    """AdaNet's accuracy minus every other model's on the same test rows, fold by fold.

    The standard error is that of the mean over rows of (AdaNet right) - (other right).
    """
    by_split = defaultdict(dict)
    for row in found:
        by_split[row["pair"], row["fold"]][row["model"]] = np.array(row["correct"], float)
    rows = []
    for (pair, fold), correct in by_split.items():
        for ours in ("AdaNet", "AdaNet, the paper's"):
            for other in OTHERS:
                gap = correct[ours] - correct[other]
                error = np.std(gap) / np.sqrt(len(gap))
                rows.append(
                    {
                        "pair": pair, "fold": fold, "model": ours, "other": other,
                        "difference": round(float(np.mean(gap)), 4),
                        "standard_error": round(float(error), 4),
                    }
                )  # fmt: skip
    return rows


def tables(results: dict) -> str:
    """All tables, as Markdown."""
    pairs = [pair for pair in PAIRS if pair in results["rows"]]
    titles = {
        "Test accuracy": _accuracies(results, pairs),
        "The paper's": _markdown(
            ["pair", "AdaNet", "logistic", "networks", "units"],
            [[pair, *PAPER[pair]] for pair in pairs],
        ),
        "AdaNet minus the other, on the same test rows": _differences(results, pairs, "AdaNet"),
        "The paper's algorithm minus the other": _differences(
            results, pairs, "AdaNet, the paper's"
        ),
        "Variants of the paper's algorithm, deer-truck": _variants(results),
    }
    cpu = sum(r["cpu_seconds"] for r in results["results"] if r["model"] != "AdaNet, the paper's")
    time = f"{results['minutes']} minutes, {results['workers']} workers, {cpu / 60:.1f} CPU minutes"
    return "\n".join([*(f"**{k}**\n\n{v}\n" for k, v in titles.items() if v), time])


def write_readme(results: dict) -> None:
    """Replaces the tables in README.md."""
    text = README.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    write(README, f"{before}{BEGIN}\n\n{tables(results)}\n\n{END}{after}")


def write(path: pathlib.Path, text: str) -> None:
    """Writes a file whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    os.replace(part, path)


def _accuracies(results, pairs):
    rows = []
    for pair in pairs:
        of_pair = [r for r in results["results"] if r["pair"] == pair]
        units = [str(r["units"]) for r in of_pair if r["model"] == "AdaNet"]
        folds = str(len({r["fold"] for r in of_pair}))
        scores = [[r["test"] for r in of_pair if r["model"] == model] for model in MODELS]
        rows.append([pair, folds, *(_spread(s) for s in scores), ", ".join(units)])
    return _markdown(["pair", "folds", *MODELS, "units of AdaNet"], rows)


def _differences(results, pairs, model):
    rows = []
    for pair in pairs:
        cells = []
        for other in OTHERS:
            found = [
                d for d in results["differences"]
                if (d["pair"], d["model"], d["other"]) == (pair, model, other)
            ]  # fmt: skip
            mean = np.mean([d["difference"] for d in found])
            error = np.sqrt(np.sum([d["standard_error"] ** 2 for d in found])) / len(found)
            cells.append(f"{mean:+.4f} ± {error:.4f}")
        rows.append([pair, *cells])
    return _markdown(["pair", *OTHERS], rows)


def _variants(results):
    rows = []
    for variant, paper in zip(VARIANTS, PAPER_VARIANTS, strict=True):
        found = [r for r in results["results"] if r["model"] == variant]
        if not found:
            return ""
        units = ", ".join(str(r["units"]) for r in found)
        rows.append([variant, _spread([r["test"] for r in found]), units, paper])
    return _markdown(["variant", "accuracy", "units", "paper"], rows)


def _spread(scores):
    """Mean, and the standard deviation over folds where there are several."""
    spread = f" ± {_short(np.std(scores, ddof=1))}" if len(scores) > 1 else ""
    return _short(np.mean(scores)) + spread


def _short(value):
    return f"{value:.4f}".removeprefix("0")


def _markdown(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
