"""The BUILD files: every source in one target, every label at something, every import in deps.

BUILD files and `bazel/targets.bzl` are Starlark, whose syntax is Python's: they are evaluated
here with stand-ins for Bazel's functions, and what targets they make is compared with the folders.
"""

import ast
import dataclasses
import graphlib
import pathlib
import re
import shutil
import sys
import types

import pytest

REPO = pathlib.Path(__file__).resolve().parents[1]
SOURCE_FOLDERS = ("adaptive_nets", "tests", "examples", "benchmarks", "research")
# Packages whose import name is not that of their distribution.
DISTRIBUTIONS = {
    "absl": "absl_py",
    "google": "protobuf",
    "sklearn": "scikit_learn",
    "vl_convert": "vl_convert_python",
    "tensorflow_serving": "tensorflow_serving_api",
}


@dataclasses.dataclass
class Target:
    """What one rule of a BUILD file says; labels are absolute, sources are paths."""

    rule: str
    label: str
    srcs: list
    deps: list
    data: list


class Bazel:
    """Evaluates the BUILD files of a checkout."""

    def __init__(self, root, folders=SOURCE_FOLDERS):
        self.root = root
        self.targets = {}
        self.exported = set()
        packages = [path.parent for folder in folders for path in (root / folder).rglob("BUILD")]
        self.packages = {root, *packages}
        for package in sorted(self.packages):
            self._evaluate(package)

    def label(self, text, package):
        """`//package:name` of any way to write it; a label of another repository as it is."""
        if text.startswith("@"):
            return text
        if not text.startswith("//"):
            folder = package.relative_to(self.root).as_posix().removeprefix(".")
            return f"//{folder}:{text.removeprefix(':')}"
        return text if ":" in text else f"{text}:{text.rpartition('/')[2]}"

    def path(self, label):
        """The file that a label would be, if it is one."""
        folder, _, name = label.removeprefix("//").partition(":")
        return self.root / folder / name

    def owners(self):
        """From each source to the targets that hold it, for another reason than to run it."""
        found = {}
        for target in self.targets.values():
            for path in target.srcs:
                found.setdefault(path, []).append(target.label)
        return found

    def _glob(self, package, patterns, exclude=(), allow_empty=False):
        def match(patterns):
            return {path for pattern in patterns for path in package.glob(pattern)}

        def is_here(path):
            return path.is_file() and next(p for p in path.parents if p in self.packages) == package

        found = sorted(path for path in match(patterns) - match(exclude) if is_here(path))
        assert found or allow_empty, f"{package / 'BUILD'}: glob({patterns}) finds nothing"
        return [path.relative_to(package).as_posix() for path in found]

    def _evaluate(self, package):
        def rule(kind):
            def add(name, srcs=(), deps=(), data=(), main=None, **_):
                if kind == "filegroup":
                    srcs, data = (), srcs
                labels = [self.label(src, package) for src in srcs]
                target = Target(
                    kind,
                    self.label(name, package),
                    # A main is handed over: a test's is shared by all, a script is in a library.
                    [self.path(each) for each in labels if each != self.label(str(main), package)],
                    [self.label(dep, package) for dep in deps],
                    [self.label(each, package) for each in (*data, *([main] if main else []))],
                )
                assert target.label not in self.targets, f"{target.label} is there twice"
                self.targets[target.label] = target

            return add

        def glob(*args, **kwargs):
            return self._glob(package, *args, **kwargs)

        def load(path, *_):
            if path.startswith("@rules_python"):
                return
            file = self.path(self.label(path, package))
            exec(compile(file.read_text(), str(file), "exec"), names)

        def exports_files(names):
            self.exported |= {self.label(name, package) for name in names}

        name = package.relative_to(self.root).as_posix()
        native = types.SimpleNamespace(glob=glob, package_name=lambda: name)
        names = {"load": load, "native": native, "glob": glob, "exports_files": exports_files}
        names |= {kind: rule(kind) for kind in ("py_library", "py_binary", "py_test", "filegroup")}
        file = package / "BUILD"
        exec(compile(file.read_text(), str(file), "exec"), names)


def is_for_types(node):
    """Whether it is `if TYPE_CHECKING:`."""
    return isinstance(node, ast.If) and getattr(node.test, "id", None) == "TYPE_CHECKING"


