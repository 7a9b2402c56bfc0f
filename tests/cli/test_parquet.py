"""Parquet files: read as other files are, a batch at a time."""

import datetime as dt
import json
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pytest

from serve.tabular.table import Table
from stream.errors import InputError


@pytest.fixture
def arrow():
    """Pyarrow, which is optional."""
    return pytest.importorskip("pyarrow")


@pytest.fixture
def write(arrow, here):
    """Write a file of columns."""
    from pyarrow import parquet

    def write_parquet(name, columns, **options):
        parquet.write_table(arrow.table(columns), here / name, **options)
        return here / name

    return write_parquet


def columns_of(path):
    with Table(path) as table:
        (batch,) = table.batches()
        return table, batch.columns


def test_types_become_what_the_monitor_takes(arrow, write):
    moment = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
    table, columns = columns_of(
        write(
            "a.parquet",
            {
                "int": arrow.array([1, 2]),
                "holes": arrow.array([1, None]),
                "float": arrow.array([0.5, None], arrow.float32()),
                "bool": arrow.array([True, None]),
                "text": arrow.array(["a", None]),
                "category": arrow.array(["a", "b"]).dictionary_encode(),
                "price": arrow.array([Decimal("1.50"), None]),
                "at": arrow.array([moment, None]),
                "day": arrow.array([moment.date(), None]),
                "clock": arrow.array([dt.time(1), None], arrow.time32("s")),
                "list": arrow.array([[1], []]),
                "null": arrow.nulls(2),
            },
        )
    )
    assert columns["int"].tolist() == [1, 2]
    assert columns["holes"] == [1, None]
    assert columns["float"][0] == 0.5
    assert np.isnan(columns["float"][1])
    assert columns["bool"] == [True, None]
    assert columns["text"] == ["a", None]
    assert columns["category"] == ["a", "b"]
    assert columns["price"][0] == 1.5
    assert columns["at"][0] == columns["day"][0] == moment.timestamp()
    assert columns["clock"][0] == 3600.0
    assert columns["null"] == [None, None]
    assert table.times == {"at", "day"}
    assert set(table.refused) == {"list"}


def test_drift_between_parquet_and_csv(write, here, invoke):
    rng = np.random.default_rng(1)
    x, c = rng.normal(size=3000).round(4), rng.choice(["a", "b"], 3000)
    write("a.parquet", {"x": x, "c": c, "l": [[1]] * 3000}, row_group_size=500)
    (here / "b.csv").write_text(
        "x,c\n" + "".join(f"{v + 1},{k}\n" for v, k in zip(x, c, strict=True))
    )
    result = invoke("drift", "a.parquet", "b.csv", "--json")
    assert result.exit_code == 1
    data = json.loads(result.stdout)
    assert data["drifted"] == ["x"]
    assert data["left_out"] == {"l": "holds values of type list<element: int64>"}


def test_schema_of_parquet(write, here, invoke):
    write("a.parquet", {"x": np.arange(500) % 7, "l": [[1]] * 500})
    assert invoke("schema", "infer", "a.parquet", "-o", "s.toml").exit_code == 0
    assert invoke("schema", "check", "a.parquet", "--schema", "s.toml").exit_code == 0
    write("b.parquet", {"x": (np.arange(500) % 7) + 0.5})
    result = invoke("schema", "check", "b.parquet", "--schema", "s.toml", "--json")
    assert result.exit_code == 1
    (found,) = json.loads(result.stdout)["anomalies"]
    assert (found["kind"], found["first"], found["last"]) == ("wrong_type", 1, 500)


def test_without_pyarrow_the_extra_is_named(here, environment):
    (here / "a.parquet").write_bytes(b"PAR1")
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "sys.argv = ['riverrun', 'drift', 'a.parquet', 'a.parquet']\n"
        "from serve.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "pip install 'riverrun[parquet]'" in done.stderr


def test_damaged_files_are_said(arrow, here):
    (here / "a.parquet").write_bytes(b"PAR1" + b"\0" * 100)
    (here / "d.parquet").mkdir()
    with pytest.raises(InputError, match="not readable as Parquet"):
        Table(here / "a.parquet")
    with pytest.raises(InputError, match="this is a folder"):
        Table(here / "d.parquet")
