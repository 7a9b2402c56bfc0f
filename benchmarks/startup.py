"""How soon it is there, and what it takes when it does nothing: each figure beside its aim.

Every command runs as a person would run it, in a process of its own, several times; medians, and
the best beside them, since a machine that is shared only ever adds. `processor_seconds` is what the
process itself used, where that is the figure. The first prediction of a worker is timed from its
start to the record on the predictions topic, with a random forest of 10 MB in its checkpoint. The
demo's is timed to the first checkpoint that has predictions, which is what it shows, half a second
later at most.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from benchmarks.api_speed import free_port
from benchmarks.processes import cpu_seconds, environment, resident_megabytes
from benchmarks.startup_imports import import_breakdown, memory_breakdown
from benchmarks.streams import PIPELINES, config, rows
from stream.build import line_factory
from stream.clock import SystemClock
from stream.line import Line
from stream.logs.open_log import open_log
from stream.records import NewRecord
from stream.storage.store import Store
from stream.worker import Worker, open_worker

DOCS = Path(__file__).parents[1] / "docs"
_RIVERRUN = [sys.executable, "-W", "ignore", "-m", "serve.cli"]
_LARGE = "forest.ARFClassifier(n_models=50)"
_LARGE_EVENTS = 420
_PATIENCE_SECONDS = 120.0
_FILE = """
[stream]
name = "bench"
broker = "sqlite:///{folder}/log.db"
store = "sqlite:///{folder}/store.db"
[event]
id = "id"
time = "time"
label = "label"
[model]
task = "binary"
metrics = ["ROCAUC"]
pipeline = "{pipeline}"
"""
Row = dict[str, Any]


def help_seconds(repeats: int) -> Row:
    """Time ``riverrun --help``."""
    command = [str(Path(sys.executable).with_name("riverrun")), "--help"]
    seen = [_run(command) for _ in range(2 * repeats + 1)][1:]
    row = _row("`riverrun --help`, seconds", 0.3, [wall for wall, _ in seen])
    return row | {"processor_seconds": round(median(spent for _, spent in seen), 3)}


def checkpoint_share(events: int) -> Iterator[Row]:
    """Time the checkpoints of a worker that reads a long log, with the last one left out."""
    for title, count in (
        ("scaler and logistic regression", events),
        ("Hoeffding tree", events // 2),
        ("adaptive random forest of 10", events // 20),
    ):
        with tempfile.TemporaryDirectory() as name, stream(Path(name), PIPELINES[title]) as add:
            add(count)
            settings = config(
                f"sqlite:///{name}/log.db", f"sqlite:///{name}/store.db", PIPELINES[title]
            )
            log, store = open_log(settings.stream.broker), Store(settings.stream.store, "bench")
            worker = open_worker(settings, log, store, line_factory(settings), SystemClock())
            worker.start()
            share, spent = _share_of_checkpoints(worker, int(0.95 * count))
            store.close()
            log.close()
            yield _row(f"share of checkpoints in {spent:.0f} s, {title}", 0.02, [share], 4)


def _share_of_checkpoints(worker: Worker, events: int) -> tuple[float, float]:
    """Return the share until so many events are learned, and the seconds that took."""
    started = time.perf_counter()
    seen = [0.0, started]

    def note(_: Line) -> None:
        seen[:] = [worker.telemetry.seconds["checkpoint"], time.perf_counter()]

    worker.run(lambda: worker.line.counts.learned >= events, on_turn=note)
    return seen[0] / (seen[1] - started), seen[1] - started


@contextmanager
def stream(folder: Path, pipeline: str) -> Iterator[Callable[..., None]]:
    """Make a stream's log and file in a folder; yield what appends events to it."""
    (folder / "riverrun.toml").write_text(_FILE.format(folder=folder, pipeline=pipeline))
    log = open_log(f"sqlite:///{folder}/log.db")
    log.create_topics({f"bench.{kind}": 1 for kind in _KINDS})
    sink, sent = log.sink(), 0

    def add(count: int) -> None:
        nonlocal sent
        made = list(rows(sent + count))[sent:]
        new = [
            NewRecord("bench.events", row["id"].encode(), msgspec.json.encode(row)) for row in made
        ]
        for start in range(0, count, 2_000):
            sink.append(new[start : start + 2_000])
        sink.flush()
        sent += count

    yield add
    sink.close()
    log.close()


_KINDS = ("events", "labels", "predictions", "dead-letters")


