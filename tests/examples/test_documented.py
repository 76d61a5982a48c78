"""Every Python example of the docstrings and of the Markdown pages, run in one process."""

import ast
import pathlib
import re
import textwrap
import traceback

import pytest

pytestmark = pytest.mark.usefixtures("few_chunks")

REPO = pathlib.Path(__file__).resolve().parents[2]
# test_gallery.py compares what the gallery prints; test_pages.py has other languages.
DOCS = [p for p in sorted((REPO / "docs").rglob("*.md")) if p.parent.name != "gallery"]
FENCE = re.compile(
    r"^(?P<indent> *)```python\n(?P<code>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)


def examples_in(text, first_line=1):
    """`(line, code)` of each ```python block; the line is that of the code's first."""
    found = []
    for match in FENCE.finditer(text):
        line = first_line + text.count("\n", 0, match.start("code"))
        found.append((line, textwrap.dedent(match["code"])))
    return found


def docstrings(path):
    """`(line, docstring)` of a module and of every class and function in it."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, kinds) and ast.get_docstring(node, clean=False) is not None:
            yield node.body[0].lineno, node.body[0].value.value


def run(path, line, code, names):
    """Runs a block; a traceback through it shows the line of the file that it stands in."""
    blank = "\n" * (line - 1)
    try:
        exec(compile(blank + code, str(path), "exec"), names)
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        where = [frame.lineno for frame in frames if frame.filename == str(path)]
        at = where[0] if where else line
        text = f"{path.relative_to(REPO)}:{at}: {type(error).__name__}: {error}"
        raise pytest.fail.Exception(text) from error


PAGES = ["README.md", "CONTRIBUTING.md"] + [
    str(path.relative_to(REPO)) for path in DOCS if examples_in(path.read_text(encoding="utf-8"))
]
SOURCES = sorted((REPO / "adaptive_nets").rglob("*.py"))
IN_DOCSTRINGS = [
    pytest.param(path, line, code, id=f"{path.relative_to(REPO)}:{line}")
    for path in SOURCES
    for first_line, text in docstrings(path)
    for line, code in examples_in(text, first_line)
]


@pytest.mark.parametrize(("path", "line", "code"), IN_DOCSTRINGS)
def test_example_in_a_docstring_runs(path, line, code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(path, line, code, {"__name__": "example"})


@pytest.mark.parametrize("name", PAGES)
def test_examples_of_a_page_run_one_after_another(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "example"}
    for line, code in examples_in((REPO / name).read_text(encoding="utf-8")):
        run(REPO / name, line, shortened(code), names)


def shortened(code):
    """The same with a tenth of the epochs, and of the steps of an energy network."""
    fewer = r"(?<![\w.])(epochs|steps)=(\d{2,})\b"
    return re.sub(fewer, lambda found: f"{found[1]}={max(2, int(found[2]) // 10)}", code)


def test_the_pages_with_examples_are_found():
    assert {"docs/start.md", "docs/search.md", "docs/growth.md", "docs/methods/adanet.md"} < {
        *PAGES
    }


def test_errors_that_a_page_explains_are_those_of_the_package():
    text = (REPO / "docs" / "errors.md").read_text(encoding="utf-8")
    quoted = re.findall(r"^\| `([^`]+)`", text, re.MULTILINE)
    package = "".join(path.read_text(encoding="utf-8") for path in SOURCES)
    assert len(quoted) >= 8
    assert not [words for words in quoted if words not in package]


def test_no_example_escapes():
    assert len(IN_DOCSTRINGS) >= 20
    escaped = [
        f"{path.relative_to(REPO)}:{first_line}"
        for path in SOURCES
        for first_line, text in docstrings(path)
        if ">>>" in text
        or len(re.findall("^ *```", text, re.MULTILINE)) != 2 * len(examples_in(text))
    ]
    assert not escaped, f"examples are fenced by ```python: {', '.join(escaped)}"


def test_a_failing_example_is_named_by_file_and_line():
    path = REPO / "README.md"
    ((line, code),) = examples_in("Text.\n\n```python\na = 1\n\nb = a / 0\n```\n")
    with pytest.raises(pytest.fail.Exception, match=r"^README.md:6: ZeroDivisionError"):
        run(path, line, code, {})
