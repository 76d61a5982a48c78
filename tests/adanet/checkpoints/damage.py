"""Damages every file that a search stores, one at a time, and looks at what comes of it.

    python tests/adanet/checkpoints/damage.py [--flips 200] [--loads 10] [--fits 2] [--seed 0]

prints how many damages of each file were harmless, were recovered from, or were refused in one
clear line. Anything else is a fault: a result that has changed without a word, or an error that
does not say what is wrong. The test beside it runs a sample; WHOLE_DAMAGE=1 makes it run all.
"""

import argparse
import collections
import contextlib
import dataclasses
import functools
import pathlib
import random
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from unittest import mock

import keras
import numpy as np

import adaptive_nets as an
from adaptive_nets.adanet.checkpoints.files.checkpoint_file import read_checkpoint
from adaptive_nets.adanet.checkpoints.reader import ModelDirReader
from adaptive_nets.adanet.placement.identity import Identity
from adaptive_nets.adanet.placement.leases import WorkLeases
from adaptive_nets.adanet.rounds import round as rounds

ROUNDS = 3
GOOD = ("harmless", "recovered", "refused")

# Otherwise a round is over before it can be stopped.
ONE_STEP_CALLS = mock.patch.object(rounds, "TARGET_CALL_SECONDS", 1e-9)


def data():
    """Rows of three classes that overlap."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 60)
    x = rng.normal(size=(3, 6))[y] * 1.5 + rng.normal(size=(60, 6))
    return x.astype("float32"), y


def search(folder, rounds=ROUNDS, seed=0):
    """A search whose rounds cost next to nothing."""
    generator = an.generators.Dense(4, [1], optimizer="sgd", learning_rate=0.1)
    return an.AdaNet(
        an.heads.MultiClass(), generator, max_iterations=rounds, steps_per_iteration=4,
        force_grow=True, preprocessing="standardize", seed=seed, model_dir=folder,
        mixture_weights="uniform", jit_compile=False, checkpoint_seconds=0,
    )  # fmt: skip


class Stop(keras.callbacks.Callback):
    """Ends a search in the middle of its last round, with its result so far or like a kill."""

    def __init__(self, error=None):
        super().__init__()
        self.error, self.number = error, 0

    def on_epoch_begin(self, epoch, logs=None):
        self.number = epoch + 1

    def on_train_batch_end(self, batch, logs=None):
        if self.number == ROUNDS and batch >= 2:
            if self.error is not None:
                raise self.error
            self.model.stop_training = True


def finished(folder, seed=0):
    """A search that has ended."""
    search(folder, seed=seed).fit(*data(), verbose=0)


def stopped(folder, seed=0):
    """A search that was stopped in the middle of a round, and has a result of it."""
    with ONE_STEP_CALLS:
        search(folder, seed=seed).fit(*data(), verbose=0, callbacks=[Stop()])


def killed(folder, seed=0):
    """A search that ended in the middle of a round without another word."""
    with ONE_STEP_CALLS, contextlib.suppress(SystemExit):
        search(folder, seed=seed).fit(*data(), verbose=0, callbacks=[Stop(SystemExit())])


def outputs(found):
    """What a search predicts, and its leaderboard except for the times."""
    board = found.leaderboard().drop(columns="seconds").to_json(double_precision=15)
    return found.predict(data()[0], "logits").tobytes() + board.encode()


def stored_files(folder):
    """Names of the files that are ever read again."""
    found = (p.relative_to(folder).as_posix() for p in sorted(folder.rglob("*")) if p.is_file())
    return [name for name in found if not name.startswith("tensorboard/")]


Damage = tuple[str, Callable[[pathlib.Path], None]]


def damages(file: pathlib.Path, others: list[pathlib.Path], flips: int, rng) -> Iterator[Damage]:
    """What can happen to a file; `others` are files that may take its place."""
    whole = file.read_bytes()

    def writing(content):
        return lambda path: path.write_bytes(content)

    for share in (0.0, 0.5, 0.99):
        yield f"truncated to {share:.0%}", writing(whole[: int(share * len(whole))])
    yield "truncated by a byte", writing(whole[:-1])
    yield "lengthened", writing(whole + b"\0")
    yield "zeroed", writing(bytes(len(whole)))
    middle = len(whole) // 3
    yield "zeroed in part", writing(whole[:middle] + bytes(middle) + whole[2 * middle :])
    yield "removed", pathlib.Path.unlink
    yield "a folder", lambda path: (path.unlink(), path.mkdir())
    yield "a link", _as_link
    for other in others:
        yield f"swapped with {other.parent.name}/{other.name}", writing(other.read_bytes())
    for _ in range(flips):
        place = rng.randrange(8 * len(whole))
        content = bytearray(whole)
        content[place // 8] ^= 1 << place % 8
        yield f"bit {place} flipped", writing(bytes(content))


def _as_link(path):
    outside = pathlib.Path(tempfile.mkdtemp()) / path.name
    shutil.move(path, outside)
    path.symlink_to(outside)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of one damage."""

    scene: str
    file: str
    damage: str
    door: str
    kind: str
    text: str = ""


