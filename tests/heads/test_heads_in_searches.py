"""Every head in a search: trained, weighed, compiled, on replicas, saved, served."""

import functools
import textwrap

import keras
import numpy as np
import pytest

pytest.importorskip("tensorflow")
if keras.backend.backend() != "tensorflow":
    pytest.skip("needs the TensorFlow backend", allow_module_level=True)

import adaptive_nets as an
from adaptive_nets.heads.numbers.families import FAMILIES

ROWS = 256
RNG = np.random.default_rng(0)
X = RNG.normal(size=(ROWS, 4)).astype("float32")
MEANS = np.exp(0.8 * X[:, 0] - 0.5 * X[:, 1])
COUNTS = RNG.poisson(MEANS)
# Each head, and targets that the features tell of.
HEADS = {
    "binary": (lambda: an.heads.BinaryClass(), np.where(COUNTS > 1, "many", "few")),
    "exponential": (lambda: an.heads.BinaryClass(surrogate="exponential"), COUNTS > 1),
    "multi_class": (lambda: an.heads.MultiClass(), np.array(list("abcd"))[np.minimum(COUNTS, 3)]),
    "multi_label": (lambda: an.heads.MultiLabel(), np.stack([COUNTS > 0, X[:, 2] > 0], 1)),
    "regression": (lambda: an.heads.Regression(), 40 + 9 * X[:, :2] + RNG.normal(size=(ROWS, 2))),
    "absolute": (
        lambda: an.heads.Regression(loss="mean_absolute_error"),
        2 * X[:, 1] + RNG.normal(size=ROWS),
    ),
    "poisson": (lambda: an.heads.Poisson(), COUNTS),
    "negative_binomial": (lambda: an.heads.NegativeBinomial(), COUNTS),
    "gamma": (lambda: an.heads.Gamma(), 1000 * RNG.gamma(3.0, MEANS / 3.0)),
    "tweedie": (lambda: an.heads.Tweedie(), COUNTS * RNG.gamma(2.0, 1.0, ROWS)),
    "logistic": (lambda: an.heads.Logistic(), 1 / (1 + 1 / MEANS)),
    "quantile": (lambda: an.heads.Quantile(), 50 + 3 * X[:, 0] + RNG.normal(size=ROWS)),
    "normal": (lambda: an.heads.Distribution(), 50 + 3 * X[:, 0] + RNG.normal(size=ROWS)),
    "lognormal": (
        lambda: an.heads.Distribution("lognormal"),
        9 * MEANS * RNG.lognormal(0, 0.3, ROWS),
    ),
    "logistic_numbers": (
        lambda: an.heads.Distribution("logistic"),
        50 + 3 * X[:, 0] + RNG.logistic(size=ROWS),
    ),
    "student_t": (
        lambda: an.heads.Distribution("student_t"),
        50 + 3 * X[:, 0] + RNG.standard_t(3, size=ROWS),
    ),
    "ordinal": (lambda: an.heads.Ordinal(), np.minimum(COUNTS, 3)),
}
# Alone, also the head of several.
ALONE = HEADS | {
    "multi": (
        lambda: an.heads.Multi({"size": an.heads.Regression(), "kind": an.heads.BinaryClass()}),
        {"size": 50 + 3 * X[:, 0], "kind": COUNTS > 1},
    )
}
ANSWER = """
    import sys
    # Neither a served model nor what reads it needs it.
    sys.modules["tensorflow_probability"] = None
    import numpy as np, tensorflow as tf
    folder = sys.argv[1]
    x = np.load(folder + "/x.npy")
    serve = tf.saved_model.load(folder + "/served").signatures["serving_default"]
    (name,) = serve.structured_input_signature[1]
    found = serve(**{name: tf.constant(x)})
    arrays = {k.replace("/", "|"): v.numpy() for k, v in found.items()}
    text = {k: v.astype(bytes) for k, v in arrays.items() if v.dtype == object}
    np.savez(folder + "/found.npz", **arrays | text)
"""


def _search(head, **settings):
    settings = {"max_iterations": 2, "steps_per_iteration": 40, "force_grow": True} | settings
    generator = an.generators.Dense(8, 1, learning_rate=0.01)
    return an.AdaNet(head, generator, seed=0, **settings)


def test_every_head_is_tried():
    made = [make() for make, _ in ALONE.values()]
    assert {type(head).__name__ for head in made} == set(an.heads.__all__) - {"Head"}
    families = {head.family for head in made if isinstance(head, an.heads.Distribution)}
    assert families == set(FAMILIES)


def _served(search, folder, python):
    """What a process without this package answers."""
    np.save(folder / "x.npy", X[:20])
    search.export(folder / "served")
    python.run("-c", textwrap.dedent(ANSWER), str(folder), package=False)
    with np.load(folder / "found.npz") as found:
        return {name.replace("|", "/"): found[name] for name in found.files}


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """A search of all of them side by side."""
    head = an.heads.Multi({name: make() for name, (make, _) in HEADS.items()})
    folder = tmp_path_factory.mktemp("heads")
    search = _search(head, model_dir=folder / "search", max_iterations=1)
    return search.fit(X, {name: y for name, (_, y) in HEADS.items()}, verbose=0), folder


def test_each_learns_what_the_features_tell_of(together):
    search, _ = together
    head = search.head
    labels = head.encode({name: y for name, (_, y) in HEADS.items()})
    for name, part in head.heads.items():
        y = head.labels_of(labels, name)
        offset, _ = part.output_range(y) or ([0.0] * part.units, None)
        constant = keras.ops.convert_to_numpy(part.loss(y, np.tile(offset, (ROWS, 1)))).mean()
        found = search.predict(X, f"{name}/{_key(name)}")
        assert np.isfinite(found).all()
        own = keras.ops.convert_to_numpy(part.loss(y, found)).mean()
        assert own < 0.95 * constant, name


