"""What heads, generators, strategies, complexities, ensemblers and evaluators have in common."""

import json

import keras
import pytest

import adaptive_nets as an
from adaptive_nets import contracts
from adaptive_nets.adanet import Penalty
from adaptive_nets.configurable import Configurable
from adaptive_nets.serialization import describe_object, make_object, normalize, restore_object


@keras.saving.register_keras_serializable(package="adaptive_nets_tests")
def squared(r):
    return r * r


def plain(r):
    return r


@keras.saving.register_keras_serializable(package="adaptive_nets_tests")
class Named(Configurable):
    def __init__(self, size, inner=None):
        self.size, self.inner = size, inner

    def get_config(self):
        return {"size": self.size, "inner": describe_object(self.inner)}

    @classmethod
    def from_config(cls, config):
        return cls(config["size"], restore_object(config["inner"], "generator"))


class Unregistered(Named):
    """A class that no registry knows."""


OBJECTS = {
    "head": (lambda: an.heads.MultiClass(3), lambda: an.heads.MultiClass(4)),
    "adapted head": (lambda: an.heads.BinaryClass().adapt(["a", "b"]), an.heads.BinaryClass),
    "multi": (
        lambda: an.heads.Multi([an.heads.BinaryClass(), an.heads.Regression(2)]),
        lambda: an.heads.Multi([an.heads.BinaryClass(), an.heads.Regression(3)]),
    ),
    "generator": (lambda: an.generators.Dense(8), lambda: an.generators.Dense(9)),
    "wrapped": (
        lambda: an.generators.Bagging(an.generators.Conv(4), 0.5),
        lambda: an.generators.Bagging(an.generators.Conv(5), 0.5),
    ),
    "energy": (lambda: an.generators.Energy(seed=1), lambda: an.generators.Energy(seed=2)),
    "growth": (lambda: an.generators.Growth(layers=1), lambda: an.generators.Growth(layers=2)),
    "grow": (an.adanet.Grow, an.adanet.Solo),
    "all": (an.adanet.All, an.adanet.Grow),
    "solo": (an.adanet.Solo, an.adanet.All),
    "sqrt_depth": (an.adanet.SqrtDepth, an.adanet.OutputDeviation),
    "rademacher": (lambda: an.adanet.Rademacher(1.5), an.adanet.Rademacher),
    "penalty": (lambda: Penalty(0.1, 0.2), lambda: Penalty(0.2, 0.1)),
    "uniform": (an.adanet.UniformEnsembler, lambda: an.adanet.UniformEnsembler(Penalty(0.1))),
    "mixture": (
        lambda: an.adanet.MixtureEnsembler("vector", Penalty(0.1), True, "new", 1e-5, 70),
        lambda: an.adanet.MixtureEnsembler("vector", Penalty(0.2), True, "new", 1e-5, 70),
    ),
    "greedy": (
        lambda: an.adanet.GreedyEnsembler(Penalty(0.1), 7),
        lambda: an.adanet.GreedyEnsembler(Penalty(0.1), 8),
    ),
    "probability": (
        lambda: an.adanet.ProbabilityEnsembler(Penalty(0.1), "new", 2.0, 1e-5, 70),
        lambda: an.adanet.ProbabilityEnsembler(Penalty(0.1), "new", 1.0, 1e-5, 70),
    ),
    "function": (
        lambda: an.adanet.UniformEnsembler(squared),
        lambda: an.adanet.UniformEnsembler(plain),
    ),
    "evaluator": (
        lambda: an.adanet.Evaluator(metric="auc", mode="max"),
        lambda: an.adanet.Evaluator(metric="auc", mode="min"),
    ),
}

KINDS = {
    an.heads.Head: "head",
    an.adanet.Generator: "generator",
    an.adanet.Strategy: "strategy",
    an.adanet.Complexity: "complexity",
    an.adanet.Ensembler: "ensembler",
    an.adanet.Evaluator: "evaluator",
    Penalty: "penalty",
}


@pytest.mark.parametrize("make, other", OBJECTS.values(), ids=OBJECTS)
def test_it_is_known_by_class_and_configuration(make, other):
    made, again = make(), make()
    assert made == again and hash(made) == hash(again) and made != other()
    assert made != "a string" and made is not again
    described = json.loads(json.dumps(describe_object(made)))
    package = described["registered"].partition(">")[0]
    assert package == "adaptive_nets"
    kind = next(kind for base, kind in KINDS.items() if isinstance(made, base))
    restored = restore_object(described, "setting", kind)
    assert restored == made and type(restored) is type(made)
    assert describe_object(restored) == described


