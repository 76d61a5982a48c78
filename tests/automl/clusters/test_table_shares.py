"""Processes read their shares of a table and find in them, together, what one process finds."""

import concurrent.futures
import dataclasses
import itertools
import os
import threading

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from adaptive_nets.automl import AutoClassifier
from adaptive_nets.automl.clusters.shares import Shares
from adaptive_nets.automl.clusters.together import Together
from adaptive_nets.automl.judging.division import Division
from adaptive_nets.automl.streaming import drawn as drawing
from adaptive_nets.automl.streaming.drawn import draw_rows
from adaptive_nets.automl.streaming.fit import regions
from adaptive_nets.automl.streaming.shuffled import shuffled
from adaptive_nets.automl.streaming.sides import Sides, make_sides
from adaptive_nets.automl.streaming.target import learn_target
from adaptive_nets.automl.targets import Classes, Numbers
from adaptive_nets.data.tables import collected
from adaptive_nets.data.tables import source as sources
from adaptive_nets.data.tables.opening import open_shared
from adaptive_nets.data.tables.row_stream import RowStream
from adaptive_nets.distribute import Group

ROWS = 1003


class Threads(Group):
    """One of several threads that meet at barriers where processes meet."""

    def __init__(self, rank, meeting, box):
        self.rank, self.count, self.alone = rank, len(box), False
        self.is_chief = rank == 0
        self.names = [f"worker {k}" for k in range(len(box))]
        self._meeting, self._box = meeting, box

    def gather(self, own):
        self._box[self.rank] = own
        self._meeting.wait(60)
        found = list(self._box)
        self._meeting.wait(60)
        return found

    def agree(self, *values):
        return self.gather(values)[0]


def run_together(count, work, replicas=None):
    """What `work` returns in each of some processes for their `Together`, or raises there."""
    meeting, box = threading.Barrier(count), [None] * count
    groups = [Threads(rank, meeting, box) for rank in range(count)]
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        started = [pool.submit(work, Together(group, replicas or count)) for group in groups]
        return [each.exception(90) or each.result() for each in started]


def table(rows=ROWS):
    random = np.random.default_rng(0)
    return pd.DataFrame({
        "row": np.arange(rows),
        "number": np.where(random.random(rows) < 0.1, np.nan, random.normal(size=rows)),
        "patient": [f"patient {each}" for each in random.integers(0, 60, rows)],
        "label": random.choice(["yes", "no", "perhaps"], rows),
    })  # fmt: skip