def _key(name):
    """The prediction that is the logits, except for their order."""
    plain = {"quantile": "quantiles", "regression": "predictions", "absolute": "predictions"}
    return plain.get(name, "logits")


def test_a_process_without_the_package_answers_the_same(together, python):
    search, folder = together
    again = an.AdaNet.load(folder / "search")
    assert again.head == search.head
    found = _served(again, folder, python)
    outputs = search.head.predictions(search.model(X[:20]))
    _compare(found, outputs)


def _compare(found, outputs):
    assert set(found) == set(outputs)
    for name, expected in outputs.items():
        expected = np.asarray(expected)
        if expected.dtype.kind == "f":
            np.testing.assert_allclose(found[name], expected, rtol=1e-4, atol=1e-5, err_msg=name)
        else:
            np.testing.assert_array_equal(found[name], expected.astype(found[name].dtype))


@functools.cache
def _plain(name):
    make, y = ALONE[name]
    return _search(make()).fit(X, y, verbose=0)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ALONE)
def test_alone_it_is_saved_and_served(name, tmp_path, python):
    make, y = ALONE[name]
    search = _search(make(), model_dir=tmp_path / "search").fit(X, y, verbose=0)
    found = _served(an.AdaNet.load(tmp_path / "search"), tmp_path, python)
    _compare(found, search.head.predictions(search.model(X[:20])))


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ALONE)
def test_compiled_by_xla_it_learns_the_same(name):
    make, y = ALONE[name]
    found = _search(make(), jit_compile=True).fit(X, y, verbose=0)
    np.testing.assert_allclose(found.model(X), _plain(name).model(X), rtol=1e-2, atol=1e-2)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ALONE)
def test_in_mixed_precision_it_learns_about_the_same(name):
    make, y = ALONE[name]
    keras.config.set_dtype_policy("mixed_float16")
    try:
        found = _search(make()).fit(X, y, verbose=0)
    finally:
        keras.config.set_dtype_policy("float32")
    mixed, plain = (each.evaluate(X, y)["loss"] for each in (found, _plain(name)))
    assert mixed == pytest.approx(plain, rel=0.1, abs=0.01)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ALONE)
def test_the_solve_never_raises_the_objective(name):
    """The mixture of a round is no worse than the best of its members alone."""
    make, y = ALONE[name]
    search = _search(make(), adanet_lambda=0.0, adanet_beta=0.0).fit(X, y, verbose=0)
    losses = search.leaderboard().query("status == 'selected'")["loss"].to_numpy()
    assert len(losses) == 2
    assert (np.diff(losses) <= 1e-6 * np.abs(losses[:-1])).all()


REPLICAS = """
    import sys
    import tensorflow as tf
    cpus = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        cpus[0], [tf.config.LogicalDeviceConfiguration()] * 2)
    sys.path.insert(0, "tests/heads")
    from test_heads_in_searches import *
    from test_heads_in_searches import _search

    def replicas(make, y, **settings):
        found = []
        for where in ("one_device", "mirrored"):
            search = _search(make(), distribute=where, **settings).fit(X, y, verbose=0)
            found.append(search)
        one, two = found
        assert two.strategy.num_replicas_in_sync == 2
        return one, two

    def same(one, two, tolerance):
        a, b = (each.evaluate(X, y)["loss"] for each in (one, two))
        np.testing.assert_allclose(b, a, rtol=tolerance, atol=tolerance)
"""


def test_on_replicas_and_in_mixed_precision_several_learn(python):
    """Some heads side by side; each alone, and compiled by XLA, in the exhaustive tests."""
    python.run(
        "-c",
        textwrap.dedent(REPLICAS)
        + textwrap.dedent("""
        some = ("binary", "multi_class", "regression", "poisson", "quantile", "normal", "ordinal")
        y = {name: HEADS[name][1] for name in some}
        def make():
            return an.heads.Multi({name: HEADS[name][0]() for name in some})
        few = {"max_iterations": 1, "steps_per_iteration": 10}
        keras.config.set_dtype_policy("mixed_float16")
        # Of so few steps the first ones are skipped, until gradients fit into float16.
        same(*replicas(make, y, **few), 0.1)
        with pytest.raises(ValueError, match="jit_compile=True compiles.*2 replicas") as caught:
            _search(make(), **few, distribute="mirrored", jit_compile=True).fit(X, y, verbose=0)
        assert "\\n" not in str(caught.value)
        """),
    )


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ALONE)
@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_two_replicas_train_as_one_device_does(name, policy, python):
    python.run(
        "-c",
        textwrap.dedent(REPLICAS)
        + textwrap.dedent("""
        name, policy = sys.argv[1:]
        make, y = ALONE[name]
        plain = _search(make()).fit(X, y, verbose=0)
        keras.config.set_dtype_policy(policy)
        one, two = replicas(make, y)
        tolerance = {"float32": 1e-3, "mixed_float16": 0.15, "mixed_bfloat16": 0.1}[policy]
        if policy == "float32":
            np.testing.assert_allclose(one.model(X), two.model(X), rtol=1e-3, atol=1e-3)
        compiled = _search(make(), jit_compile=True).fit(X, y, verbose=0)
        for each in (one, two, compiled):
            same(plain, each, tolerance)
        """),
        name,
        policy,
    )
