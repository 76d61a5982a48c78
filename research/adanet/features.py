"""The 154 features of an image: histograms of gradient orientation and of hue (AdaNet, section 6).

The paper gives the numbers of orientations, cells and hues. What it leaves open is as in the common
HOG: grey levels, unsigned orientations, votes shared by the two nearest bins, and L2 normalisation,
here of all 16 cells as one block, the one block size besides a single cell that leaves 144 numbers.
"""

import numpy as np

ORIENTATIONS = 9
CELL = 8
HUES = 10
GREY = np.array([0.2125, 0.7154, 0.0721], "float32")


def features(images: np.ndarray, block: int = 2048) -> np.ndarray:
    """Both histograms, side by side.

    Args:
        images: uint8 `(n, 32, 32, 3)`, red, green, blue.
        block: Images at a time.

    Returns:
        float32 `(n, 154)`, every entry in [0, 1].
    """
    pieces = (images[i : i + block] for i in range(0, len(images), block))
    found = np.concatenate([np.hstack([hog(p), hue_histogram(p)]) for p in pieces])
    found = found.astype("float32")
    if not (np.isfinite(found).all() and found.min() >= 0 and found.max() <= 1):
        raise ValueError(
            f"Features must be in [0, 1]. Received: from {found.min()} to {found.max()}."
        )
    return found


def hog(images: np.ndarray) -> np.ndarray:
    """Histograms of oriented gradients, `(n, 144)`: cell row, cell column, orientation."""
    grey = images.astype("float32") @ GREY / 255
    padded = np.pad(grey, ((0, 0), (1, 1), (1, 1)), "edge")
    down = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    right = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    magnitude = np.hypot(right, down)
    # In bins; the centre of bin b is at b.
    position = np.mod(np.arctan2(down, right), np.pi) / np.pi * ORIENTATIONS - 0.5
    lower = np.floor(position).astype(int)
    share = position - lower
    count, height, width = grey.shape
    shape = (count, height // CELL, width // CELL, ORIENTATIONS)
    image, row, column = np.ogrid[:count, :height, :width]
    found = 0.0
    for orientation, votes in ((lower, magnitude * (1 - share)), (lower + 1, magnitude * share)):
        place = (image, row // CELL, column // CELL, orientation % ORIENTATIONS)
        index = np.ravel_multi_index(place, shape)
        found = found + np.bincount(index.ravel(), votes.ravel(), np.prod(shape))
    found = found.reshape(count, -1)
    # 1e-6 only keeps an image without any edge from dividing by zero.
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-6)


def hue_histogram(images: np.ndarray) -> np.ndarray:
    """Share of the pixels in each tenth of the hue circle, `(n, 10)`; grey is hue 0."""
    rgb = images.astype(int).reshape(len(images), -1, 3)
    red, green, blue = np.moveaxis(rgb, -1, 0)
    top, chroma = rgb.max(axis=-1), np.ptp(rgb, axis=-1)
    # Hue is sixths / (6 chroma) of the circle: in integers, so that no bin's edge is rounded.
    sixths = np.select(
        [chroma == 0, top == red, top == green],
        [0 * top, (green - blue) % np.maximum(6 * chroma, 1), blue - red + 2 * chroma],
        red - green + 4 * chroma,
    )
    bins = HUES * sixths // np.maximum(6 * chroma, 1)
    return np.stack([np.mean(bins == k, axis=1) for k in range(HUES)], axis=1)
