"""Everything else is declared in pyproject.toml; here the sdist gets the same bytes each time."""

import gzip
import os
import tarfile
from typing import Any

import setuptools
from setuptools.command.sdist import sdist


class ReproducibleSdist(sdist):
    """With SOURCE_DATE_EPOCH set, the archive depends on the names and bytes of its files alone."""

    def make_archive(self, base_name: str, kind: str, *given: Any, **named: Any) -> str:
        """Writes the archive; as setuptools does, but for times, owners and modes."""
        epoch = os.environ.get("SOURCE_DATE_EPOCH")
        if epoch is None or kind != "gztar":
            return super().make_archive(base_name, kind, *given, **named)

        def plain(info):
            info.uid, info.gid, info.uname, info.gname = 0, 0, "", ""
            info.mtime = int(epoch)
            info.mode = 0o755 if info.isdir() or info.mode & 0o100 else 0o644
            return info

        path = f"{base_name}.tar.gz"
        with (
            open(path, "wb") as file,
            gzip.GzipFile("", "wb", mtime=int(epoch), fileobj=file) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
            archive.add(named["base_dir"], filter=plain)
        return path


setuptools.setup(
    # A folder `build` cannot stand beside the file `BUILD` where file names ignore case.
    options={"build": {"build_base": ".build"}},
    cmdclass={"sdist": ReproducibleSdist},
)
