"""What `--data` names becomes arrays: shapes, kinds of task, the held-out part."""

import builtins

import numpy as np
import pytest

from adaptive_nets.cli import data


def stratified(dataset):
    """The largest difference between the parts' class shares."""
    labels = np.unique(dataset.y_train)
    parts = (dataset.y_train, dataset.y_test)
    train, test = ([np.mean(part == label) for label in labels] for part in parts)
    return np.abs(np.subtract(train, test)).max()


def save(path, **arrays):
    np.savez(path, **arrays)
    return f"npz:{path}"


@pytest.mark.parametrize(
    ("name", "rows", "features", "head", "class_names"),
    [
        ("digits", 1797, 64, "multi_class", None),
        ("breast_cancer", 569, 30, "binary", ["malignant", "benign"]),
        ("wine", 178, 13, "multi_class", ["class_0", "class_1", "class_2"]),
        ("iris", 150, 4, "multi_class", ["setosa", "versicolor", "virginica"]),
        ("diabetes", 442, 10, "regression", None),
    ],
)
def test_bundled_set(name, rows, features, head, class_names):
    dataset = data.load(name)
    test_rows = int(np.ceil(rows / 4))
    assert dataset.x_train.shape == (rows - test_rows, features)
    assert dataset.x_test.shape == (test_rows, features)
    assert dataset.x_train.dtype == dataset.x_test.dtype == np.float32
    assert len(dataset.y_train) == rows - test_rows
    assert len(dataset.y_test) == test_rows
    assert (dataset.head, dataset.class_names) == (head, class_names)
    assert f"{test_rows} test rows (25% held out)" in dataset.description
    if head != "regression":
        assert stratified(dataset) < 1 / test_rows


def test_hold_out_is_decided_by_its_seed():
    one, again, other = (data.load("wine", split_seed=seed) for seed in (0, 0, 1))
    for part in ("x_train", "y_train", "x_test", "y_test"):
        np.testing.assert_array_equal(getattr(one, part), getattr(again, part))
    assert not np.array_equal(one.x_test, other.x_test)
    assert len(data.load("wine", test_split=0.5).x_test) == 89


def test_no_row_is_in_both_parts():
    dataset = data.load("diabetes")
    rows = np.concatenate([dataset.x_train, dataset.x_test])
    assert len(np.unique(rows, axis=0)) == len(rows)


@pytest.mark.parametrize("names", ["x y x_test y_test", "train_x train_y test_x test_y"])
def test_npz_with_a_test_part_keeps_it(tmp_path, names):
    arrays = (np.arange(12.0).reshape(6, 2), np.arange(6), np.ones((3, 2)), np.array([0, 1, 5]))
    dataset = data.load(save(tmp_path / "a.npz", **dict(zip(names.split(), arrays, strict=True))))
    for part, array in zip(("x_train", "y_train", "x_test", "y_test"), arrays, strict=True):
        np.testing.assert_array_equal(getattr(dataset, part), array)
    assert dataset.held_out is None


def test_bytes_become_images_between_0_and_1(tmp_path):
    images = np.full((8, 5, 4), 255, "uint8")
    images[0] = 51
    dataset = data.load(
        save(tmp_path / "a.npz", x=images, y=[0, 1] * 4, x_test=images, y_test=[0] * 8)
    )
    assert dataset.x_train.shape == (8, 5, 4, 1)
    np.testing.assert_allclose(dataset.x_train[:2, 0, 0, 0], [0.2, 1.0], rtol=1e-7)


@pytest.mark.parametrize(
    ("labels", "head"),
    [
        ([0, 1, 0, 1], "binary"),
        ([[0], [1], [0], [1]], "binary"),
        ([True, False, True, False], "binary"),
        ([b"no", b"yes", b"no", b"yes"], "binary"),
        (["a", "b", "c", "a"], "multi_class"),
        ([0, 1, 2, 2], "multi_class"),
        ([0.5, 1.0, 2.0, 3.0], "regression"),
        ([[0, 1], [1, 1], [0, 0], [1, 0]], "multi_label"),
        ([[0, 1], [1, 0], [0, 1], [1, 0]], "binary"),
        ([[0, 0, 1], [1, 0, 0], [0, 1, 0], [1, 0, 0]], "multi_class"),
        ([[0.0, 0, 1], [1, 0, 0], [0, 1, 0], [1, 0, 0]], "multi_class"),
        ([[False, True], [True, False]] * 2, "binary"),
        ([[0, 0, 1], [1, 0, 0], [0, 0, 0], [1, 0, 0]], "multi_label"),
        ([[0.2, 0.8], [1, 0], [0, 1], [1, 0]], "regression"),
        ([[0, 2], [1, 0], [0, 2], [1, 0]], "regression"),
        ([[0, -1], [-1, 0], [0, -1], [-1, 0]], "regression"),
        ([[0.5, 1], [1, 1], [0, 0], [1, 0]], "regression"),
    ],
)
def test_labels_say_what_the_task_is(tmp_path, labels, head):
    x, y = np.zeros((4, 2)), np.array(labels)
    dataset = data.load(save(tmp_path / "a.npz", x=x, y=y, x_test=x, y_test=y))
    assert dataset.head == head
    assert dataset.y_train.dtype.kind != "S"


