"""Which models are trained: every arm, its controls, and the grids behind their rates."""

import dataclasses

SEEDS = (1, 2, 3, 4, 5, 6, 7)
TUNING_SEED = 0
SMALL, LARGE = 64, 128
# Steps of a source, and over how many of them its rate falls in the end.
SOURCES = {"long": (800, 400), "short": (400, 200)}
# What is grown into what: by width to 3 blocks of 128 features, or by depth to 6 blocks of 64.
WIDTH_ARMS = ("fused", "fused_short", "self_fuse", "widen_zero", "widen_replicate")
ARMS = (*WIDTH_ARMS, "continued", "stack")
SCRATCH = {"large": (LARGE, 3), "deep": (SMALL, 6)}
# Rates that each arm is tried with, and at the arm's full length, on a seed not reported.
GRIDS = {
    "small": (0.001, 0.002, 0.004, 0.008),
    "large": (0.001, 0.002, 0.004, 0.006),
    "deep": (0.001, 0.002, 0.004, 0.008),
    "large_falling": (0.002, 0.004, 0.006, 0.008),
    "continued": (0.0005, 0.001, 0.002, 0.004),
} | dict.fromkeys((*WIDTH_ARMS, "fused_falling", "stack"), (0.0005, 0.001, 0.002, 0.004))
STEPS = {
    "small": 800,
    "large": 1800,
    "deep": 1200,
    "fused": 400,
    "fused_short": 600,
    "self_fuse": 500,
    "widen_zero": 500,
    "widen_replicate": 500,
    "stack": 400,
    "continued": 2400,
    # The rate falls over the last steps: what a training would end with that is not grown on.
    "large_falling": 850,
    "fused_falling": 400,
}
# How long scratch with a falling rate runs: its frontier of loss against compute.
FALLING_STEPS = (450, 650, 850, 1050, 1350)
FALLING = 400
# When the diagnosed models grow, and the compute at which they are compared, in large steps.
MOMENT_SEEDS = (10, 11, 12, 13, 14, 15, 16, 17)
MOMENTS = (100, 200, 400, 600, 900)
MOMENT_BUDGET = 400


@dataclasses.dataclass(frozen=True)
class Job:
    """One training.

    Args:
        name: Of its file.
        arm: "large", "deep" or "small" from scratch, or how it was grown; with "_falling", the
            rate falls in the end.
        seed: Of its weights and, moved, of its batches.
        steps: How many.
        rate: The learning rate; None: the best of the arm's grid.
        decay: Over how many last steps the rate falls.
        keep: After which steps its weights are kept.
        sources: The jobs and steps whose weights it begins with.
        blocks: Of the small model.
    """

    name: str
    arm: str
    seed: int
    steps: int
    rate: float | None = None
    decay: int = 0
    keep: tuple[int, ...] = ()
    sources: tuple[tuple[str, int], ...] = ()
    blocks: int = 3

    @property
    def needs(self) -> set[str]:
        """The jobs that must be done before this one."""
        names = {name for name, _ in self.sources}
        return names if self.rate is not None else names | {each.name for each in grid(self.arm)}


def grid(arm: str) -> list[Job]:
    """The trainings that choose the rate of an arm."""
    return [
        dataclasses.replace(_job(arm, TUNING_SEED), name=f"tune_{arm}_{rate}", rate=rate, keep=())
        for rate in GRIDS[arm]
    ]


def jobs() -> list[Job]:
    """Every training, in an order in which what others need comes first."""
    found = [*grid("small"), *grid("large"), *grid("large_falling"), *grid("deep")]
    found += [_source(side, kind, TUNING_SEED) for kind in SOURCES for side in "ab"]
    for arm in (*ARMS, "fused_falling"):
        found += grid(arm)
    for seed in SEEDS:
        found += [_source(side, kind, seed) for kind in SOURCES for side in "ab"]
        found += [_job(arm, seed) for arm in (*SCRATCH, *ARMS, "fused_falling")]
        found += [
            dataclasses.replace(
                _job("large_falling", seed), name=f"large_falling_{steps}_{seed}", steps=steps
            )
            for steps in FALLING_STEPS
        ]
    for seed in MOMENT_SEEDS:
        name = f"moment_source_{seed}"
        found.append(Job(name, "small", seed, MOMENTS[-1], keep=MOMENTS))
        found += [_moment(name, seed, step) for step in MOMENTS]
    return found


def quick_jobs(steps: int) -> list[Job]:
    """Two sources and what is fused out of them, a few steps each: to see that it runs."""
    small = {"steps": steps, "rate": 1e-3, "blocks": 1}
    sources = [
        dataclasses.replace(_source(side, "long", 1), keep=(steps,), **small) for side in "ab"
    ]
    given = tuple((source.name, steps) for source in sources)
    return [*sources, dataclasses.replace(_job("fused", 1), sources=given, **small)]


def shape_of(job: Job) -> tuple[int, int]:
    """Width and depth of the model that a job trains."""
    if job.arm in ("small", "continued"):
        return SMALL, job.blocks
    width, blocks = SCRATCH["deep" if job.arm in ("deep", "stack") else "large"]
    return width, blocks * job.blocks // 3


def _source(side: str, kind: str, seed: int) -> Job:
    number = {"a": 100, "b": 200}[side] + seed
    steps, decay = SOURCES[kind]
    return Job(f"source_{kind}_{side}_{seed}", "small", number, steps, None, decay, (steps,))


def _job(arm: str, seed: int) -> Job:
    if arm == "small":
        return dataclasses.replace(_source("a", "long", seed), name=f"small_{seed}")
    decay = FALLING if arm.endswith("_falling") else 0
    sources: tuple[tuple[str, int], ...] = ()
    if arm not in SCRATCH and arm != "large_falling":
        kind = "short" if arm == "fused_short" else "long"
        sides = "ab" if arm.startswith("fused") else "a"
        sources = tuple((f"source_{kind}_{side}_{seed}", SOURCES[kind][0]) for side in sides)
    return Job(f"{arm}_{seed}", arm, 300 + seed, STEPS[arm], None, decay, sources=sources)


def _moment(source: str, seed: int, step: int) -> Job:
    # A step of the small model costs about 0.27 of one of the large (model.flops_per_token).
    steps = round((MOMENT_BUDGET - 0.27 * step) / 50) * 50
    return Job(f"moment_{seed}_{step}", "widen_zero", 400 + seed, steps, sources=((source, step),))
