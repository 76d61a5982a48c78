"""Imports the files of research's folders."""

import importlib
import pathlib
import sys

import pytest

RESEARCH = pathlib.Path(__file__).resolve().parents[2] / "research"


@pytest.fixture
def load_from(monkeypatch):
    """From a folder to what imports its files; other folders have files of the same names."""
    replaced = {}

    def folder(name):
        path = RESEARCH / name
        monkeypatch.syspath_prepend(path)
        names = {each.stem for each in path.glob("*.py")}
        for each in names:
            replaced[each] = sys.modules.pop(each, None)
        return importlib.import_module

    yield folder
    for name, module in replaced.items():
        sys.modules.pop(name, None)
        if module is not None:
            sys.modules[name] = module
