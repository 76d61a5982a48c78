"""The contract of generators."""

import pytest

from adaptive_nets.adanet.candidates.builder import Builder
from adaptive_nets.adanet.candidates.generator import Generator, Report, propose_builders


class Named(Builder):
    def __init__(self, name):
        self.name = name

    def build(self, inputs, units, previous=None):
        raise NotImplementedError


class Nameless(Named):
    def __init__(self):
        pass


class Giving(Generator):
    def __init__(self, *builders):
        self.builders, self.seen = builders, []

    def generate(self, previous, iteration, reports):
        self.seen.append((previous, iteration, reports))
        return self.builders


def test_a_generator_sees_the_past_and_gives_builders():
    report = Report(1, "a", {}, {}, {"loss": 0.5}, True, "trained")
    reports, builders = (report,), (Named("a"), Named("b-2.x_Z"))
    generator = Giving(*builders)
    assert propose_builders(generator, "ensemble", 2, reports) == list(builders)
    assert generator.seen == [("ensemble", 2, [report])]
    generator.seen[0][2].clear()
    assert reports == (report,)


def test_builders_may_come_one_by_one():
    class Lazy(Generator):
        def generate(self, previous, iteration, reports):
            yield Named("a")
            yield Named("b")

    assert [b.name for b in propose_builders(Lazy(), None, 1, ())] == ["a", "b"]


@pytest.mark.parametrize(
    "builders, error, message",
    [
        (
            (),
            ValueError,
            "Generator Giving must return at least one builder. Received: none in round 3",
        ),
        (("a",), TypeError, "Generator Giving must return adanet.Builder objects. Received: str"),
        ((Named("a"), None), TypeError, "Received: NoneType"),
        ((Named,), TypeError, "Received: ABCMeta"),
        ((Named(""),), ValueError, "A builder of generator Giving has no name"),
        ((Named(7),), ValueError, "A builder of generator Giving has no name"),
        ((Nameless(),), ValueError, "A builder of generator Giving has no name"),
        ((Named("a/b"),), ValueError, "Builder name 'a/b' must be valid in file names"),
        ((Named("a b"),), ValueError, "Builder name 'a b' must be valid in file names"),
        (
            (Named("a"), Named("b"), Named("a"), Named("b"), Named("c")),
            ValueError,
            "Giving returned duplicate builder names in round 3: a, b. Give every builder",
        ),
    ],
)
def test_what_cannot_be_searched_is_refused(builders, error, message):
    with pytest.raises(error, match=r"\A[^\n]*" + message + r"[^\n]*\Z"):
        propose_builders(Giving(*builders), None, 3, ())


def test_a_generator_that_returns_nothing_is_refused():
    class Forgetful(Generator):
        def generate(self, previous, iteration, reports):
            pass

    with pytest.raises(
        ValueError, match="Forgetful must return at least one builder. Received: none in round 1"
    ):
        propose_builders(Forgetful(), None, 1, ())


def test_a_generator_has_defaults():
    generator = Giving()
    assert generator.get_config() == {} and not generator.standardize
    assert isinstance(Giving.from_config({}), Giving)
    with pytest.raises(TypeError, match="abstract"):
        Generator()
