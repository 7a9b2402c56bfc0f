"""Labels that come twice, late, early, without an event, and against each other."""

from __future__ import annotations

import signal

import pytest

from tests.faults.scene import Scene
from tests.lines import event, new_records, truth

pytestmark = pytest.mark.promise("labels_settle")

EVENTS = 1_000
DELAY = 20
"""Seconds of ``labels.max_delay``; events are a second apart."""


def label(number, value=None):
    return {"id": f"e{number}", "y": truth(number) if value is None else value}


class Story:
    """A log with every kind of label, and how many there are of each."""

    def __init__(self, events_topic, labels_topic):
        self.records = []
        self.counts = dict.fromkeys(
            ("duplicate", "late", "early", "orphaned", "conflicting", "learned"), 0
        )
        self.learned = {}
        for number in range(EVENTS):
            kind = number % 8
            if kind == 2:
                self._say(labels_topic, label(number))
                self.counts["early"] += 1
            self._say(events_topic, event(number))
            if number >= DELAY + 10:
                self._settle(labels_topic, number - DELAY - 10, late=True)
            if number >= 5:
                self._settle(labels_topic, number - 5, late=False)

    def _settle(self, topic, number, *, late):
        """Give the labels of one event that are due by now."""
        kind = number % 8
        if late:
            if kind == 5:  # its event has expired
                self._say(topic, label(number))
                self.counts["late"] += 1
            return
        if kind in (0, 1, 3, 4):
            self._say(topic, label(number))
        if kind in (0, 1, 2, 3, 4):
            self.learned[event(number)["a"]] = 1
        if kind == 0:
            self._say(topic, label(number))
            self.counts["duplicate"] += 1
        if kind == 3:
            self._say(topic, label(number, not truth(number)))
            self.counts["conflicting"] += 1
        if kind == 6:
            self._say(topic, {"id": f"nobody{number}", "y": True})
            self.counts["orphaned"] += 1

    def _say(self, topic, row):
        self.records += new_records(topic, [row])


@pytest.fixture
def scene(tmp_path, record):
    """Return a stream without any event, on the log that keeps the order of all appends."""
    broker, store = f"sqlite:///{tmp_path / 'log.db'}", f"sqlite:///{tmp_path / 'store.db'}"
    return Scene(broker, store, tmp_path, record, events=0, labels={"max_delay": f"{DELAY}s"})


def test_labels_of_all_kinds_settle_each_event_once(scene, record):
    story = Story(scene.config.events_topic, scene.config.labels_topic)
    scene.produce(story.records)
    for times in (3, 9):
        assert scene.run(step="after_commit", times=times)[0] == -signal.SIGKILL
        record.fault()
    code, errors = scene.run()
    assert code == 0, errors
    record.fault(5)  # kinds of labels
    found = scene.learned()
    # An early label counts with its event, which may be the last.
    assert set(found) - set(story.learned) <= {event(n)["a"] for n in range(EVENTS - 5, EVENTS)}
    record.compared(story.learned, {key: found[key] for key in story.learned})
    store = scene.store()
    labels = store.newest().status["labels"]
    store.close()
    for name in ("duplicate", "late", "early", "orphaned", "conflicting"):
        assert labels[name] == story.counts[name] > 50, name
    scene.assert_same_as_uninterrupted()
