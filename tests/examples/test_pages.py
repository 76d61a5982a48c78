"""Code blocks that are not Python: they say why they do not run, and commands have their flags."""

import pathlib
import re
import shlex

import pytest

from adaptive_nets.cli import flags

REPO = pathlib.Path(__file__).resolve().parents[2]
TEXTS = {
    str(path.relative_to(REPO)): path.read_text(encoding="utf-8")
    for path in [REPO / "README.md", *sorted((REPO / "docs").rglob("*.md"))]
}
# `benchmarks/newcomer.py --pages` follows this one.
FOLLOWED = "docs/start.md"
BLOCK = re.compile(
    r"^(<!-- not run: [^\n]{10,} -->\n)?```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
COMMANDS = [
    pytest.param(line, id=f"{name}: {line[:60]}")
    for name, text in TEXTS.items()
    for _, language, block in BLOCK.findall(text)
    if language in ("", "sh")
    for line in re.sub(r" *\\\n *", " ", block).splitlines()
    if line.startswith("adaptive-nets ")
]


def test_a_block_that_does_not_run_says_why():
    silent = [
        f"{name}: {block.splitlines()[0]}"
        for name, text in TEXTS.items()
        for reason, language, block in BLOCK.findall(text)
        if language not in ("", "python", "text") and not reason and name != FOLLOWED
    ]
    assert not silent


def test_every_fence_is_seen():
    for name, text in TEXTS.items():
        fences = len(re.findall(r"^```", text, re.MULTILINE))
        assert fences == 2 * len(BLOCK.findall(text)), name


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_has_the_flags_that_it_is_given(line):
    _, name, *arguments = shlex.split(line, comments=True)
    flags.parse(name, flags.for_command(name), arguments)


def test_commands_are_found():
    assert len(COMMANDS) > 15


def _rows(text, heading):
    table = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]


def test_what_is_said_of_others_has_a_source_and_a_day():
    text = TEXTS["docs/compare.md"]
    sources = _rows(text, "Sources")
    assert all(re.fullmatch(r"\[[^\]]+\]\(https://\S+\)", source) for _, _, source, _ in sources)
    assert all(re.fullmatch(r"20\d\d-\d\d-\d\d", day) for *_, day in sources)
    compared = re.findall(r"^\| ([\w-]+)", text.partition("\n## ")[0], re.MULTILINE)
    assert len(compared) > 6 and set(compared) - {"adaptive_nets"} <= {each[0] for each in sources}


def test_what_is_said_of_this_package_is_shown_by_a_file():
    shown = [re.findall("`([^`]+)`", cell) for _, cell in _rows(TEXTS["docs/compare.md"], "Ours")]
    assert len(shown) >= 6 and all(shown)
    assert all((REPO / path).exists() for each in shown for path in each)
