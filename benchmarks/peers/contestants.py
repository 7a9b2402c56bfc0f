"""Who is compared, and how each is started: a process that goes on until SIGTERM."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import api_chantilly
from benchmarks.api_speed import answers, free_port, running
from benchmarks.peers.environments import OWN, python_of

PROGRAMS = Path(__file__).parent / "programs"
_STOP_SECONDS = 120.0
_CONFIG = """
[stream]
name = "{group}"
broker = "{scheme}://{broker}"
store = "sqlite:///{folder}/store.db"
[topics]
events = "{events}"
predictions = "{predictions}"
[event]
id = "id"
time = "time"
label = "label"
[model]
task = "binary"
metrics = ["ROCAUC"]
{model}
"""


@dataclass(frozen=True, slots=True)
class Task:
    """One run of a contestant.

    Parameters
    ----------
    broker
        ``host:port``.
    events, predictions, group
        Topics, and the consumer group (for riverrun the stream's name).
    folder
        For its files; the same again after a kill.
    pipeline
        A River expression, or ``ledger``.
    seconds
        Between checkpoints, where that can be set.
    session_ms
        Of the consumer group, where there is one; 45 s is the default of Kafka's clients.
    """

    broker: str
    events: str
    predictions: str
    group: str
    folder: Path
    pipeline: str
    seconds: float = 5.0
    session_ms: int = 45_000


@dataclass(frozen=True, slots=True)
class Contestant:
    """A program, its environment, and what it is told.

    Parameters
    ----------
    title
        In tables.
    program
        A file of ``programs``; ``riverrun`` for riverrun.
    saving
        How it keeps its model; for riverrun the scheme of its broker.
    environment
        Where it runs.
    packages
        Whose versions are printed.
    settings
        In words.
    slower
        Of the events it gets one in so many, where it is much slower than the others.
    """

    title: str
    program: str
    saving: str
    environment: str
    packages: tuple[str, ...]
    settings: str
    slower: int = 1
    is_timed: bool = True
    is_killed: bool = True
    takes_any_pipeline: bool = True


RIVERRUN = "riverrun"
CONTESTANTS = (
    Contestant(
        "plain loop, confluent-kafka", "plain_confluent", "pickle", OWN, ("confluent-kafka",),
        "`consume(1000)`, linger.ms 20, msgspec; a pickle every 5 s, then offsets are committed",
    ),
    Contestant(
        "plain loop, kafka-python", "plain_kafka_python", "pickle", OWN, ("kafka-python",),
        "`poll()`, linger_ms 20, msgspec; a pickle every 5 s, then offsets are committed",
    ),
    Contestant(
        "plain loop, offsets left to the client", "plain_confluent", "auto", OWN,
        ("confluent-kafka",), "the first, with `enable.auto.commit`, as it is by default",
        is_timed=False,
    ),
    Contestant(
        "Quix Streams, model in memory", "quix", "memory", "quix", ("quixstreams", "river"),
        "defaults: at-least-once, commit_interval 5 s",
    ),
    Contestant(
        "Quix Streams, model in its state", "quix", "state", "quix", ("quixstreams", "river"),
        "exactly-once, RocksDB and changelog, pickled with each event; commit_interval 5 s",
        slower=4,
    ),
    Contestant(
        "Quix Streams, state every 1,000", "quix", "state-1000", "quix", ("quixstreams", "river"),
        "exactly-once, RocksDB and changelog, pickled every 1,000 events with commit_every 1,000",
    ),
    Contestant(
        "Faust, model in memory", "faust_app", "memory", "faust", ("faust-streaming", "river"),
        "at-least-once, orjson and uvloop, broker_commit_interval 5 s", slower=2,
    ),
    Contestant(
        "Faust, model in a table", "faust_app", "table", "faust", ("faust-streaming", "river"),
        "exactly-once, RocksDB and changelog, pickled with each event", slower=4,
    ),
    Contestant(
        "chantilly over HTTP", "chantilly_bridge", "none", "chantilly", ("chantilly", "river"),
        "one gunicorn worker; a loop asks it for each event to predict, then to learn",
        slower=40, is_killed=False, takes_any_pipeline=False,
    ),
    Contestant(
        "riverrun, kafka-python", RIVERRUN, "kafka+python", OWN, ("kafka-python", "river"),
        "defaults; schema, monitor, pending labels, exactly-once learning",
    ),
    Contestant(
        "riverrun, librdkafka", RIVERRUN, "kafka+librdkafka", OWN, ("confluent-kafka", "river"),
        "defaults; schema, monitor, pending labels, exactly-once learning",
    ),
)  # fmt: skip


@contextmanager
def started(who: Contestant, task: Task) -> Iterator[subprocess.Popen[bytes]]:
    """Run a contestant while the block does; at its end it is asked to stop, and waited for."""
    task.folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        port = None
        if who.program == "chantilly_bridge":
            port = stack.enter_context(_chantilly(task))
        command, environment = _command(who, task, port)
        with (task.folder / "program.log").open("ab") as out:
            process = subprocess.Popen(
                command, cwd=task.folder, env=environment, stdout=out, stderr=out
            )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _command(who: Contestant, task: Task, port: int | None) -> tuple[list[str], dict[str, str]]:
    if who.program == RIVERRUN:
        is_ledger = task.pipeline == "ledger"
        model = 'factory = "ledger:build"' if is_ledger else f'pipeline = "{task.pipeline}"'
        text = _CONFIG.format(**_known(task), scheme=who.saving, model=model)
        (task.folder / "riverrun.toml").write_text(text)
        path = os.pathsep.join([str(PROGRAMS.parents[2]), str(PROGRAMS)])
        command = [sys.executable, "-W", "ignore", "-m", "serve.cli", "worker"]
        return command, os.environ | {"PYTHONPATH": path}
    python = python_of(OWN if who.program == "chantilly_bridge" else who.environment)
    given: dict[str, object] = {
        **_known(task), "saving": who.saving, "port": port,
        "seconds": task.seconds, "session_ms": task.session_ms,
    }  # fmt: skip
    command = [str(python), "-W", "ignore", str(PROGRAMS / f"{who.program}.py"), json.dumps(given)]
    if who.program == "faust_app":
        command += ["worker", "--without-web"]
    return command, {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}


def _known(task: Task) -> dict[str, str]:
    return {
        "broker": task.broker, "events": task.events, "predictions": task.predictions,
        "group": task.group, "folder": str(task.folder), "pipeline": task.pipeline,
    }  # fmt: skip


@contextmanager
def _chantilly(task: Task) -> Iterator[int]:
    python = python_of("chantilly")
    assert python is not None
    gunicorn, port = str(python.with_name("gunicorn")), free_port()
    environment = api_chantilly.environment_of(task.folder)
    command = api_chantilly.command(gunicorn, port)
    with running(command, cwd=task.folder, environment=environment):
        answers(port, "/api/init")
        api_chantilly.give_model(gunicorn, port)
        yield port
