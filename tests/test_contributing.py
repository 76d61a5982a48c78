"""CONTRIBUTING's map of the house and its stories are true of the source."""

import ast
import functools
import pathlib
import re

import pytest

REPO = pathlib.Path(__file__).resolve().parents[1]
PACKAGE = REPO / "adaptive_nets"
TEXT = (REPO / "CONTRIBUTING.md").read_text()
STORIES = re.findall(r"```story\n(.*?)```", TEXT, re.DOTALL)


def folders():
    """Folders of the package that hold source files."""
    found = {p.parent.relative_to(PACKAGE).as_posix() for p in PACKAGE.rglob("*.py")}
    return found - {"."}


def mapped():
    """Folders that the tables of the map list."""
    house = TEXT.partition("## The house")[2].partition("### What to touch")[0]
    return re.findall(r"^\| `([\w/]+)` \|", house, re.MULTILINE)


def test_every_folder_is_on_the_map_once_and_nothing_else():
    listed = mapped()
    assert len(listed) == len(set(listed))
    # One module may stand in for a folder.
    files = {name for name in listed if (PACKAGE / f"{name}.py").is_file()}
    assert set(listed) - files == folders()


def test_files_and_tests_to_touch_exist():
    table = TEXT.partition("### What to touch")[2].partition("### Three stories")[0]
    rows = [row.split("|")[1:-1] for row in table.splitlines() if row.startswith("| a")]
    assert len(rows) >= 7
    for _, files, tests in rows:
        named = re.findall(r"`([\w/.]+)`", files)
        assert named
        for name in named:
            assert (PACKAGE / name).exists(), name
        for name in re.findall(r"`([\w/.]+)`", tests):
            assert (REPO / name).exists(), name


@functools.lru_cache
def definitions(path):
    """Functions and classes of a file by dotted name."""
    found = {}
    for node in ast.parse((PACKAGE / path).read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node
        if isinstance(node, ast.ClassDef):
            found |= {
                f"{node.name}.{part.name}": part
                for part in node.body
                if isinstance(part, ast.FunctionDef)
            }
    return found


def names_in(node):
    """Names and attributes that a definition mentions, text of getattr calls among them."""
    found = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            found.add(part.id)
        elif isinstance(part, ast.Attribute):
            found.add(part.attr)
    return found


def reached(path, start):
    """All names that a function mentions, itself or through functions of the same file."""
    known, waiting, seen = definitions(path), [start], set()
    found = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        mentioned = names_in(known[name])
        found |= mentioned
        waiting += [other for other in known if other.rpartition(".")[2] in mentioned]
    return found


def lines(story):
    """`(depth, file, name)` of each line."""
    found = []
    for line in story.splitlines():
        match = re.fullmatch(r"( *)([\w/]+\.py): ([\w.]+)", line)
        assert match, f"not a line of a story: {line!r}"
        found.append((len(match[1]), match[2], match[3]))
    return found


def test_there_are_three_short_stories():
    assert len(STORIES) == 3
    assert all(len(lines(story)) <= 12 for story in STORIES)


@pytest.mark.parametrize("story", STORIES)
def test_each_line_of_a_story_is_called_by_the_one_above_it(story):
    above = []
    for depth, path, name in lines(story):
        assert name in definitions(path), f"{path} has no {name}"
        above = [each for each in above if each[0] < depth]
        if above:
            _, caller_path, caller = above[-1]
            called = name.rpartition(".")[2]
            # `app.main` finds a command's function by the command's name.
            by_name = caller_path == "cli/app.py" and "getattr" in reached(caller_path, caller)
            assert by_name or called in reached(caller_path, caller), f"{caller} calls no {called}"
        above.append((depth, path, name))
