"""Names of files as TensorFlow takes them."""

import pathlib

import pytest

from adaptive_nets.files.names import for_tensorflow

pytestmark = pytest.mark.backend_agnostic


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("plain/name", "plain/name"),
        (pathlib.Path("Ordner_ä_文"), "Ordner_ä_文"),
        # As Python gives it in the C locale.
        (b"Ordner_\xc3\xa4".decode("ascii", "surrogateescape"), "Ordner_ä"),
    ],
)
def test_names_are_utf_8_in_any_locale(given, expected):
    assert for_tensorflow(given) == expected
