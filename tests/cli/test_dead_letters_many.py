"""Tens of thousands of dead letters: seconds, and the memory of a few."""

import json
import subprocess
import sys
import time
from contextlib import closing
from uuid import uuid4

import pytest

from stream.events import Rejected
from stream.load_config import load_config
from stream.logs.open_log import open_log
from stream.records import NewRecord, Record
from stream.step import DeadLetter, dead_letter_record

MANY = 30_000
MEASURED = """
import resource, subprocess, sys
code = subprocess.call([sys.executable, "-m", "serve.cli", *sys.argv[1:]])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


@pytest.fixture(params=["sqlite", "kafka"])
def filled(request, config, environment):
    """A log with events and a dead letter of each; few of them, or many."""
    broker = "sqlite:///log.db"
    if request.param == "kafka":
        environment["PYTHONWARNINGS"] = "default"  # kafka-python's own
        broker = request.getfixturevalue("kafka_broker").url
    text = config.read_text()

    def fill(count):
        name = f"many-{uuid4().hex[:8]}"
        config.write_text(text.replace('"s"', f'"{name}"\nbroker = "{broker}"'))
        settings = load_config(config)
        with closing(open_log(broker)) as log:
            log.create_topics(dict.fromkeys(settings.topic_names, 1))
            sink = log.sink()
            for start in range(0, count, 5_000):
                numbers = range(start, min(start + 5_000, count))
                events = [
                    NewRecord(settings.events_topic, None, b'{"id": %d, "x": 1.5, "y": 1}' % n)
                    for n in numbers
                ]
                sink.append(events)
                letters = []
                for n, event in zip(numbers, events, strict=True):
                    source = Record(event.topic, 0, n, 1_000 + n, None, event.value)
                    rejected = Rejected("decode", f"kind_{n % 3}", "what was found")
                    letter = DeadLetter(source, rejected)
                    letters.append(dead_letter_record(letter, settings.dead_letters_topic))
                sink.append(letters)
            sink.flush()

    return fill


@pytest.fixture
def measured(here, environment):
    """Run a command; return its JSON, its seconds and its largest memory in MB."""

    def run(*arguments):
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", MEASURED, "dead-letters", *map(str, arguments), "--json"],
            cwd=here, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        seconds = time.monotonic() - started
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout), seconds, int(done.stderr.split()[-1]) / 1_024

    return run


def test_many_letters_take_seconds_and_the_memory_of_few(filled, measured):
    commands = [("list",), ("replay", "--yes"), ("replay", "--yes"), ("list", "--limit", 1_000)]
    filled(1_000)
    few = [measured(*command) for command in commands]
    filled(MANY)
    many = [measured(*command) for command in commands]
    for command, (_, _, before), (_, seconds, memory) in zip(commands, few, many, strict=True):
        print(f"{' '.join(map(str, command))}: {seconds:.1f} s, {before:.0f} -> {memory:.0f} MB")
        assert seconds < 60
        # Thirty times as many; what a poll of the log brings is the same.
        assert memory < before + 60
    listed, replayed, again, after = (answer for answer, _, _ in many)
    assert (listed["total"], listed["letters"][0]["replayed"]) == (MANY, "no")
    assert {kind["count"] for kind in listed["summary"]} == {MANY // 3}
    assert (replayed["replayed"], again["replayed"]) == (MANY, 0)
    assert again["skipped"] == {"already_replayed": MANY}
    assert {letter["replayed"] for letter in after["letters"]} == {"yes"}
