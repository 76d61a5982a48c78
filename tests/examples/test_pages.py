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
