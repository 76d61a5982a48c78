"""`adaptive-nets fuse`: fuses trained models into one larger model."""

import os
from pathlib import Path

from absl import flags as absl_flags

from adaptive_nets import growth
from adaptive_nets.cli import flags, output
from adaptive_nets.files.atomic import atomic_write


def fuse(values: absl_flags.FlagValues) -> None:
    """Prints the plan, fuses, prints the report, and writes the model.

    Args:
        values: Parsed flags of the subcommand.
    """
    if not values.out.endswith(".keras"):
        raise flags.UsageError(f"--out must end in .keras. Received: {values.out}.")
    for path in values.sources:
        if not os.path.isfile(path):
            raise OSError(f"File not found: {path!r}. Expected a model saved as .keras.")
    output.check_target("--out", values.out, values.sources)
    cross = values.cross
    if cross not in ("zero", "random"):
        try:
            cross = float(cross)
        except ValueError:
            raise flags.UsageError(
                f"--cross must be zero, random or a number. Received: {cross}."
            ) from None
    plan = growth.plan_fuse(
        values.sources, cross, values.norm, values.output, values.preserve, values.seed
    )
    print(plan)
    model, report = growth.apply(plan)
    with atomic_write(Path(values.out), suffix=".keras") as name:
        model.save(name)
    print(str(report).partition("\n")[0])
    print(f"Wrote {values.out}")
