"""The shape of the house, read from the sources: circles, doors, private rooms, sizes.

    python tests/house.py

prints what it found and how much of it breaks a limit. Nothing of the package is imported: every
count is made over syntax trees. `tests/test_house.py` asserts that there are no faults.
"""

import ast
import dataclasses
import functools
import graphlib
import pathlib
from collections import Counter
from collections.abc import Iterable, Iterator

REPO = pathlib.Path(__file__).resolve().parents[1]
PACKAGE = "adaptive_nets"
FOLDERS = (PACKAGE, "tests", "benchmarks", "research", "examples")

FILE_LINES, FOLDER_FILES, CLASS_LINES, FIT_LINES = 400, 14, 250, 30

# Files that import modules by a computed name, which no syntax tree can follow, and why they may.
DYNAMIC_IMPORTS = {
    "adaptive_nets/__init__.py": "the face loads each public name when it is first used",
    "adaptive_nets/adanet/placement/base.py": (
        "every module of the room is imported to register its placements, so that a new one "
        "touches one file"
    ),
    "adaptive_nets/cli/app.py": "a command's module loads TensorFlow, which --help does without",
    "adaptive_nets/growth/core/registry.py": (
        "rules for the layers of an optional package are loaded when such a layer is met"
    ),
    "adaptive_nets/contracts.py": (
        "a class of this package that a file names is registered by a room that stands above, and "
        "is derived from the base that its place asks for; no name that a file holds is imported"
    ),
}

# What the face holds for the inside too: packaging reads the version there.
SHARED_NAMES = {(PACKAGE, "__version__")}

# The one place where names private to Keras and TensorFlow are read; it has tests of its own.
KERAS_INTERNALS = f"{PACKAGE}/keras_internals"

# Public methods of every namedtuple.
NAMEDTUPLE_METHODS = {"_asdict", "_fields", "_make", "_replace"}


@dataclasses.dataclass(frozen=True)
class Source:
    """One file: its path below the repository, and its text."""

    path: str
    text: str

    @functools.cached_property
    def tree(self):
        """Its syntax tree."""
        return ast.parse(self.text)

    @property
    def module(self):
        """Its name when it is imported."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def is_package(self):
        """Whether it is what makes its folder a package."""
        return self.path.endswith("/__init__.py")

    @property
    def lines(self):
        """How many lines it has."""
        return len(self.text.splitlines())


@dataclasses.dataclass(frozen=True)
class Fault:
    """What breaks a limit, and where."""

    where: str
    what: str

    def __str__(self):
        return f"{self.where}: {self.what}"


def read_sources(*folders: str, root: pathlib.Path = REPO) -> list[Source]:
    """All Python files of the folders."""
    paths = [path for folder in folders for path in sorted((root / folder).rglob("*.py"))]
    return [Source(path.relative_to(root).as_posix(), path.read_text()) for path in paths]


# Imports -----------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Import:
    """One imported name, wherever in the file it stands; `name` is None for `import module`."""

    line: int
    module: str
    name: str | None


def imports(source: Source) -> Iterator[Import]:
    """What a file imports: in functions, for type checkers and by a literal name too."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from (Import(node.lineno, alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(source, node)
            yield from (Import(node.lineno, module, alias.name) for alias in node.names)
        elif _is_dynamic_import(node) and (name := _literal(node)):
            yield Import(node.lineno, name, None)


def _absolute(source, node):
    """The module that an import is from; `from . import x` is relative."""
    if not node.level:
        return node.module
    parts = source.module.split(".")
    parts = parts[: len(parts) - node.level + source.is_package]
    return ".".join([*parts, node.module] if node.module else parts)


def _is_dynamic_import(node):
    if not isinstance(node, ast.Call):
        return False
    function = node.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in ("import_module", "__import__")


def _literal(call):
    first = call.args[0] if call.args else None
    return first.value if isinstance(first, ast.Constant) else None


def _is_computed(call):
    """Whether a module of this package may be meant; `f"sklearn.{name}"` cannot mean one."""
    first = call.args[0] if call.args else None
    if isinstance(first, ast.JoinedStr) and isinstance(first.values[0], ast.Constant):
        return first.values[0].value.startswith(PACKAGE)
    return not isinstance(first, ast.Constant)


