"""Every script of research/ runs in its quick mode, in this process, and writes nothing there."""

import math
import pathlib

import keras
import numpy as np
import pytest

RESEARCH = pathlib.Path(__file__).resolve().parents[2] / "research"


@pytest.fixture
def run(load_from):
    """What `main` of a folder's script returns for `--quick`; the folder is as it was."""

    def run(folder, script="run"):
        def stamps():
            files = (path for path in (RESEARCH / folder).iterdir() if path.is_file())
            return {path.name: path.stat().st_mtime_ns for path in files}

        before = stamps()
        found = load_from(folder)(script).main(["--quick"])
        assert stamps() == before
        return found

    return run


def finite(values):
    return len(values) > 0 and np.isfinite(np.array(values, float)).all()


def test_adanet(run, capsys):
    found = run("adanet")
    assert set(found) == {"rows", "minutes", "workers", "results", "differences"}
    models = {row["model"] for row in found["results"]}
    assert models == {
        "AdaNet", "AdaNet, the paper's", "AdaNet.SD", "logistic",
        "plain 512", "plain 2048", "plain 2048, dropout",
    }  # fmt: skip
    assert all(0 <= row["test"] <= 1 and row["tried"] for row in found["results"])
    assert len(found["differences"]) == 8
    assert all(abs(row["difference"]) <= 1 for row in found["differences"])
    printed = capsys.readouterr().out
    assert "**Test accuracy**" in printed and "| deer-truck | 1 |" in printed


def test_deep_fusion(run, capsys):
    found = run("deep_fusion")
    assert list(found["curves"]) == ["source_long_a_1", "source_long_b_1", "fused_1"]
    for curve in found["curves"].values():
        assert curve["steps"] == [0, 2] and finite(curve["loss"]) and curve["flops_per_step"] > 0
    assert found["curves"]["fused_1"]["sources"] == [["source_long_a_1", 2], ["source_long_b_1", 2]]
    ((advice,),) = found["diagnosis"].values()
    assert advice["step"] == 2 and finite([v for k, v in advice.items() if k != "step"])
    assert "fused_1: " in capsys.readouterr().out


def test_energynet(run, capsys):
    found = run("energynet")
    assert list(found) == ["bars and stripes, 2 lines"]
    for (row,) in found.values():
        assert set(row) == {"raw", "width", "gain", "control", "control_gain"}
        assert finite(list(row.values())) and row["raw"] <= 8
    assert "| bars and stripes, 2 lines | " in capsys.readouterr().out


def test_energynet_search(run, capsys):
    found = run("energynet", "search")
    assert list(found) == ["Dense(), width 64", "Energy(init='energy')"]
    for (row,) in found.values():
        assert set(row) == {"accuracy", "parameters", "seconds"} and 0 <= row["accuracy"] <= 1
    assert "| candidates | test accuracy |" in capsys.readouterr().out


def test_energynet_grid(run, capsys):
    found = run("energynet", "grid")
    (folds,) = found.values()
    assert len(folds) == 1
    for fold in folds:
        assert set(fold) == {"grid search", "learnt widths", "learnt weights", "structure"}
        for arm in ("grid search", "learnt widths", "learnt weights"):
            assert set(fold[arm]) == {"accuracy", "sizes", "parameters", "seconds"}
            assert 0 <= fold[arm]["accuracy"] <= 1 and math.isfinite(fold[arm]["seconds"])
    assert capsys.readouterr().out.count("| breast cancer | ") == 3


def test_energynet_likelihood(run, capsys):
    (machines,) = run("energynet", "likelihood").values()
    assert list(machines) == ["infinite, regrouped"]
    for found in machines.values():
        steps, mean, low, high, units = zip(*found["curve"], strict=True)
        assert steps == (2, 4, 6, 8, 10, 12) and max(units) <= 8
        assert finite(mean) and all(np.less_equal(low, high))
    assert "negative log-likelihood, nats" in capsys.readouterr().out


@pytest.mark.backend_agnostic
@pytest.mark.skipif(keras.backend.backend() != "jax", reason="it trains with JAX alone")
def test_majority_kernels(run, capsys):
    found = run("majority_kernels")["digits_noisy"]
    assert list(found) == ["baseline", "majority", "sam"]
    for arm in found.values():
        assert len(arm["accuracy"]) == len(arm["loss"]) == 2
        assert finite(arm["loss"]) and all(0 <= value <= 1 for value in arm["accuracy"])
    assert "| majority kernels, k = 3 | " in capsys.readouterr().out


def test_every_script_is_tested():
    scripts = {
        path.parent.name + ("" if path.stem == "run" else f"_{path.stem}")
        for path in RESEARCH.glob("*/*.py")
        if '__name__ == "__main__"' in path.read_text()
    }
    assert {f"test_{name}" for name in scripts} <= set(globals())
