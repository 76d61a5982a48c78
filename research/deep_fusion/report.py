"""Results as JSON, as the tables of README.md, and as a plot."""

import json
import os
import pathlib
from typing import Any

import numpy as np
from accounting import compute, last_known, mean_and_error, saved
from protocol import ARMS, RATES, SEEDS, WIDTH_ARMS, jobs

README = pathlib.Path(__file__).with_name("README.md")
PLOT = pathlib.Path(__file__).with_name("loss.svg")
BEGIN, END = "<!-- tables: run.py --readme -->", "<!-- end of tables -->"
TITLES = {
    "large": "from scratch, 128 features",
    "deep": "from scratch, 6 blocks",
    "fused": "fused from two sources",
    "self_fuse": "self-fused, cross 0.1",
    "widen_zero": "widened, zero",
    "widen_replicate": "widened, replicate",
    "stack": "stacked, 3 to 6 blocks",
    "continued": "small, continued",
}


def collect(kept: pathlib.Path) -> dict[str, Any]:
    """All curves that are done, by job, with their settings."""
    curves = {}
    for job in jobs():
        path = kept / f"{job.name}.json"
        if path.exists():
            curves[job.name] = json.loads(path.read_text()) | {
                "arm": job.arm, "seed": job.seed, "sources": [list(s) for s in job.sources]
            }  # fmt: skip
            for clock in ("cpu", "wall"):
                curves[job.name][clock] = [round(t, 1) for t in curves[job.name][clock]]
    path = kept / "diagnosis.json"
    diagnosis = json.loads(path.read_text()) if path.exists() else {}
    return {"curves": curves, "diagnosis": diagnosis}


def before(results: dict, name: str, parallel: bool) -> float:
    """The FLOPs of a job's sources: all of them, or the longest alone."""
    curves = results["curves"]
    costs = [step * curves[name]["flops_per_step"] for name, step in curves[name]["sources"]]
    return (max if parallel else sum)(costs or [0.0])


def savings(results: dict, arm: str, parallel: bool = False) -> dict[str, list]:
    """For each seed of a grown arm: the last saving against scratch, its loss and its step."""
    curves, control = results["curves"], "deep" if arm == "stack" else "large"
    found = {"saved": [], "loss": [], "step": [], "end": []}
    for seed in SEEDS:
        name, other = f"{arm}_{seed}", f"{control}_{seed}"
        if name not in curves or other not in curves:
            continue
        one, two = curves[name], curves[other]
        spent = compute(one, before(results, name, parallel))
        last = last_known(saved(spent, one["loss"], compute(two), two["loss"]))
        if last is not None:
            at = last[0]
            found["saved"].append(last[1])
            found["loss"].append(min(one["loss"][: at + 1]))
            found["step"].append(one["steps"][at])
            found["end"].append(min(one["loss"]))
    return found


def tables(results: dict) -> str:
    """All tables, as Markdown."""
    parts = [
        ("Compute saved against training from scratch", _savings(results)),
        ("Loss at equal compute", _equal(results)),
        ("Fused against scratch with a falling rate, by seed", _decayed(results)),
        ("Rates: validation loss after the steps of the grid, seed 0", _rates(results)),
        ("When to grow", _moments(results)),
    ]
    return "\n\n".join(f"**{title}**\n\n{text}" for title, text in parts if text)


def _savings(results: dict) -> str:
    rows = []
    for arm in ARMS:
        all_, path = savings(results, arm), savings(results, arm, parallel=True)
        if all_["saved"]:
            loss = f"{np.mean(all_['loss']):.4f}"
            steps = " / ".join(map(str, all_["step"]))
            cells = [_percent(all_["saved"]), _percent(path["saved"])]
            rows.append([TITLES[arm], str(len(all_["saved"])), steps, loss, *cells])
    head = ["arm", "seeds", "steps after growth", "at loss"]
    return _markdown([*head, "saved, sources charged", "saved, critical path"], rows)


