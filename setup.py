"""Everything else is declared in pyproject.toml."""

import setuptools

# A folder `build` cannot stand beside the file `BUILD` where file names ignore case.
setuptools.setup(options={"build": {"build_base": ".build"}})
