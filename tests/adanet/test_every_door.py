"""Every kind of input at every door in every habit: the right value, or one line that says why.

The first half of the doors read what the second half computes with, so few searches are trained.
"""

import dataclasses
import functools
import re
import warnings
from collections.abc import Callable

import door_table as table
import keras
import numpy as np
import pytest
import tensorflow as tf

import adaptive_nets as an
from adaptive_nets.adanet import preparation
from adaptive_nets.adanet.fit_data import own_rows
from adaptive_nets.data.training_data import TrainingData
from adaptive_nets.serving.features import rows_to_serve

FRAMES = {"columns": table.NUMBERS, "array": table.NUMBERS, "inputs": table.NUMBERS,
          "FeatureSpace": table.MIXED}  # fmt: skip
SMALL = {"max_iterations": 1, "steps_per_iteration": 2, "seed": 0, "complexity": "sqrt_depth"}

GENERATOR = an.generators.Dense(2, [1])


def new(family, **settings):
    if family == "FeatureSpace":
        settings["preprocessing"] = space()
    return an.AdaNet(an.heads.BinaryClass(), GENERATOR, **{**SMALL, **settings})


@functools.cache
def space():
    made = keras.utils.FeatureSpace(
        {"n o": keras.utils.FeatureSpace.integer_categorical(num_oov_indices=0),
         "word": keras.utils.FeatureSpace.string_categorical(num_oov_indices=0), "age": "float"},
        output_mode="concat",
    )  # fmt: skip
    made.adapt(tf.data.Dataset.from_tensor_slices(table.columns(table.MIXED)))
    return made


def native(family, frame):
    """A table in the form that its family of searches was fitted on."""
    if family == "array":
        return frame.to_numpy()
    return table.halves(frame) if family == "inputs" else frame


@dataclasses.dataclass
class Fitted:
    """A search of a family, its folder, and what else has been made of it."""

    family: str
    search: an.AdaNet
    folder: str
    served: object = None
    loaded: an.AdaNet | None = None
    known: dict = dataclasses.field(default_factory=dict)

    def logits(self, habit):
        """Logits of the rows as the search was fitted on them, whatever the door."""
        if habit not in self.known:
            frame = table.HABITS[habit].change(FRAMES[self.family])[list(FRAMES[self.family])]
            rows = self.search.schema.read(native(self.family, frame))
            tensors = keras.tree.map_structure(tf.constant, rows)
            self.known[habit] = np.asarray(self.search.model(tensors, training=False))
        return self.known[habit]


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """The searches by family, fitted when they are first needed."""
    made = {}

    def get(family):
        if family not in made:
            folder = tmp_path_factory.mktemp(family)
            x = native(family, FRAMES[family])
            search = new(family, model_dir=folder).fit(x, table.Y, verbose=0)
            made[family] = Fitted(family, search, folder)
        return made[family]

    return get


@pytest.fixture(scope="module")
def served(fitted, tmp_path_factory):
    def get(family):
        one = fitted(family)
        if one.served is None:
            path = one.search.export(tmp_path_factory.mktemp("export") / family)
            one.served = tf.saved_model.load(path).signatures
        return one.served

    return get


@pytest.fixture(scope="module", autouse=True)
def without_the_loop_of_predict():
    """Keras' `predict` takes longer than all that is tested here."""

    def predict(self, x, **_):
        return np.asarray(self(keras.tree.map_structure(tf.constant, x), training=False))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.Model, "predict", predict)
        yield


class ReadError(Exception):
    """Carries the data that `fit` would have trained on."""


def read_by(call):
    """Returns the data of `fit`, which ends once they are read."""
    real = preparation.read_fit_data

    def stop(*arguments):
        raise ReadError(real(*arguments))

    with pytest.MonkeyPatch.context() as patch, pytest.raises(ReadError) as found:
        patch.setattr(preparation, "read_fit_data", stop)
        call()
    return found.value.args[0]


