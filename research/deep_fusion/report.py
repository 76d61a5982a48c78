"""Results as JSON, as the tables of README.md, and as a plot."""

import json
import os
import pathlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from accounting import compute, compute_to_reach, last_known, mean_and_error, saved
from protocol import ARMS, FALLING_STEPS, MOMENT_SEEDS, MOMENTS, SEEDS, WIDTH_ARMS, Job, jobs

README = pathlib.Path(__file__).with_name("README.md")
PLOT = pathlib.Path(__file__).with_name("loss.svg")
BEGIN, END = "<!-- tables: run.py --readme -->", "<!-- end of tables -->"
TITLES = {
    "large": "from scratch, 128 features",
    "deep": "from scratch, 6 blocks",
    "small": "small, from scratch",
    "large_falling": "from scratch, falling rate",
    "fused": "fused from two sources",
    "fused_short": "fused from two sources of half the steps",
    "fused_falling": "fused from two sources, falling rate",
    "self_fuse": "self-fused, cross 0.1",
    "widen_zero": "widened, zero",
    "widen_replicate": "widened, replicate",
    "stack": "stacked, 3 to 6 blocks",
    "continued": "small, continued",
}


def collect(kept: pathlib.Path, done: Iterable[Job] | None = None) -> dict[str, Any]:
    """All curves that are done, by job, with their settings."""
    curves = {}
    for job in jobs() if done is None else done:
        path = kept / f"{job.name}.json"
        if path.exists():
            curves[job.name] = json.loads(path.read_text()) | {
                "arm": job.arm, "seed": job.seed, "sources": [list(s) for s in job.sources]
            }  # fmt: skip
            for clock in ("cpu", "wall"):
                curves[job.name][clock] = [round(t, 1) for t in curves[job.name][clock]]
    paths = {str(seed): kept / f"diagnosis_{seed}.json" for seed in MOMENT_SEEDS}
    diagnosis = {seed: json.loads(p.read_text()) for seed, p in paths.items() if p.exists()}
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
        ("Both with a falling rate", _falling(results)),
        ("Rates: lowest validation loss, seed 0 (bold: taken)", _rates(results)),
        ("When to grow", _moments(results)),
    ]
    return "\n\n".join(f"**{title}**\n\n{text}" for title, text in parts if text)


def _savings(results: dict) -> str:
    rows = []
    for arm in ARMS:
        all_, path = savings(results, arm), savings(results, arm, parallel=True)
        if all_["saved"]:
            loss = f"{np.mean(all_['loss']):.4f}"
            steps = " / ".join(map(str, sorted(set(all_["step"]))))
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


def against_falling(results: dict, parallel: bool) -> dict[str, list]:
    """For each seed: what fused with a falling rate saves against scratch with a falling rate.

    Scratch is given by the ends of trainings of several lengths, between them by interpolation.
    """
    curves = results["curves"]
    found: dict[str, list] = {"saved": [], "loss": [], "at_equal_compute": []}
    for seed in SEEDS:
        fused = f"fused_falling_{seed}"
        others = [curves.get(f"large_falling_{steps}_{seed}") for steps in FALLING_STEPS]
        if fused not in curves or None in others:
            continue
        cost = float(compute(curves[fused], before(results, fused, parallel))[-1])
        loss = curves[fused]["loss"][-1]
        spent = np.array([compute(other)[-1] for other in others])
        losses = np.array([other["loss"][-1] for other in others])
        needed = compute_to_reach(loss, spent, losses)
        found["loss"].append(loss)
        found["at_equal_compute"].append(float(np.interp(cost, spent, losses)))
        # Outside the lengths that were trained nothing is known.
        if needed is not None and needed > spent[0]:
            found["saved"].append(1 - cost / needed)
    return found


