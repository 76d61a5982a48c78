"""The declared minimum of each dependency, as constraints for pip: `python tests/lowest.py`.

`make lowest` installs these in an environment of its own and runs the core of the tests there.
"""

import pathlib
import re
import tomllib

PYPROJECT = pathlib.Path(__file__).resolve().parents[1] / "pyproject.toml"

# What the tests that `make lowest` runs need besides the package itself.
TOOLS = ("hypothesis", "polars", "psutil", "pytest", "scikit-learn")
# Optional dependencies that they need too.
EXTRAS = ("probability", "tune")

_BOUND = re.compile(r"([\w.-]+)>=([\w.]+)")


def lowest(text: str) -> list[str]:
    """The lines of a constraints file, from the text of `pyproject.toml`.

    Raises:
        ValueError: A dependency declares something else than a minimum.
    """
    project = tomllib.loads(text)["project"]
    optional = project["optional-dependencies"]
    tools = [each for each in optional["dev"] if _split(each)[0] in TOOLS]
    extras = [each for extra in EXTRAS for each in optional.get(extra, ())]
    return ["==".join(_split(each)) for each in [*project["dependencies"], *tools, *extras]]


def _split(declared):
    """Name and minimum of a dependency."""
    found = _BOUND.fullmatch(declared)
    if found is None:
        raise ValueError(f"Expected a dependency as name>=version. Received: {declared!r}.")
    return found[1], found[2]


if __name__ == "__main__":
    print("\n".join(lowest(PYPROJECT.read_text())))
