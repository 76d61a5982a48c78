"""The package as it is built, installed and imported; no test here trains anything."""

import ast
import json
import pathlib
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile

import pytest
from lowest import PYPROJECT, lowest

import adaptive_nets as an

REPO = pathlib.Path(__file__).resolve().parents[1]


def run(*command, cwd=REPO):
    """What the command prints; its error output is in the failure."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def imported_by(statement):
    """The names of the modules that the statement loads in a new process."""
    code = f"import sys, json\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    return set(json.loads(run(sys.executable, "-c", code)))


# Import ------------------------------------------------------------------------------------------


def test_import_loads_no_heavy_library():
    heavy = {"tensorflow", "keras", "pandas", "numpy", "rich", "absl", "matplotlib", "sklearn"}
    assert not heavy & imported_by("import adaptive_nets")


def test_looking_at_the_names_loads_nothing():
    assert "keras" not in imported_by("import adaptive_nets; dir(adaptive_nets)")


@pytest.mark.parametrize("name", an.__all__)
def test_public_name_resolves(name):
    assert getattr(an, name) is getattr(an, name)
    assert name in dir(an)


def test_public_object_is_the_one_of_its_package():
    assert an.AdaNet is an.adanet.AdaNet


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Adanet'"):
        _ = an.Adanet


def test_module_is_the_command():
    script = pathlib.Path(sys.executable).with_name("adaptive-nets")
    if not script.exists():
        pytest.skip("adaptive-nets is not installed beside this Python")
    help_text = run(str(script), "--help")
    assert "search" in help_text
    assert run(sys.executable, "-m", "adaptive_nets", "--help") == help_text


# Distribution ------------------------------------------------------------------------------------


# What is not of the checkout's history, or is made by tools.
LOCAL = (".git", ".venv", ".build", ".ruff_cache", ".pytest_cache", ".import_linter_cache",
         ".venv-lowest", "dist", "runs", "adaptive_nets.egg-info", "sbom.cdx.json")  # fmt: skip
SBOM = '{"bomFormat": "CycloneDX"}'


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Two folders of a wheel and an sdist; built elsewhere, for a build leaves files behind."""
    found = []
    for number in range(2):
        source, dist = (tmp_path_factory.mktemp(f"{what}{number}") for what in ("source", "dist"))
        for path in REPO.iterdir():
            if path.name not in LOCAL:
                (source / path.name).symlink_to(path)
        (source / "sbom.cdx.json").write_text(SBOM)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SOURCE_DATE_EPOCH", "1767225600")
            run(
                *(sys.executable, "-m", "build", "--wheel", "--sdist", "--no-isolation"),
                *("--outdir", str(dist), str(source)),
            )
        found.append(dist)
    return found


def test_two_builds_give_the_same_bytes(built):
    one, two = ({p.name: p.read_bytes() for p in dist.iterdir()} for dist in built)
    assert len(one) == 2
    assert one == two


def test_wheel_holds_the_package_and_nothing_else(built):
    (path,) = built[0].glob("*.whl")
    assert path.name == f"adaptive_nets-{an.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(path) as wheel:
        names = set(wheel.namelist())
        info = f"adaptive_nets-{an.__version__}.dist-info"
        entry_points = wheel.read(f"{info}/entry_points.txt").decode()
        metadata = wheel.read(f"{info}/METADATA").decode()
    sources = {str(path.relative_to(REPO)) for path in (REPO / "adaptive_nets").rglob("*.py")}
    sources.add("adaptive_nets/py.typed")
    assert {name for name in names if not name.startswith(info)} == sources
    assert f"{info}/licenses/LICENSE" in names
    assert "adaptive-nets = adaptive_nets.cli.app:main" in entry_points
    assert "License-Expression: Apache-2.0" in metadata


def test_sdist_holds_the_checkout_and_its_tests_run(built, tmp_path):
    (path,) = built[0].glob("*.tar.gz")
    with tarfile.open(path) as sdist:
        members = sdist.getmembers()
        sdist.extractall(tmp_path, filter="data")
    names = {member.name.partition("/")[2] for member in members}
    tracked = run("git", "ls-files").split("\n") if (REPO / ".git").exists() else ["README.md"]
    assert {name for name in tracked if name} - names == set()
    assert "sbom.cdx.json" in names
    assert not [
        name for name in names if name.endswith(".pyc") or name.startswith(("dist", "runs"))
    ]
    assert {(m.uid, m.gid, m.uname, m.mtime) for m in members} == {(0, 0, "", 1767225600)}
    (root,) = tmp_path.iterdir()
    done = run(sys.executable, "-m", "pytest", "-q", "tests/ground/test_checks.py", cwd=root)
    assert " passed" in done


