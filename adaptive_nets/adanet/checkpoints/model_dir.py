"""The folder of a search. Every file is written atomically, and none is pickled.

model_dir/
  state-000003.json          configuration, ensemble, leaderboard, reports; newest valid wins
  members/1_dense_2.keras    weights of subnetworks that a state file names
  preprocessing.keras
  checkpoint-0000500.npz     weights and optimizer slots in the middle of a round
  tensorboard/round_1/...    scalars of each subnetwork
"""

import json
import os
import re
import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Iterable
from pathlib import Path

import keras
import numpy as np

from adaptive_nets._checks import check_path
from adaptive_nets.adanet.checkpoints.codec import decode_nonfinite, encode_nonfinite
from adaptive_nets.adanet.checkpoints.writer_lease import WriterLease
from adaptive_nets.atomic_files import PREFIX, atomic_write
from adaptive_nets.graphs.loadable import separated
from adaptive_nets.keras_internals import seeded
from adaptive_nets.serialization import normalize

VERSION = 2
KEPT = 3
PREPROCESSING_FILE = "preprocessing.keras"


class ModelDirReader:
    """Reads the folder of a search, and writes nothing.

    Args:
        path: The folder.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(check_path("model_dir", path))

    def has_state(self) -> bool:
        return self.newest > 0

    @property
    def newest(self) -> int:
        """The number of the newest state file, or 0 if there is none."""
        numbered = self._numbered("state-*.json")
        return numbered[-1][0] if numbered else 0

    @staticmethod
    def named(state: dict) -> list[str]:
        """Returns the model files that a state needs."""
        return [*state["files"], *([PREPROCESSING_FILE] if state["preprocessed"] else [])]

    def read_state(self, path: str | os.PathLike | None = None) -> dict | None:
        """Reads the newest readable state, or returns `None` if there is none.

        Args:
            path: State file to read instead of the newest. Defaults to `None`.
        """
        numbered = self._numbered("state-*.json")
        if path is not None:
            numbered = [(n, p) for n, p in numbered if p.name == Path(path).name]
            if not numbered:
                raise ValueError(f"State file '{path}' does not exist in '{self.path}'.")
        for _, path in reversed(numbered):
            try:
                state = decode_nonfinite(json.loads(path.read_text(encoding="utf-8")))
                version = state["version"]
            except (ValueError, KeyError, TypeError, OSError) as error:
                warnings.warn(
                    f"State file '{path}' cannot be read ({type(error).__name__}); falling back "
                    "to the previous one.",
                    stacklevel=2,
                )
                continue
            if version != VERSION:
                age, cure = (
                    ("a newer", "Upgrade adaptive_nets.")
                    if version > VERSION
                    else ("an older", "Use another model_dir, or that version.")
                )
                raise ValueError(
                    f"'{path}' was written by {age} version of adaptive_nets (format {version}; "
                    f"this version reads {VERSION}). {cure}"
                )
            missing = [n for n in state.get("files", []) if not (self.path / n).exists()]
            if missing:
                warnings.warn(
                    f"State file '{path}' names missing files ({', '.join(missing)}); falling "
                    "back to the previous one.",
                    stacklevel=2,
                )
                continue
            described = ("settings", "adapted_head")
            return {k: normalize(v) if k in described else v for k, v in state.items()}
        return None

    def load_model(self, name: str) -> keras.Model:
        """Loads the model in one of the folder's files."""
        try:
            # Weights are read, and the seeds of what draws them are of no use.
            with seeded(0):
                return keras.saving.load_model(self.path / name, compile=False)
        except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"'{self.path / name}' cannot be loaded: {str(error).splitlines()[0]} If it has "
                "layers of your own, register them with "
                "keras.saving.register_keras_serializable first."
            ) from error

    def read_checkpoint(self) -> tuple[dict, list[np.ndarray]] | None:
        """Reads the newest readable checkpoint, or returns `None` if there is none."""
        for _, path in reversed(self._numbered("checkpoint-*.npz")):
            try:
                with np.load(path, allow_pickle=False) as archive:
                    header = json.loads(archive["header"].tobytes().decode())
                    names = sorted(n for n in archive.files if n != "header")
                    return header, [archive[n] for n in names]
            except (ValueError, OSError, KeyError, EOFError, zipfile.BadZipFile) as error:
                warnings.warn(
                    f"Checkpoint '{path}' cannot be read ({type(error).__name__}); falling back "
                    "to the previous one.",
                    stacklevel=2,
                )
        return None

    def _numbered(self, pattern):
        found = []
        for path in self.path.glob(pattern):
            match = re.search(r"-(\d+)\.\w+$", path.name)
            if match:
                found.append((int(match[1]), path))
        return sorted(found)


