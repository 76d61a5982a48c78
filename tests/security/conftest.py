"""Traps beside and outside of crafted files: whatever springs or touches one fails the test."""

import base64
import contextlib
import marshal
import os
import sys

import pytest

# What no file may bring about; and imports and openings of the traps.
_RUNS = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.connect",
         "socket.getaddrinfo", "urllib.Request", "pickle.find_class", "ctypes.dlopen")  # fmt: skip
# Keras imports torch by itself where it meets what is not a tensor.
_TRAPS = ("trap", "keras.src.backend.torch")
_watched = []


def _hook(event, arguments):
    if not _watched:
        return
    outside, seen = _watched[-1]
    if event in _RUNS or (event == "import" and arguments[0].startswith(_TRAPS)):
        seen.append((event, *map(str, arguments[:2])))
    elif event == "open" and str(arguments[0]).startswith(outside):
        seen.append((event, str(arguments[0])))


sys.addaudithook(_hook)


class Traps:
    """A working folder with modules that must not be imported, and a file outside of it.

    Attributes:
        outside: A folder that nothing may read or write.
        secret: A file in it.
    """

    def __init__(self, folder):
        self.outside, self.inside = folder / "outside", folder / "inside"
        self.outside.mkdir()
        self.inside.mkdir()
        self.secret = self.outside / "secret.txt"
        self.secret.write_text("a secret\nof two lines\n")
        (self.inside / "trap.py").write_text(self.code)

    @property
    def code(self):
        return f"open({str(self.outside / 'sprung')!r}, 'w').close()"

    @contextlib.contextmanager
    def watched(self):
        """Fails if a trap has sprung, or was touched, within it."""
        before = sorted(os.listdir(self.outside))
        seen = []
        _watched.append((str(self.outside), seen))
        try:
            yield
        finally:
            _watched.pop()
        assert not seen, seen
        assert sorted(os.listdir(self.outside)) == before
        assert "trap" not in sys.modules

    def hostile(self):
        """Descriptions of objects that would run code, or read a file, if they were made."""
        source = f"lambda *args, **kwargs: {self.code}"
        code = marshal.dumps(eval(source).__code__)
        coded = base64.encodebytes(code).decode("ascii")
        function = {
            "class_name": "__lambda__", "config": {"code": coded, "defaults": None, "closure": None}
        }  # fmt: skip
        lambda_layer = {"module": "keras.layers", "class_name": "Lambda", "registered_name": None,
                        "config": {"name": "l", "function": function, "arguments": {}}}  # fmt: skip
        secret = str(self.secret)
        return {
            "module": {"module": "trap", "class_name": "Thing", "config": {},
                       "registered_name": None},
            "submodule": {"module": "keras.src.backend.torch.core", "class_name": "Variable",
                          "config": {}, "registered_name": None},
            "old class": {"class": "trap.Thing", "registered": "Thing", "config": {}},
            "old function": {"class": "os.system", "config": None},
            "name": {"registered": "trap>Thing", "config": {"command": secret}},
            "name of Keras": {"registered": "keras>Lambda", "config": lambda_layer["config"]},
            "function": {"module": "builtins", "class_name": "function", "config": "eval",
                         "registered_name": "eval"},
            "shell": {"module": "os", "class_name": "function", "config": "system",
                      "registered_name": "system"},
            "download": {"module": "keras.utils", "class_name": "function", "config": "get_file",
                         "registered_name": "get_file"},
            "download as class": {"module": "keras.utils", "class_name": "get_file",
                                  "config": {"fname": "x", "origin": f"file://{secret}"},
                                  "registered_name": None},
            "lambda": {"class_name": "__lambda__", "config": {"value": [coded, None, None]}},
            "lambda layer": lambda_layer,
            "hidden lambda": {"module": "keras", "class_name": "Sequential",
                              "registered_name": None, "config": {"layers": [lambda_layer]}},
            "saved model": {"module": "keras.layers", "class_name": "TFSMLayer",
                            "registered_name": None,
                            "config": {"filepath": str(self.outside), "name": "t"}},
            "vocabulary": {"module": "keras.layers", "class_name": "StringLookup",
                           "registered_name": None, "config": {"vocabulary": secret}},
            "log": {"module": "keras.callbacks", "class_name": "CSVLogger",
                    "registered_name": None, "config": {"filename": f"{secret}.csv"}},
        }  # fmt: skip


@pytest.fixture
def traps(tmp_path, monkeypatch):
    made = Traps(tmp_path)
    monkeypatch.chdir(made.inside)
    monkeypatch.syspath_prepend(str(made.inside))
    return made


def one_line(error):
    """The message of an error, which must be one line."""
    text = str(error)
    assert text and "\n" not in text, text
    return text
