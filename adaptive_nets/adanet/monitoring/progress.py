"""Progress displays of a running search."""

import sys
import time
from typing import TYPE_CHECKING

import numpy as np
from absl import logging
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from adaptive_nets._checks import check_choice

if TYPE_CHECKING:
    from adaptive_nets.adanet.rounds.training_state import TrainingState

# Wide enough for the title to stay on one line.
WIDTH = 60


def make_progress(verbose: str | int, console: Console | None = None) -> "Progress":
    """Creates the display: 0 silent, 1 live, 2 lines; `"auto"` is live only on a terminal."""
    verbose = check_choice("verbose", verbose, ("auto", 0, 1, 2, True, False))
    if verbose == "auto":
        verbose = 1 if sys.stdout.isatty() else 2
    if not verbose:
        return Progress()
    console = console or Console(highlight=False, soft_wrap=verbose == 2)
    return LiveProgress(console) if verbose == 1 else LineProgress(console)


class Progress:
    """Shows nothing."""

    def round_begin(self, number: int, total: int | None, names: list[str], steps: int) -> None:
        self.number, self.total, self.names, self.steps = number, total, names, steps
        self.began = time.perf_counter()

    @property
    def label(self) -> str:
        """The round, and of how many if that is known."""
        return f"round {self.number}" + ("" if self.total is None else f"/{self.total}")

    def update(self, training: "TrainingState", remaining: float | None) -> None:
        """Called after every compiled call, with the seconds left or `None`."""

    def round_end(self, winner: str, objective: float, metrics: dict[str, float]) -> None:
        """Called when the round has been decided."""

    def stopped(self, why: str) -> None:
        """Called when a search with a time limit has ended, with the reason."""
        logging.info(why)

    def close(self) -> None:
        """Called when the search ends, however it ends."""

    def rate(self, training: "TrainingState") -> float:
        return training.step / max(training.seconds, 1e-9)

    def summary(self, winner: str, objective: float, metrics: dict[str, float]) -> str:
        seconds = time.perf_counter() - self.began
        shown = "  ".join(f"{k} {v:.4g}" for k, v in metrics.items())
        return f"{self.label}: {winner}  objective {objective:.5g}  {shown}  ({seconds:.1f} s)"


class LineProgress(Progress):
    """Prints one plain line per round."""

    def __init__(self, console: Console):
        self.console = console

    def round_end(self, winner: str, objective: float, metrics: dict[str, float]) -> None:
        self.console.print(self.summary(winner, objective, metrics))

    def stopped(self, why: str) -> None:
        self.console.print(why)


class LiveProgress(LineProgress):
    """Shows a live table of the round's subnetworks, replaced by one line at its end.

    It says what is tried, how far training is and how long it takes, the losses (also on held-out
    rows, where they are measured), the best ensemble so far, and the time left.
    """

    def __init__(self, console: Console):
        super().__init__(console)
        self.live = None
        self.best = ""

    def round_begin(self, number: int, total: int | None, names: list[str], steps: int) -> None:
        super().round_begin(number, total, names, steps)
        self.live = Live(
            self._table(None, None), console=self.console, transient=True, auto_refresh=False
        )
        self.live.start()
        self.shown = 0.0

    def update(self, training: "TrainingState", remaining: float | None) -> None:
        now = time.perf_counter()
        if now - self.shown > 0.1 or training.step >= self.steps:
            self.shown = now
            self.live.update(self._table(training, remaining), refresh=True)

    def round_end(self, winner: str, objective: float, metrics: dict[str, float]) -> None:
        self.close()
        super().round_end(winner, objective, metrics)
        # That of a round is never worse than the one before.
        shown = "".join(f", {name} {value:.4g}" for name, value in metrics.items())
        self.best = f"best so far: objective {objective:.5g}{shown} ({self.label})"

    def close(self) -> None:
        if self.live is not None:
            self.live.stop()
            self.live = None

    def _table(self, training, remaining):
        held_out = training is not None and training.held_out
        names = ["subnetwork", "loss", *(["held-out loss", "lowest"] if held_out else [])]
        doing, notes = "compiling", [self.best] if self.best else []
        if training is not None:
            rate = self.rate(training)
            left = (self.steps - training.step) / max(rate, 1e-9)
            if remaining is not None:
                left = min(left, remaining)
                notes.append(f"{remaining:,.0f} s left of the time limit")
            doing = f"step {training.step}/{self.steps}, {rate:,.0f} steps/s, {left:.0f} s left"
        table = Table(
            title=f"{self.label}: {doing}", caption="\n".join(notes) or None, min_width=WIDTH
        )
        for name in names:
            # Names may take several lines; figures may not.
            figures = name != "subnetwork"
            table.add_column(name, justify="right" if figures else "left", no_wrap=figures)
        if training is None:
            for name in self.names:
                table.add_row(escape(name), "")
            return table
        lowest, last = _measured(training) if held_out else ([], [])
        for k, (name, loss, bad) in enumerate(
            zip(self.names, training.losses, training.diverged, strict=True)
        ):
            cells = [f"diverged at step {bad}" if bad else f"{loss:.4g}"]
            if held_out:
                cells += ["-" if np.isnan(v) else f"{v:.4g}" for v in (last[k], lowest[k])]
            table.add_row(escape(name), *cells)
        return table


def _measured(training: "TrainingState") -> tuple[np.ndarray, np.ndarray]:
    """Returns the lowest and the last loss of each subnetwork on held-out rows, NaN for none."""
    losses = np.asarray(training.held_out, "float64")[:, 1:]
    known = np.isfinite(losses)
    lowest = np.where(known, losses, np.inf).min(axis=0)
    place = len(losses) - 1 - np.argmax(known[::-1], axis=0)
    last = losses[place, np.arange(losses.shape[1])]
    return np.where(known.any(axis=0), lowest, np.nan), last
