"""`keras_internals` alone reads what is private to Keras, and all of it is tested."""

import ast
import pathlib

import pytest

from adaptive_nets import keras_internals as internals

REPO = pathlib.Path(__file__).resolve().parents[1]
PACKAGE = REPO / "adaptive_nets"
ROOMS = PACKAGE / "keras_internals"


@pytest.mark.backend_agnostic
def test_every_name_has_a_test_that_fails_by_it():
    tested = {
        node.name.removeprefix("test_")
        for path in (REPO / "tests" / "keras_internals").glob("test_*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef)
    }
    assert set(internals.__all__) <= tested


def sources():
    return sorted(PACKAGE.rglob("*.py"))


def own_names(trees):
    """Private names that the package defines: functions, classes and attributes of `self`."""
    found = set()
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                if getattr(node.value, "id", "") in ("self", "cls"):
                    found.add(node.attr)
            elif isinstance(node, ast.AnnAssign | ast.Assign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                found |= {x.id for x in targets if isinstance(x, ast.Name)}
    return found


# The endings of settings' names, which are not attributes.
WORDS = {"_initializer"}


def is_private(name):
    return name.startswith("_") and not name.startswith("__") and name.isidentifier()


def keras_names():
    """The private names that `keras_internals` reads, as attributes or as strings."""
    found = set()
    for path in ROOMS.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                found.add(node.attr)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return {name for name in found if is_private(name) and len(name) > 2}


def private_uses(tree, own, keras_own):
    """Uses of private names of Keras in one file's syntax tree, as (line, name)."""
    words = keras_own - own - WORDS
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom | ast.Import):
            modules = [getattr(node, "module", None) or "", *(x.name for x in node.names)]
            for name in modules:
                if name.startswith(("keras.src", "tensorflow.python")):
                    yield node.lineno, name
        elif isinstance(node, ast.Attribute) and is_private(node.attr):
            of_self = getattr(node.value, "id", "") in ("self", "cls")
            if node.attr not in own or (node.attr in keras_own and not of_self):
                yield node.lineno, node.attr
        elif isinstance(node, ast.Constant) and node.value in words:
            yield node.lineno, node.value


def test_nothing_else_reads_what_is_private_to_keras():
    trees = {path: ast.parse(path.read_text()) for path in sources() if ROOMS not in path.parents}
    own, keras_own = own_names(trees.values()), keras_names()
    assert {"_flatten_layers", "_nodes_by_depth", "_kernel", "_tracker"} <= keras_own
    found = [
        f"{path.relative_to(REPO)}:{line} {name}"
        for path, tree in trees.items()
        for line, name in private_uses(tree, own, keras_own)
    ]
    assert not found


def test_the_search_finds_each_way_to_read_them():
    code = """
from keras.src.ops import nn
import keras.src.backend
layer._flatten_layers()
getattr(model, "_functional")
vars(model)["_layers"] = 1
self._own_thing
"""
    found = {name for _, name in private_uses(ast.parse(code), {"_own_thing"}, keras_names())}
    expected = {"_flatten_layers", "_functional", "_layers", "keras.src.ops", "keras.src.backend"}
    assert found == expected
