"""The targets of a folder, found by glob, so that no BUILD file changes when a source file moves.

A folder with a BUILD file covers the folders below it that have none.
"""

load("@rules_python//python:py_binary.bzl", "py_binary")
load("@rules_python//python:py_library.bzl", "py_library")
load("@rules_python//python:py_test.bzl", "py_test")

def _sources(exclude = []):
    return native.glob(["**/*.py"], exclude = exclude, allow_empty = True)

def _files():
    return native.glob(
        ["**"],
        exclude = ["**/*.py", "**/*.bzl", "**/*.pyc", "**/BUILD"],
        allow_empty = True,
    )

def package_library(name, deps, only = [], exclude = [], **kwargs):
    """One library of all sources of a folder; its other files come with it as data.

    Args:
        name: Name of the target; that of the folder, so that `//adaptive_nets/heads` names it.
        deps: Targets of the packages that the sources import.
        only: Sources to take, where a folder makes two libraries. Default: all.
        exclude: Sources to leave to another library of the folder.
        **kwargs: Arguments of `py_library`.
    """
    py_library(
        name = name,
        srcs = only or _sources(exclude),
        data = _files(),
        deps = deps,
        visibility = ["//visibility:public"],
        **kwargs
    )

def scripts(name, deps, mains = None):
    """A library of a folder of scripts, and a binary for each script that people run.

    Args:
        name: Name of the library.
        deps: Targets of the packages that the sources import.
        mains: The scripts. Default: every source of the folder.
    """
    package_library(name, deps)
    for main in mains or native.glob(["*.py"]):
        py_binary(
            name = main[:-len(".py")],
            srcs = [main],
            main = main,
            deps = [":" + name],
        )

def pytest_tests(deps = [], data = [], **kwargs):
    """A test for each `test_*.py` of a folder, whose file is handed to pytest.

    What is no test, such as `conftest.py`, is in the library `support`.

    Args:
        deps: Targets of the packages that the files import.
        data: Files and targets that the tests read or run.
        **kwargs: Arguments of `py_test`, such as `tags`.
    """
    py_library(
        name = "support",
        testonly = True,
        srcs = _sources(exclude = ["**/test_*.py"]),
        data = _files(),
        deps = deps,
        visibility = ["//tests:__subpackages__"],
    )
    shared = [":support"]
    if native.package_name() != "tests":
        shared.append("//tests:support")
    for source in native.glob(["**/test_*.py"]):
        py_test(
            name = source[:-len(".py")],
            # A test file run as a script would do nothing, and pass.
            srcs = [source, "//tests:run_pytest.py"],
            args = ["$(rootpath %s)" % source],
            data = data + ["//:pyproject.toml"],
            main = "//tests:run_pytest.py",
            deps = deps + shared,
            **kwargs
        )
