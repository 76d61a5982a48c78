"""The file that type checkers are given uses every public name; pyright finds no error in it."""

import ast
import importlib
import pathlib

import adaptive_nets as an

FILE = pathlib.Path(__file__).with_name("every_name.py")
ROOMS = {*an.__all__} - {"AdaNet", "AutoClassifier", "AutoRegressor", "__version__"}


def test_it_uses_every_public_name():
    used = {ast.unparse(n) for n in ast.walk(ast.parse(FILE.read_text(encoding="utf-8")))
            if isinstance(n, ast.Attribute)}  # fmt: skip
    public = {f"an.{name}" for name in set(an.__all__) - ROOMS}
    for room in ROOMS:
        names = importlib.import_module(f"adaptive_nets.{room}").__all__
        public |= {f"an.{room}.{name}" for name in names}
    assert sorted(public - used) == []
