"""Reports: models, searches, growth and energy-based machines as pages, data and plots."""

from adaptive_nets.report.architecture import plot_architecture
from adaptive_nets.report.content.document import Report
from adaptive_nets.report.curves import plot_learning_curves
from adaptive_nets.report.energy import plot_energies, plot_filters, plot_units
from adaptive_nets.report.files import report_data, write_report
from adaptive_nets.report.mixture import plot_mixture_weights

__all__ = [
    "Report",
    "plot_architecture",
    "plot_energies",
    "plot_filters",
    "plot_learning_curves",
    "plot_mixture_weights",
    "plot_units",
    "report_data",
    "write_report",
]
