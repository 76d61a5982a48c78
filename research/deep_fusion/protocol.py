"""Which models are trained: every arm, its controls, and the small grids behind their rates."""

import dataclasses

SEEDS = (1, 2)
TUNING_SEED = 0
SMALL, LARGE = 64, 128
SOURCE_STEPS, SOURCE_DECAY = 800, 400
# As much compute as the fused arm and its sources, spent from scratch with a falling rate.
DECAYED_STEPS, DECAYED_DECAY = 850, 400
# What is grown into what: by width to 3 blocks of 128 features, or by depth to 6 blocks of 64.
WIDTH_ARMS = ("fused", "self_fuse", "widen_zero", "widen_replicate")
ARMS = (*WIDTH_ARMS, "continued", "stack")
SCRATCH = {"large": (LARGE, 3), "deep": (SMALL, 6)}
# The best of each grid below, after the same number of steps of a seed that is not reported.
RATES = {
    "large": 0.002,
    "deep": 0.004,
    "small": 0.004,
    "fused": 0.001,
    "self_fuse": 0.001,
    "widen_zero": 0.001,
    "widen_replicate": 0.001,
    "stack": 0.002,
    "continued": 0.002,
}
STEPS = {
    "large": 1400,
    "deep": 800,
    "fused": 400,
    "self_fuse": 300,
    "widen_zero": 300,
    "widen_replicate": 300,
    "stack": 400,
    "continued": 600,
}
# When the diagnosed models grow, and the compute at which they are compared, in large steps.
MOMENTS = (100, 300, 600, 900)
MOMENT_BUDGET = 320


@dataclasses.dataclass(frozen=True)
class Job:
    """One training.

    Args:
        name: Of its file.
        arm: "large", "deep" or "small" from scratch, or how it was grown.
        seed: Of its weights and, moved, of its batches.
        rate: The learning rate.
        steps: How many.
        decay: Over how many last steps the rate falls.
        keep: Its weights are kept every so many steps; 0: never.
        sources: The jobs and steps whose weights it begins with.
    """

    name: str
    arm: str
    seed: int
    rate: float
    steps: int
    decay: int = 0
    keep: int = 0
    sources: tuple[tuple[str, int], ...] = ()


def jobs() -> list[Job]:
    """Every training, in an order in which sources come first."""
    found = [_source(side, TUNING_SEED) for side in "ab"]
    found += [Job(f"tune_small_{r}", "small", 0, r, 600) for r in (0.002, 0.004, 0.008)]
    found += [Job(f"tune_large_{r}", "large", 0, r, 500) for r in (0.001, 0.002, 0.004, 0.006)]
    found += [Job(f"tune_long_large_{r}", "large", 0, r, 1500) for r in (0.002, 0.004)]
    found += [_grown("fused", TUNING_SEED, r, 200) for r in (0.001, 0.002, 0.004)]
    for seed in SEEDS:
        found += [_source(side, seed) for side in "ab"]
        found.append(Job(f"large_{seed}", "large", seed, RATES["large"], STEPS["large"]))
    found += [_grown("fused", seed) for seed in SEEDS]
    for seed in SEEDS:
        rate = RATES["large"]
        found.append(
            Job(f"large_decayed_{seed}", "large", seed, rate, DECAYED_STEPS, DECAYED_DECAY)
        )
    for arm in ("stack", "widen_replicate", "widen_zero", "continued", "self_fuse"):
        found += [_grown(arm, seed) for seed in SEEDS]
        if arm == "stack":
            found += [Job(f"deep_{s}", "deep", s, RATES["deep"], STEPS["deep"]) for s in SEEDS]
    for side, seed in (("a", 10), ("b", 20)):
        name = f"moment_source_{side}"
        found.append(Job(name, "small", seed, RATES["small"], 1200, keep=100))
        found += [_moment(side, name, seed, step) for step in MOMENTS]
    for arm in (*WIDTH_ARMS[1:], "stack"):
        found += [_grown(arm, TUNING_SEED, r, 100) for r in (0.002, 0.004)]
    found += [Job(f"tune_deep_{r}", "deep", 0, r, 300) for r in (0.002, 0.004)]
    return found


def shape_of(job: Job) -> tuple[int, int]:
    """Width and depth of the model that a job trains."""
    if job.arm in ("small", "continued"):
        return SMALL, 3
    return SCRATCH["deep" if job.arm in ("deep", "stack") else "large"]


def _source(side: str, seed: int) -> Job:
    number = {"a": 10, "b": 20}[side] + seed
    rate, steps = RATES["small"], SOURCE_STEPS
    return Job(f"source_{side}_{seed}", "small", number, rate, steps, SOURCE_DECAY, steps)


def _grown(arm: str, seed: int, rate: float | None = None, steps: int = 0) -> Job:
    sides = "ab" if arm == "fused" else "a"
    sources = tuple((f"source_{side}_{seed}", SOURCE_STEPS) for side in sides)
    if rate is None:
        return Job(f"{arm}_{seed}", arm, 30 + seed, RATES[arm], STEPS[arm], sources=sources)
    return Job(f"tune_{arm}_{rate}", arm, 30 + seed, rate, steps, sources=sources)


def _moment(side: str, source: str, seed: int, step: int) -> Job:
    # A step of the small model costs about 0.27 of one of the large (model.flops_per_token).
    steps = round((MOMENT_BUDGET - 0.27 * step) / 50) * 50
    sources = ((source, step),)
    rate = RATES["widen_zero"]
    return Job(f"moment_{side}_{step}", "widen_zero", seed + step, rate, steps, sources=sources)
