"""Names of files as TensorFlow takes them."""

import os


def for_tensorflow(path: str | os.PathLike) -> str:
    """Returns the text whose UTF-8 is the file's name, in any locale.

    In the C locale Python represents other than ASCII characters of a name by others, which only
    Python itself turns into the name again.

    Args:
        path: The file.
    """
    return os.fsencode(path).decode("utf-8", "surrogateescape")
