"""Files and tables of all kinds become one DataFrame, and no value changes."""

import gzip
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest

from adaptive_nets.data.tables.table import read_table, split_target

LINES = '''zip,age,note,big,open,when
02134,31,NA,9007199254740993,True,01.02.2020
90210,,"a, ""b""",,False,
,7,,1,True,03.04.1969
'''


@pytest.fixture
def write(tmp_path):
    def write(text, name="table.csv"):
        path = tmp_path / name
        with (gzip.open if name.endswith(".gz") else open)(path, "wt") as file:
            file.write(text)
        return path

    return write


def test_values_are_what_stands_in_the_file(write):
    found = read_table(write(LINES))
    assert found["zip"].tolist()[:2] == ["02134", "90210"] and pd.isna(found["zip"][2])
    assert found["age"].tolist()[0] == 31.0 and np.isnan(found["age"][1])
    # "NA" may be a word; an empty field is missing.
    assert found["note"].tolist()[:2] == ["NA", 'a, "b"'] and pd.isna(found["note"][2])
    # A float would be another number.
    assert found["big"].tolist()[0] == "9007199254740993"
    assert found["open"].tolist() == [True, False, True] and found["open"].dtype == bool
    assert found["when"].tolist()[0] == "01.02.2020"


def test_whole_numbers_without_holes_are_exact(write):
    assert read_table(write("a,b\n9007199254740993,1\n2,3\n"))["a"].tolist() == [2**53 + 1, 2]


@pytest.mark.parametrize("name", ["t.csv.gz", "t.tsv", "t.txt", "t.csv"])
def test_delimiters_and_packed_files(write, name):
    separator = {"t.tsv": "\t", "t.txt": ";"}.get(name, ",")
    found = read_table(write(f"a{separator}b\n1{separator}x\n", name))
    assert found.to_dict("list") == {"a": [1], "b": ["x"]}


def test_columns_that_were_text_are_text(write):
    path = write("a,b\n1,2\n3,4\n")
    assert read_table(path, ["b", "absent"]).to_dict("list") == {"a": [1, 3], "b": ["2", "4"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty. Expected a CSV file whose first line names the columns"),
        ("a,b\n", "it has a header and no rows"),
        ("a\n1\n", "it has one column. Expected columns separated by"),
        ("1,2\n3,4\n", "its first line must name the columns"),
        ("a,a\n1,2\n", "it names the column 'a' twice"),
        ("a,b\n1,2,3\n", "a line has more fields than the first line has names"),
        ('a,b\n"1,2\n', "EOF inside string"),
        ("1.5,red\n2.5,blue\n3.5,red\n", "looks like a row: the column 'red' has the value 'red'"),
        ("x,x,y\nx,y,y\n", "or add a line of names if the first line is data"),
        ('[{"a":1,"b":2},\n{"a":3,"b":4}]\n', "it looks like JSON"),
    ],
)
def test_what_is_no_table_is_refused_in_a_line(write, text, message):
    with pytest.raises(ValueError, match=message) as raised:
        read_table(write(text))
    assert "\n" not in str(raised.value) and "table.csv" in str(raised.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_encodings_that_a_file_tells_of(tmp_path, encoding, end):
    path = tmp_path / "t.csv"
    path.write_bytes(f"a,b{end}1,é{end}2,€".encode(encoding))
    assert read_table(path).to_dict("list") == {"a": [1, 2], "b": ["é", "€"]}


@pytest.mark.parametrize(
    ("encoding", "named"),
    [("latin-1", "ISO8859-1"), ("cp1252", "cp1252"), ("utf-16-be", "utf-16-be"), ("cp932", "sjis")],
)
@pytest.mark.parametrize("packed", [False, True])
def test_encodings_that_the_caller_names(tmp_path, encoding, named, packed):
    path = tmp_path / ("t.csv.gz" if packed else "t.csv")
    word = {"cp932": "東京", "latin-1": "é"}.get(encoding, "€")
    data = f"a,{word}s\n1,{word}\n02,x\n".encode(encoding)
    path.write_bytes(gzip.compress(data, mtime=0) if packed else data)
    found = read_table(path, encoding=named)
    assert found.to_dict("list") == {"a": ["1", "02"], f"{word}s": [word, "x"]}
    with pytest.raises(ValueError, match="read_table[(]path, encoding='.*--encoding="):
        read_table(path)


def test_encodings_that_fit_nothing_are_refused(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n1,\xe9\n")
    with pytest.raises(ValueError, match="it is not text in ascii: .*0xe9"):
        read_table(path, encoding="ascii")
    for wrong in ("soup", "base64", "rot13", "a\0b", ""):
        with pytest.raises(ValueError, match="encoding must be"):
            read_table(path, encoding=wrong)
    for other in (pd.DataFrame({"a": [1]}), tmp_path / "t.parquet"):
        with pytest.raises(ValueError, match="encoding must be None for what is not a CSV file"):
            read_table(other, encoding="latin-1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# made by x\n# on Monday, at noon\na,b,c\n1,2,3\n", {"a": [1], "b": [2], "c": [3]}),
        ("#a,b\n1,2\n", {"#a": [1], "b": [2]}),
        ("#\nsep=;\na;b\n1;#2\n", {"a": [1], "b": ["#2"]}),
    ],
)
def test_comments_above_the_header_are_passed_over(write, text, expected):
    assert read_table(write(text)).to_dict("list") == expected


