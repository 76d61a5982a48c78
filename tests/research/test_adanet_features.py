"""Features, folds, reader and tables of research/adanet; nothing here trains."""

import colorsys
import json
import pathlib
import runpy

import numpy as np
import pytest

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "research" / "adanet"


@pytest.fixture
def load(monkeypatch):
    """Function that gives the names of one of the folder's files."""
    monkeypatch.syspath_prepend(FOLDER)
    return lambda name: runpy.run_path(str(FOLDER / f"{name}.py"), run_name=name)


def some_images(count=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


# Gradients ---------------------------------------------------------------------------------------


def hog_by_loops(image):
    """Float64, pixel by pixel, from the definition."""
    grey = image.astype("float64") @ [0.2125, 0.7154, 0.0721] / 255
    histograms = np.zeros((4, 4, 9))
    for i in range(32):
        for j in range(32):
            down = grey[min(i + 1, 31), j] - grey[max(i - 1, 0), j]
            right = grey[i, min(j + 1, 31)] - grey[i, max(j - 1, 0)]
            degrees = np.degrees(np.arctan2(down, right)) % 180
            for b in range(9):
                away = abs(degrees - (20 * b + 10))
                vote = max(0.0, 1 - min(away, 180 - away) / 20)
                histograms[i // 8, j // 8, b] += vote * np.hypot(down, right)
    return histograms.ravel() / np.linalg.norm(histograms)


def test_hog_is_its_definition(load):
    images = some_images()
    expected = [hog_by_loops(image) for image in images]
    np.testing.assert_allclose(load("features")["hog"](images), expected, atol=2e-5)


def test_hog_of_a_vertical_edge_is_in_its_cells_and_orientation(load):
    image = np.zeros((1, 32, 32, 3), np.uint8)
    image[:, :, 20:] = 200
    cells = load("features")["hog"](image).reshape(4, 4, 9)
    # The gradient points to the right: 0 degrees, between the centres 10 and 170.
    expected = np.zeros((4, 4, 9))
    expected[:, 2, [0, 8]] = 1 / np.sqrt(8)
    np.testing.assert_allclose(cells, expected, atol=1e-6)


def test_hog_of_a_mirrored_image_is_mirrored(load):
    images = some_images()
    hog = load("features")["hog"]
    plain = hog(images).reshape(-1, 4, 4, 9)
    mirrored = hog(images[:, :, ::-1]).reshape(-1, 4, 4, 9)
    np.testing.assert_allclose(mirrored, plain[:, :, ::-1, ::-1], atol=2e-5)


def test_hog_ignores_contrast_and_brightness(load):
    images = some_images() // 4
    hog = load("features")["hog"]
    np.testing.assert_allclose(hog(2 * images + 30), hog(images), atol=2e-5)


# Hues --------------------------------------------------------------------------------------------


def test_hues_are_those_of_colorsys(load):
    images = some_images()
    expected = np.zeros((3, 10))
    for image, row in zip(images, expected, strict=True):
        for pixel in image.reshape(-1, 3) / 255:
            # A hair to the right: an edge belongs to the bin that it opens.
            row[int(10 * colorsys.rgb_to_hsv(*pixel)[0] + 1e-9)] += 1 / 1024
    np.testing.assert_allclose(load("features")["hue_histogram"](images), expected, atol=1e-12)


@pytest.mark.parametrize(
    "color, where", [((9, 9, 9), 0), ((255, 0, 0), 0), ((0, 255, 0), 3), ((0, 0, 1), 6)]
)
def test_one_color_is_in_one_bin(load, color, where):
    images = np.full((1, 32, 32, 3), color, np.uint8)
    np.testing.assert_array_equal(load("features")["hue_histogram"](images)[0], np.eye(10)[where])


# All features ------------------------------------------------------------------------------------


def test_features_of_any_image_are_154_in_the_unit_interval(load):
    flat = np.zeros((2, 32, 32, 3), np.uint8)
    flat[1] = 255
    found = load("features")["features"](np.concatenate([some_images(5), flat]), block=3)
    assert found.shape == (7, 154) and found.dtype == np.float32
    assert found.min() >= 0 and found.max() <= 1


def test_features_out_of_range_are_refused(load):
    names = load("features")
    names["features"].__globals__["hog"] = lambda images: np.full((len(images), 144), 1.5)
    with pytest.raises(ValueError, match=r"must be in \[0, 1\].*1\.5"):
        names["features"](some_images())


# Folds -------------------------------------------------------------------------------------------


def test_split_uses_every_row_once_and_scales_by_the_training_rows(load):
    rng = np.random.default_rng(0)
    x = np.column_stack([np.arange(103.0), rng.normal(size=103)])
    split = load("protocol")["split"]
    tests = []
    for fold in range(10):
        data, after = split(x, np.arange(103), fold), split(x, np.arange(103), (fold + 1) % 10)
        parts = (data.train, data.validation, data.test)
        assert sorted(np.concatenate([y for _, y in parts])) == list(range(103))
        np.testing.assert_array_equal(data.validation[1], after.test[1])
        np.testing.assert_allclose(data.train[0].mean(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(data.train[0].std(axis=0), 1)
        slope = np.diff(data.test[0][:, 0]) / np.diff(data.test[1])
        np.testing.assert_allclose(slope, 1 / x[data.train[1], 0].std())
        tests.append(data.test[1])
    assert sorted(np.concatenate(tests)) == list(range(103))


# Tables ------------------------------------------------------------------------------------------


def test_readme_shows_the_results(load):
    report = load("report")
    results = json.loads((FOLDER / "results.json").read_text())
    assert report["tables"](results) in (FOLDER / "README.md").read_text()


# Real images -------------------------------------------------------------------------------------


def test_reader_gives_the_published_images(load, data_dir):
    if not (data_dir / "cifar10" / "cifar10_lossless.npz").is_file():
        pytest.skip(f"no cifar10/cifar10_lossless.npz in {data_dir}")
    names = load("cifar10")
    with np.load(data_dir / "cifar10" / "cifar10_lossless.npz") as archive:
        images = names["decode"](archive["test_0"].tobytes())
        labels = archive["test_y"]
    assert images.shape == (1000, 32, 32, 3) and images.dtype == np.uint8
    # The official test set begins with a cat, two ships and an aeroplane.
    assert [names["CLASSES"][k] for k in labels[:4]] == ["cat", "ship", "ship", "airplane"]
    # Neighbours in a photograph are alike, which a decoder that slips does not give.
    steps = np.abs(np.diff(images.astype(int), axis=2)).mean()
    assert 5 < steps < 15
    found = load("features")["features"](images)
    assert found.shape == (1000, 154) and 0.05 < found[:, :144].mean() < 0.1
    np.testing.assert_allclose(found[:, 144:].sum(axis=1), 1, atol=1e-5)


def test_missing_data_is_named(load, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"cifar10_lossless\.npz.*Pass the folder"):
        load("cifar10")["read_cifar10"](tmp_path)
