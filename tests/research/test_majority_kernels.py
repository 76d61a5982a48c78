"""Selection, penalty and tables of research/majority_kernels, and that its loop trains."""

import itertools
import json
import pathlib

import numpy as np
import pytest

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "research" / "majority_kernels"


@pytest.fixture
def load(load_from):
    """Imports a file of the folder."""
    return load_from("majority_kernels")


def coverage(similarity, chosen):
    return similarity[:, list(chosen)].max(axis=1).sum()


def test_facility_location_is_greedy_and_near_the_best_choice(load):
    choose = load("controls").facility_location
    for seed in range(20):
        similarity = np.random.default_rng(seed).random((7, 7))
        assert choose(similarity, 1) == [int(similarity.sum(axis=0).argmax())]
        chosen = choose(similarity, 3)
        assert len(set(chosen)) == 3
        best = max(coverage(similarity, s) for s in itertools.combinations(range(7), 3))
        # Nemhauser, Wolsey and Fisher's bound for greedy choices of a submodular function.
        assert coverage(similarity, chosen) >= (1 - 1 / np.e) * best
        for k in (1, 2):
            gains = [coverage(similarity, [*chosen[:k], j]) for j in range(7)]
            assert coverage(similarity, chosen[: k + 1]) == pytest.approx(max(gains))


def test_the_kernel_in_the_middle_is_selected(load):
    rng = np.random.default_rng(0)
    middle = rng.normal(size=(4, 5))
    kernels = np.stack([middle + rng.normal(size=(4, 5)), middle, middle + rng.normal(size=(4, 5))])
    found = load("controls").select(kernels)
    np.testing.assert_array_equal(found, np.stack([middle] * 3))


def test_the_subspace_penalty_by_hand(load):
    rng = np.random.default_rng(0)
    folded = [rng.normal(size=(3, 4, 5)), rng.normal(size=(3, 5, 2))]
    flat = np.concatenate([v.reshape(3, -1) for v in folded], axis=1)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    pairs = [float(flat[i] @ flat[j]) ** 2 for i, j in itertools.combinations(range(3), 2)]
    bias = rng.normal(size=7)
    found = float(load("controls").subspace_penalty(3, 2.0)([*folded, bias]))
    assert found == pytest.approx(2 * np.mean(pairs), rel=1e-5)


def test_accuracy_and_loss_by_hand(load):
    report = load("report")
    assert report.cell([0.5, 0.7]) == "60.0 ± 10.0"
    results = {
        "baseline": {"accuracy": [0.5, 0.7], "loss": [1.0, 2.0]},
        "short": {"accuracy": [0.6, 0.9], "loss": [0.5, 0.5]},
    }
    rows = report.table("Digits", results).splitlines()
    assert rows[-1].startswith("| stock, a tenth of the steps | 75.0 ± 15.0 | 0.500 ± 0.000 |")
    assert rows[-1].endswith("| +15.0 ± 5.0 |")
    assert rows[-2].endswith("| +0.0 ± 0.0 |")


def test_committed_results_fill_the_readme(load):
    report = load("report")
    results = json.loads((FOLDER / "results.json").read_text())
    text = (FOLDER / "README.md").read_text()
    assert all(
        report.table(report.TITLES[task], found) in text for task, found in results.items() if found
    )