def test_all_that_users_extend_derives_from_it():
    kinds = (an.heads.Head, *(getattr(an.adanet, name) for name in (
        "Generator", "Strategy", "Complexity", "Ensembler", "Evaluator")))  # fmt: skip
    for kind in kinds:
        assert issubclass(kind, Configurable)
        assert not {"__eq__", "__hash__", "__repr__"} & vars(kind).keys()


def test_it_shows_the_call_that_makes_it():
    assert repr(Penalty(0.1)) == "Penalty(adanet_lambda=0.1, adanet_beta=0.0)"
    assert repr(an.adanet.UniformEnsembler(Penalty(0.1))) == (
        "UniformEnsembler(gamma=Penalty(adanet_lambda=0.1, adanet_beta=0.0))"
    )
    assert repr(an.adanet.Grow()) == "Grow()"
    bagging = an.generators.Bagging(an.generators.Growth(layers=2))
    assert repr(bagging).startswith("Bagging(generator=Growth(generator=Dense(depths=None, ")
    assert "heads=[BinaryClass(name='binary_class', " in repr(
        an.heads.Multi([an.heads.BinaryClass()])
    )
    loss = an.heads.Regression(loss=lambda labels, logits: (labels - logits) ** 2)
    assert repr(loss) == "Regression(...)" and loss == loss and loss != an.heads.Regression()


def test_what_no_configuration_holds_is_compared_too():
    one, other = an.adanet.UniformEnsembler(lambda r: r), an.adanet.UniformEnsembler(lambda r: 0)
    assert one.get_config() == other.get_config() and one != other
    x, y = [[0.0], [1.0]], [0, 1]
    assert an.adanet.Evaluator(x, y) == an.adanet.Evaluator(x, y)
    assert an.adanet.Evaluator(x, y) != an.adanet.Evaluator(list(x), y)


# State files ---------------------------------------------------------------------------------


def test_functions_go_by_their_registered_name():
    described = describe_object(squared)
    assert described == {"registered": "adaptive_nets_tests>squared", "config": {}}
    assert restore_object(described, "complexity") is squared
    for function in (plain, lambda r: r, len):
        described = describe_object(function)
        assert described == {"registered": function.__name__, "config": None}
        with pytest.raises(ValueError, match=r"no file can hold.*complexity=\.\.\."):
            restore_object(described, "complexity")


def test_keras_own_classes_are_found_without_a_registry():
    for made in (
        keras.layers.Normalization(mean=1.0, variance=4.0),
        keras.optimizers.Adam(0.5),
        keras.Sequential([keras.Input((2,)), keras.layers.Rescaling(0.5)]),
        keras.Model(x := keras.Input((2,)), keras.layers.Rescaling(0.5)(x)),
    ):
        described = json.loads(json.dumps(describe_object(made)))
        assert described["registered"] == f"keras>{type(made).__name__}"
        kind = "layer" if isinstance(made, keras.Layer) else "optimizer"
        restored = restore_object(described, "preprocessing", kind)
        assert type(restored) is type(made)
        assert describe_object(restored) == described
        path = f"{type(made).__module__}.{type(made).__name__}"
        old = {**described, "class": path, "registered": type(made).__name__}
        assert normalize(old) == described


def test_what_is_not_registered_is_refused_by_name():
    with pytest.raises(ValueError, match=r"Unregistered: no .*registered.*generator=\.\.\."):
        restore_object(describe_object(Unregistered(3)), "generator")


def test_no_name_in_a_file_is_imported(tmp_path, monkeypatch):
    (tmp_path / "trap.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    for description in (
        {"class": "trap.Thing", "registered": "Thing", "config": {}},
        {"class": "trap.thing", "config": None},
        {"registered": "trap.Thing", "config": {}},
        {"registered": "trap>Thing", "config": {}},
        {"registered": "keras>trap", "config": {}},
    ):
        with pytest.raises(ValueError, match=r"Pass it: AdaNet.load\(model_dir, head=...\)"):
            restore_object(description, "head")


KERAS_ADAM = {"module": "keras.optimizers", "class_name": "Adam", "config": {}}


