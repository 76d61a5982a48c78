"""Turns of phrase that read badly, and plain ones in their place."""

import pathlib
import re

import pytest

REPO = pathlib.Path(__file__).resolve().parents[2]
TEXTS = [
    *(REPO / "adaptive_nets").rglob("*.py"),
    *(REPO / "docs").rglob("*.md"),
    *(REPO / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
]
# Each with what to write in its place.
BANNED = {
    r"(?<!here )\b(is|are) no (?!longer|more|less|better|worse|one\b)\w+ (that|of)\b": "is not a",
    r"\b[Oo]nce a (source|layer|round|step|batch|call)\b": "once per",
    r"\b[Oo]ne a (source|layer|row|round|step)\b(?! deeper)": "one per",
    r"\b[Rr]ows a (call|batch|step)\b": "rows per",
    r"\bto the same result\b": "with the same result",
    r"\bbut for\b": "except for",
    r"\banew\b": "again",
    r"\bbe it\b": "or, even",
    r"\bhas nothing to do here\b": "is accepted but ignored",
    r"\b[Ll]eave one of the two away\b": "pass only one of the two",
}


@pytest.mark.parametrize("pattern", BANNED)
def test_no_text_reads_badly(pattern):
    found = [
        f"{path.relative_to(REPO)}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]!r}"
        for path in TEXTS
        for text in [path.read_text(encoding="utf-8")]
        for match in re.finditer(pattern, text)
    ]
    assert not found, f"write {BANNED[pattern]!r}: {', '.join(found)}"
