"""A short soak: nothing grows while worker and API suffer."""

from __future__ import annotations

import json

import pytest

from tests.faults import soak
from tests.faults.programs import PATIENCE

pytestmark = [pytest.mark.slow_fault, pytest.mark.promise("learned_once")]


@pytest.mark.timeout(600 + PATIENCE)
@pytest.mark.parametrize("log", ["sqlite", "kafka"])
def test_a_soak_of_two_minutes_shows_that_nothing_grows(request, record, tmp_path, log):
    path = tmp_path / "soak.json"
    arguments = ["--minutes", "2", "--fault-every", "8", "--json", str(path)]
    if log == "kafka":
        arguments += ["--broker", request.getfixturevalue("kafka_broker").url]
    code = soak.main(arguments)
    found = json.loads(path.read_text())
    assert code == 0, found
    assert sum(found["faults"].values()) >= 5
    record.fault(sum(found["faults"].values()))
    record.compared({"produced": found["produced"]}, {"produced": found["learned"]})
    assert found["as_replayed"]
