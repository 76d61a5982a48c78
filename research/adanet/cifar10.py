"""Reads lossless CIFAR-10 images from `cifar10/cifar10_lossless.npz` of a data folder.

A chunk of the archive is an xz stream of three planes, green, red - green and blue - green, each
as zig-zag coded residuals of the median edge detector, the predictor of lossless JPEG-LS.
"""

import lzma
import os
import pathlib

import numpy as np

CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
SIDE = 32


def read_cifar10(data_dir: str | os.PathLike) -> tuple[np.ndarray, np.ndarray]:
    """All lossless images: the training set, then the first 1,000 of the test set.

    Args:
        data_dir: Folder with `cifar10/cifar10_lossless.npz`.

    Returns:
        uint8 images `(51000, 32, 32, 3)` and their labels `(51000,)`, indices of `CLASSES`.

    Raises:
        FileNotFoundError: There is no such file.
    """
    path = pathlib.Path(data_dir) / "cifar10" / "cifar10_lossless.npz"
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no '{path}'. Pass the folder that holds cifar10/cifar10_lossless.npz."
        )
    with np.load(path) as archive:
        names = [f"train_{i}" for i in range(len(archive["train_chunk_sizes"]))] + ["test_0"]
        images = np.concatenate([decode(archive[name].tobytes()) for name in names])
        labels = np.concatenate([archive["train_y"], archive["test_y"]])
    return images, labels.astype(int)


def decode(chunk: bytes) -> np.ndarray:
    """uint8 images `(n, 32, 32, 3)` of one xz stream."""
    planes = np.frombuffer(lzma.decompress(chunk), np.uint8).reshape(3, -1, SIDE, SIDE)
    green = _undo_prediction(planes[0], 0, 255)
    red, blue = (_undo_prediction(plane, -128, 127) + green for plane in planes[1:])
    return (np.stack([red, green, blue], axis=-1) & 255).astype(np.uint8)


def _undo_prediction(coded, low, high):
    """Pixels in [low, high] from residuals of `median(left, up, left + up - corner)`."""
    coded = coded.astype(np.int16).transpose(1, 2, 0)
    residuals = (coded >> 1) ^ -(coded & 1)
    # A border of zeros makes the predictor right in the first row and column too.
    pixels = np.zeros((SIDE + 1, SIDE + 1, residuals.shape[2]), np.int16)
    span = high - low + 1
    for i in range(SIDE):
        for j in range(SIDE):
            left, up, corner = pixels[i + 1, j], pixels[i, j + 1], pixels[i, j]
            predicted = np.clip(left + up - corner, np.minimum(left, up), np.maximum(left, up))
            pixels[i + 1, j + 1] = (predicted + residuals[i, j] - low) % span + low
    return pixels[1:, 1:].transpose(2, 0, 1)