def look(act, newest, older, name):
    """Calls `act`, and returns what came of it and what was said.

    Args:
        act: Function that returns a search's outputs.
        newest: What they are if nothing is lost.
        older: What they may be if it says so.
        name: Name of the damaged file.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = act()
        except (ValueError, OSError) as error:
            text = str(error)
            clear = "\n" not in text and name in text and type(error) in (ValueError, OSError)
            return ("refused" if clear else "obscure"), f"{type(error).__name__}: {text}"
        except Exception as error:
            return "raw", f"{type(error).__name__}: {error}"
    told = [str(w.message) for w in caught if issubclass(w.category, UserWarning)]
    text = " | ".join(told)
    if found == newest:
        return ("recovered" if told else "harmless"), text
    if found in older:
        return ("recovered" if name in text else "silent"), text
    return "wrong", text


def sweep(folder, flips, loads, fits, seed=0, scenes=None, sample=None):
    """Yields the outcome of every damage of every file, or of a sample.

    Args:
        folder: An empty folder to work in.
        flips: Number of bits that are flipped in each file.
        loads: In how many of these cases the search is loaded too; it is after other damages.
        fits: In how many it goes on too.
        seed: Which bits, and which sample.
        scenes: Functions that write a search. Defaults to all.
        sample: Number of damages, each at one door. Defaults to `None`: all.
    """
    rng = random.Random(seed)
    for scene in scenes or (finished, stopped, killed):
        name = scene.__name__
        whole, foreign = folder / name / "whole", folder / name / "foreign"
        scene(whole)
        scene(foreign, seed=1)
        states = sorted(p.name for p in whole.glob("state-*.json"))
        older = [outputs(an.AdaNet.load(whole, state_file=s)) for s in states if _good(whole, s)]
        newest = outputs(an.AdaNet.load(whole))
        wanted = ROUNDS + (scene is finished)
        end = outputs(search(None, wanted).fit(*data(), verbose=0))
        doors = {"read": _read, "load": _load, "fit": functools.partial(_fit, wanted=wanted)}
        expected = {
            "read": (_read(whole), _parts(whole, states)),
            "load": (newest, older),
            "fit": (end, []),
        }
        cases = []
        for file in stored_files(whole):
            others = _alike(whole, file) + [p for p in [foreign / file] if p.exists()]
            flipped = 0
            for label, damage in damages(whole / file, others, flips, rng):
                flipped += label.startswith("bit")
                open_doors = ["read", *["load"] * (flipped <= loads), *["fit"] * (flipped <= fits)]
                cases += [(door, file, label, damage) for door in open_doors]
        for door, file, label, damage in cases if sample is None else rng.sample(cases, sample):
            copy = folder / name / "copy"
            shutil.copytree(whole, copy)
            damage(copy / file)
            act = functools.partial(doors[door], copy)
            kind, text = look(act, *expected[door], pathlib.Path(file).name)
            shutil.rmtree(copy)
            # A killed process may not have written it yet: nothing is lost but time.
            if (scene, label, kind) == (killed, "removed", "silent") and "checkpoint" in file:
                kind = "recovered"
            yield Outcome(name, file, label, door, kind, text)


def _read(folder):
    """What is read before models are made of it: a whole state, and the checkpoint that goes on."""
    reader = ModelDirReader(folder)
    state, checkpoint = reader.read_state(), reader.read_checkpoint()
    return repr(state), checkpoint and (repr(checkpoint[0]), [a.tobytes() for a in checkpoint[1]])


class _Parts(list):
    """What may have been read where a newer part is damaged."""

    def __contains__(self, found):
        states, checkpoints = self
        return found[0] in states and found[1] in checkpoints


def _parts(folder, states):
    reader = ModelDirReader(folder)
    found = [repr(reader.read_state(name)) for name in states]
    checkpoints = [None]
    for name in reader.checkpoint_names():
        header, arrays = read_checkpoint(folder, name)
        checkpoints.append((repr(header), [a.tobytes() for a in arrays]))
    return _Parts([found, checkpoints])


def _load(folder):
    return outputs(an.AdaNet.load(folder))


def _fit(folder, wanted):
    return outputs(search(folder, wanted).fit(*data(), verbose=0))


def _good(folder, state):
    try:
        return an.AdaNet.load(folder, state_file=state).ensemble is not None
    except ValueError:
        return False


def _alike(folder, file):
    """Other files of a folder that have the same form."""
    path = folder / file
    return [p for p in sorted(path.parent.glob(f"*{path.suffix}")) if p != path][:2]


def sweep_share(folder: pathlib.Path, flips: int, seed: int = 0):
    """Yields the outcome of every damage of the newest checkpoint of a process's share."""
    rng = random.Random(seed)
    leases = WorkLeases.of_round(folder / "search", 1, 2, 0, Identity({"seed": 1}))
    arrays = [np.arange(6.0, dtype="float32").reshape(2, 3), np.array(7, "int64")]
    training = {
        "round": 1, "names": ["1_a"], "seconds": 0.1, "losses": [0.5], "diverged": [0],
        "window": 1, "curve": [[0.5]], "partial": [0.0],
    }  # fmt: skip
    for step in (2, 4):
        leases.write(0, {**training, "step": step}, [a + a.dtype.type(step) for a in arrays])
    other = WorkLeases.of_round(folder / "other", 1, 2, 0, Identity({"seed": 2}))
    other.write(0, {**training, "step": 4}, arrays)
    older, path = sorted(leases.path.rglob("*.npz"))
    foreign = next(other.path.rglob("*.npz"))

    def act():
        found = leases.read(0)
        return found and (found[0]["step"], [a.tobytes() for a in found[1]])

    newest = act()
    before = (2, [(a + a.dtype.type(2)).tobytes() for a in arrays])
    for label, damage in damages(path, [older, foreign], flips, rng):
        keep = path.read_bytes()
        damage(path)
        kind, text = look(act, newest, [before, None], path.name)
        if path.is_dir():
            path.rmdir()
        path.unlink(missing_ok=True)
        path.write_bytes(keep)
        # Without the newest, the share goes on from the one before: nothing is lost but time.
        if label == "removed" and kind == "silent":
            kind = "recovered"
        yield Outcome("share", path.name, label, "read", kind, text)


