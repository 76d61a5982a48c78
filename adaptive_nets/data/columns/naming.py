"""Names of features: as keys of models, and in messages."""

import difflib
import keyword
import re
import unicodedata
from collections.abc import Iterable

from adaptive_nets.data.columns.feature import MismatchError


def safe_key(name: str, taken: set[str]) -> str:
    """Returns a name that Keras and SavedModel signatures take, unlike all that are taken.

    Signatures do not tell capital letters from small ones.

    Args:
        name: Name of the feature in the data.
        taken: Names that others have, in small letters. The new one is added.
    """
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss")).encode("ascii", "ignore")
    key = re.sub(r"\W+", "_", plain.decode()).strip("_")
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        key = name
    if not key or not key[0].isalpha():
        key = f"feature_{key}".rstrip("_")
    if keyword.iskeyword(key) or key == "self":
        key += "_"
    number, unique = 1, key
    while unique.lower() in taken:
        number += 1
        unique = f"{key}_{number}"
    taken.add(unique.lower())
    return unique


def missing_error(
    wanted: Iterable[str], absent: Iterable[str], given: Iterable[str]
) -> MismatchError:
    """Returns the error for features that are not there, with names that are like theirs.

    Args:
        wanted: Names of all features.
        absent: Those that are not there.
        given: The names that are.
    """
    folded = {each.casefold().strip(): each for each in map(str, given)}
    near = {
        name: difflib.get_close_matches(name.casefold().strip(), list(folded), n=1, cutoff=0.6)
        for name in absent
    }
    hints = [f"{name!r} (is it {folded[found[0]]!r}?)" if found else f"{name!r}"
             for name, found in near.items()]  # fmt: skip
    text = (
        f"Features of the training data are missing: {', '.join(hints[:8])}. "
        f"Received: {some(given)}."
    )
    return MismatchError(some(wanted), some(given), text)


def some(names: Iterable[str], most: int = 8) -> str:
    """Returns the first names, and how many more there are.

    Args:
        names: The names.
        most: How many are shown. Defaults to 8.
    """
    names = list(map(str, names))
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
