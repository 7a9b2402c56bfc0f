"""``riverrun drift`` on real streams: what is known of them is found."""

import csv
import gzip
import json
from pathlib import Path

import pytest

from tests.shared_data import shared_data

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def halves(here):
    """Split a real file in two; skip where it is not there."""

    def split(name, of_first):
        path = shared_data(name)
        with gzip.open(path, "rt", newline="") as file:
            head, *rows = csv.reader(file)
        for target, wanted in (("first.csv", True), ("second.csv", False)):
            with (here / target).open("w", newline="") as file:
                kept = (row for at, row in enumerate(rows) if of_first(at, row) is wanted)
                csv.writer(file).writerows([head, *kept])

    return split


def test_elec2_names_the_three_columns_that_wake_up(halves, invoke):
    halves("elec2.csv.gz", lambda at, row: at < 17_424)
    result = invoke("drift", "first.csv", "second.csv", "--json")
    data = json.loads(result.stdout)
    assert result.exit_code == 1
    assert set(data["drifted"][:3]) == {"vicprice", "vicdemand", "transfer"}
    assert {f["name"] for f in data["features"] if f["verdict"] == "ok"} == {
        "class", "day", "period",
    }  # fmt: skip
    assert "rises" in data["left_out"]["date"]


def test_bike_sharing_grows_from_2011_to_2012(halves, invoke):
    halves("bike_sharing_hourly.csv.gz", lambda at, row: row[0] < "2012")
    result = invoke("drift", "first.csv", "second.csv", "--ignore", "yr", "--json")
    data = json.loads(result.stdout)
    assert result.exit_code == 1
    assert data["drifted"][0] == "cnt"
    assert data["left_out"]["ts"] == "holds times"