def _falling(results: dict) -> str:
    rows = []
    for title, parallel in (("sources charged", False), ("critical path", True)):
        found = against_falling(results, parallel)
        if len(found["loss"]) > 1:
            gap = np.subtract(found["loss"], found["at_equal_compute"])
            mean, error = mean_and_error(gap)
            count = f"{len(found['saved'])} of {len(found['loss'])}"
            share = _percent(found["saved"]) if found["saved"] else ""
            rows.append([title, f"{mean:+.4f} ± {error:.4f}", share, count])
    head = ["accounting", "fused minus scratch, nats at equal compute", "compute saved", "seeds"]
    return _markdown(head, rows) if rows else ""


def _rates(results: dict) -> str:
    rows = []
    tuned = [curve for name, curve in results["curves"].items() if name.startswith("tune_")]
    for arm in dict.fromkeys(curve["arm"] for curve in tuned):
        ends = {curve["rate"]: min(curve["loss"]) for curve in tuned if curve["arm"] == arm}
        taken = min(ends, key=ends.get)
        cells = [f"{rate}: {'**' * (rate == taken)}{end:.4f}{'**' * (rate == taken)}"
                 for rate, end in sorted(ends.items())]  # fmt: skip
        steps = next(curve["steps"][-1] for curve in tuned if curve["arm"] == arm)
        rows.append([TITLES[arm], str(steps), ", ".join(cells)])
    return _markdown(["arm", "steps", "rate: loss"], rows)


def _moments(results: dict) -> str:
    """What each moment gives, and what the rules that choose one give on models not seen."""
    losses, ready = moment_numbers(results)
    if losses is None:
        return ""
    rows = []
    for i, step in enumerate(MOMENTS):
        mean, error = mean_and_error(losses[:, i])
        rows.append([f"step {step}", f"{mean:.4f} ± {error:.4f}", f"{ready[:, i].mean():.3f}"])
    half = len(losses) // 2
    fixed = int(np.argmin(losses[:half].mean(0)))
    threshold = best_threshold(losses[:half], ready[:half])
    given = picked(losses[half:], ready[half:], threshold)
    control = losses[half:, fixed]
    others = (
        (f"fixed step {MOMENTS[fixed]}, other models", control),
        (f"first with readiness above {threshold:.3g}, other models", given),
        ("best of each model, known afterwards", losses[half:].min(1)),
        ("readiness minus fixed", given - control),
    )
    for title, values in others:
        mean, error = mean_and_error(values)
        rows.append([title, f"{mean:.4f} ± {error:.4f}", ""])
    return _markdown(["grown at", "loss at equal compute", "readiness"], rows)


def moment_numbers(results: dict) -> tuple[Any, Any]:
    """Losses at equal compute and readiness, models by moments; or None, None."""
    losses, ready = [], []
    for seed in MOMENT_SEEDS:
        curves = [results["curves"].get(f"moment_{seed}_{step}") for step in MOMENTS]
        advice = results["diagnosis"].get(str(seed))
        if None not in curves and advice:
            losses.append([min(curve["loss"]) for curve in curves])
            ready.append([row["readiness"] for row in advice])
    return (np.array(losses), np.array(ready)) if len(losses) > 3 else (None, None)


def picked(losses: np.ndarray, ready: np.ndarray, threshold: float) -> np.ndarray:
    """The loss of each model at the first moment whose readiness is high enough, or the last."""
    above = ready >= threshold
    above[:, -1] = True
    return losses[np.arange(len(losses)), above.argmax(1)]


def best_threshold(losses: np.ndarray, ready: np.ndarray) -> float:
    """The threshold of readiness with which growth ends lowest on these models."""
    return float(min(np.unique(ready), key=lambda t: picked(losses, ready, t).mean()))


def plot(results: dict, path: Any = PLOT) -> None:
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
        axis.set(xlabel="TFLOP, sources charged", ylim=(1.6, 2.1))
        if axis.lines:
            axis.legend(fontsize=8)
    axes[0].set_ylabel("validation loss (nats a character)")
    figure.tight_layout()
    figure.savefig(path, format="svg", metadata={"Date": None})
    plt.close(figure)


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
