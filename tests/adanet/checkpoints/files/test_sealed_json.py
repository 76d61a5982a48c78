"""Sealed JSON: not one bit of it changes unnoticed, and text from anywhere is read or refused."""

import json

import pytest

from adaptive_nets.adanet.checkpoints.files.sealed_json import (
    NotWholeError,
    check_seal,
    is_sealed,
    parse,
    seal,
)

VALUES = {"version": 3, "names": ["größe", "\U0001f600"], "numbers": [1.5, -2, 1e-300], "x": None}


def test_every_bit_is_sealed():
    text = seal(VALUES)
    check_seal(text)
    assert parse(text).items() >= VALUES.items()
    for place in range(8 * len(text)):
        flipped = bytearray(text)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises(NotWholeError):
            check_seal(bytes(flipped))
    for length in range(len(text)):
        with pytest.raises(NotWholeError):
            check_seal(text[:length])
    assert not is_sealed(text + b"\n")


def test_without_its_seal_a_text_is_not_whole():
    plain = parse(seal(VALUES))
    assert not is_sealed(json.dumps(plain, indent=1).encode().replace(b"sha256", b"sha257"))
    # The same values in another layout are not what was written.
    with pytest.raises(NotWholeError):
        check_seal(json.dumps(plain).encode())


@pytest.mark.parametrize(
    "text, said",
    [
        (b"", "truncated or altered"),
        (b'{"a": 1', "truncated or altered"),
        (b"[1]", "not a JSON object but a list"),
        (b"null", "not a JSON object but a NoneType"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b'{"a": "\\ud800"}', "not UTF-8"),
        (b'{"a": NaN}', "holds NaN"),
        (b'{"a": -Infinity}', "holds -Infinity"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "has the key 'c' twice"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "truncated or altered"),
    ],
)
def test_text_that_is_not_whole_is_refused(text, said):
    with pytest.raises(NotWholeError, match=said) as caught:
        parse(text)
    assert "\n" not in str(caught.value)