def one_hot(classes, columns):
    return np.eye(columns, dtype=int)[classes]


def test_one_hot_labels_become_classes(tmp_path):
    classes = np.arange(40) % 4
    dataset = data.load(
        save(tmp_path / "a.npz", x=np.arange(80.0).reshape(40, 2), y=one_hot(classes, 5))
    )
    assert (dataset.head, dataset.one_hot) == ("multi_class", True)
    assert "multi-class with one-hot labels (--head=multi_label: " in dataset.description
    # Held out like classes, and the same for every head.
    whole = data.load(save(tmp_path / "b.npz", x=np.arange(80.0).reshape(40, 2), y=classes))
    for kind in ("auto", "multi_class"):
        found = dataset.for_head(kind)
        np.testing.assert_array_equal(found.y_train, whole.y_train)
        np.testing.assert_array_equal(found.y_test, whole.y_test)
        assert (found.head, found.class_names) == ("multi_class", [0, 1, 2, 3, 4])
    for kind in ("multi_label", "regression"):
        found = dataset.for_head(kind)
        np.testing.assert_array_equal(found.y_test, dataset.y_test)
        assert found.head == kind and "one-hot" not in found.description
    assert whole.for_head("auto").y_train is whole.y_train


@pytest.mark.parametrize(
    "tested", [one_hot([0, 1], 4), [[1, 1, 0], [0, 0, 1]], [[0, 0, 0], [0, 0, 1]], [0, 1]]
)
def test_labels_are_one_hot_in_both_parts_or_not_at_all(tmp_path, tested):
    x, y = np.zeros((3, 2)), one_hot([0, 1, 2], 3)
    dataset = data.load(save(tmp_path / "a.npz", x=x, y=y, x_test=x[:2], y_test=np.array(tested)))
    assert (dataset.head, dataset.one_hot) == ("multi_label", False)


def test_rows_without_labels_are_predicted_whole(tmp_path):
    x = np.arange(10.0).reshape(5, 2)
    rows, names = data.rows_to_predict(save(tmp_path / "a.npz", x=x))
    np.testing.assert_array_equal(rows, x)
    assert names is None
    rows, names = data.rows_to_predict("iris")
    np.testing.assert_array_equal(rows, data.load("iris").x_test)
    assert names == ["setosa", "versicolor", "virginica"]


X, Y = np.zeros((8, 2)), np.array([0, 1] * 4)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": X, "b": Y}, "no array named x or train_x or x_train"),
        ({"x": X}, "no array named y or train_y or y_train"),
        ({"x": X, "y": Y, "x_test": X}, "no array named y_test"),
        ({"x": X, "y": Y, "test_y": Y}, "no array named x_test"),
        ({"x": X, "y": Y.astype(object)}, "array '[xy]' holds Python objects"),
        ({"x": X.astype(object), "y": Y}, "array '[xy]' holds Python objects"),
        ({"x": X.astype(str), "y": Y}, "features must be numbers. Received: dtype <U32"),
        ({"x": X, "y": Y[:-1]}, r"training part.*shapes \(8, 2\) and \(7,\)"),
        ({"x": X[:0], "y": Y[:0]}, "at least one. Received: shapes"),
        ({"x": 1.0, "y": Y}, "same number of rows"),
        ({"x": X, "y": Y, "x_test": X, "y_test": Y[:3]}, "of the test part"),
        ({"x": X, "y": np.arange(8)}, "Cannot hold out 25% of the 8 rows"),
    ],
)
def test_npz_that_cannot_be_used(tmp_path, arrays, message):
    with pytest.raises(ValueError, match=message):
        data.load(save(tmp_path / "a.npz", **arrays))


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut"])
def test_file_that_is_no_npz(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"Cannot read '.*a\.npz' as an \.npz"):
        data.load(f"npz:{tmp_path / 'a.npz'}")


def test_single_array_is_no_npz(tmp_path):
    np.save(tmp_path / "a.npy", X)
    with pytest.raises(ValueError, match="a single array instead of named arrays"):
        data.load(f"npz:{tmp_path / 'a.npy'}")


def test_pickled_object_is_not_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    np.savez(tmp_path / "a.npz", x=X, y=np.array([Trap()] * 8, dtype=object))
    with pytest.raises(ValueError, match="holds Python objects"):
        data.load(f"npz:{tmp_path / 'a.npz'}")
    assert not (tmp_path / "sprung").exists()


def test_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.npz"):
        data.load(f"npz:{tmp_path / 'none.npz'}")


@pytest.mark.parametrize("name", ["", "mnist", "npz:", "tfds:", "Iris", "iris:x", "csv:a.csv"])
def test_unknown_data_set(name):
    with pytest.raises(ValueError, match="Unknown data set. Expected one of digits"):
        data.load(name)


def test_missing_package_is_named_with_its_cure(monkeypatch):
    real = builtins.__import__

    def refuse(wanted, *rest):
        if wanted.split(".")[0] == "tensorflow_datasets":
            raise ImportError(wanted)
        return real(wanted, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    monkeypatch.setattr("importlib.import_module", refuse)
    with pytest.raises(ImportError) as caught:
        data.load("tfds:mnist")
    assert str(caught.value) == (
        "tfds:mnist needs tensorflow-datasets, which is not installed: "
        "pip install 'adaptive-nets[examples]'"
    )