def whole(one):
    return native(one.family, FRAMES[one.family])


# Doors: functions of a fitted family and given features and labels, that return what was read
# (as rows), or logits, or a metric.
def rows_of(rows):
    parts = rows.x.values() if isinstance(rows.x, dict) else [rows.x]
    matrix = np.concatenate([p.reshape(len(p), -1).astype(object) for p in parts], axis=1)
    # TensorFlow's strings are bytes.
    matrix = np.array(
        [[v.decode() if isinstance(v, bytes) else v for v in r] for r in matrix], object
    )
    return matrix, np.asarray(rows.y).reshape(-1)


def fit(one, x, y):
    return rows_of(read_by(lambda: new(one.family).fit(x, y)).train)


def resume(one, x, y):
    again = new(one.family, model_dir=one.folder)
    return rows_of(read_by(lambda: again.fit(x, y)).train)


def replay(one, x, y):
    settings = {"preprocessing": space()} if one.family == "FeatureSpace" else {"seed": 1}
    return rows_of(read_by(lambda: an.AdaNet.replay(one.folder, x, y, settings=settings)).train)


def validation(one, x, y):
    given = x if y is None else (x, y)
    data = read_by(lambda: new(one.family).fit(whole(one), table.Y, validation_data=given))
    return rows_of(data.valid)


def report(one, x, y):
    given = x if y is None else (x, y)
    data = read_by(lambda: new(one.family).fit(whole(one), table.Y, report_data=given))
    return rows_of(data.reported)


def evaluator(one, x, y):
    judge = an.adanet.Evaluator(x, y)
    data = read_by(lambda: new(one.family, evaluator=judge).fit(whole(one), table.Y))
    return rows_of(data.judged)


def worker(one, x, y):
    """What a worker on another machine is sent."""
    searching = new(one.family, placement="round_robin", model_dir=one.folder.parent / "shared")
    return rows_of(read_by(lambda: searching.fit(x, y)).train.in_memory())


def own(one, x, y):
    context = one.search.context
    return rows_of(own_rows(TrainingData(x=x, y=y), context.head, context.schema, "own"))


def predict(one, x, y):
    return one.search.predict(x, "logits")


def evaluate(one, x, y):
    return one.search.evaluate(x, y)["loss"]


def loaded(one, x, y):
    if one.loaded is None:
        one.loaded = an.AdaNet.load(one.folder)
    return one.loaded.predict(x, "logits")


def serving(one, x, y, signature="predict"):
    arrays = rows_to_serve(x, one.search.schema)
    names = one.served[signature].structured_input_signature[1]
    given = arrays if len(names) > 1 else dict(zip(names, arrays.values(), strict=True))
    tensors = {name: tf.constant(given[name], names[name].dtype) for name in names}
    return one.served[signature](**tensors)["logits"].numpy()


@dataclasses.dataclass(frozen=True)
class Door:
    """A door: how it is entered, what comes back, and which families it is tried with."""

    enter: Callable
    returns: str
    families: tuple = tuple(table.KINDS)
    unbatched: bool = False
    slow: bool = False


DOORS = {
    "fit": Door(fit, "own rows", ("columns", "array", "inputs")),
    "resume": Door(resume, "rows", slow=True),
    "replay": Door(replay, "rows", ("columns", "FeatureSpace"), slow=True),
    "validation_data": Door(validation, "rows"),
    "report_data": Door(report, "rows", slow=True),
    "evaluator": Door(evaluator, "rows", slow=True),
    "a builder's own data": Door(own, "rows"),
    "worker": Door(worker, "own rows", ("columns",)),
    "predict": Door(predict, "logits"),
    "evaluate": Door(evaluate, "loss", slow=True),
    "load": Door(loaded, "logits", ("columns", "FeatureSpace")),
    "serving": Door(serving, "logits", unbatched=True),
}
CELLS = [
    cell for cell in table.cells(DOORS)
    if not (DOORS[cell[2]].unbatched and cell[1] in table.BATCHED)
]  # fmt: skip
GROUPS = sorted({cell[:3] for cell in CELLS})