def written(folder, frame, bounds, group=90):
    folder.mkdir(exist_ok=True)
    for place, (first, end) in enumerate(itertools.pairwise(bounds)):
        path = folder / f"part-{place}.parquet"
        frame.iloc[first:end].to_parquet(path, index=False, row_group_size=group)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three files of different lengths."""
    return written(tmp_path_factory.mktemp("parts") / "parts", table(), [0, 170, 900, ROWS])


def source_of(folder):
    return open_shared(str(folder))


@pytest.mark.parametrize("count", [2, 3, 4, 5, 8, 11])
def test_every_row_is_read_by_one_process(folder, count):
    def rows(together):
        shares = Shares(source_of(folder), together)
        own = [b.table["row"].to_numpy() for b in shares.batches(["row"])]
        lanes = [
            b.table["row"].to_numpy()
            for lane in shares.own
            for b in shares.source.batches(["row"], shares.pieces(lane))
        ]
        np.testing.assert_array_equal(np.concatenate(own), np.concatenate(lanes))
        return np.concatenate(own)

    found = run_together(count, rows)
    np.testing.assert_array_equal(np.concatenate(found), np.arange(ROWS))
    sizes = [len(each) for each in found]
    assert max(sizes) - min(sizes) <= 1 + 8 // count


def test_each_of_two_processes_reads_its_half_of_the_row_groups(tmp_path, monkeypatch):
    folder = written(tmp_path / "parts", table(800), [0, 400, 800], group=100)
    read, read_batches = {}, sources.read_batches

    def noted(piece, *arguments):
        read.setdefault((os.path.basename(piece.path), piece.group), 0)
        read[os.path.basename(piece.path), piece.group] += piece.rows
        return read_batches(piece, *arguments)

    monkeypatch.setattr(sources, "read_batches", noted)

    def work(together):
        shares = Shares(source_of(folder), together)
        return [batch.piece.path for batch in shares.batches(["row"])]

    first, second = (set(map(os.path.basename, each)) for each in run_together(2, work))
    assert (first, second) == ({"part-0.parquet"}, {"part-1.parquet"})
    assert set(read.values()) == {100} and len(read) == 8


@pytest.mark.parametrize(("name", "kind"), [("label", Classes), ("row", Numbers)])
def test_a_target_is_learnt_as_by_one_process(folder, monkeypatch, name, kind):
    monkeypatch.setattr("adaptive_nets.automl.streaming.target._DRAWN", 300)

    def learnt(together):
        given = []
        shares = Shares(source_of(folder), together)

        def learn(y, name):
            given.append(y)
            return kind.learn(y, name)

        learn_target(shares, name, learn, 0, kind is Classes)
        return given[0]

    alone = learnt(Together())
    for found in run_together(3, learnt):
        np.testing.assert_array_equal(found, alone)


@pytest.mark.parametrize(
    "division", [Division(), Division(groups="patient"), Division(time="row", gap=50)]
)
def test_rows_are_drawn_as_by_one_process(folder, monkeypatch, division):
    monkeypatch.setattr(drawing, "SAMPLE_ROWS", 200)
    target = Classes.learn(table()["label"].to_numpy(), "label")

    def drawn(together):
        shares = Shares(source_of(folder), together)
        sides = make_sides(shares, target, division, 0.1, 0, 10**6)
        return draw_rows(shares, shares.source.names, sides, 0, 60.0)

    alone = drawn(Together())
    trained = ROWS - alone.held.num_rows - (49 if division.time else 0)
    assert sum(alone.trained) == pytest.approx(trained, abs=2 if division.time else 1e-9)
    assert alone.facts["number"].missing == table()["number"].isna().sum()
    for found in run_together(2, drawn):
        assert found.sample.equals(alone.sample) and found.held.equals(alone.held)
        assert (found.facts, found.read, found.trained) == (alone.facts, ROWS, alone.trained)


def batches(source, together, batch_size=48, chunks=6, steps=5):
    """The rows of steps, and their weights, as a process reads them: those of others as -1."""
    shares = Shares(source, together)
    sides = Sides(0.1, 0, 900)
    read, weights = regions([float(1 + lane) for lane in range(shares.lanes)])

    def make(skipped, lane):
        pieces = shares.pieces(read[lane])
        for each in shuffled(shares.source, ["row"], sides, lane, pieces, shares.lanes):
            yield each.to_pandas(), each["row"].to_numpy(), np.full(len(each), weights[lane])

    sample = table().iloc[:0], np.array([]), None
    stream = RowStream(
        make, 900, sample, batch_size, shares.lanes, shares.own, together.in_step
    ).rebatch(batch_size * steps)  # fmt: skip
    places = stream.places(steps)
    each = batch_size // shares.lanes
    own = np.zeros(batch_size, bool)
    own[shares.own.start * each : shares.own.stop * each] = True
    found = []
    for _, (x, y, w) in zip(range(chunks), stream.as_numpy_iterator(), strict=False):
        np.testing.assert_array_equal(x["row"], y)
        found += [np.where(own, y[step], -1) for step in places]
        found += [np.where(own, w[step], -1) for step in places]
    return np.array(found)


@pytest.mark.parametrize("count", [2, 4, 8])
def test_processes_see_the_batches_of_one_process(folder, count):
    alone = batches(source_of(folder), Together())
    parts = np.array(run_together(count, lambda together: batches(source_of(folder), together)))
    assert ((parts >= 0).sum(axis=0) == 1).all()
    np.testing.assert_array_equal(parts.max(axis=0), alone)
    held = Sides(0.1, 0, 900)
    source = source_of(folder)
    taken = np.concatenate([b.table["row"].to_numpy()[held.divide(b)[0]] for b in source.batches()])
    assert len(taken) > 50 and not set(taken) & set(alone.reshape(-1).tolist())


class Rows:
    """Rows of a `ray.data.Dataset`."""

    __module__ = "ray.data.dataset"

    def __init__(self, first, end):
        self.frame = table().iloc[first:end]

    def iter_batches(self, batch_format, batch_size):
        for first in range(0, len(self.frame), batch_size):
            part = self.frame.iloc[first : first + batch_size]
            yield pa.Table.from_pandas(part, preserve_index=False)


@pytest.mark.parametrize("count", [2, 4])
def test_processes_that_hold_their_shares_alone_see_the_batches_of_one_process(monkeypatch, count):
    monkeypatch.setattr(collected, "GROUP_ROWS", 60)
    alone = batches(collected.collect(Rows(0, ROWS)), Together())

    def own(together):
        first, end = (k * ROWS // count for k in (together.rank, together.rank + 1))
        source = collected.collect(Rows(first, end), first)
        assert source.rows == end - first
        return batches(dataclasses.replace(source, start=first, total=ROWS), together)

    parts = np.array(run_together(count, own))
    assert ((parts >= 0).sum(axis=0) == 1).all()
    np.testing.assert_array_equal(parts.max(axis=0), alone)


def test_all_training_rows_count_alike():
    trained = [100.0, 0.0, 300.0, 0.0, 0.0, 50.0]
    read, weights = regions(trained)
    assert set(read) == {0, 2, 5} and np.mean(weights) == pytest.approx(1.0)
    # What a row contributes to an epoch: how often it is read, times its weight.
    each = [
        sum(w / trained[k] for k, w in zip(read, weights, strict=True) if k == lane)
        for lane in (0, 2, 5)
    ]
    np.testing.assert_allclose(each, 6 / 450)


def damaged(folder, tmp_path, how):
    """The files as the second process has them."""
    other = tmp_path / "parts"
    written(other, table(), [0, 170, 900, ROWS])
    path = other / "part-1.parquet"
    frame = pd.read_parquet(path)
    if how == "missing":
        path.unlink()
    elif how == "schema":
        frame["number"] = frame["number"].astype("float32")
        for each in other.iterdir():
            part = pd.read_parquet(each)
            part.assign(number=part["number"].astype("float32")).to_parquet(each, index=False)
    elif how == "column":
        frame.drop(columns="number").to_parquet(path, index=False)
    elif how == "fewer":
        frame.iloc[:-1].to_parquet(path, index=False)
    elif how == "content":
        frame.assign(row=frame["row"] + 1).to_parquet(path, index=False, row_group_size=90)
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:-40])
    return str(other)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("missing", "other files in process 1 .* 'part-2.parquet' instead of 'part-1.parquet'"),
        ("schema", r"other columns in process 1 .* 'number' \(float\) instead of"),
        ("column", r"In worker 1 of the cluster: The files of a table must have the same columns"),
        ("fewer", "other lengths in process 1 .* with 729 rows instead of .* with 730 rows"),
        ("content", "other contents in process 1 .*'part-1.parquet' with checksum"),
        ("cut", "In worker 1 of the cluster: Cannot read .*part-1.parquet"),
    ],
)
def test_other_files_in_one_process_are_refused_in_all(folder, tmp_path, how, message):
    paths = [str(folder), damaged(folder, tmp_path, how)]

    def work(together):
        source = together.in_step(lambda: open_shared(paths[together.rank]))
        Shares(source, together).check()

    errors = run_together(2, work)
    assert [type(each) for each in errors] == [ValueError] * 2, errors
    with pytest.raises(ValueError, match=message):
        raise errors[0]
    assert all("\n" not in str(each) for each in errors)


def test_a_file_that_one_process_lacks_is_named(folder, tmp_path):
    paths = [[str(folder / "part-0.parquet")], [str(tmp_path / "gone.parquet")]]
    first, second = run_together(
        2, lambda t: t.in_step(lambda: open_shared(paths[t.rank]))
    )  # fmt: skip
    assert isinstance(first, ValueError) and isinstance(second, FileNotFoundError)
    assert str(first) == f"In worker 1 of the cluster: {second}"


def test_too_few_rows_for_so_many_processes_are_refused(tmp_path):
    folder = written(tmp_path / "parts", table(7), [0, 7])
    errors = run_together(9, lambda t: Shares(source_of(folder), t).check())
    assert all("must have at least 9 rows" in str(each) for each in errors)


@pytest.mark.parametrize("given", ["table.csv", pa.table({"a": [1]})])
def test_what_cannot_be_shared_is_refused(tmp_path, monkeypatch, given):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text("a\n1\n")
    with pytest.raises(ValueError, match="need it in Parquet files"):
        open_shared(given)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("class_weight", [{"yes": 2.0, "no": 1.0}, {"yes": 3.0, "no": 1.0}]),
        ("costs", [np.array([[0, 1], [5, 0]]), np.array([[0, 1], [6, 0]])]),
    ],
)
def test_other_arguments_in_one_process_are_refused_in_all(folder, name, values):
    def begin(together):
        model = AutoClassifier(**{name: values[together.rank]}, seed=0, verbose=0)
        model._begun(str(folder), "label", None, Division(), together)

    for error in run_together(2, begin):
        with pytest.raises(ValueError, match=f"other {name} in process 1 than in the chief"):
            raise error
