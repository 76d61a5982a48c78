"""`--data=tfds:NAME`, with tensorflow-datasets' mock data and with a small set of our own."""

import numpy as np
import pytest

from adaptive_nets.cli import data

tfds = pytest.importorskip("tensorflow_datasets")


class Fruit(tfds.core.GeneratorBasedBuilder):
    """Two splits, and class names that are words."""

    VERSION = tfds.core.Version("1.0.0")
    # There are no files beside this builder to look for.
    code_path = None

    def _info(self):
        features = {
            "weight": tfds.features.Tensor(shape=(3,), dtype=np.float32),
            "kind": tfds.features.ClassLabel(names=["apple", "pear", "plum"]),
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features), supervised_keys=("weight", "kind")
        )

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(12), "test": self._generate_examples(5)}

    def _generate_examples(self, rows):
        for row in range(rows):
            yield row, {"weight": np.full(3, row, "float32"), "kind": row % 3}


class Uneven(Fruit):
    """Rows of different shape."""

    def _info(self):
        features = {
            "weight": tfds.features.Tensor(shape=(None,), dtype=np.float32),
            "kind": tfds.features.ClassLabel(num_classes=3),
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features), supervised_keys=("weight", "kind")
        )

    def _generate_examples(self, rows):
        for row in range(rows):
            yield row, {"weight": np.ones(row + 1, "float32"), "kind": row % 3}


class Unsupervised(Fruit):
    """No feature is called the label."""

    def _info(self):
        features = {"weight": tfds.features.Tensor(shape=(3,), dtype=np.float32)}
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))


def test_mock_images():
    with tfds.testing.mock_data(num_examples=100):
        dataset = data.load("tfds:mnist")
    assert dataset.x_train.shape == (75, 28, 28, 1)
    assert dataset.x_test.shape == (25, 28, 28, 1)
    assert dataset.x_train.dtype == np.float32
    assert 0.5 < dataset.x_train.max() <= 1.0
    assert set(dataset.y_train) == set(range(10))
    # Names that only repeat the labels are none.
    assert (dataset.head, dataset.class_names) == ("multi_class", None)


def test_own_test_part_and_class_names(tmp_path):
    dataset = data.load("tfds:fruit", data_dir=str(tmp_path))
    assert dataset.x_train.shape == (12, 3)
    assert sorted(dataset.x_test[:, 0]) == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(dataset.y_test, dataset.x_test[:, 0] % 3)
    assert dataset.class_names == ["apple", "pear", "plum"]
    assert dataset.held_out is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_set", "tensorflow-datasets has no data set 'no_such_set'."),
        ("uneven", "tfds:uneven cannot be read as arrays: its rows have different shapes."),
        ("unsupervised", "does not define which feature is its label"),
    ],
)
def test_set_that_cannot_be_used(tmp_path, name, message):
    with pytest.raises(ValueError, match=message) as caught:
        data.load(f"tfds:{name}", data_dir=str(tmp_path))
    assert "\n" not in str(caught.value)