class ModelDir(ModelDirReader):
    """The folder of a search, for the one process that writes to it.

    Args:
        path: The folder. If it is missing, the first write creates it.

    Attributes:
        lease: The `WriterLease` that is confirmed before each change, or `None`, the default, for
            none.

    Raises:
        OSError: The folder cannot be written to.
    """

    def __init__(self, path: str | os.PathLike):
        super().__init__(path)
        self.lease: WriterLease | None = None
        try:
            self._probe()
        except OSError as error:
            raise OSError(
                f"model_dir must be a folder that can be written to. Received: '{path}' "
                f"({error.strerror or error})."
            ) from error

    def _probe(self):
        """Tests whether the folder is writable, without leaving anything behind."""
        folder = self.path.absolute()
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        with tempfile.TemporaryFile(dir=folder):
            pass

    def confirm(self) -> None:
        """Raises an error if another process has taken the folder over."""
        if self.lease is not None:
            self.lease.confirm()

    def sweep(self) -> None:
        """Removes the temporary files of a killed process."""
        self.confirm()
        for path in [*self.path.glob(f"{PREFIX}*"), *self.path.glob(f"members/{PREFIX}*")]:
            path.unlink(missing_ok=True)

    def write_state(self, state: dict) -> None:
        """Writes the next state file, then deletes the oldest ones."""
        number = self.newest + 1
        text = json.dumps(
            encode_nonfinite({"version": VERSION, **state}), indent=1, allow_nan=False
        )
        with atomic_write(self.path / f"state-{number:06d}.json", confirm=self.confirm) as name:
            Path(name).write_text(text, encoding="utf-8")
        for _, old in self._numbered("state-*.json")[:-KEPT]:
            old.unlink(missing_ok=True)

    def begin_from(self, other: str | os.PathLike) -> None:
        """Copies the state of another search, for this one to start from.

        Raises:
            ValueError: The other folder holds no search.
        """
        source = ModelDirReader(other)
        state = source.read_state()
        if state is None:
            raise ValueError(f"There is no search to start from in '{other}'.")
        for name in self.named(state):
            with atomic_write(self.path / name, ".keras", self.confirm) as written:
                shutil.copyfile(source.path / name, written)
        self.write_state({k: v for k, v in state.items() if k != "version"})

    def save_model(self, model: keras.Model, name: str) -> str:
        """Saves a model as `name` (relative, ending in `.keras`), and returns the name."""
        with atomic_write(self.path / name, ".keras", self.confirm) as temporary:
            separated(model).save(temporary)
        return name

    def drop_members(self, keep: Iterable[str]) -> None:
        """Removes member files that no kept state file names."""
        self.confirm()
        named = set(keep)
        for _, path in self._numbered("state-*.json"):
            try:
                named |= set(json.loads(path.read_text(encoding="utf-8")).get("files", []))
            except (ValueError, OSError):
                continue
        for path in (self.path / "members").glob("*.keras"):
            if f"members/{path.name}" not in named:
                path.unlink(missing_ok=True)

    def write_checkpoint(self, step: int, header: dict, arrays: list[np.ndarray]) -> None:
        """Writes all arrays of a round at a step, then deletes older checkpoints."""
        named = {f"a{i:05d}": np.asarray(a) for i, a in enumerate(arrays)}
        path = self.path / f"checkpoint-{step:09d}.npz"
        with atomic_write(path, ".npz", self.confirm) as name, open(name, "wb") as file:
            np.savez(file, header=np.frombuffer(json.dumps(header).encode(), "uint8"), **named)
        for _, old in self._numbered("checkpoint-*.npz")[:-2]:
            old.unlink(missing_ok=True)

    def drop_checkpoints(self) -> None:
        """Removes all checkpoints."""
        self.confirm()
        for _, path in self._numbered("checkpoint-*.npz"):
            path.unlink(missing_ok=True)
