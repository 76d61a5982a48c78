"""Real processes that fit a table together, of which each reads its share, are as one process."""

import json

import numpy as np
import pandas as pd
import pytest
from clusters import SCRIPT, ended, start_cluster

TABLE = SCRIPT.parent / "share_table.py"
NAMES = ["chief 0", "worker 0"]


def written(folder, files=2, rows=800):
    folder.mkdir()
    random = np.random.default_rng(0)
    for place in range(files):
        number, word = random.normal(size=rows), random.choice(["red", "green", "blue"], rows)
        amount = number**2 + 2 * (word == "red") + random.normal(scale=0.1, size=rows)
        part = pd.DataFrame({"number": number, "word": word, "amount": amount})
        part.to_parquet(folder / f"part-{place}.parquet", index=False, row_group_size=200)
    return folder


@pytest.mark.exhaustive
def test_two_processes_find_what_one_does_and_each_reads_its_half(tmp_path, python):
    files = written(tmp_path / "parts")
    python.run(TABLE, files, tmp_path / "alone")
    found = ended(start_cluster(python, files, NAMES, tmp_path / "search", script=TABLE))
    assert [code for code, _ in found] == [0, 0], "".join(text[-2000:] for _, text in found)
    alone = dict(np.load(tmp_path / "alone-0.npz"))
    for rank in range(2):
        own = dict(np.load(tmp_path / f"search-{rank}.npz"))
        assert own["kinds"].tolist() == alone["kinds"].tolist() and own["note"] == alone["note"]
        numbers = [name for name in alone if alone[name].dtype.kind == "f"]
        assert len(numbers) > 4
        for name in numbers:
            np.testing.assert_allclose(own[name], alone[name], atol=1e-4, err_msg=name)
        # All rows of its file, four row groups of 200, and none of the other file.
        assert json.loads(str(own["read"])) == {f"part-{rank}.parquet {k} 0": 200 for k in range(4)}
    assert len(json.loads(str(alone["read"]))) == 8


@pytest.mark.exhaustive
@pytest.mark.parametrize("lacking", [True, False])
def test_a_table_that_one_process_lacks_or_has_otherwise_ends_all(tmp_path, python, lacking):
    files, others = written(tmp_path / "parts"), tmp_path / "others"
    if not lacking:
        written(others, rows=700)
    processes = start_cluster(python, files, NAMES, tmp_path / "out", script=TABLE, other=others)
    found = ended(processes)
    assert [code for code, _ in found] == [1, 1], found
    for _, text in found:
        last = text.strip().splitlines()[-1]
        assert ("No such file" if lacking else "with 700 rows instead of") in last, text[-2000:]
