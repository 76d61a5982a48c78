"""The programs of the gallery are short, and print what their pages say."""

import importlib.util
import json
import pathlib
import re

import pytest

REPO = pathlib.Path(__file__).resolve().parents[2]
GALLERY = REPO / "docs" / "gallery"


def _hook():
    """The module that runs the gallery when the site is built."""
    spec = importlib.util.spec_from_file_location("gallery", REPO / "docs" / "hooks" / "gallery.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HOOK = _hook()
PAGES = {
    path.stem: HOOK.Page.read(path)
    for path in sorted(GALLERY.glob("*.md"))
    if path.name != "index.md"
}


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    matplotlib = pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    with matplotlib.rc_context({"backend": "agg", "figure.dpi": 50}):
        yield
        matplotlib.pyplot.close("all")


@pytest.mark.parametrize("name", PAGES)
def test_a_program_prints_what_its_page_says(name):
    page = PAGES[name]
    assert len(page.program.splitlines()) < 60
    printed, picture = page.run()
    assert printed == page.expected
    assert (picture is not None) == (page.caption is not None)


def test_every_page_is_listed():
    listed = re.findall(r"\]\((\w+)\.md\)", (GALLERY / "index.md").read_text(encoding="utf-8"))
    assert sorted(listed) == list(PAGES) and len(PAGES) >= 15
    site = (REPO / "mkdocs.yml").read_text(encoding="utf-8")
    assert all(f"gallery/{name}.md" in site for name in PAGES)


PLAIN = """# Sum

Two and two.

```python
print(2 + 2)
open("sum.png", "wb").write(b"a picture")
```

```text
4
```

<!-- picture: Four. -->
"""


def test_a_page_becomes_a_notebook_with_its_outputs():
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("jupytext")
    page = HOOK.Page("sum", PLAIN)
    printed, picture = page.run()
    assert (printed, picture) == (page.expected, b"a picture")
    book = nbformat.reads(page.notebook(printed, picture), as_version=4)
    nbformat.validate(book)
    words, code = book.cells
    assert words.source == "# Sum\n\nTwo and two." and code.source in page.program
    stream, shown = code.outputs
    assert stream.text == "4\n" and shown.data["image/png"] == "YSBwaWN0dXJl"
    assert page.notebook(printed, picture) == page.notebook(printed, picture)
    assert json.loads(page.notebook(printed, picture))["metadata"]["kernelspec"]


def test_the_site_shows_the_picture_and_links_the_notebook():
    shown = HOOK.Page("sum", PLAIN).shown()
    assert "![Four.](sum.png)" in shown and "(sum.ipynb)" in shown and "<!--" not in shown