OPTIONAL = {"keras_hub", "sklearn"}  # loaded where such a layer, or such a class, is met
PACKAGES = {"absl": "absl-py"}


def test_what_is_imported_is_declared():
    """Apart from imports within functions, which say how to install what is missing."""
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    declared = {line.partition(">=")[0] for line in project["dependencies"]}
    found = set()
    for path in (REPO / "adaptive_nets").rglob("*.py"):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(node.module.partition(".")[0])
    found -= {*sys.stdlib_module_names, "adaptive_nets", *OPTIONAL}
    assert {PACKAGES.get(name, name) for name in found} <= declared


def test_the_lowest_versions_are_those_that_are_declared():
    text = """
    [project]
    dependencies = ["keras>=3.13.2", "absl-py>=2.1"]
    optional-dependencies.dev = ["pytest>=8.2", "ruff>=0.9"]
    """
    assert lowest(text) == ["keras==3.13.2", "absl-py==2.1", "pytest==8.2"]
    with pytest.raises(ValueError, match="keras<4"):
        lowest(text.replace("keras>=3.13.2", "keras<4"))
    declared = PYPROJECT.read_text()
    assert len(lowest(declared)) >= len(tomllib.loads(declared)["project"]["dependencies"])


def test_the_bill_of_materials_has_all_that_is_pinned(tmp_path):
    program = pathlib.Path(sys.executable).with_name("cyclonedx-py")
    if not program.exists():
        pytest.skip("cyclonedx-bom is not installed beside this Python")
    made = tmp_path / "sbom.cdx.json"
    run(
        *(str(program), "environment", "--pyproject", "pyproject.toml", "--output-reproducible"),
        *("--output-format", "JSON", "--output-file", str(made), sys.executable),
    )
    bill = json.loads(made.read_text("utf-8"))
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == "adaptive-nets"
    there = {re.sub(r"[-_.]+", "-", part["name"]).lower() for part in bill["components"]}
    lines = (REPO / "constraints.txt").read_text("utf-8").splitlines()
    pinned = {re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower()
              for line in lines if "==" in line}  # fmt: skip
    assert pinned - there == set()
    # Nothing of the machine that it was made on.
    assert str(REPO) not in made.read_text("utf-8")


def test_version_is_one():
    module = (REPO / "MODULE.bazel").read_text()
    assert re.search(r'^    version = "(.*)",$', module, re.MULTILINE)[1] == an.__version__
    assert f"## [{an.__version__}]" in (REPO / "CHANGELOG.md").read_text()
    assert f"version: {an.__version__}\n" in (REPO / "CITATION.cff").read_text()


def test_the_conda_recipe_says_what_pyproject_does():
    text = (REPO / "recipe" / "meta.yaml").read_text()
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    assert f'version: "{an.__version__}"' in text
    needed = text.partition("  run:\n")[2].partition("\ntest:")[0].split("    - ")[1:]
    declared = [f"python {project['requires-python']}", *project["dependencies"]]
    assert [line.replace(" ", "").strip() for line in needed] == [
        each.replace(" ", "") for each in declared
    ]


def test_the_extra_all_has_every_extra_of_users():
    extras = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]
    (everything,) = extras["all"]
    named = everything.partition("[")[2].removesuffix("]").split(",")
    assert sorted(named) == sorted(set(extras) - {"all", "dev", "docs"})


# The lists of slow and exhaustive tests ----------------------------------------------------------


@pytest.mark.parametrize("file", ["slow_tests.txt", "exhaustive_tests.txt"])
def test_every_listed_test_is_there(file):
    lines = (REPO / "tests" / file).read_text("utf-8").splitlines()
    there = set()
    for path in (REPO / "tests").rglob("test_*.py"):
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
    named = [line.partition(" ")[0] for line in lines if line and not line.startswith("#")]
    assert not [line for line in named if line not in there]
    assert named == sorted(set(named))
