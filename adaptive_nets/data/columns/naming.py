"""Names of features: as keys of models, and in messages."""

import difflib
import keyword
import re
import unicodedata
from collections.abc import Iterable

from adaptive_nets.data.columns.feature import MismatchError


def safe_keys(names: Iterable[str]) -> list[str]:
    """Returns a name for each feature that Keras and SavedModel signatures take.

    Signatures do not tell capital letters from small ones. A name that they take is kept, so that
    it never means another feature.

    Args:
        names: Names of the features in the data.
    """
    names = list(names)
    plain = [_plain(name) for name in names]
    # Of two names that differ in capital letters alone, the first is kept.
    kept = {}
    for name, key in zip(names, plain, strict=True):
        if key == name:
            kept.setdefault(key.lower(), name)
    taken, found = set(kept), []
    for name, key in zip(names, plain, strict=True):
        unique, number = key, 1
        while kept.get(key.lower()) != name and unique.lower() in taken:
            number += 1
            unique = f"{key}_{number}"
        taken.add(unique.lower())
        found.append(unique)
    return found


def _plain(name):
    """Returns the name without what signatures do not take."""
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss")).encode("ascii", "ignore")
    key = re.sub(r"\W+", "_", plain.decode()).strip("_")
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        key = name
    if not key or not key[0].isalpha():
        key = f"feature_{key}".rstrip("_")
    return key + "_" if keyword.iskeyword(key) or key == "self" else key


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