def expected(one, door, habit, kind):
    """Returns the message of a refusal, or `None` where values are read."""
    message = table.HABITS[habit].message
    if habit == "no rows":
        reads = DOORS[door].returns == "logits" and kind not in table.BATCHED
        return None if reads else message
    if DOORS[door].returns == "own rows":
        if habit in ("renamed", "missing", "too few"):
            return None
        if habit == "text":  # An entry of a dict may be text, which generators may read.
            return "numeric|mixed objects|.*"
    return message


def check(one, door, kind, habit):
    """Returns why a cell is wrong, or `None`."""
    frame = table.HABITS[habit].change(FRAMES[one.family])
    y = table.Y[: len(frame)]
    make, refusal = table.KINDS[one.family][kind], expected(one, door, habit, kind)
    x, labels = (make(frame, y), None) if kind in table.BATCHED else (make(frame), y)
    try:
        found = DOORS[door].enter(one, x, labels)
    except ValueError as error:
        if refusal is None or "\n" in str(error) or not re.search(refusal, str(error)):
            return f"refused: {error}"
        return None
    if refusal is not None:
        if refusal.endswith("|.*"):
            return None
        return f"accepted, but expected: {refusal}"
    names = one.search.schema.names if one.family != "array" else list(table.NUMBERS)
    names = list(table.NUMBERS) if one.family == "inputs" else names
    if DOORS[door].returns in ("rows", "own rows"):
        wanted = frame if DOORS[door].returns == "own rows" else frame[names]
        if one.family in ("array", "inputs"):
            wanted = frame
        matrix, found_y = found
        values = wanted.astype(object).to_numpy()
        same = matrix.shape == values.shape and (matrix == values).all()
        return None if same and (found_y == y).all() else "other rows than were given"
    reference = one.logits(habit)
    if DOORS[door].returns == "loss":
        reference = one.search.head.loss(y[:, None].astype("float32"), reference)
        reference = np.mean(np.asarray(reference))
    np.testing.assert_allclose(found, reference, rtol=2e-5, atol=1e-6)
    return None


@pytest.mark.filterwarnings("ignore:Feature:UserWarning", "ignore:The features:UserWarning")
@pytest.mark.parametrize(("family", "kind", "door"), GROUPS)
def test_a_kind_of_input_at_a_door(family, kind, door, fitted, served):
    one = fitted(family)
    if door == "serving":
        served(family)
    wrong = {}
    for cell in CELLS:
        if cell[:3] == (family, kind, door):
            try:
                why = check(one, door, kind, cell[3])
            except Exception as error:
                why = f"{type(error).__name__}: {error}"
            if why is not None:
                wrong[cell[3]] = why
    assert not wrong


def test_the_table_is_whole(capsys):
    with capsys.disabled():
        print(f"[{len(CELLS)} cells]", end="")
    assert len(CELLS) > 3000
    for place, names in enumerate((table.KINDS, {k for f in table.KINDS.values() for k in f})):
        assert {cell[place] for cell in CELLS} == set(names)
    assert {cell[2] for cell in CELLS} == set(DOORS)
    assert {cell[3] for cell in CELLS} == set(table.HABITS)


def test_what_is_left_out_or_has_no_names_is_said(fitted):
    search = fitted("columns").search
    with pytest.warns(UserWarning, match="ignored: more"):
        search.predict(table.NUMBERS.assign(more=1.0))
    with pytest.warns(UserWarning, match="read in the order of the training data: age"):
        search.predict(table.NUMBERS.to_numpy())
    with pytest.warns(UserWarning, match="had no names. The columns are read in their order: age"):
        fitted("array").search.predict(table.NUMBERS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        search.predict(table.NUMBERS)
        fitted("array").search.predict(table.NUMBERS.to_numpy())
