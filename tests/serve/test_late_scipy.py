"""SciPy's slow modules come when something of them is used, and are then what they always were."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

_WORKER = """
import sys
from serve.late_scipy import put_off

put_off()
from tests.lines import SMALL_MONITOR, event, make_config, make_line, records, truth

line = make_line(make_config(monitor=SMALL_MONITOR))
rows = [event(n, truth(n)) for n in range(1_500)]
line.handle(records("s.events", rows), 0)
assert line.counts.learned == 1_500, line.counts
assert len(line.watch.rows) > 10
assert line.scores.summary()
came = [name for name in sys.modules if name.startswith(("scipy.stats.", "scipy.ndimage."))]
assert not came, came
"""

_USE = """
import pickle, sys, threading
from serve.late_scipy import put_off

put_off()
put_off()
from river import drift, proba, preprocessing
from river.tree.stochastic_gradient_tree import f_dist

seen, gate = [], threading.Barrier(8)

def ask():
    from scipy import stats
    gate.wait()
    seen.append(stats.norm.sf(0.0))

threads = [threading.Thread(target=ask) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(60)
assert seen == [0.5] * 8, seen

import scipy.stats
from scipy.stats import f
from scipy.stats import *
assert type(scipy.stats).__name__ == "module" and scipy.stats is sys.modules["scipy.stats"]
assert not hasattr(scipy.stats, "nothing")
assert f_dist.cdf(1.0, 1, 5) == f.cdf(1.0, 1, 5)
assert type(pickle.loads(pickle.dumps(f_dist))) is type(f)
test = drift.KSWIN(seed=1)
for n in range(300):
    test.update(float(n))
assert test.drift_detected or test.p_value is not None
shape = proba.MultivariateGaussian(seed=1)
for n in range(20):
    shape.update({"a": n % 3, "b": n % 5})
assert shape({"a": 1, "b": 2}) > 0.0
assert len(shape.sample()) == 2
"""


def test_a_worker_that_learns_and_tests_panes_needs_none_of_them() -> None:
    run(_WORKER)


def test_whoever_uses_them_finds_them_whole_from_many_threads_too() -> None:
    run(_USE)


def run(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3_000:]
