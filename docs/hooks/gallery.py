"""Runs the gallery while the documentation is built, for its pictures and notebooks.

Each page has one program and what it prints. A program that draws ends by saving `NAME.png`, where
`NAME` is that of its page, and the page says what is to be seen: `<!-- picture: ... -->`.
"""

import base64
import contextlib
import dataclasses
import io
import json
import logging
import os
import pathlib
import re
import tempfile
from typing import Any

# A message at this level fails a build with `strict: true`.
log = logging.getLogger("mkdocs.hooks.gallery")
_PICTURE = re.compile(r"^<!-- picture: (.+) -->\n", re.MULTILINE)
_PRINTED = re.compile(r"^```text\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
_PROGRAM = re.compile(r"^```python\n(.*?)^```\n", re.MULTILINE | re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Page:
    """A page of the gallery.

    Args:
        name: Its name, without `.md`.
        text: Its Markdown.
    """

    name: str
    text: str

    @classmethod
    def read(cls, path: pathlib.Path) -> "Page":
        """Reads a page."""
        return cls(path.stem, path.read_text(encoding="utf-8"))

    @property
    def program(self) -> str:
        """The one program."""
        (found,) = _PROGRAM.findall(self.text)
        return found

    @property
    def expected(self) -> str:
        """What the program prints."""
        (found,) = _PRINTED.findall(self.text)
        return found

    @property
    def caption(self) -> str | None:
        """What is to be seen in its picture, or `None` if it has none."""
        found = _PICTURE.findall(self.text)
        return found[0] if found else None

    def run(self) -> tuple[str, bytes | None]:
        """Runs the program in the current folder: what it has printed, and its picture."""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(self.program, f"{self.name}.md", "exec"), {"__name__": "example"})
        picture = pathlib.Path(f"{self.name}.png")
        return printed.getvalue(), picture.read_bytes() if picture.exists() else None

    def notebook(self, printed: str, picture: bytes | None) -> str:
        """Returns the page as a notebook, with outputs."""
        import jupytext
        import nbformat

        made = nbformat.v4.new_output
        outputs = [made("stream", name="stdout", text=printed)]
        if picture is not None:
            data = {"image/png": base64.b64encode(picture).decode("ascii")}
            outputs.append(made("display_data", data=data))
        text = _PICTURE.sub("", _PRINTED.sub("", self.text)).strip()
        book: Any = jupytext.reads(text, fmt="md")
        for place, cell in enumerate(book.cells):
            cell["id"] = f"{self.name}-{place}"
            if cell.cell_type == "code":
                cell.update(outputs=outputs, execution_count=1)
        spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        book.metadata = {"kernelspec": spec}
        return json.dumps(book, indent=1, ensure_ascii=False) + "\n"

    def shown(self) -> str:
        """Returns the Markdown of the site: with the picture, and a link to the notebook."""
        text = _PICTURE.sub(lambda found: f"![{found[1]}]({self.name}.png)\n", self.text)
        return f"{text}\n[The same as a notebook]({self.name}.ipynb), with its outputs.\n"


def on_files(files: Any, config: Any) -> Any:
    """Runs all programs; their pictures and notebooks become files of the site."""
    from mkdocs.structure.files import File

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["MPLBACKEND"] = "Agg"
    for file in [each for each in files.documentation_pages() if _is_program(each)]:
        page = Page.read(pathlib.Path(file.abs_src_path))
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            printed, picture = page.run()
        if printed != page.expected:
            log.warning("gallery/%s.md prints: %s", page.name, printed)
        content = {"ipynb": page.notebook(printed, picture), "png": picture}
        for ending, each in content.items():
            if each is not None:
                uri = f"gallery/{page.name}.{ending}"
                files.append(File.generated(config, uri, content=each))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Shows what the program has drawn."""
    if not _is_program(page.file):
        return markdown
    return Page(pathlib.Path(page.file.src_uri).stem, markdown).shown()


def _is_program(file):
    path = pathlib.PurePosixPath(file.src_uri)
    return path.parent.name == "gallery" and path.name != "index.md"
