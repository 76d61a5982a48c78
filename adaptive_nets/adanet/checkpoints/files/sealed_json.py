"""JSON text that ends in the SHA-256 of its own bytes."""

import hashlib
import json
import re
from typing import Any

# The last two lines of a sealed text, which begins like an indented JSON object.
_TRAILER = re.compile(rb',\n "sha256": "([0-9a-f]{64})"\n}\Z')


class NotWholeError(ValueError):
    """A text is not what was written. The message says why, and begins with a verb."""


def seal(values: dict[str, Any]) -> bytes:
    """Returns values as JSON text whose last key is the SHA-256 of all bytes before it.

    Args:
        values: JSON values, without NaN and infinity; at least one.
    """
    # One line a key: to indent all of it takes ten times as long.
    lines = (f" {json.dumps(k)}: {json.dumps(v, allow_nan=False)}" for k, v in values.items())
    text = ("{\n" + ",\n".join(lines) + "\n}").encode()
    digest = hashlib.sha256(text).hexdigest()
    return text.removesuffix(b"\n}") + f',\n "sha256": "{digest}"\n}}'.encode()


def is_sealed(text: bytes) -> bool:
    """Returns whether a text ends like one that `seal` has written."""
    return _TRAILER.search(text) is not None


def check_seal(text: bytes) -> None:
    """Checks that not one bit of a sealed text has changed.

    Raises:
        NotWholeError: One has, or the text is not sealed.
    """
    found = _TRAILER.search(text)
    if found is None:
        raise NotWholeError("is truncated or has been altered (it does not end in its SHA-256)")
    body = text[: found.start()] + b"\n}"
    if hashlib.sha256(body).hexdigest().encode() != found[1]:
        raise NotWholeError("has been altered (its SHA-256 is not that of its content)")


def parse(text: bytes) -> dict[str, Any]:
    """Returns the values in JSON text that may have come from anywhere.

    Raises:
        NotWholeError: It is not a JSON object, repeats a key, or holds what JSON or Unicode
            cannot.
    """
    try:
        values = json.loads(text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no)
        if b"\\ud" in text.lower():
            json.dumps(values, ensure_ascii=False).encode("utf-8")
    except UnicodeError:
        raise NotWholeError(
            "is not text (it holds bytes or surrogates that are not UTF-8)"
        ) from None
    except RecursionError:
        raise NotWholeError("is nested too deeply") from None
    except NotWholeError:
        raise
    except ValueError as error:
        raise NotWholeError(
            f"is truncated or altered: no JSON ({str(error).splitlines()[0]})"
        ) from None
    if not isinstance(values, dict):
        raise NotWholeError(f"is not a JSON object but a {type(values).__name__}")
    return values


def _unique(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NotWholeError(f"has the key {twice!r} twice")
    return found


def _no(constant):
    raise NotWholeError(f"holds {constant}, which is not JSON")