def test_a_file_of_known_columns_may_have_one_or_no_rows(write):
    known = ["a", "2019", "b"]
    assert read_table(write("a\n1\n2\n"), known=known).to_dict("list") == {"a": [1, 2]}
    assert read_table(write("2019\n1\n"), known=known).to_dict("list") == {"2019": [1]}
    assert read_table(write("b,a\n"), known=known).shape == (0, 2)
    assert read_table(write("a,b\na,b\n"), known=known).shape == (1, 2)
    with pytest.raises(ValueError, match="it has one column"):
        read_table(write("c\n1\n"), known=known)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("t.csv", "a,b\n1,é\n".encode("latin-1"), "not text in UTF-8, .* Save it as UTF-8"),
        ("t.csv.gz", b"a,b\n1,2\n", "as a packed file: Not a gzipped file"),
        ("t.csv.gz", gzip.compress(b"a,b\n1,2\n" * 99, mtime=0)[:20], "ended before"),
        ("t.csv.zip", b"a,b\n1,2\n", "as a packed file: File is not a zip file"),
        ("t.csv.bz2", b"a,b\n1,2\n", "as a packed file: Invalid data stream"),
        ("t.csv.xz", b"a,b\n1,2\n", "as a packed file: Input format not supported"),
        ("t.parquet", b"", "as a Parquet file: .* 0 bytes"),
    ],
)
def test_damaged_files_are_refused_in_a_line(tmp_path, name, data, message):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message) as raised:
        read_table(path)
    assert "\n" not in str(raised.value) and name in str(raised.value)


def test_whole_numbers_with_holes_are_exact_in_parquet(tmp_path):
    large = [None, 2**53 + 1, 5]
    pl.DataFrame({"a": large, "b": ["x", None, "y"]}).write_parquet(tmp_path / "t.parquet")
    found = read_table(tmp_path / "t.parquet")["a"]
    assert found.tolist()[1:] == large[1:] and pd.isna(found[0])


def test_a_column_without_a_name_is_numbered(write):
    assert list(read_table(write(",b\n1,2\n"))) == ["Unnamed: 0", "b"]


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_table(tmp_path / "absent.csv")
    (tmp_path / "t.parquet").write_text("no parquet")
    with pytest.raises(ValueError, match="as a Parquet file"):
        read_table(tmp_path / "t.parquet")


def test_tables_of_other_libraries(tmp_path):
    plain = pd.DataFrame({"a": [1.5, np.nan], "b": ["x", None]})
    plain.to_parquet(tmp_path / "t.parquet")
    frames = [
        read_table(given)
        for given in (
            plain,
            pl.from_pandas(plain),
            pl.from_pandas(plain).to_arrow(),
            tmp_path / "t.parquet",
            {"a": [1.5, np.nan], "b": ["x", None]},
            [{"a": 1.5, "b": "x"}, {"a": np.nan, "b": None}],
        )
    ]
    for frame in frames:
        assert list(frame) == ["a", "b"] and frame["a"].dtype == "float64"
        assert frame["a"][0] == 1.5 and np.isnan(frame["a"][1])
        assert frame["b"][0] == "x" and pd.isna(frame["b"][1])


