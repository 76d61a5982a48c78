"""Twelve scripts of tf.estimator and adanet, before and after they were moved.

`before` has them as they ran with TensorFlow 2.15 and adanet 0.9. At most the imports, the two
methods of a builder and three further lines differ; each ends in a model that is served without
this package.
"""

import ast
import difflib
import pathlib

import numpy as np
import pytest
import served_cases

HERE = pathlib.Path(__file__).parent
METHODS = ("build_subnetwork", "build_subnetwork_train_op")
# What stands for an import: TensorFlow's own name of what it removed.
NAMED = "tf.estimator = an.estimator"
QUICK = ("multi_head", "weighted_rows")
SERVE = """
import sys
import numpy as np
import tensorflow as tf

folder, inputs, found = sys.argv[1:]
served = tf.saved_model.load(folder).signatures["predict"]
given = {name: tf.constant(values) for name, values in np.load(inputs).items()}
np.savez(found, **{name: values.numpy() for name, values in served(**given).items()})
"""


def free_lines(text):
    """The numbers of the lines that may change: imports, and two methods of a builder."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        method = isinstance(node, ast.FunctionDef) and node.name in METHODS
        if method or isinstance(node, ast.Import | ast.ImportFrom):
            found |= set(range(node.lineno - 1, node.end_lineno))
    lines = text.splitlines()
    return found | {k for k, line in enumerate(lines) if not line.strip() or line == NAMED}


def changed(before, after):
    """The statements that differ, imports and a builder's two methods left out."""
    old, new = before.splitlines(), after.splitlines()
    free = free_lines(before), free_lines(after)
    found = []
    for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            left = [old[k] for k in range(a, b) if k not in free[0]]
            right = [new[k] for k in range(c, d) if k not in free[1]]
            found += right if len(right) >= len(left) else left
    return found


def read(name):
    before = (HERE / "before" / f"{name}.txt").read_text("utf-8")
    return before, (HERE / f"{name}.py").read_text("utf-8")


@pytest.mark.parametrize("name", served_cases.CASES)
def test_few_lines_have_changed(name):
    before, after = read(name)
    lines = changed(before, after)
    assert len(lines) <= 3, "\n".join(lines)
    assert "adaptive_nets" not in before and "adaptive_nets" in after


def test_there_are_twelve_and_lines_are_counted():
    scripts = {path.stem for path in HERE.glob("*.py")}
    assert set(served_cases.CASES) == scripts - {"served_cases", "test_before_and_after"}
    assert len(served_cases.CASES) == 12 == len(list((HERE / "before").glob("*.txt")))
    assert changed("import a\nx = 1\ny = 2", "import b\nx = 1\ny = 3") == ["y = 3"]
    method = "class B:\n    def build_subnetwork(self):\n        return {}\n\n    z = 4"
    assert changed(method.format(1), method.format(2)) == []
    assert changed(method.format(1), method.replace("4", "5").format(1)) == ["    z = 5"]


def served_elsewhere(name, folder, python):
    """Runs a script, and compares what its export answers in a process without this package."""
    case = served_cases.run(name, folder, python)
    np.savez(folder / "inputs.npz", **case.inputs)
    paths = [case.folder, str(folder / "inputs.npz"), str(folder / "found.npz")]
    python.run("-c", SERVE, *paths, package=False)
    found = np.load(folder / "found.npz", allow_pickle=True)
    for key, values in case.expected.items():
        if values.dtype.kind == "f":
            np.testing.assert_allclose(found[key], values, atol=1e-4)
        else:
            np.testing.assert_array_equal(found[key], values)


@pytest.mark.parametrize("name", QUICK)
def test_a_moved_script_is_served(name, tmp_path, python):
    served_elsewhere(name, tmp_path, python)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", [name for name in served_cases.CASES if name not in QUICK])
def test_every_moved_script_is_served(name, tmp_path, python):
    served_elsewhere(name, tmp_path, python)
