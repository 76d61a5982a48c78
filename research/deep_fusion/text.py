"""Characters of tiny_shakespeare as batches of tokens."""

import pathlib

import numpy as np

LENGTH = 64
BATCH = 32
VALIDATION_ROWS = 256


def read(data_dir: str) -> bytes:
    """The text of `tiny_shakespeare/tinyshakespeare.txt` in a folder."""
    return (pathlib.Path(data_dir) / "tiny_shakespeare" / "tinyshakespeare.txt").read_bytes()


class Text:
    """The text's characters as numbers: the first nine tenths train, the rest validates.

    Args:
        text: The characters.
        validation_rows: Rows to validate on.

    Attributes:
        size: How many different characters there are.
        validation: Inputs and targets, the same rows for every model.
    """

    def __init__(self, text: bytes, validation_rows: int = VALIDATION_ROWS):
        raw = np.frombuffer(text, np.uint8)
        characters, numbers = np.unique(raw, return_inverse=True)
        self.size = len(characters)
        cut = len(numbers) * 9 // 10
        self._train = numbers[:cut].astype("int32")
        held_out = numbers[cut:].astype("int32")
        starts = np.linspace(0, len(held_out) - LENGTH - 1, validation_rows).astype(int)
        self.validation = _rows(held_out, starts)

    def sample(self, rng: np.random.Generator, rows: int) -> tuple:
        """Random rows of the training text, as `(inputs, targets)`."""
        starts = rng.integers(0, len(self._train) - LENGTH - 1, rows)
        return _rows(self._train, starts)


def _rows(numbers: np.ndarray, starts: np.ndarray) -> tuple:
    taken = numbers[starts[:, None] + np.arange(LENGTH + 1)]
    positions = np.broadcast_to(np.arange(LENGTH, dtype="int32"), (len(starts), LENGTH))
    return [taken[:, :-1], np.array(positions)], taken[:, 1:]