def table(outcomes) -> str:
    """How many damages of each file ended in which way, as text."""
    kinds = sorted({o.kind for o in outcomes} | set(GOOD))
    rows = collections.Counter((o.scene, o.file, o.door, o.kind) for o in outcomes)
    lines = [f"{'file':58}{'door':6}" + "".join(f"{kind:>11}" for kind in kinds)]
    for scene, file, door in dict.fromkeys((o.scene, o.file, o.door) for o in outcomes):
        counts = "".join(f"{rows[scene, file, door, kind]:11}" for kind in kinds)
        lines.append(f"{scene + ': ' + file:58}{door:6}{counts}")
    total = collections.Counter(o.kind for o in outcomes)
    lines.append(f"{'all':64}" + "".join(f"{total[kind]:11}" for kind in kinds))
    return "\n".join(lines)


def faults(outcomes) -> list[Outcome]:
    """The outcomes that must not be."""
    return [outcome for outcome in outcomes if outcome.kind not in GOOD]


def main() -> int:
    """Runs the sweep and prints its table; returns 1 if there is a fault."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flips", type=int, default=200)
    parser.add_argument("--loads", type=int, default=10)
    parser.add_argument("--fits", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        found = list(sweep_share(folder / "shares", given.flips, given.seed))
        found += sweep(folder, given.flips, given.loads, given.fits, given.seed)
    print(table(found))
    for fault in faults(found):
        print(fault)
    return int(bool(faults(found)))


if __name__ == "__main__":
    sys.exit(main())
