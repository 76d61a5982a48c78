"""The list of slow tests names tests that there are."""

import ast
import pathlib

TESTS = pathlib.Path(__file__).parent


def test_every_slow_test_is_there():
    lines = (TESTS / "slow_tests.txt").read_text("utf-8").splitlines()
    there = set()
    for path in TESTS.rglob("test_*.py"):
        there.add(path.name)
        tree = ast.parse(path.read_text("utf-8"))
        within = [(node, "") for node in tree.body]
        within += [
            (inner, f"{node.name}::")
            for node in tree.body
            if isinstance(node, ast.ClassDef)
            for inner in node.body
        ]
        there |= {
            f"{path.name}::{prefix}{node.name}"
            for node, prefix in within
            if isinstance(node, ast.FunctionDef)
        }
    named = [line for line in lines if line and not line.startswith("#")]
    assert not [line for line in named if line not in there]
    assert named == sorted(set(named))
