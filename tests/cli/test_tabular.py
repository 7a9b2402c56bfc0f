"""Reading a person's file: every way it can be wrong ends in a sentence."""

import gzip

import pytest

from serve.tabular.cells import cell_parser, parse_cell
from serve.tabular.files import TableFile
from stream.errors import InputError


def read(path):
    with TableFile(path) as table:
        return [row.cells for row in table]


def test_csv_with_a_byte_order_mark_quotes_and_unicode(tmp_path):
    path = tmp_path / "a.csv"
    text = '\ufeff"größe, m",  naïve ,"say ""hi"""\r\n 1.5 ,"a, b",\r\n\r\n2,"line\nbreak",x\r\n'
    path.write_text(text, encoding="utf-8", newline="")
    assert read(path) == [
        {"größe, m": "1.5", "naïve": "a, b", 'say "hi"': ""},
        {"größe, m": "2", "naïve": "line\nbreak", 'say "hi"': "x"},
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_in_the_header(tmp_path, delimiter):
    path = tmp_path / "a.csv"
    path.write_text(f"a{delimiter}b\n1{delimiter}2\n")
    assert read(path) == [{"a": "1", "b": "2"}]


def test_gzip_and_json_lines(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"a": 1}\n\n{"a": null, "b": "x"}\n'))
    assert read(path) == [{"a": 1}, {"a": None, "b": "x"}]


def test_lines_are_counted_as_an_editor_does(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('a,b\n1,"x\ny"\n2,z\n')
    with TableFile(path) as table:
        assert [row.line for row in table] == [3, 4]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "empty"),
        ("a.csv", b"\n\n", "empty"),
        ("a.csv", b"a,b\n1\n", "line 2: found 1 cells, but the header names 2"),
        ("a.csv", b"a,b\n1,2\n1,2,3\n", "line 3: found 3 cells"),
        ("a.csv", b"a,a\n1,2\n", "columns stand twice: a"),
        ("a.csv", b'a,b\n1,"2\n', "line 2: unexpected end of data"),
        ("a.csv", "a,b\n1,größe\n".encode("latin-1"), "not UTF-8 text"),
        ("a.csv", "a,b\n1,2\n".encode("utf-16"), "not UTF-8 text"),
        ("a.csv", b"a,b\n1," + b"x" * 200_000 + b"\n", "line 2: field larger than"),
        ("a.csv.gz", b"a,b\n1,2\n", "not packed with gzip"),
        ("a.csv.gz", gzip.compress(b"a,b\n" + b"1,2\n" * 9_000, mtime=0)[:60], "damaged"),
        ("a.parquet", b"PAR1", "found the extension '.parquet'; use .csv"),
        ("a", b"a,b\n", "no extension"),
        ("a.jsonl", b'{"a": 1}\n{"a": }\n', "line 2: "),
        ("a.jsonl", b'{"a": {"b": 1}}\n', "line 1: "),
        ("a.jsonl", b"[1, 2]\n", "one flat JSON object"),
        ("a.jsonl", b'{"a": 1}\n\xff\n', "not UTF-8 text"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read(path)
    assert message in str(error.value)
    assert str(path) in str(error.value)


def test_missing_files_and_folders_are_said(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        TableFile(tmp_path / "a.csv")
    (tmp_path / "b.csv").mkdir()
    with pytest.raises(InputError, match="this is a folder"):
        TableFile(tmp_path / "b.csv")


def test_cells_by_their_look():
    cells = ["1", "-2", "+3", "1.", ".5", "1e-3", "0", "00", "0.5", "TRUE", "nan", "inf", "1e999"]
    wanted = [1, -2, 3, 1.0, 0.5, 0.001, 0, "00", 0.5, True, None, "inf", "1e999"]
    assert [parse_cell(cell) for cell in cells] == wanted
    assert parse_cell("9" * 30) == float("9" * 30)


@pytest.mark.parametrize(
    ("declared", "text", "value"),
    [
        ("str", "7", "7"),
        ("str", "NA", "NA"),
        ("str", "", None),
        ("float", "7", 7.0),
        ("float", "null", None),
        ("int", "7.0", 7),
        ("int", "123456789012345678", 123456789012345678),
        ("bool", "1", True),
        ("bool", "no", False),
        ("bool", "", None),
    ],
)
def test_cells_of_a_declared_type(declared, text, value):
    found = cell_parser(declared)(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("declared", "text"), [("float", "x"), ("float", "inf"), ("int", "1.5"), ("bool", "maybe")]
)
def test_cells_that_do_not_fit_their_type(declared, text):
    with pytest.raises(ValueError, match="expected"):
        cell_parser(declared)(text)