def imported_modules(path, root):
    """The full names that a file imports, at its head or later."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if path == root / "adaptive_nets" / "__init__.py":
        # Every folder imports the face, which names every folder to type checkers.
        tree.body = [node for node in tree.body if not is_for_types(node)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            # What is taken from a package may be a module of it.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            folder = path.parents[node.level - 1]
            base = ".".join(folder.relative_to(root).parts)
            middle = f".{node.module}" if node.module else ""
            yield from (f"{base}{middle}.{alias.name}" for alias in node.names)


def source_of(module, folders):
    """The file in one of the folders that a name is imported from, or None."""
    parts = module.split(".")
    for folder in folders:
        for end in range(len(parts), 0, -1):
            path = folder.joinpath(*parts[:end])
            for file in (path.with_suffix(".py"), path / "__init__.py"):
                if file.is_file():
                    return file
    return None


def pip_label(module):
    """The label of the distribution that a module comes from."""
    top = module.partition(".")[0]
    return f"@pip//{DISTRIBUTIONS.get(top, top.lower())}"


def missing_deps(bazel):
    """`(label, dep, module)` of what is imported by a target and not named in its deps."""
    owners = bazel.owners()
    for target in bazel.targets.values():
        inside = target.label.startswith("//adaptive_nets")
        # A script finds what lies beside it, and what lies beside the scripts that it depends on.
        others = [bazel.path(dep).parent for dep in target.deps if dep.startswith("//")]
        for path in target.srcs:
            # Importing any module of a package runs its `__init__.py` first.
            modules = {"adaptive_nets"} if inside else set()
            for module in sorted(modules.union(imported_modules(path, bazel.root))):
                source = source_of(module, [path.parent, bazel.root, *others])
                if source is not None:
                    wanted = set(owners.get(source, ()))
                elif module.partition(".")[0] in sys.stdlib_module_names:
                    continue
                else:
                    wanted = {pip_label(module)}
                if not inside and module.partition(".")[0] == "adaptive_nets":
                    # From outside, the whole package will do.
                    wanted.add("//adaptive_nets:adaptive_nets")
                if not wanted & {*target.deps, target.label}:
                    yield target.label, min(wanted, default=None), module


def dangling(bazel):
    """`(label, dep)` of each label that leads to no target, file or pinned package."""
    lines = (bazel.root / "constraints.txt").read_text().splitlines()
    pins = [line.partition("==")[0] for line in lines if "==" in line]
    pip = {"@pip//" + re.sub(r"[-.]", "_", name).lower() for name in pins}
    for target in bazel.targets.values():
        for label in (*target.deps, *target.data):
            # A file of another folder must be exported by that folder.
            here = label.partition(":")[0] == target.label.partition(":")[0]
            a_file = label.startswith("//") and bazel.path(label).is_file()
            known = label in pip or label in bazel.targets or label in bazel.exported
            if not known and not (here and a_file):
                yield target.label, label


def sources(root):
    """Every source file of a checkout."""
    return {path for folder in SOURCE_FOLDERS for path in (root / folder).rglob("*.py")}


def uncovered(bazel):
    """What to say of each source that is not in exactly one target."""
    owners = bazel.owners()
    for path in sorted(sources(bazel.root) | set(owners)):
        if len(owners.get(path, ())) != 1 or not path.is_file():
            yield f"{path.relative_to(bazel.root)} is in {owners.get(path, 'no target')}"


@pytest.fixture(scope="module")
def bazel():
    """The checkout's targets."""
    return Bazel(REPO)


def test_every_source_file_is_in_exactly_one_target(bazel):
    wrong = list(uncovered(bazel))
    assert not wrong, "\n".join(["", *wrong])


def test_every_folder_of_the_package_and_of_the_tests_has_its_own_targets(bazel):
    for top in (REPO / "adaptive_nets", REPO / "tests"):
        folders = {path.parent for path in top.glob("*/*.py")}
        assert not {str(path) for path in folders - bazel.packages}, "these have no BUILD file"
    whole = set(bazel.targets["//adaptive_nets:adaptive_nets"].deps)
    libraries = {label for label in bazel.targets if label.startswith("//adaptive_nets/")}
    assert whole == libraries | {"//adaptive_nets:base"}


def test_every_label_leads_somewhere(bazel):
    assert not list(dangling(bazel))


def test_deps_name_what_the_sources_import(bazel):
    missing = sorted({(label, str(dep), module) for label, dep, module in missing_deps(bazel)})
    lines = [f"{label} lacks {dep}, for it imports {module}" for label, dep, module in missing]
    assert not lines, "\n".join(["", *lines])


def test_targets_make_no_circle(bazel):
    needs = {label: set(target.deps) for label, target in bazel.targets.items()}
    assert list(graphlib.TopologicalSorter(needs).static_order())