def test_whole_numbers_with_holes_are_exact_in_other_libraries():
    large = [None, 2**53 + 1, 2**63 + 5]
    given = pl.DataFrame({"a": pl.Series(large, dtype=pl.UInt64), "b": [1, None, 3]})
    for table in (given, given.to_arrow()):
        found = read_table(table)
        assert found["a"].tolist() == large
        np.testing.assert_array_equal(found["b"], [1, np.nan, 3])
    wide = pl.DataFrame({"a": pl.Series([2**70, 1], dtype=pl.Int128)})
    assert read_table(wide)["a"].tolist() == [2**70, 1]


def test_arrays_and_lists_of_rows():
    found = read_table([[1, "x"], [2, "y"]])
    assert found.to_dict("list") == {"x0": [1, 2], "x1": ["x", "y"]}
    assert read_table(np.ones((2, 3))).dtypes.eq("float64").all()
    for wrong in (np.ones(3), 3, {"a": [1], "b": [1, 2]}, pd.DataFrame(columns=["a", "a"])):
        with pytest.raises(ValueError, match="Received"):
            read_table(wrong)


def test_the_target_is_taken_out():
    table = pd.DataFrame({"a": [1], "Price": [2]})
    rest, target = split_target(table, "Price")
    assert list(rest) == ["a"] and target.tolist() == [2]
    with pytest.raises(ValueError, match="no column 'price' [(]is it 'Price'[?][)]"):
        split_target(table, "price")
    with pytest.raises(ValueError, match="the column 'a' alone"):
        split_target(table[["a"]], "a")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sep=;\na;b\n1;x\n", {"a": [1], "b": ["x"]}),
        ('"a", "b"\n1, "x, y"\n', {"a": [1], "b": ["x, y"]}),
        ('a,"b\nc"\n1,x\n', {"a": [1], "b\nc": ["x"]}),
        ("0,1\n5,6\n", {"0": [5], "1": [6]}),
        (",2019,2020\nBonn,5,6\n", {"Unnamed: 0": ["Bonn"], "2019": [5], "2020": [6]}),
        ("a,b\n1,x\0y\n", {"a": [1], "b": ["x\0y"]}),
    ],
)
def test_first_lines_of_all_kinds(write, text, expected):
    assert read_table(write(text)).to_dict("list") == expected


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("a,b\n1,2\n".encode("utf-16-le"), "encoding='utf-16-le'"),
        ("a,b\n1,2\n".encode("utf-16-be"), "encoding='utf-16-be'"),
        ("a,b\n".encode("utf-32"), "encoding='utf-32'"),
        (b"PK\3\4", "an Excel file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel file"),
        (b"PAR1\x15\0", "a Parquet file"),
        (b"ARROW1\0\0", "an Arrow file"),
        (b"SQLite format 3\0", "an SQLite database"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0), "packed by gzip"),
    ],
)
def test_files_of_another_kind_say_so(tmp_path, data, message):
    (tmp_path / "t.csv").write_bytes(data)
    with pytest.raises(ValueError, match=message):
        read_table(tmp_path / "t.csv")


def test_points_between_thousands_stay_where_semicolons_separate(write):
    numbers = ["5", *[f"1.{k}" for k in range(100, 115)]]
    text = "".join(f"{number};1\n" for number in numbers)
    assert read_table(write("a;b\n" + text))["a"].tolist() == numbers
    assert read_table(write("a;b\n0.5;1\n" + text))["a"].dtype == float


def test_series_are_read_by_position_and_parts_are_refused():
    x = {"a": pd.Series([1, 2], index=[5, 6]), "b": [3, 4]}
    assert read_table(x).to_dict("list") == {"a": [1, 2], "b": [3, 4]}
    with pytest.raises(ValueError, match="same labels in another order"):
        read_table({"a": pd.Series([1, 2]), "b": pd.Series([3, 4], index=[1, 0])})
    for parts in ([{"p": 1}, {"p": 2}], pl.Series([[1, 2], [3, 4]], dtype=pl.Array(pl.Int64, 2))):
        with pytest.raises(ValueError, match="one value a row. Make columns of the parts of 'a'"):
            read_table(pl.DataFrame({"a": parts}))


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_lines_that_end_early_are_said(write, name):
    text = '# by x\na,b,c\n1,"x\ny",2\n3\n\n4,z,\n5,w\n'
    with pytest.warns(UserWarning, match=r"2 line.* fewer fields than the 3 .*\['3'\] in line 5"):
        found = read_table(write(text, name))
    assert found["a"].tolist() == [1, 3, 4, 5] and found["c"].isna().tolist() == [
        False,
        *[True] * 3,
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_table(write("a,b\n1,\n,2\n", name))
