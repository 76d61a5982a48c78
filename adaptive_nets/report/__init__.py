"""Reports: searches and energy-based machines as plots and tables in files."""

from adaptive_nets.report.architecture import plot_architecture
from adaptive_nets.report.curves import plot_learning_curves
from adaptive_nets.report.energy import plot_energies, plot_filters, plot_units
from adaptive_nets.report.folder import write_report
from adaptive_nets.report.mixture import plot_mixture_weights

__all__ = [
    "plot_architecture",
    "plot_energies",
    "plot_filters",
    "plot_learning_curves",
    "plot_mixture_weights",
    "plot_units",
    "write_report",
]