# The checks themselves ---------------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path):
    """A small checkout without a fault, as a function that evaluates it."""
    heads = 'load("//bazel:targets.bzl", "package_library")\npackage_library("heads", {deps})\n'
    base = heads.replace('"heads"', '"base"').format(deps="[]")
    files = {
        "BUILD": 'exports_files(["pyproject.toml"])',
        "constraints.txt": "# pins\nkeras-hub==1\nscikit-learn==1\n",
        "adaptive_nets/BUILD": base,
        "adaptive_nets/__init__.py": (
            "TYPE_CHECKING = False\nif TYPE_CHECKING:\n    from adaptive_nets import heads\n"
        ),
        "adaptive_nets/heads/BUILD": heads.format(
            deps='["//adaptive_nets:base", "@pip//keras_hub"]'
        ),
        "adaptive_nets/heads/__init__.py": "from .base import Head",
        "adaptive_nets/heads/rules/base.py": "from ..base import Head\nimport keras_hub.models",
        "adaptive_nets/heads/base.py": "import os\nHead = os",
        "tests/BUILD": (
            'load("//bazel:targets.bzl", "pytest_tests")\n'
            'exports_files(["run_pytest.py"])\npytest_tests()\n'
        ),
        "tests/run_pytest.py": "",
        "tests/test_a.py": "import os\n",
        "pyproject.toml": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    shutil.copytree(REPO / "bazel", tmp_path / "bazel")
    return lambda: Bazel(tmp_path)


def test_the_checks_pass_a_small_checkout(checkout):
    bazel = checkout()
    assert not [*uncovered(bazel), *dangling(bazel), *missing_deps(bazel)]
    assert bazel.targets["//tests:test_a"].srcs == [bazel.root / "tests/test_a.py"]
    assert bazel.owners()[bazel.root / "tests/run_pytest.py"] == ["//tests:support"]


def test_the_checks_see_a_file_in_no_target_and_in_two(checkout, tmp_path):
    (tmp_path / "research").mkdir()
    (tmp_path / "research/run.py").write_text("")
    assert list(uncovered(checkout())) == ["research/run.py is in no target"]
    build = tmp_path / "adaptive_nets/heads/BUILD"
    build.write_text(build.read_text() + 'py_library("b", ["base.py"])')
    (_, line) = sorted(uncovered(checkout()), reverse=True)
    assert line.startswith("adaptive_nets/heads/base.py is in ['//adaptive_nets/heads:heads', ")


def test_the_checks_see_a_named_file_that_is_gone(checkout, tmp_path):
    build = tmp_path / "adaptive_nets/heads/BUILD"
    build.write_text(build.read_text() + 'py_library("b", ["gone.py"])')
    (line,) = uncovered(checkout())
    assert "gone.py" in line


def test_the_checks_see_labels_that_lead_nowhere(checkout, tmp_path):
    build = tmp_path / "adaptive_nets/heads/BUILD"
    build.write_text(build.read_text().replace("keras_hub", "keras_hop"))
    assert list(dangling(checkout())) == [("//adaptive_nets/heads:heads", "@pip//keras_hop")]
    (tmp_path / "BUILD").write_text("")
    assert ("//tests:test_a", "//:pyproject.toml") in dangling(checkout())
    build.write_text(build.read_text().replace("//adaptive_nets:base", ":bass"))
    assert ("//adaptive_nets/heads:heads", "//adaptive_nets/heads:bass") in dangling(checkout())


@pytest.mark.parametrize(
    ("statement", "dep"),
    [
        ("import sklearn.linear_model", "@pip//scikit_learn"),
        ("def f():\n    from keras.src import ops", "@pip//keras"),
        ("from adaptive_nets import growth", "//adaptive_nets/growth:growth"),
        ("from ..growth import widen", "//adaptive_nets/growth:growth"),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import ray", "@pip//ray"),
    ],
)
def test_the_checks_see_an_import_that_deps_lack(checkout, tmp_path, statement, dep):
    library = 'load("//bazel:targets.bzl", "package_library")\n'
    library += 'package_library("growth", ["//adaptive_nets:base"])\n'
    (tmp_path / "adaptive_nets/growth").mkdir()
    (tmp_path / "adaptive_nets/growth/BUILD").write_text(library)
    (tmp_path / "adaptive_nets/growth/__init__.py").write_text("widen = 1")
    (tmp_path / "adaptive_nets/heads/base.py").write_text(statement)
    ((label, found, _),) = missing_deps(checkout())
    assert (label, found) == ("//adaptive_nets/heads:heads", dep)
