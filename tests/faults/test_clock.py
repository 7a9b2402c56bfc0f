"""The machine's clock jumps three days ahead, and three days back."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.conftest import real_thing
from tests.faults.programs import Asked, Program, read_so_far, wait_for
from tests.faults.promises import ROOT
from tests.lines import event, new_records, truth

pytestmark = pytest.mark.promise("clock_free")

JUMPS = {"+3d": 3, "-3d": -3, "+0": 0}
"""Days by what libfaketime is told."""

EVENTS, ASKED = 150, 15


@pytest.fixture
def library():
    """Return the path of libfaketime, which comes with Debian's package of that name."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        real_thing(FileNotFoundError("libfaketime is not installed (Debian: libfaketime)"))
    return found[0]


@pytest.fixture
def scene(scene_of):
    """Return a stream without events, on each log, with a long wait for labels."""
    return scene_of(events=0, labels={"max_delay": "1d"})


def produce(scene, first):
    """Append events, every third of them with its label, the others' labels behind."""
    numbers = range(first, first + EVENTS)
    config = scene.config
    rows = [event(n, truth(n) if n % 3 == 0 else None) for n in numbers]
    scene.produce(new_records(config.events_topic, rows))
    labels = [{"id": f"e{n}", "y": truth(n)} for n in numbers if n % 3 == 1]
    scene.produce(new_records(config.labels_topic, labels))


def committed_at(scene):
    """Return when the worker says it committed."""
    store = scene.store()
    newest = store.newest()
    store.close()
    return newest.created_at


# libfaketime 0.9.10 breaks sleeps until a moment of the monotonic clock, which Python's are, where
# it leaves that clock alone. These sleep for a span instead.
SLEEP = "import select, time; time.sleep = lambda span: select.select([], [], [], max(0.0, span))\n"


@pytest.mark.parametrize(
    "log_url", ["sqlite", pytest.param("kafka", marks=pytest.mark.slow_fault)], indirect=True
)
def test_clock_jumps_of_three_days_change_nothing(scene, record, library, tmp_path):
    offset = tmp_path / "offset"
    offset.write_text("+0\n")
    (tmp_path / "sitecustomize.py").write_text(SLEEP)
    env = {
        "PYTHONPATH": f"{tmp_path}:{ROOT}",
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        # A real clock that jumps leaves the monotonic one alone.
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    asked = Asked(scene)
    produce(scene, 0)
    programs = [Program(scene, tmp_path, name, env=env) for name in ("worker", "api")]
    try:
        wait_for(asked.is_ready, "the API", *programs)
        for turn, (jump, days) in enumerate(JUMPS.items(), start=1):
            offset.write_text(f"{jump}\n")
            record.fault()
            produce(scene, turn * 1_000)
            for number in range(turn * 1_000 + 500, turn * 1_000 + 500 + ASKED):
                answer = asked.predict(event(number))
                assert answer.status_code == 200, answer.text
                assert answer.json()["staleness_seconds"] >= 0
            whole = (EVENTS + EVENTS // 3) * (turn + 1) + ASKED * turn
            wait_for(lambda n=whole: read_so_far(scene) >= n, f"the end of turn {turn}", *programs)
            assert asked.is_ready()
            wrong = committed_at(scene) - (time.time() + days * 86_400)
            assert abs(wrong) < 3_600, "the clock did not jump"
        assert [program.terminate() for program in programs] == [0, 0]
    finally:
        for program in programs:
            program.kill()
    assert "Traceback" not in "".join(program.said for program in programs)
    scene.assert_same_as_uninterrupted()