def _equal(results: dict) -> str:
    """The best loss up to the compute at which the shortest curve of each comparison ends."""
    curves = results["curves"]
    rows = []
    for control, arms in (("large", (*WIDTH_ARMS, "continued")), ("deep", ("stack",))):
        names = [n for a in (control, *arms) for n in (f"{a}_{s}" for s in SEEDS) if n in curves]
        if not names:
            continue
        ends = [compute(curves[n], before(results, n, False))[-1] for n in names]
        for budget in (0.6 * min(ends), 0.8 * min(ends), min(ends)):
            for arm in (control, *arms):
                losses = []
                for name in (f"{arm}_{s}" for s in SEEDS if f"{arm}_{s}" in curves):
                    spent = compute(curves[name], before(results, name, False))
                    within = np.flatnonzero(spent <= budget * (1 + 1e-9))
                    if len(within):
                        losses.append(min(np.array(curves[name]["loss"])[within]))
                if len(losses) > 1:
                    mean, error = mean_and_error(losses)
                    cell = f"{mean:.4f} ± {error:.4f}"
                    rows.append([f"{budget / 1e12:.1f} TFLOP", TITLES[arm], cell])
    return _markdown(["compute, sources charged", "arm", "validation loss"], rows)


def _decayed(results: dict) -> str:
    curves, rows = results["curves"], []
    for seed in SEEDS:
        one, two = curves.get(f"fused_{seed}"), curves.get(f"large_decayed_{seed}")
        if one and two:
            spent = compute(one, before(results, f"fused_{seed}", False))[-1]
            cells = [f"{spent / 1e12:.2f}", f"{one['loss'][-1]:.4f}"]
            cells += [f"{compute(two)[-1] / 1e12:.2f}", f"{two['loss'][-1]:.4f}"]
            rows.append([str(seed), *cells])
    head = ["seed", "fused, TFLOP", "loss at its end", "falling rate, TFLOP", "loss at its end"]
    return _markdown(head, rows) if rows else ""


def _rates(results: dict) -> str:
    rows = []
    for name, curve in results["curves"].items():
        if name.startswith("tune_"):
            mark = " (taken)" if curve["rate"] == RATES[curve["arm"]] else ""
            arm = TITLES.get(curve["arm"], "small, from scratch")
            end = f"{min(curve['loss']):.4f}"
            rows.append([arm, f"{curve['rate']}{mark}", str(curve["steps"][-1]), end])
    return _markdown(["arm", "rate", "steps", "loss"], rows)


def _moments(results: dict) -> str:
    rows = []
    for side, advice in results["diagnosis"].items():
        for row in advice:
            curve = results["curves"].get(f"moment_{side}_{row['step']}")
            loss = f"{min(curve['loss']):.4f}" if curve else ""
            numbers = [row["signal_to_noise"], row["conflict_ratio"], row["readiness"]]
            cells = [f"{n:.3f}" for n in numbers]
            rows.append([side, str(row["step"]), *cells, f"{row['gradient_norm']:.3f}", loss])
    head = ["model", "grown at step", "signal to noise", "conflict", "readiness", "gradient"]
    return _markdown([*head, "loss at equal compute"], rows) if rows else ""


def plot(results: dict) -> None:
    """Loss against compute, every arm's mean over seeds."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "deep_fusion"
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True)
    curves = results["curves"]
    groups = (("large", *WIDTH_ARMS, "continued"), ("deep", "stack"))
    for axis, group in zip(axes, groups, strict=True):
        for arm in group:
            names = [f"{arm}_{s}" for s in SEEDS if f"{arm}_{s}" in curves]
            if names:
                spent = compute(curves[names[0]], before(results, names[0], False)) / 1e12
                mean = np.mean([curves[n]["loss"] for n in names], axis=0)
                axis.plot(spent, mean, label=TITLES[arm], linewidth=1.2)
        axis.set(xlabel="TFLOP, sources charged", ylim=(1.65, 2.2))
        if axis.lines:
            axis.legend(fontsize=8)
    axes[0].set_ylabel("validation loss (nats a character)")
    figure.tight_layout()
    figure.savefig(PLOT, metadata={"Date": None})


def write_readme(results: dict) -> None:
    """Replaces the tables in README.md."""
    text = README.read_text()
    start, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    write(README, f"{start}{BEGIN}\n\n{tables(results)}\n\n{END}{after}")


def write(path: pathlib.Path, text: str) -> None:
    """Writes a file whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    os.replace(part, path)


def _percent(values: list[float]) -> str:
    if len(values) < 2:
        return f"{values[0]:.1%}"
    mean, error = mean_and_error(values)
    return f"{mean:.1%} ± {error:.1%}"


def _markdown(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
