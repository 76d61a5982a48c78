"""Dependencies: each has a reason and a permitted licence, and all that is installed is pinned."""

import importlib.metadata
import pathlib
import re
import tomllib

import pytest

pytestmark = pytest.mark.backend_agnostic

REPO = pathlib.Path(__file__).resolve().parents[1]
PERMITTED = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CNRI-Python", "ISC", "MIT",
    "MIT-0", "MIT-CMU", "MPL-2.0", "PSF-2.0", "Zlib",
}  # fmt: skip
# How packages without a licence expression name theirs.
SAME = {
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "3-clause bsd license": "BSD-3-Clause", "apache 2.0": "Apache-2.0", "apache": "Apache-2.0",
    "apache license": "Apache-2.0", "apache license 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0", "bsd": "BSD-3-Clause",
    "bsd 2-clause license": "BSD-2-Clause", "bsd 3-clause": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause", "bsd license": "BSD-3-Clause",
    "isc license (iscl)": "ISC", "mit license": "MIT", "psfl": "PSF-2.0",
    "python software foundation license": "PSF-2.0",
}  # fmt: skip
# Their metadata name none, or begin with its text; read in their files.
READ = {"kiwisolver": "BSD-3-Clause", "namex": "Apache-2.0"}


def key(name):
    """A package's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def licences(metadata):
    """The licences of a package, as SPDX names them where that is known."""
    expression = metadata.get("License-Expression")
    if not expression:
        # Some put the whole text there, whose first line may be the name.
        text = ((metadata.get("License") or "").strip().splitlines() or [""])[0]
        text = text.rpartition(" :: ")[2]
        classes = [c for c in metadata.get_all("Classifier", []) if c.startswith("License ::")]
        names = [c.rpartition(" :: ")[2] for c in classes]
        name = 0 < len(text) <= 40 and not text.startswith(("UNKNOWN", "Copyright", "="))
        expression = text if name else " AND ".join(names)
    if expression.startswith("("):
        expression = expression.strip("()")
    found = re.split(r"\s+(?:AND|OR)\s+", expression)
    return {SAME.get(each.lower(), each) for each in found}


def declared():
    """Extras by dependency; "" is for those that everybody installs."""
    project = tomllib.loads((REPO / "pyproject.toml").read_text("utf-8"))["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    found = {}
    for extra, lines in groups.items():
        for line in lines:
            if extra == "all" and line.startswith("adaptive-nets["):
                continue
            found.setdefault(re.match(r"[\w.-]+", line)[0], []).append(extra)
    return found


def test_all_is_every_extra_that_is_not_for_developers():
    project = tomllib.loads((REPO / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    (line,) = extras["all"]
    named = line.removeprefix("adaptive-nets[").removesuffix("]").split(",")
    assert named == sorted(set(extras) - {"all", "dev", "docs"})


def table():
    """The rows of docs/dependencies.md."""
    text = (REPO / "docs" / "dependencies.md").read_text("utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()
            if line.startswith("|")]  # fmt: skip
    return {row[0]: row[1:] for row in rows[2:]}


def pinned():
    """Versions by package, of constraints.txt."""
    lines = (REPO / "constraints.txt").read_text("utf-8").splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


def test_every_dependency_has_a_row_with_its_extras_and_a_reason():
    rows = table()
    wanted = {name: ", ".join(extras).strip(", ") for name, extras in declared().items()}
    assert {name: row[1] for name, row in rows.items()} == wanted
    assert all(len(row[2]) > 5 for row in rows.values())


@pytest.mark.parametrize("name", sorted(declared()))
def test_the_licence_in_the_table_is_that_of_the_package(name):
    try:
        metadata = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{name} is not installed")
    said = table()[name][0]
    # NumPy and others name the licences of what they bring along too.
    assert said in licences(metadata)
    assert said in PERMITTED


def test_the_licences_of_all_that_is_pinned_are_permitted():
    refused, looked_at = {}, 0
    for name in pinned():
        try:
            found = licences(importlib.metadata.metadata(name))
        except importlib.metadata.PackageNotFoundError:
            continue
        looked_at += 1
        known = {READ[key(name)]} if key(name) in READ else found
        if not known or not known <= PERMITTED:
            refused[name] = sorted(known)
    assert not refused
    assert looked_at > 100


@pytest.mark.parametrize(
    ("said", "permitted"),
    [
        ("License-Expression: MIT", True),
        ("License: Apache 2.0", True),
        ("License-Expression: Apache-2.0 OR BSD-2-Clause", True),
        ("License-Expression: GPL-3.0-only", False),
        ("License-Expression: MIT AND AGPL-3.0-only", False),
        ("Classifier: License :: OSI Approved :: GNU General Public License v3 (GPLv3)", False),
        ("Summary: without a licence", False),
    ],
)
def test_other_licences_are_seen(said, permitted):
    import email

    assert (licences(email.message_from_string(f"{said}\n\n")) <= PERMITTED) is permitted


def test_every_dependency_is_pinned_at_or_above_its_lower_bound():
    pins = {key(name): version for name, version in pinned().items()}
    text = (REPO / "pyproject.toml").read_text("utf-8")
    bounds = dict(re.findall(r'"([\w.-]+)(?:\[\w+\])?>=([\d.]+)"', text))

    def parts(version):
        return [int(part) for part in re.findall(r"\d+", version)[:3]]

    for name in declared():
        assert parts(pins[key(name)]) >= parts(bounds[name]), name