@pytest.mark.parametrize("description, kind", [
    (describe_object(an.generators.Dense()), "head"),
    (describe_object(an.heads.MultiClass()), "generator"),
    (describe_object(an.adanet.Grow()), "ensembler"),
    (describe_object(an.heads.MultiClass()), "penalty"),
    (describe_object(keras.layers.Dense(2)), "optimizer"),
    (describe_object(squared), "head"),
    (KERAS_ADAM, "loss"),
    (KERAS_ADAM, "schedule"),
    ({"class_name": "function", "module": "builtins", "config": "relu"}, "optimizer"),
    ("adaptive_nets>Grow", "loss"),
    (describe_object(an.adanet.Grow()), "max_iterations"),
])  # fmt: skip
def test_another_kind_of_object_is_refused_before_it_is_made(description, kind, monkeypatch):
    def made(cls, config=None, **kwargs):
        pytest.fail("an object was made")

    for each in (an.generators.Dense, an.heads.MultiClass, an.adanet.Grow, keras.layers.Dense,
                 keras.optimizers.Adam):  # fmt: skip
        monkeypatch.setattr(each, "from_config", classmethod(made))
        monkeypatch.setattr(each, "__init__", made)
    with pytest.raises(ValueError, match="was expected|takes no object") as caught:
        make_object(description, kind)
    assert "\n" not in str(caught.value)


def test_only_what_lies_beside_keras_is_loaded_for_a_file(tmp_path, monkeypatch):
    """Layers of keras-hub bring keras-hub along, but not a folder of that name."""
    (tmp_path / "some_hub.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(contracts, "_HUB", "some_hub")
    # What is found out here holds for no other test.
    monkeypatch.setattr(contracts, "_load", contracts._load.__wrapped__)
    for name in ("some_hub>Layer", "absent_hub>Layer", "keras_hub>Absent"):
        assert contracts.registered(name) is None
    assert contracts.registered("adaptive_nets>Growth") is an.generators.Growth


def old(path, name, config):
    registered = {} if name is None else {"registered": name}
    return {"class": path, **registered, "config": config}


@pytest.mark.parametrize(
    "written, made",
    [
        (old("adaptive_nets.adanet.strategy.Grow", "Grow", {}), an.adanet.Grow()),
        (old("adaptive_nets.adanet.strategy.Solo", "Solo", {}), an.adanet.Solo()),
        (old("adaptive_nets.adanet.strategy.All", "All", {}), an.adanet.All()),
        (
            old("adaptive_nets.adanet.ensemble.UniformEnsembler", "UniformEnsembler",
                {"kind": "uniform"}),
            an.adanet.UniformEnsembler(),
        ),
        (
            old("adaptive_nets.adanet.complexity.Rademacher", "adaptive_nets>Rademacher",
                {"p": 1.5, "norm_bound": 1.0}),
            an.adanet.Rademacher(1.5),
        ),
        (old(f"{__name__}.squared", None, None), squared),
        (old(f"{__name__}.plain", None, None), plain),
        (old("keras.src.ops.numpy.sqrt", None, None), keras.ops.sqrt),
        (old("somewhere.Unregistered", "Unregistered", {"size": 3, "inner": None}),
         Unregistered(3)),
        (
            old("somewhere.Named", "adaptive_nets_tests>Named", {
                "size": 1, "inner": old("adaptive_nets.adanet.strategy.Grow", "Grow", {})}),
            Named(1, an.adanet.Grow()),
        ),
        ([1, {"a": old("adaptive_nets.adanet.strategy.Grow", "Grow", {})}],
         [1, {"a": an.adanet.Grow()}]),
        ({"class": "a word", "size": 3}, {"class": "a word", "size": 3}),
    ],
)  # fmt: skip
def test_what_0_1_0_wrote_is_read_as_what_is_written_now(written, made):
    now = describe_object(made)
    assert normalize(written) == now and normalize(now) == now


def test_an_old_mixture_has_to_be_passed():
    written = old("adaptive_nets.adanet.ensemble.MixtureEnsembler", "MixtureEnsembler",
                  {"kind": "scalar", "use_bias": False, "refit": "all"})  # fmt: skip
    with pytest.raises(ValueError, match=r"mixture_weights=\.\.\."):
        restore_object(written, "mixture_weights")
