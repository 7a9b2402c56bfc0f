"""The third baseline: the model as it was when it was promoted, on one event in so many."""

from __future__ import annotations

from copy import deepcopy
from zlib import crc32

import pytest
from river import metrics

from stream.digest import state_digest
from stream.lifecycle.live import put_in_place
from stream.snapshot import mark_committed, restore, take_snapshot
from stream.status import status_of
from stream.watching.losses import losses
from stream.watching.pane_row import unpack_scores
from tests.lines import SMALL_MONITOR, event, make_config, make_line, records, truth

EVERY = 3
WARM, LATER = 100, 400


def config(**monitor):
    return make_config(
        model={"metrics": ["ROCAUC", "LogLoss"]},
        monitor=SMALL_MONITOR | {"frozen_every": EVERY} | monitor,
        retrain={"drift": False, "skew": False, "performance": False},
    )


def fed(line, start, end, step=50):
    for at in range(start, end, step):
        stop = min(end, at + step)
        rows = [event(number, truth(number)) for number in range(at, stop)]
        line.handle(records("s.events", rows, at), 0)
    return line


def asked(start, end):
    return [n for n in range(start, end) if crc32(f"e{n}".encode()) % EVERY == 0]


def features(number):
    return {name: value for name, value in event(number).items() if name in ("a", "b")}


def by_river(learner, numbers):
    """Return the metrics of a model that does not learn, and its mean loss."""
    found = {"ROCAUC": metrics.ROCAUC(), "LogLoss": metrics.LogLoss()}
    said = [learner.predict(features(number)) for number in numbers]
    for number, positive in zip(numbers, said, strict=True):
        for metric in found.values():
            metric.update(truth(number), {True: positive, False: 1 - positive})
    lost = losses("binary", [truth(number) for number in numbers], said)
    return {name: metric.get() for name, metric in found.items()}, float(lost.mean())


@pytest.fixture
def line():
    return fed(make_line(config()), 0, WARM)


def test_nothing_is_frozen_before_there_is_a_reference():
    early = fed(make_line(config()), 0, WARM - 1)
    assert early.frozen is None
    assert status_of(early, None)["frozen"] is None
    assert status_of(early, None)["since_promotion"]["scored"] == WARM - 1


def test_nothing_is_frozen_where_it_is_not_wanted():
    assert fed(make_line(config(frozen_every=0)), 0, LATER).frozen is None


def test_it_is_the_model_of_the_warm_up_and_never_learns(line):
    then = deepcopy(line.learner)
    fed(line, WARM, LATER)
    numbers = asked(WARM, LATER)
    wanted, loss = by_river(then, numbers)
    found = status_of(line, None)["frozen"]
    assert (found["version"], found["scored"], found["every"]) == ("v1", len(numbers), EVERY)
    assert found["scores"]["frozen"] == pytest.approx(wanted)
    assert found["mean_loss"]["frozen"] == pytest.approx(loss, abs=1e-5)
    assert found["scores"]["model"] != found["scores"]["frozen"]  # the model has learned on


def test_the_panes_add_up_to_it(line):
    line.watch.rows.clear()
    fed(line, WARM, LATER)
    panes = [unpack_scores(row.scores)[2] for row in line.watch.rows]
    total = sum(panes[1:], panes[0])
    assert total.labels == len(asked(WARM, LATER))
    assert total == line.watch.performances.beside


def test_a_promotion_begins_the_scores_and_the_frozen_model_anew(line):
    fed(line, WARM, LATER)
    other = fed(make_line(), 0, 300).learner  # as good, so that the probation keeps it
    put_in_place(line, "v2", other, "me", "a test")
    then = deepcopy(other)
    before = line.scores.summary()["model"]["LogLoss"], line.scores.scored
    fed(line, LATER, LATER + 200)
    status = status_of(line, None)
    numbers = asked(LATER, LATER + 200)
    wanted, loss = by_river(then, numbers)
    assert status["frozen"]["version"] == "v2"
    assert status["frozen"]["scored"] == len(numbers)
    assert status["frozen"]["scores"]["frozen"] == pytest.approx(wanted)
    assert status["frozen"]["mean_loss"]["frozen"] == pytest.approx(loss, abs=1e-5)
    since = status["since_promotion"]
    assert (since["version"], since["scored"]) == ("v2", 200)
    assert since["time"] == (LATER - 1) * 1000
    whole = (before[0] * before[1] + since["scores"]["model"]["LogLoss"] * 200) / (LATER + 200)
    assert status["scores"]["model"]["LogLoss"] == pytest.approx(whole)


def test_a_label_of_a_prediction_from_before_the_promotion_is_not_scored_since(line):
    waits = records("s.events", [event(n) for n in range(WARM, WARM + 40)], WARM)
    line.handle(waits, 0)
    put_in_place(line, "v2", make_line().learner, "me", "a test")
    rows = [{"id": f"e{n}", "y": truth(n)} for n in range(WARM, WARM + 40)]
    line.handle(records("s.labels", rows), 0)
    status = status_of(line, None)
    assert status["since_promotion"]["scored"] == 0
    assert status["frozen"]["scored"] == 0
    assert status["scored"] == WARM + 40


def test_it_survives_a_restart(line):
    fed(line, WARM, 250)
    snapshot, changes = take_snapshot(line)
    again = make_line(config())
    chunks = {kind: [(1, change.data)] for kind, change in snapshot.chunks.items() if change.data}
    restore(again, snapshot, chunks)
    assert again.frozen is not None
    assert state_digest(fed(again, 250, LATER)) == state_digest(fed(line, 250, LATER))
    mark_committed(line, changes, 1)
    assert take_snapshot(line)[0].chunks["frozen"].data is None  # it is written once


def test_one_that_raises_says_no_more_and_the_line_goes_on(line, monkeypatch):
    def broken(_features):
        raise ArithmeticError("no")

    monkeypatch.setattr(line.frozen._learner, "predict", broken)
    fed(line, WARM, LATER)
    found = status_of(line, None)["frozen"]
    assert found["failed"] == "predict raised ArithmeticError: no"
    assert found["scored"] == 0
    assert line.counts.predicted == LATER
