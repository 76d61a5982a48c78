"""What a model is beside its graph: its class and attributes are kept, or it is refused."""

import keras
import numpy as np
import pytest

from adaptive_nets import callbacks, growth, majority

layers = keras.layers
X = np.random.default_rng(0).normal(size=(8, 5)).astype("float32")


@keras.saving.register_keras_serializable(package="test_whole_models")
class Weighing(keras.Model):
    """Trains in a way of its own, with a rate that is not a weight."""

    def train_step(self, data):
        x, y = data
        return {"loss": super().train_step((x, self.rate * y))["loss"]}


@keras.saving.register_keras_serializable(package="test_whole_models")
class Made(keras.Model):
    """Makes its layers itself, from settings, and keeps one beside the graph."""

    def __init__(self, units=6, **kwargs):
        inputs = keras.Input((5,))
        encoder = layers.Dense(units, "relu", name="encoder")
        super().__init__(inputs, layers.Dense(2, name="head")(encoder(inputs)), **kwargs)
        self.encoder, self.units = encoder, units

    def get_config(self):
        return {"units": self.units, "name": self.name}


class MadeWithSteps(Made):
    train_step = Weighing.train_step


class Doubled(keras.Model):
    """Computes more than its graph."""

    def call(self, inputs, training=None, mask=None):
        return 2 * super().call(inputs, training=training)


class Row(keras.Sequential):
    """A row of layers that trains in a way of its own."""

    def train_step(self, data):
        return super().train_step(data)


def graph(kind=keras.Model):
    inputs = keras.Input((5,))
    hidden = layers.Dense(6, "relu", name="encoder")(inputs)
    model = kind(inputs, layers.Dense(2, name="head")(hidden))
    if kind is Weighing:
        model.rate = 0.25
    return model


VERBS = {
    "widen": lambda model: growth.widen(model, 2.0),
    "deepen": growth.deepen,
    "self_fuse": lambda model: growth.self_fuse(model, cross="zero"),
    "expand": majority.expand,
}


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_a_class_that_is_made_of_a_graph_is_kept_with_what_its_methods_read(gc, verb):
    source = gc.randomise(graph(Weighing))
    source.encoder = source.get_layer("encoder")
    new = verb(source)
    assert type(new) is Weighing and new.rate == 0.25
    assert new.encoder is new.get_layer("encoder") is not source.encoder
    assert gc.gap(gc.outputs(new, X), gc.outputs(source, X)) <= 1e-5


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (MadeWithSteps, r"lose train_step.*inputs and outputs"),
        (lambda: graph(Doubled), r"a `call` of its own"),
    ],
)
def test_a_class_that_would_be_lost_is_refused(verb, make, complaint):
    with pytest.raises(ValueError, match=complaint):
        verb(make())


def test_a_row_stays_of_its_class(gc):
    row = Row([keras.Input((5,)), layers.Dense(4, "relu"), layers.Dense(2)])
    for verb in (VERBS["widen"], VERBS["deepen"], VERBS["expand"]):
        assert type(verb(gc.randomise(row))) is Row


def test_a_class_without_steps_of_its_own_becomes_plain_and_the_plan_says_so(gc):
    source = gc.randomise(Made())
    plan = growth.plan_widen(source, 2.0)
    assert any("plain Functional model" in note and "Made" in note for note in plan.notes)
    grown, _ = growth.apply(plan)
    assert grown.encoder is grown.get_layer("encoder") and grown.encoder.units == 12


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_weights_beside_the_graph_are_refused(verb):
    model = graph()
    model.aside = layers.Dense(3)
    model.aside.build((None, 5))
    with pytest.raises(ValueError, match=r"no layer of its graph holds the weight"):
        verb(model)


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_variables_in_the_graph_are_refused(verb):
    inputs = keras.Input((5,))
    hidden = keras.ops.multiply(layers.Dense(4, "relu")(inputs), keras.Variable(2.0, name="gain"))
    with pytest.raises(ValueError, match=r"the variable 'gain', which belongs to no layer"):
        verb(keras.Model(inputs, layers.Dense(2)(hidden)))


def grown_in_fit(model):
    model.compile("sgd", "mse")
    schedule = callbacks.GrowthSchedule({1: growth.Widen(2.0)})
    model.fit(X, X[:, :2], epochs=2, verbose=0, callbacks=[schedule])
    return model


def test_attributes_grow_with_the_graph_inside_fit(gc, tmp_path):
    model = graph(Weighing)
    model.encoder, model.parts = model.get_layer("encoder"), [model.get_layer("head"), 3]
    grown_in_fit(model)
    assert model.encoder is model.get_layer("encoder") and model.encoder.units == 12
    assert model.parts == [model.get_layer("head"), 3]
    model.save(tmp_path / "grown.keras")
    loaded = keras.models.load_model(tmp_path / "grown.keras")
    assert gc.gap(gc.outputs(loaded, X), gc.outputs(model, X)) <= 1e-6


def test_a_class_that_makes_its_own_layers_is_refused_before_it_trains():
    model = Made()
    before = [np.array(weight) for weight in model.weights]
    with pytest.raises(ValueError, match=r"Made makes its layers from settings of its own"):
        grown_in_fit(model)
    assert all(np.array_equal(a, np.array(b)) for a, b in zip(before, model.weights, strict=True))


def test_a_model_beside_the_graph_is_refused_before_training():
    model = graph()
    model.half = keras.Model(model.inputs, model.get_layer("encoder").output, name="half")
    with pytest.raises(
        ValueError, match=r"its attribute 'half' holds 'half', which is not a layer"
    ):
        grown_in_fit(model)


@pytest.mark.backend_agnostic
def test_plans_read_no_values():
    with keras.StatelessScope(initialize_variables=False):
        inputs = keras.Input((None, 8))
        hidden = layers.Dense(16, "relu")(inputs)
        attended = layers.MultiHeadAttention(2, 4)(hidden, hidden)
        outputs = layers.Dense(3)(layers.LayerNormalization()(layers.Add()([hidden, attended])))
        shapes = keras.Model(inputs, outputs)
    model = keras.models.clone_model(shapes)
    for make in (
        lambda each: growth.plan_widen(each, 2.0),
        lambda each: growth.plan_self_fuse(each, cross="zero"),
        lambda each: growth.plan_deepen(each, 1),
    ):
        plan = make(shapes)
        assert plan.parameters == growth.apply(make(model))[0].count_params()
        assert str(plan)
