"""Whether tests notice faults: each is put into the package, and the tests nearest to it are run.

    pip install cosmic-ray
    python tests/mutation.py heads --number 20 --seed 0

prints faults, and which of them no test noticed. Such a one is a hole in the tests, or changes
nothing that could be noticed: a person has to look. The sources stay as they are; only a forked
process sees the fault.
"""

import argparse
import ast
import concurrent.futures
import dataclasses
import difflib
import importlib
import os
import pathlib
import queue
import random
import re
import subprocess
import sys
import tempfile

from python_processes import REPO, Forkserver

try:  # By computed names: it is not among the packages that are pinned, and that Bazel knows.
    names = [f"cosmic_ray.{name}" for name in ("ast", "mutating", "operators.provider")]
    AST, MUTATING, OPERATORS = map(importlib.import_module, names)
except ImportError as error:
    sys.exit(f"{error}: the mutation check needs cosmic-ray. Install it: pip install cosmic-ray")

# For each folder of the package, the quick tests that are to notice its faults, as pytest is told.
AREAS = {
    "growth/core": ["tests/growth/core", "tests/growth/test_widen.py", "tests/growth/test_fuse.py"],
    "adanet/ensembles": ["tests/adanet/ensembles", "-k", "not stored"],
    "adanet/rounds": [
        *["tests/adanet/rounds/test_trainer.py", "tests/adanet/search/test_search_reports.py"],
        *["-k", "not xla"],
    ],
    "heads": ["tests/heads"],
}

JOBS = os.cpu_count()
# Operators that need arguments, and those after which arithmetic on floats is a type error.
IDLE = re.compile(r"^Variable|_(Bit\w+|LShift|RShift|Delete_Not|USub_Not|Invert)$")

# Of a process that may import TensorFlow but not yet the package.
PROGRAM = """
import importlib.machinery, pathlib, sys
import pytest
path, mutant, *args = sys.argv[1:]
code = compile(pathlib.Path(mutant).read_text(), path, "exec")
plain = importlib.machinery.SourceFileLoader.get_code
def get_code(self, name):
    return code if self.path == path else plain(self, name)
importlib.machinery.SourceFileLoader.get_code = get_code
sys.exit(pytest.main(["-x", "-q", "--tb=line", "-p", "no:cacheprovider", *args]))
"""


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One file with one fault in it."""

    path: pathlib.Path
    line: int
    operator: str
    text: str

    def __str__(self):
        old, new = self.path.read_text().splitlines(), self.text.splitlines()
        place = f"{self.path.relative_to(REPO)}:{self.line} {self.operator}"
        return "\n".join([place, *list(difflib.unified_diff(old, new, n=0, lineterm=""))[3:]])


def mutants(folder, number, seed):
    """A sample of the faults: no two in one place, so that none counts for its many operators."""
    provider = OPERATORS.OperatorProvider()
    operators = [provider[name]() for name in provider if not IDLE.search(name)]
    places = {}
    for path in sorted(folder.rglob("*.py")):
        source = path.read_text()
        nodes = list(AST.ast_nodes(AST.get_ast(source)))
        types = list(_annotations(ast.parse(source)))
        for operator in operators:
            found = [start for node in nodes for start, _ in operator.mutation_positions(node)]
            for occurrence, start in enumerate(found):
                if not any(begin <= start < end for begin, end in types):
                    places.setdefault((path, start), []).append((operator, occurrence))
    rng = random.Random(seed)
    for path, start in rng.sample(sorted(places), min(number, len(places))):
        operator, occurrence = rng.choice(places[path, start])
        text = MUTATING.mutate_code(path.read_text(), operator, occurrence)
        yield Mutant(path, start[0], type(operator).__name__, text)


def _annotations(tree):
    """Where types stand: nothing reads them while tests run."""
    for node in ast.walk(tree):
        for each in filter(None, (getattr(node, name, None) for name in ("annotation", "returns"))):
            yield (each.lineno, each.col_offset), (each.end_lineno, each.end_col_offset)


def outcome(mutant, args, limit, servers):
    """What the tests say to the fault: noticed, SURVIVED, or endless."""
    server = servers.get()
    try:
        with tempfile.NamedTemporaryFile(suffix=".py") as file:
            pathlib.Path(file.name).write_text(mutant.text)
            command = ["-c", PROGRAM, mutant.path, file.name, *args]
            ended = server.run(*command, cwd=REPO, check=False, timeout=limit)
            return "noticed" if ended.returncode else "SURVIVED"
    except subprocess.TimeoutExpired:
        return "endless"
    finally:
        servers.put(server)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("area", choices=AREAS)
    parser.add_argument("--number", type=int, default=20, help="how many faults")
    parser.add_argument("--seed", type=int, default=0, help="which ones")
    parser.add_argument("--limit", type=int, default=300, help="seconds that the tests may take")
    parser.add_argument("--tests", nargs=argparse.REMAINDER, help="other arguments for pytest")
    options = parser.parse_args()

    folder = REPO / "adaptive_nets" / options.area
    args = options.tests or AREAS[options.area]
    servers = queue.SimpleQueue()
    for _ in range(JOBS):
        servers.put(Forkserver())
    plain = Mutant(folder / "__init__.py", 1, "none", (folder / "__init__.py").read_text())
    if outcome(plain, args, options.limit, servers) != "SURVIVED":
        sys.exit("The tests fail without any fault, or take too long.")
    sample = list(mutants(folder, options.number, options.seed))
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        outcomes = pool.map(lambda mutant: outcome(mutant, args, options.limit, servers), sample)
        for mutant, told in zip(sample, outcomes, strict=True):
            print(f"{told:8} {mutant}", flush=True)


if __name__ == "__main__":
    main()
