"""A checkpoint of another River, Python or riverrun: the log is replayed, to the same state."""

from __future__ import annotations

from collections import Counter

import pytest
from sqlalchemy import select, update

from stream.build import line_factory
from stream.digest import state_digest
from stream.logs.open_log import open_log
from stream.storage.connect import connect, writing
from stream.storage.seal import seal
from stream.storage.tables import checkpoints, parts
from tests.faults.oracle import learned_by, place, read_all, read_source, source_of
from tests.faults.scene import Scene
from tests.lines import interleaved

pytestmark = pytest.mark.promise("learned_once")

UNLOADABLE = b"\x80\x04criver.gone\nNothing\n."


@pytest.fixture
def scene(url, tmp_path, record) -> Scene:
    """Return a stream of which a worker has learned half, on each database."""
    made = Scene(f"sqlite:///{tmp_path}/log.db", url, tmp_path, record, events=0)
    topics = made.config.events_topic, made.config.labels_topic
    rows = interleaved(800, topics=topics)
    made.produce(rows[: len(rows) // 2])
    assert made.run() == (0, "")
    made.produce(rows[len(rows) // 2 :])
    return made


def age(scene: Scene, libraries: dict[str, str]) -> None:
    """Let each kept checkpoint be one that other libraries wrote: whole, and not to be loaded."""
    engine = connect(scene.store_url)
    with writing(engine) as connection:
        for row in connection.execute(select(checkpoints)).all():
            mine = checkpoints.c.number == row.number
            other = row.libraries | libraries
            connection.execute(update(checkpoints).where(mine).values(libraries=other))
        for row in connection.execute(select(parts).where(parts.c.part == "state")).all():
            sealed = seal(UNLOADABLE, f"{row.stream}/{row.shard}/state/{row.number}", None)
            mine = (parts.c.part == "state") & (parts.c.number == row.number)
            connection.execute(update(parts).where(mine).values(data=UNLOADABLE, seal=sealed))
    engine.dispose()


def assert_learned_anew(scene: Scene, reason: str) -> None:
    """Compare a rebuilt stream with a replay of its log, and its topic with what it was."""
    reference = line_factory(scene.config)("v2")
    records = read_source(scene.broker, scene.config)
    reference.handle(records, 0)
    store = scene.store()
    newest = store.newest()
    assert (newest.version, newest.status["state_digest"]) == ("v2", state_digest(reference))
    assert newest.status["counts"]["learned"] == reference.counts.learned
    scene.record.compared(learned_by(reference), scene.learned())
    (told,) = [one["detail"] for one in store.happenings() if one["kind"] == "rebuild"]
    assert reason in told["reason"]
    store.close()
    log = open_log(scene.broker)
    published = Counter(
        source_of(record, "riverrun-source-")
        for record in read_all(log, scene.config.predictions_topic)
    )
    log.close()
    assert set(published.values()) == {1}, "a replay publishes nothing twice"
    assert set(published) <= {place(record) for record in records}
    assert len(published) == reference.counts.predicted


@pytest.mark.parametrize("name", ["river", "python"])
def test_a_checkpoint_that_other_libraries_wrote_and_that_does_not_load(scene, record, name):
    age(scene, {name: "0.0.1"})
    record.fault()
    code, said = scene.run()
    assert code == 0, said
    assert_learned_anew(scene, f"{'River' if name == 'river' else name} 0.0.1 became")


def test_a_replay_that_is_killed_begins_again(scene, record):
    age(scene, {"river": "0.0.1"})
    for step, times in (("after_handle", 3), ("before_commit", 1), ("after_commit", 1)):
        code, _ = scene.run(step=step, times=times)
        assert code == -9
        record.fault()
    code, said = scene.run()
    assert code == 0, said
    store = scene.store()
    assert store.newest().version in {"v2", "v3", "v4"}
    reference = line_factory(scene.config)(store.newest().version)
    store.close()
    reference.handle(read_source(scene.broker, scene.config), 0)
    record.compared(learned_by(reference), scene.learned())


def test_one_that_does_not_load_for_no_known_reason_halts(scene, record):
    age(scene, {})
    record.fault()
    code, said = scene.run()
    assert code == 4
    assert "does not load" in said
    assert "--rebuild" in said
    code, said = scene.run(rebuild=True)
    assert code == 0, said
    assert_learned_anew(scene, "asked for with --rebuild")
