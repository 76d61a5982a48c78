"""The house keeps its shape; and each check sees the fault that it is for."""

import importlib.util
import pathlib
import sys
import textwrap

import pytest

pytestmark = pytest.mark.backend_agnostic


def load_house():
    """The script beside this file; tests are not a package."""
    path = pathlib.Path(__file__).with_name("house.py")
    spec = importlib.util.spec_from_file_location("house", path)
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look up their module by its name.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


house = load_house()


@pytest.fixture(scope="module")
def checks():
    return house.checks()


@pytest.mark.parametrize(
    "name",
    [
        "circles of imports",
        "imports of the face from inside",
        "imports by a computed name",
        "private access across objects",
        "files past 400 lines",
        "folders of more than 14 files",
        "classes past 250 lines",
        "AdaNet.fit past 30 lines of code",
    ],
)
def test_there_are_no_faults(checks, name):
    assert not [str(fault) for fault in checks[name]]


def test_every_check_is_asserted(checks):
    marks = {mark.name: mark for mark in test_there_are_no_faults.pytestmark}
    assert list(checks) == marks["parametrize"].args[1]


def test_all_folders_are_read():
    folders = {source.path.partition("/")[0] for source in house.read_sources(*house.FOLDERS)}
    assert folders == set(house.FOLDERS)


def test_the_table_has_every_check_and_the_largest_of_each(checks):
    text = "\n".join(house.table())
    for name in (*checks, "private access in tests", "longest file", "fullest folder"):
        assert name in text


# Faults that each check must see -----------------------------------------------------------------


def sources(**texts):
    """Made-up modules of the package, `a__b` for `adaptive_nets/a/b.py`."""
    return [
        house.Source(f"adaptive_nets/{name.replace('__', '/')}.py", textwrap.dedent(text))
        for name, text in texts.items()
    ]


FACE = house.Source("adaptive_nets/__init__.py", "")
ROOM = house.Source("adaptive_nets/room/__init__.py", "from adaptive_nets.room.one import One")


@pytest.mark.parametrize(
    "back",
    [
        "from adaptive_nets.a import A",
        "from adaptive_nets import a",
        "import adaptive_nets.a",
        "from . import a",
        "from .a import A",
        "def f():\n    from adaptive_nets import a",
        "if TYPE_CHECKING:\n    from adaptive_nets.a import A",
        "import importlib\nimportlib.import_module('adaptive_nets.a')",
    ],
)
def test_a_circle_is_seen_however_it_closes(back):
    forth = sources(a="from adaptive_nets.b import B", b="from adaptive_nets.c import C", c=back)
    (fault,) = house.circles(forth)
    assert all(f"adaptive_nets.{name}" in fault.what for name in "abc")


def test_each_of_two_circles_is_seen():
    pairs = {
        "a": "import adaptive_nets.b", "b": "import adaptive_nets.a",
        "c": "import adaptive_nets.d", "d": "import adaptive_nets.c",
    }  # fmt: skip
    assert len(house.circles(sources(**pairs))) == 2


def test_arrows_that_close_nothing_are_no_circle():
    assert not house.circles(sources(a="from adaptive_nets import b, c", b="from . import c", c=""))


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("import adaptive_nets as an", "imports itself of adaptive_nets,"),
        ("from adaptive_nets import AdaNet", "imports AdaNet of adaptive_nets,"),
        ("def f():\n    from adaptive_nets import AdaNet", "imports AdaNet of adaptive_nets,"),
        ("from adaptive_nets.room import One", "imports One of adaptive_nets.room,"),
        ("from . import One", "imports One of adaptive_nets.room,"),
        ("import adaptive_nets.room", "imports itself of adaptive_nets.room,"),
    ],
)
def test_an_import_of_the_face_from_inside_is_seen(line, fault):
    inside = [FACE, ROOM, *sources(room__one="One = 1", room__two=line)]
    (found,) = house.doors(inside)
    assert fault in found.what and found.where.startswith("adaptive_nets/room/two.py:")


