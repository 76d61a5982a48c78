"""A search whose mixture is an `Ensembler` object is loaded and goes on."""

import json

import keras
import numpy as np
import pytest

import adaptive_nets as an
from adaptive_nets.adanet import MixtureEnsembler, Penalty, UniformEnsembler


@keras.saving.register_keras_serializable(package="adaptive_nets_tests")
def root(r):
    return 0.01 * r**0.5


@keras.saving.register_keras_serializable(package="adaptive_nets_tests")
class Halved(UniformEnsembler):
    """A user's own, with nothing but a name."""

    def apply(self, mixture, outputs):
        return super().apply(mixture, outputs) / 2

    def build(self, mixture, outputs):
        return keras.layers.Rescaling(0.5)(super().build(mixture, outputs))


MADE = {
    "uniform": UniformEnsembler,
    "scalar": lambda: MixtureEnsembler("scalar", Penalty(1e-3, 1e-4), use_bias=True),
    "matrix": lambda: MixtureEnsembler("matrix", Penalty(1e-3), refit="new", tolerance=1e-5),
    "own function": lambda: MixtureEnsembler("vector", root),
    "own class": lambda: Halved(root),
}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3)).astype("float32")
Y = (X[:, 0] * X[:, 1] > 0).astype(int)


def fitted(ensembler, folder, rounds=1):
    search = an.AdaNet(
        an.heads.BinaryClass(), an.generators.Dense(4, depths=[1]), rounds,
        steps_per_iteration=10, mixture_weights=ensembler, force_grow=True, seed=0,
        model_dir=folder,
    )  # fmt: skip
    return search.fit(X, Y, batch_size=20, verbose=0)


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_it_is_loaded_equal_and_goes_on(make, tmp_path):
    first = fitted(make(), tmp_path)
    loaded = an.AdaNet.load(tmp_path, max_iterations=2)
    assert (
        loaded.settings.ensembler == make()
        and loaded.settings.ensembler is not first.settings.ensembler
    )
    np.testing.assert_array_equal(loaded.predict(X), first.predict(X))
    loaded.fit(X, Y, batch_size=20, verbose=0)
    assert [m.iteration for m in loaded.ensemble.members] == [1, 2]
    # With equal settings and no load it is the same search.
    resumed = fitted(make(), tmp_path, rounds=2)
    np.testing.assert_array_equal(loaded.predict(X), resumed.predict(X))


def test_a_penalty_that_no_file_holds_has_to_be_passed(tmp_path):
    first = fitted(MixtureEnsembler("scalar", lambda r: 0.01 * r), tmp_path)
    with pytest.raises(ValueError, match=r"mixture_weights .*<lambda>.*mixture_weights=\.\.\."):
        an.AdaNet.load(tmp_path)
    given = MixtureEnsembler("scalar", lambda r: 0.01 * r)
    loaded = an.AdaNet.load(tmp_path, mixture_weights=given)
    np.testing.assert_array_equal(loaded.predict(X), first.predict(X))


def test_another_penalty_is_another_search(tmp_path):
    fitted(UniformEnsembler(), tmp_path)
    with pytest.raises(ValueError, match=r"mixture_weights.*adanet_lambda: stored 0.0, now 0.5"):
        fitted(UniformEnsembler(Penalty(0.5)), tmp_path)


def test_the_names_of_ensemblers_make_equal_objects(tmp_path):
    search = fitted("vector", None)
    assert search.settings.ensembler == MixtureEnsembler("vector", Penalty(1e-3))
    named = fitted("uniform", tmp_path)
    assert named.settings.ensembler == UniformEnsembler(Penalty(1e-3))
    state = json.loads(max(tmp_path.glob("state-*.json")).read_text())
    assert state["settings"]["mixture_weights"] == "uniform"