def arrows(sources: list[Source]) -> dict[str, set[str]]:
    """From each module to the modules of the sources that it imports."""
    modules = {source.module for source in sources}
    found = {module: set() for module in modules}
    for source in sources:
        for each in imports(source):
            target = f"{each.module}.{each.name}" if each.name else each.module
            target = target if target in modules else each.module
            if target in modules and target != source.module:
                found[source.module].add(target)
    return found


def circles(sources: list[Source]) -> list[Fault]:
    """One fault for each circle of imports that is found after the ones before are opened."""
    graph, faults = arrows(sources), []
    while True:
        try:
            graphlib.TopologicalSorter(graph).prepare()
        except graphlib.CycleError as error:
            circle = error.args[1]
            faults.append(Fault(circle[1], "circle: " + " <- ".join(circle)))
            # The sorter's circle runs from a module to one that imports it.
            graph[circle[1]].discard(circle[0])
        else:
            return faults


def doors(sources: list[Source]) -> list[Fault]:
    """Imports of a package's public names from inside of that package.

    A module is named from inside by its place, never by the face that shows it outside.
    """
    modules, faults = {source.module for source in sources}, []
    packages = {source.module for source in sources if source.is_package}
    for source in sources:
        if source.module == PACKAGE:
            continue
        for each in imports(source):
            inside = f"{source.module}.".startswith(f"{each.module}.")
            is_module = each.name and f"{each.module}.{each.name}" in modules
            if (each.module, each.name) in SHARED_NAMES:
                continue
            if inside and each.module in packages and not is_module:
                name = each.name or "itself"
                where = f"{source.path}:{each.line}"
                faults.append(Fault(where, f"imports {name} of {each.module}, in which it stands"))
    return faults


def dynamic_imports(
    sources: list[Source], explained: Iterable[str] = DYNAMIC_IMPORTS
) -> list[Fault]:
    """Imports by a computed name, which may be of this package, outside of the explained files."""
    found = [
        (source.path, node.lineno)
        for source in sources
        for node in ast.walk(source.tree)
        if _is_dynamic_import(node) and _is_computed(node)
    ]
    unused = set(explained) - {path for path, _ in found}
    faults = [
        Fault(f"{path}:{line}", "imports a module by a computed name")
        for path, line in found
        if path not in explained
    ]
    return faults + [Fault(path, "has no such import any more") for path in sorted(unused)]


# Private access ----------------------------------------------------------------------------------


def is_private(name: str) -> bool:
    """Whether a name begins with one underscore, and is not `_` alone."""
    return name.startswith("_") and not name.startswith("__") and name.strip("_") != ""


def private_access(sources: list[Source]) -> list[Fault]:
    """Private names of other objects and modules that are read, set, imported or asked for.

    A name is an object's own on `self`, `cls` and `super()`, and that of a class's own file: there
    a class and its functions may know of each other. It is another's everywhere else.
    """
    modules, faults = {source.module for source in sources}, []
    for source in sources:
        if source.path.startswith(KERAS_INTERNALS):
            continue
        tree = source.tree
        own = _own_names(tree)
        for node in ast.walk(tree):
            for name in _foreign_names(node, own):
                faults.append(Fault(f"{source.path}:{node.lineno}", f"reads {name} of another"))
        for each in imports(source):
            name = each.name or each.module.rpartition(".")[2]
            path = f"{each.module}.{each.name}" if each.name else each.module
            ours = each.module.partition(".")[0] == PACKAGE
            if is_private(name) and path not in modules and (ours or each.name):
                faults.append(Fault(f"{source.path}:{each.line}", f"imports {path}"))
    return faults


def _own_names(tree):
    """Private names that the classes of a file give their objects."""
    found = set()
    for kind in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
        for node in kind.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(node.name)
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", 0)]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
        for node in ast.walk(kind):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _own(node):
                found.add(node.attr)
    return {name for name in found if is_private(name)}


def _own(attribute):
    """Whether an attribute is one of `self`, `cls` or `super()`."""
    base = attribute.value
    if isinstance(base, ast.Call):
        base = base.func
        return isinstance(base, ast.Name) and base.id == "super"
    return isinstance(base, ast.Name) and base.id in ("self", "cls")


