"""What type checkers and editors see of the package is what it gives when it is asked."""

import ast
import importlib
import pathlib

import pytest

import adaptive_nets as an

ROOT = pathlib.Path(an.__file__).parent


def lazy_modules():
    """The modules that load a name when it is first used."""
    for path in sorted(ROOT.rglob("*.py")):
        tree = ast.parse(path.read_text())
        blocks = [tree.body, *(n.body for n in tree.body if isinstance(n, ast.If))]
        statements = [statement for block in blocks for statement in block]
        if any(getattr(statement, "name", "") == "__getattr__" for statement in statements):
            parts = path.relative_to(ROOT.parent).with_suffix("").parts
            yield ".".join(parts).removesuffix(".__init__"), tree


def imported(statements):
    """Names that import statements bind, with where each comes from."""
    return {
        alias.asname or alias.name: (statement.module, alias.name)
        for statement in statements
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }


def for_checkers(tree):
    """The names under `if TYPE_CHECKING:`."""
    blocks = [
        n.body for n in tree.body
        if isinstance(n, ast.If) and isinstance(n.test, ast.Name) and n.test.id == "TYPE_CHECKING"
    ]  # fmt: skip
    return imported([statement for block in blocks for statement in block])


def bound(tree):
    """The names that the module has once it is imported."""
    assigned = {
        target.id
        for n in tree.body
        if isinstance(n, ast.Assign)
        for target in n.targets
        if isinstance(target, ast.Name)
    }
    defined = {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    return imported(tree.body).keys() | assigned | defined


MODULES = dict(lazy_modules())


def test_the_face_is_among_them():
    assert {"adaptive_nets", "adaptive_nets.adanet"} <= MODULES.keys()
    assert (ROOT / "py.typed").read_bytes() == b""


@pytest.mark.parametrize("name", MODULES)
def test_checkers_see_the_lazy_names_and_no_others(name):
    module, tree = importlib.import_module(name), MODULES[name]
    seen = for_checkers(tree)
    assert sorted(seen) == sorted(set(module.__all__) - bound(tree))
    for public, (source, original) in seen.items():
        value = getattr(module, public)
        package = importlib.import_module(source)
        if hasattr(package, original):
            assert value is getattr(package, original)
        else:
            assert value is importlib.import_module(f"{source}.{original}")