@pytest.mark.parametrize(
    "line",
    [
        "from adaptive_nets import other, __version__",
        "from adaptive_nets.room import one",
        "from adaptive_nets.room.one import One",
        "from adaptive_nets.other import Other",
        "import adaptive_nets.other",
    ],
)
def test_a_module_may_be_named_by_its_place(line):
    inside = [FACE, ROOM, *sources(room__one="One = 1", room__two=line, other__it="")]
    inside.append(house.Source("adaptive_nets/other/__init__.py", "Other = 1"))
    assert not house.doors(inside)


def test_a_computed_import_is_seen_unless_it_is_explained():
    found = sources(
        a="importlib.import_module(name)",
        b="importlib.import_module(f'adaptive_nets.{name}')",
        c="importlib.import_module(f'sklearn.{name}')",
        d="importlib.import_module('tensorflow')",
        e="__import__(name)",
    )
    faults = house.dynamic_imports(found, {"adaptive_nets/e.py": "why"})
    assert [fault.where for fault in faults] == ["adaptive_nets/a.py:1", "adaptive_nets/b.py:1"]
    (unused,) = house.dynamic_imports(found[2:4], {"adaptive_nets/d.py": "why"})
    assert unused.where == "adaptive_nets/d.py"


@pytest.mark.parametrize(
    "code",
    [
        "other._x",
        "other._x = 1",
        "other.thing._x()",
        "self.other._x",
        "getattr(other, '_x')",
        "hasattr(other, '_x', None)",
        "setattr(other, '_x', 1)",
        "from adaptive_nets.b import _x",
        "from keras import _x",
        "import adaptive_nets.b._x",
        "class Mine:\n    def f(self, other):\n        return other._x",
    ],
)
def test_private_access_is_seen(code):
    (fault,) = house.private_access(sources(a=code, b="_x = 1"))
    assert "_x" in fault.what and fault.where.startswith("adaptive_nets/a.py:")


@pytest.mark.parametrize(
    "code",
    [
        "self._x",
        "cls._x",
        "super()._x()",
        "other.__dict__",
        "pair._replace(a=1)",
        "getattr(self, '_x')",
        "getattr(other, name)",
        "from adaptive_nets import _b",
        "from adaptive_nets._b import x",
        "class Mine:\n    def _x(self): ...\n    def __eq__(self, other): return other._x()",
        "class Mine:\n    _x: int = 0\ndef f(mine): return mine._x",
        "class Mine:\n    def __init__(self): self._x = 1\ndef f(mine): return mine._x",
    ],
)
def test_what_is_ones_own_may_be_private(code):
    assert not house.private_access(sources(a=code, _b="x = 1"))


def test_keras_is_looked_into_in_one_place_only():
    inside = house.Source("adaptive_nets/keras_internals/graph.py", "model._functional")
    assert not house.private_access([inside])
    assert house.private_access([house.Source("adaptive_nets/keras_more.py", inside.text)])


@pytest.mark.parametrize(("lines", "faults"), [(400, 0), (401, 1)])
def test_a_long_file_is_seen(lines, faults):
    assert len(house.long_files(sources(a="x = 1\n" * lines))) == faults


@pytest.mark.parametrize(("files", "faults"), [(14, 0), (15, 1)])
def test_a_full_folder_is_seen(files, faults):
    found = sources(**{f"room__n{i}": "" for i in range(files)}, room__deeper__a="")
    assert len(house.full_folders(found)) == faults


@pytest.mark.parametrize(("lines", "faults"), [(250, 0), (251, 1)])
def test_a_large_class_is_seen_with_its_documentation(lines, faults):
    text = "@register\nclass A:\n    '''Much to say.\n" + "\n" * (lines - 4) + "    '''\n\nx = 1\n"
    assert len(house.large_classes(sources(a=text))) == faults


@pytest.mark.parametrize(("lines", "faults"), [(30, 0), (31, 1)])
def test_a_long_fit_is_seen_by_its_code(lines, faults):
    head = "class AdaNet:\n    def fit(\n        self,\n        x,\n    ):\n        '''It fits.\n\n"
    body = (
        "        '''\n        # Why.\n\n"
        + "        x = 1\n" * lines
        + "\n    def load(self): ...\n"
    )
    found = [house.Source("adaptive_nets/adanet/search.py", head + body)]
    assert len(house.long_fit(found)) == faults