def _foreign_names(node, own):
    """The private names of another object that a node reads or sets."""
    if isinstance(node, ast.Attribute):
        names = [] if _own(node) else [node.attr]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        asks = node.func.id in ("getattr", "setattr", "hasattr", "delattr") and len(node.args) > 1
        on_self = asks and isinstance(node.args[0], ast.Name) and node.args[0].id in ("self", "cls")
        name = node.args[1].value if asks and isinstance(node.args[1], ast.Constant) else None
        names = [name] if isinstance(name, str) and not on_self else []
    else:
        names = []
    return [n for n in names if is_private(n) and n not in own | NAMEDTUPLE_METHODS]


# Sizes -------------------------------------------------------------------------------------------


def long_files(sources: list[Source], limit: int = FILE_LINES) -> list[Fault]:
    """Files of more lines than the limit."""
    return [Fault(s.path, f"{s.lines} lines") for s in sources if s.lines > limit]


def folder_sizes(sources: list[Source]) -> Counter[str]:
    """How many Python files each folder holds, those of folders below it not counted."""
    return Counter(source.path.rpartition("/")[0] for source in sources)


def full_folders(sources: list[Source], limit: int = FOLDER_FILES) -> list[Fault]:
    """Folders of more files than the limit."""
    return [Fault(f, f"{n} files") for f, n in folder_sizes(sources).items() if n > limit]


def class_sizes(sources: list[Source]) -> dict[str, int]:
    """From each class, as `path:name`, to its lines with decorators and documentation."""
    return {
        f"{source.path}:{node.name}": _raw_lines(node)
        for source in sources
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef)
    }


def large_classes(sources: list[Source], limit: int = CLASS_LINES) -> list[Fault]:
    """Classes of more lines than the limit."""
    return [Fault(k, f"{n} lines") for k, n in class_sizes(sources).items() if n > limit]


def _raw_lines(node):
    first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
    return node.end_lineno - first + 1


def code_lines(source: Source, kind: str, method: str) -> int:
    """Lines of code in a method: without signature, docstring, comments and blank lines."""
    node = next(
        function
        for each in ast.walk(source.tree)
        if isinstance(each, ast.ClassDef) and each.name == kind
        for function in each.body
        if isinstance(function, ast.FunctionDef) and function.name == method
    )
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    lines = source.text.splitlines()[body[0].lineno - 1 : node.end_lineno] if body else []
    return sum(bool(line.strip()) and not line.strip().startswith("#") for line in lines)


def long_fit(sources: list[Source], limit: int = FIT_LINES) -> list[Fault]:
    """`AdaNet.fit`, if it has more lines of code than the limit."""
    where = f"{PACKAGE}/adanet/search.py"
    count = code_lines(next(s for s in sources if s.path == where), "AdaNet", "fit")
    return [Fault(where, f"AdaNet.fit has {count} lines of code")] if count > limit else []


# All together ------------------------------------------------------------------------------------


def checks(root: pathlib.Path = REPO) -> dict[str, list[Fault]]:
    """What each check found."""
    package, everything = read_sources(PACKAGE, root=root), read_sources(*FOLDERS, root=root)
    return {
        "circles of imports": circles(package),
        "imports of the face from inside": doors(package),
        "imports by a computed name": dynamic_imports(package),
        "private access across objects": private_access(package),
        f"files past {FILE_LINES} lines": long_files(everything),
        f"folders of more than {FOLDER_FILES} files": full_folders(everything),
        f"classes past {CLASS_LINES} lines": large_classes(everything),
        f"AdaNet.fit past {FIT_LINES} lines of code": long_fit(package),
    }


def table(root: pathlib.Path = REPO) -> Iterable[str]:
    """The lines of what `main` prints."""
    for name, faults in checks(root).items():
        yield f"{name:<42}{len(faults):>5}"
        yield from (f"    {fault}" for fault in faults)
    tests, everything = read_sources("tests", root=root), read_sources(*FOLDERS, root=root)
    # Tests may look inside what they test; how much of it they do is worth knowing.
    yield f"{'private access in tests (tolerated)':<42}{len(private_access(tests)):>5}"
    longest = max(everything, key=lambda source: source.lines)
    yield f"{'longest file':<42}{longest.lines:>5}  {longest.path}"
    folder, count = folder_sizes(everything).most_common(1)[0]
    yield f"{'fullest folder':<42}{count:>5}  {folder}"
    kind, lines = max(class_sizes(everything).items(), key=lambda item: item[1])
    yield f"{'largest class':<42}{lines:>5}  {kind}"


def main() -> None:
    """Prints the table."""
    print("\n".join(table()))


if __name__ == "__main__":
    main()
