"""What the live display shows on a terminal."""

import io
import types

import numpy as np
from rich.console import Console

from adaptive_nets.adanet.monitoring.progress import make_progress


def shown(training, remaining, rounds=1, width=70, **console):
    text = io.StringIO()
    progress = make_progress(
        1, Console(file=text, width=width, force_terminal=True, highlight=False, **console)
    )
    for number in range(1, rounds):
        progress.round_begin(number, 5, ["a"], 10)
        progress.round_end("a", 0.25, {"val_accuracy": 0.91})
    progress.round_begin(rounds, 5, ["1_dense[4]", "long_" * 20], 100)
    progress.update(training, remaining)
    progress.close()
    return text.getvalue()


def training(held_out=()):
    return types.SimpleNamespace(
        step=40, seconds=2.0, losses=np.array([0.5, 0.7]), diverged=np.array([0, 7]),
        held_out=list(held_out),
    )  # fmt: skip


def test_it_shows_what_is_tried_how_good_it_is_and_the_time_left():
    found = shown(training([[10, 0.4, 0.9], [30, 0.45, np.nan]]), 90.0, rounds=2)
    for words in ("round 2/5", "step 40/100", "3 s left", "1_dense[4]", "0.5", "diverged at step 7",
                  "held-out loss", "0.45", "0.4", "0.9", "90 s left of the time limit",
                  "best so far: objective 0.25, val_accuracy 0.91 (round 1/5)"):  # fmt: skip
        assert words in found, words


def test_nothing_is_shown_of_what_is_not_known():
    found = shown(training(), None)
    assert not any(words in found for words in ("held-out", "best so far", "time limit"))


def test_no_color_is_kept(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in shown(training(), 5.0).replace("\x1b[3m", "")