def worker_start(repeats: int) -> Iterator[Row]:
    """Time a worker's first prediction, small model and large; and its memory when it idles."""
    for title, pipeline, count in (
        ("a small model", PIPELINES["scaler and logistic regression"], 1_000),
        ("a model of {size:.0f} MB", _LARGE, _LARGE_EVENTS),
    ):
        with tempfile.TemporaryDirectory() as name, stream(Path(name), pipeline) as add:
            folder = Path(name)
            add(count)
            subprocess.run(
                [*_RIVERRUN, "worker", "--until-caught-up"],
                cwd=folder, env=environment(), check=True, capture_output=True,
            )  # fmt: skip
            size = _stored_megabytes(folder)
            seconds, spent, memory = [], [], []
            for _ in range(repeats):
                add(1)
                took, used, resident = _first_prediction(folder)
                seconds.append(took)
                spent.append(used)
                memory.append(resident)
            said = title.format(size=size)
            yield _row(f"worker start to first prediction, {said}, seconds", 1.0, seconds) | {
                "processor_seconds": round(median(spent), 3)
            }
            idle = f"memory of an idle worker, {said}, MB"
            # Its aim is for River and a model of no size.
            yield _row(idle, 150.0 if size < 1 else None, memory, 1)


def _first_prediction(folder: Path) -> tuple[float, float, float]:
    log = open_log(f"sqlite:///{folder}/log.db")
    source = log.source(["bench.predictions"])
    place = next(iter(source.bounds()))
    seen = source.bounds()[place].end
    started = time.monotonic()
    with _running([*_RIVERRUN, "worker"], folder) as process:
        while source.bounds()[place].end == seen:
            _not_too_long(started, "no prediction came")
            time.sleep(0.002)
        took, spent = time.monotonic() - started, cpu_seconds(process.pid)
        time.sleep(3.0)  # the first checkpoint is written, and nothing is left to do
        memory = resident_megabytes(process.pid)
    source.close()
    log.close()
    return took, spent, memory


def _stored_megabytes(folder: Path) -> float:
    import pickle

    from serve.stored_model import load_stored

    found = load_stored(f"sqlite:///{folder}/store.db", "bench", None, None)
    return len(pickle.dumps(found.learner.model)) / 1e6


def demo_start(repeats: int) -> Row:
    """Time ``riverrun demo`` until there are predictions to show; the first run is not counted."""
    seconds = [_demo() for _ in range(repeats + 1)][1:]
    return _row("`make demo` to its first predictions, seconds", 5.0, seconds)


def _demo() -> float:
    started = time.monotonic()
    command = [*_RIVERRUN, "demo", "--port", str(free_port())]
    with tempfile.TemporaryDirectory() as name:
        environment = {"TMPDIR": name}
        with _running(command, Path(name), environment):
            while not _demo_predicts(Path(name)):
                _not_too_long(started, "the demo showed no prediction")
                time.sleep(0.02)
            return time.monotonic() - started


def _demo_predicts(folder: Path) -> bool:
    for path in folder.glob("riverrun-demo-*/riverrun.db"):
        try:
            store = Store(f"sqlite:///{path}", "flights")
            newest = store.newest()
            store.close()
        except Exception:  # noqa: BLE001 - its tables are being made
            return False
        return newest is not None and newest.status["counts"]["predicted"] > 0
    return False


def _row(figure: str, aim: float | None, seen: list[float], digits: int = 3) -> Row:
    middle = median(seen)
    return {
        "figure": figure,
        "aim": "" if aim is None else f"at most {aim}",
        "seen": round(middle, digits),
        "best": round(min(seen), digits),
        "processor_seconds": "",
        "": "" if aim is None else "reached" if middle <= aim else "missed",
    }


def _run(command: list[str]) -> tuple[float, float]:
    started = time.perf_counter()
    process = subprocess.Popen(
        command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime


@contextmanager
def _running(
    command: list[str], folder: Path, more: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command, cwd=folder, env=environment() | (more or {}),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _not_too_long(started: float, what: str) -> None:
    if time.monotonic() - started > _PATIENCE_SECONDS:
        raise TimeoutError(what)


def compare(repeats: int = 5, events: int = 300_000) -> dict[str, list[Row]]:
    """Return the figures, and what imports cost in time and memory.

    Parameters
    ----------
    repeats
        Of each command.
    events
        By which the share of checkpoints is measured; slower pipelines get fewer.
    """
    figures = [
        help_seconds(repeats),
        *worker_start(repeats),
        demo_start(min(repeats, 3)),
        *checkpoint_share(events),
    ]
    return {"figures": figures, "imports": import_breakdown(), "memory": memory_breakdown()}


def document(results: dict[str, list[Row]]) -> str:
    """Return a part of the documentation's page."""
    from benchmarks.__main__ import markdown

    return "\n".join(
        [
            (__doc__ or "").split("\n", 2)[2],
            markdown(results["figures"]),
            "What the imports of a worker take, in milliseconds, measured one by one (which itself",
            "takes time), and what a process holds after them:\n",
            markdown(results["imports"]),
            markdown(results["memory"]),
        ]
    )


def main() -> int:
    """Measure, print, and write ``docs/startup.json``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--output", type=Path, default=DOCS)
    arguments = parser.parse_args()
    results = compare(arguments.repeats, arguments.events)
    sys.stdout.write(document(results))
    (arguments.output / "startup.json").write_text(json.dumps(results, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
