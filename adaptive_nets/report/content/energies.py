"""What is known of an energy-based machine, or of a structure that machines have found."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from adaptive_nets.energy import RBM, EnergyNet, StructureReport
from adaptive_nets.energy.checks import check_built, check_visible
from adaptive_nets.report.content.document import Block, Chart, Report, Section, Table, rounded
from adaptive_nets.report.content.environment import settings_section

_SAMPLES, _BINS = 1000, 40


def machine_report(machine: RBM, x: Any = None, units: Sequence[int] = ()) -> Report:
    """Returns the report of a machine.

    Args:
        machine: A trained `energy.RBM` or an instance of a subclass.
        x: `(rows, visible)`, preferably rows that it was not trained on. Defaults to `None`.
        units: Trained units after each epoch. Defaults to none.
    """
    check_built(machine)
    count = machine.n_units
    kernel = np.asarray(machine.kernel)[:count]
    norms = np.sqrt((kernel.astype("float64") ** 2).sum(axis=1))
    frame = pd.DataFrame({"x": np.arange(1, count + 1), "y": norms})
    blocks: list[Block] = [
        Chart("unit_norms", "Size of the units' weights, in order",
              f"L2 norms of the weights of {count} units.", frame, "lines", "unit",
              "L2 norm of its weights", zero=True),
    ]  # fmt: skip
    if len(units):
        epochs = pd.DataFrame({"x": np.arange(1, len(units) + 1), "y": list(units)})
        blocks.append(
            Chart("units", "Trained units after each epoch",
                  f"{units[0]} units after the first epoch, {units[-1]} after the last.",
                  epochs, "lines", "epoch", "trained units")
        )  # fmt: skip
    sections = [Section("units", "Units", tuple(blocks))]
    words = f"The machine has {count} trained units for {kernel.shape[1]} visible ones."
    if x is not None:
        section, told = _energies(machine, x)
        sections.append(section)
        words += f" {told}"
    settings = {k: v for k, v in machine.get_config().items() if isinstance(v, str | int | float)}
    sections.append(settings_section({k: str(v) for k, v in settings.items()}, None))
    return Report(f"Energy machine: {machine.name}", words, tuple(sections))


def _energies(machine, x):
    check_visible(x, machine)
    parts = {"data": x, "samples of the machine": machine.sample(_SAMPLES, seed=0)}
    energies = {name: np.asarray(machine.free_energy(each)) for name, each in parts.items()}
    edges = np.histogram_bin_edges(np.concatenate(list(energies.values())), _BINS)
    frames = []
    for name, values in energies.items():
        density = np.histogram(values, edges, density=True)[0]
        frames.append(
            pd.DataFrame({"start": edges[:-1], "end": edges[1:], "count": density, "series": name})
        )
    data, drawn = (float(values.mean()) for values in energies.values())
    told = f"Rows have a mean free energy of {rounded(data)} nats, its samples {rounded(drawn)}."
    chart = Chart(
        "free_energies", "Free energies of rows and of samples",
        f"{told} The machine models the rows well if the two overlap.",
        pd.concat(frames), "bins", "free energy, nats", "density",
    )  # fmt: skip
    means = pd.DataFrame({"of": list(energies), "mean_free_energy": [data, drawn]})
    table = Table("mean_free_energies", "Mean free energies", means)
    return Section("energies", "Energies", (chart, table)), told


def structure_report(source: EnergyNet | StructureReport) -> Report:
    """Returns the report of a structure.

    Args:
        source: An `energy.EnergyNet` that was fitted, or what its `fit` returned.
    """
    if isinstance(source, EnergyNet) and not hasattr(source, "report"):
        raise ValueError("This EnergyNet has found nothing yet. Call fit first.")
    found = source if isinstance(source, StructureReport) else source.report
    frame = found.table()
    bars = pd.DataFrame(
        {
            "label": [f"layer {k + 1}" for k in range(len(found.widths))],
            "value": list(found.widths),
        }
    )
    said = ", ".join(map(str, found.widths)) or "none"
    words = f"The data ask for {len(found.widths)} layers of these widths: {said}. {found.why}"
    blocks: list[Block] = [Table("layers", "Layers that were tried", frame)]
    if found.widths:
        blocks.insert(0, Chart("widths", "Widths", f"Widths: {said}.", bars, "bars", "units"))
    sections = (
        Section("structure", "Structure", tuple(blocks)),
        settings_section({}, None),
    )
    return Report("Structure found by energy", words, sections)
