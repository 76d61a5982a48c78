"""The programs of the gallery are short, and print what their pages say."""

import contextlib
import io
import pathlib
import re

import pytest

REPO = pathlib.Path(__file__).resolve().parents[2]
GALLERY = REPO / "docs" / "gallery"
PAGES = sorted(path.name for path in GALLERY.glob("*.md") if path.name != "index.md")


@pytest.mark.parametrize("name", PAGES)
def test_a_program_prints_what_its_page_says(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (GALLERY / name).read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (expected,) = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    assert len(code.splitlines()) < 60
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, name, "exec"), {"__name__": "example"})
    assert printed.getvalue() == expected


def test_every_page_is_listed():
    listed = re.findall(r"\]\((\w+\.md)\)", (GALLERY / "index.md").read_text(encoding="utf-8"))
    assert sorted(listed) == PAGES
    site = (REPO / "mkdocs.yml").read_text(encoding="utf-8")
    assert all(f"gallery/{name}" in site for name in PAGES)
