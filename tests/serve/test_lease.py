"""A lease is held by a process that lives, and by no other."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from serve.api.predicting.lease import Lease

HOLD = """
import sys, time
from pathlib import Path
from serve.api.predicting.lease import Lease
print(Lease(Path(sys.argv[1])).name.decode(), flush=True)
time.sleep(600)
"""


@pytest.fixture
def other(tmp_path):
    """Start another process with a lease; return it and the lease's name."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "leases")],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
    )
    yield process, process.stdout.readline().strip()
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_lease_ends_with_its_process_however_it_ends(other, tmp_path):
    process, name = other
    mine = Lease(tmp_path / "leases")
    assert mine.is_held(name)
    os.kill(process.pid, signal.SIGSTOP)  # it may go on: what it has to do it will do
    assert mine.is_held(name)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not mine.is_held(name)
    mine.release()


def test_leases_of_the_killed_are_swept_away_and_those_of_the_living_are_not(other, tmp_path):
    process, _ = other
    first = Lease(tmp_path / "leases")
    process.kill()
    process.wait()
    assert len(list((tmp_path / "leases").iterdir())) == 2
    second = Lease(tmp_path / "leases")
    held = {path.name.encode() for path in (tmp_path / "leases").iterdir()}
    assert held == {first.name, second.name}
    assert first.is_held(second.name)
    assert second.is_held(first.name)
    first.release()
    first.release()
    assert not second.is_held(first.name)
    assert not second.is_held(b"")
    second.release()


def test_who_looks_is_not_taken_for_the_holder(tmp_path):
    one, two = (Lease(tmp_path / "leases") for _ in range(2))
    name = one.name
    one.release()
    (tmp_path / "leases" / name.decode()).touch()  # killed
    with (tmp_path / "leases" / name.decode()).open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)  # as another process does that looks just now
        assert not two.is_held(name)
    two.release()
