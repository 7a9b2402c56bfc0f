"""Each dead letter is learned at most once, however often it is replayed: over all three logs."""

from __future__ import annotations

import itertools

import msgspec
import pytest

import stream.dead_letters.replay as replay_module
from stream.dead_letters.journal import Mark, mark_record, read_mark
from stream.dead_letters.letter import read_letter
from stream.dead_letters.topic import DeadLetterTopic
from stream.errors import InputError, RecordTooLargeError, ReplayRunningError, TopicNotFoundError
from stream.events import Rejected
from stream.log import MAX_RECORD_BYTES
from stream.origin import Origin, Place, read_origin
from stream.records import NewRecord, TopicPartition
from stream.step import DeadLetter, dead_letter_record, shortened
from tests.conformance.conftest import Backend
from tests.letters import Scene, good, ignore, large

_names = itertools.count()


@pytest.fixture
def make_scene(backend: Backend, tmp_path):
    def make(**sections):
        name = backend.topic("s")
        return Scene(backend.open(), f"sqlite:///{tmp_path}/{next(_names)}.db", name, **sections)

    return make


@pytest.fixture
def scene(make_scene):
    return make_scene()


def letters(scene):
    return [letter for letter in map(read_letter, scene.read("dead_letters")) if letter]


def marks(scene):
    found = map(read_mark, scene.read("dead_letters"))
    return [standing.mark for standing in found if standing]


def test_replayed_twice_is_learned_once(scene):
    scene.produce(good(0), large(1), large(2))
    assert scene.work()["learned"] == 1
    assert scene.replay().replayed == 2
    assert scene.work(scene.mended)["learned"] == 3
    again = scene.replay()
    assert (again.replayed, dict(again.skipped)) == (0, {"already_replayed": 2})
    counts = scene.work(scene.mended)
    assert (counts["learned"], counts["repeated"], counts["dead_lettered"]) == (3, 0, 2)


def test_without_marks_it_would_be_learned_twice(scene, monkeypatch):
    """What the other tests rest on: the line forgets at once, so the marks must prevent it."""
    monkeypatch.setattr(replay_module.Replay, "_write", lambda *_: None)
    scene.produce(large(1))
    scene.work()
    for _ in range(2):
        assert scene.replay().replayed == 1
    assert scene.work(scene.mended)["learned"] == 2


def test_the_line_drops_what_comes_twice_within_its_window(make_scene, monkeypatch):
    monkeypatch.setattr(replay_module.Replay, "_write", lambda *_: None)
    scene = make_scene(event={"dedup_window": 100})
    scene.produce(large(1))
    scene.work()
    for _ in range(2):
        assert scene.replay().replayed == 1
    counts = scene.work(scene.mended)
    assert (counts["learned"], counts["repeated"]) == (1, 1)


def test_bytes_key_headers_and_partition_are_the_original_ones(make_scene):
    scene = make_scene(topics={"partitions": 3})
    own = (("trace", b"\x00\xff"), ("trace", b"2"), ("__connect.errors.topic", b"elsewhere"))
    value = b'{"a": 1, "note": "\xff' + b"x" * 60
    # On a partition that its key does not lead to.
    topic = scene.config.events_topic
    scene.log.sink().append([NewRecord(topic, b"\xfe", value, own, n) for n in range(3)]).offsets()
    scene.work()
    assert scene.replay(check=False).replayed == 3
    records = scene.read("events")
    for number in range(3):
        first, again = (r for r in records if r.partition == number)
        assert (again.key, again.value) == (first.key, first.value) == (b"\xfe", value)
        assert again.headers[:3] == first.headers == own
        assert [name for name, _ in again.headers[3:]] == [
            "riverrun-replayed-from",
            "riverrun-replayed-time",
        ]
        place = Place(topic, first.partition, first.offset)
        assert read_origin(again.headers) == Origin(place, first.timestamp)


def test_a_chain_of_replays_keeps_the_first_place_and_time(scene):
    scene.produce(large(1))
    first = scene.read("events")[0]
    for _ in range(3):
        scene.work()
        assert scene.replay(check=False).replayed == 1
    origin = Origin(Place(first.topic, 0, 0), first.timestamp)
    assert [letter.origin for letter in letters(scene)] == [None, origin, origin]
    assert [letter.source.offset for letter in letters(scene)] == [0, 1, 2]
    counts = scene.work(scene.mended)
    assert (counts["learned"], counts["watermark"]) == (1, first.timestamp)
    (row,) = scene.read("predictions")
    assert msgspec.json.decode(row.value)["id"] == f"{first.topic}-0-0"
    assert msgspec.json.decode(row.value)["time"] == first.timestamp
    assert set(scene.replays().values()) == {3}


def test_a_label_is_replayed_to_the_labels_topic(make_scene):
    scene = make_scene(event={"id": "id", "label": "y"})
    scene.produce({"id": "a", "a": 1})
    scene.produce({"id": "a", "y": True, "note": "x" * 60}, to="labels")
    assert scene.work()["learned"] == 0
    assert scene.replay().replayed == 1
    assert scene.work(scene.mended)["learned"] == 1
    assert len(scene.replays("labels")) == 1


def test_what_would_be_rejected_again_is_skipped_unless_asked_for(scene):
    scene.produce(large(1), b"{", None)
    scene.work()
    outcome = scene.replay()
    assert (outcome.selected, outcome.replayed) == (3, 1)
    assert outcome.skipped == {"still_rejected": 2}
    assert outcome.rejections == {"decode/invalid_json": 1, "decode/empty": 1}
    assert scene.replay(check=False).replayed == 2


def test_a_plan_tells_what_a_replay_does_and_writes_nothing(scene):
    scene.produce(large(1), large(2), b"{")
    scene.work()
    before = len(scene.read("events")), len(scene.read("dead_letters"))
    plan = scene.replay(plan=True)
    assert (len(scene.read("events")), len(scene.read("dead_letters"))) == before
    assert scene.replay() == plan


def test_a_letter_that_a_worker_wrote_twice_is_replayed_once(scene):
    scene.produce(large(1))
    scene.work()
    (record,) = scene.read("dead_letters")
    topic = scene.config.dead_letters_topic
    scene.log.sink().append([NewRecord(topic, None, record.value, record.headers)]).offsets()
    outcome = scene.replay()
    assert (outcome.replayed, dict(outcome.skipped)) == (1, {"repeated": 1})
    assert scene.replay().skipped == {"already_replayed": 2}


def test_a_record_of_another_topic_is_refused_and_counted(scene):
    def letter(topic, partition=b"0", offset=b"1"):
        place = {"topic": topic, "partition": partition, "offset": offset}
        rest = {"stage": b"decode", "class.name": b"", "exception.message": b""}
        named = (place | rest).items()
        headers = tuple((f"__connect.errors.{name}", text) for name, text in named)
        return NewRecord(scene.config.dead_letters_topic, None, b'{"y": true}', headers)

    events = scene.config.events_topic.encode()
    new = [
        letter(b"other"), letter(scene.config.predictions_topic.encode()),
        letter(events, partition=b"5"), letter(events, offset=b"-1"), letter(events, b"x"),
        letter(b"\xff"), letter(b""), letter(events, offset=b"9" * 30),
        NewRecord(scene.config.dead_letters_topic, None, b"no letter"),
        NewRecord(scene.config.dead_letters_topic, None, None),
        NewRecord(scene.config.dead_letters_topic, None, b"{}", (("riverrun-replay", b"1"),)),
        mark_record(Mark("r", 1, "begin", [Place("s", 0, 0)], []),
                    scene.config.dead_letters_topic, 0),
    ]  # fmt: skip
    scene.log.sink().append(new).offsets()
    outcome = scene.replay()
    assert (outcome.selected, outcome.replayed) == (3, 0)
    assert outcome.skipped == {"other_topic": 3}
    topic = DeadLetterTopic(scene.log, scene.config.dead_letters_topic)
    assert len(list(topic.letters(ignore))) == 3
    assert topic.others == len(new) - 3
    topic.close()


def test_left_out_bytes_are_read_from_where_they_stand(scene):
    base = b'{"a": 1, "y": true, "note": "%s"}'
    value = base % (b"x" * (MAX_RECORD_BYTES - len(base) - 200))
    scene.produce(good(1), value, good(2))
    scene.work()
    (letter,) = letters(scene)
    assert (letter.omitted, letter.size) == (True, len(value))
    assert scene.read("dead_letters")[0].value is None
    assert scene.replay().replayed == 1
    assert scene.read("events")[-1].value == value
    assert scene.work(scene.mended)["learned"] == 3


def test_left_out_bytes_that_are_gone_are_counted(scene, backend):
    value = b'{"y": true, "note": "%s"}' % (b"x" * (MAX_RECORD_BYTES - 240))
    scene.produce(value, good(2))
    scene.work()
    backend.expire(TopicPartition(scene.config.events_topic, 0), 1)
    outcome = scene.replay()
    assert (outcome.replayed, dict(outcome.skipped)) == (0, {"original_gone": 1})


@pytest.mark.parametrize(
    "change",
    [{"key": b"other"}, {"value": b"x" * 60}, {"timestamp": 1}],
    ids=lambda c: next(iter(c)),
)
def test_another_record_at_the_place_is_not_taken_for_the_original(scene, change):
    """The log was replaced, and something else stands there now."""
    scene.produce(large(1))
    (found,) = scene.read("events")
    for source, replayed in ((msgspec.structs.replace(found, **change), 0), (found, 1)):
        letter = DeadLetter(source, Rejected("decode", "too_large", ""))
        new = shortened(dead_letter_record(letter, scene.config.dead_letters_topic))
        scene.log.sink().append([new]).offsets()
        outcome = scene.replay()
        assert (outcome.replayed, outcome.skipped["original_gone"]) == (replayed, 1)


def test_a_record_without_room_for_the_headers_is_counted(scene):
    value = b'{"y": true, "note": "%s"}' % (b"x" * (MAX_RECORD_BYTES - 30))
    scene.produce(value)
    scene.work()
    outcome = scene.replay()
    assert (outcome.replayed, dict(outcome.skipped)) == (0, {"too_large": 1})


def test_a_record_that_the_broker_finds_too_large_does_not_hold_up_the_others(scene, monkeypatch):
    """Batches that travel together fail together, and part of one may be on the log."""
    scene.produce(*(large(n) for n in range(6)))
    scene.work()
    opened = scene.log.sink

    class Narrow:
        """Takes the first half of a batch, and never the record of offset 4."""

        def __init__(self):
            self.inner = opened()

        def append(self, records):
            if records[0].topic != scene.config.events_topic:
                return self.inner.append(records)
            fits = [r for r in records if read_origin(r.headers).place.offset != 4]
            self.inner.append(fits[: (len(fits) + 1) // 2]).offsets()
            if len(fits) == len(records) == 1:
                return self.inner.append([])
            raise RecordTooLargeError("events", None, None)

        def flush(self):
            self.inner.flush()

        def close(self):
            self.inner.close()

    monkeypatch.setattr(scene.log, "sink", Narrow)
    outcome = scene.replay()
    assert (outcome.replayed, dict(outcome.skipped)) == (5, {"too_large": 1})
    monkeypatch.setattr(scene.log, "sink", opened)
    assert {place.offset: n for place, n in scene.replays().items()} == dict.fromkeys(
        [0, 1, 2, 3, 5], 1
    )
    # The limit was raised: what did not fit is not taken for replayed.
    assert scene.replay().replayed == 1
    assert scene.work(scene.mended)["learned"] == 6


def test_what_was_scored_is_not_replayed(make_scene):
    """The model raised while it learned: its parts may have learned already."""
    scene = make_scene(event={"features": None, "max_bytes": 1_000})
    scene.produce(good(1), large(2))
    counts = scene.work()
    assert (counts["learned"], counts["dead_lettered"]) == (1, 1)
    assert letters(scene)[0].stage == "learn"
    outcome = scene.replay(config=scene.config, check=False)
    assert (outcome.replayed, dict(outcome.skipped)) == (0, {"already_scored": 1})


def test_forged_headers_of_a_replay_are_never_appended(scene):
    scene.produce(good(1), headers=(("riverrun-replayed-from", b"{}"),))
    assert scene.work()["dead_lettered"] == 1
    assert letters(scene)[0].bad_origin
    assert scene.replay(check=False).skipped == {"bad_header": 1}


def test_what_a_rebuild_has_learned_is_not_replayed(scene, backend):
    scene.produce(large(1), good(2))
    scene.work()
    assert scene.work(scene.mended, rebuild=True)["learned"] == 2
    outcome = scene.replay()
    assert (outcome.replayed, dict(outcome.skipped)) == (0, {"rebuilt": 1})
    if backend.name == "memory":
        return  # Its clock stands in the year 1970, before any rebuild.
    scene.produce(large(3))
    scene.work()
    assert scene.replay().replayed == 1
    assert scene.work(scene.mended)["learned"] == 3


def test_what_had_expired_before_a_rebuild_is_replayed(scene, backend):
    scene.produce(large(1), good(2))
    scene.work()
    backend.expire(TopicPartition(scene.config.events_topic, 0), 1)
    assert scene.work(scene.mended, rebuild=True)["learned"] == 1
    assert scene.replay().replayed == 1
    assert scene.work(scene.mended)["learned"] == 2


def test_places_and_limit_select(scene):
    scene.produce(*(large(n) for n in range(6)))
    scene.work()
    only = {"places": frozenset({(0, 1), (0, 4)})}
    assert scene.replay(only=only).replayed == 2
    assert {place.offset for place in scene.replays()} == {1, 4}
    assert scene.replay(limit=1).replayed == 1
    assert {place.offset for place in scene.replays()} == {0, 1, 4}
    with pytest.raises(InputError, match="no dead letter at 0:99 of"):
        scene.replay(only={"places": frozenset({(0, 5), (0, 99)})})
    assert {place.offset for place in scene.replays()} == {0, 1, 4}
    assert scene.replay().replayed == 3


def test_an_empty_topic_and_a_missing_one(scene, backend):
    assert scene.replay().selected == 0
    assert scene.read("dead_letters") == []
    scene.sections["topics"] = {"dead_letters": backend.topic("gone")}
    with pytest.raises(TopicNotFoundError, match="gone"):
        scene.replay(config=scene.configured())


class DyingError(Exception):
    """The process ends here."""


@pytest.mark.parametrize("loses", [False, True], ids=["after", "before"])
@pytest.mark.parametrize("turn", [1, 2, 5, 6, 9])
def test_wherever_it_dies_nothing_is_lost_and_nothing_is_twice(
    make_scene, monkeypatch, turn, loses
):
    """Twenty letters in batches of six on three partitions: marks, batches, marks, ..."""
    scene = make_scene(topics={"partitions": 3})
    scene.produce(*(large(n) for n in range(20)), good(1))
    scene.work()
    monkeypatch.setattr(replay_module, "_BATCH_RECORDS", 6)
    opened = scene.log.sink

    class Dying:
        def __init__(self, left):
            self.inner, self.left = opened(), left

        def append(self, records):
            self.left -= 1
            if self.left == 0 and loses:
                # Half of it is on the log; nobody hears of it.
                self.inner.append(records[: len(records) // 2]).offsets()
                raise DyingError
            receipt = self.inner.append(records)
            receipt.offsets()
            if self.left == 0:
                raise DyingError
            return receipt

        flush = lambda self: self.inner.flush()  # noqa: E731
        close = lambda _self: None  # what dies closes nothing  # noqa: E731

    monkeypatch.setattr(scene.log, "sink", lambda: Dying(turn))
    with pytest.raises(DyingError):
        scene.replay()
    monkeypatch.setattr(scene.log, "sink", opened)
    scene.produce(good(2))
    plan = scene.replay(plan=True)
    outcome = scene.replay()
    assert plan == outcome
    assert outcome.selected == 20
    assert sorted(scene.replays().values()) == [1] * 20
    assert scene.work(scene.mended)["learned"] == 22
    assert scene.replay().skipped == {"already_replayed": 20}


def test_a_batch_that_nobody_can_look_for_is_left_alone(scene, backend, monkeypatch):
    scene.produce(large(1), large(2))
    scene.work()
    place = Place(scene.config.events_topic, 0, 0)
    ends = {f"{scene.config.events_topic}-0": 2}
    mark = Mark("dead", 1, "begin", [place], [place], ends)
    topic = scene.config.dead_letters_topic
    scene.log.sink().append([mark_record(mark, topic, 0)]).offsets()
    scene.produce(good(3), good(4))
    backend.expire(TopicPartition(scene.config.events_topic, 0), 3)
    for _ in range(2):
        outcome = scene.replay()
        assert outcome.skipped["unknown_outcome"] == 1
    assert [p.offset for p in scene.replays()] == [1]


def test_another_replay_that_is_alive_is_not_disturbed(scene):
    scene.produce(large(1), large(2))
    scene.work()
    topic = scene.config.dead_letters_topic
    ends = {f"{scene.config.events_topic}-0": 2}

    def begins(batch):
        place = Place(scene.config.events_topic, 0, batch - 1)
        mark = Mark("other", batch, "begin", [place], [place], ends)
        scene.log.sink().append([mark_record(mark, topic, 0)]).offsets()

    begins(1)
    waited = []

    def sleep(seconds):
        waited.append(seconds)
        begins(2)

    with pytest.raises(ReplayRunningError, match="another replay"):
        scene.replay(sleep=sleep)
    assert not scene.replays()
    assert len(waited) == 1
    # Nobody writes any more: what it left open is found out and written down.
    outcome = scene.replay()
    assert (outcome.replayed, dict(outcome.skipped)) == (1, {"already_replayed": 1})
    assert [place.offset for place in scene.replays()] == [1]
    assert [mark.kind for mark in marks(scene) if mark.run == "other"] == [
        "begin", "begin", "landed",
    ]  # fmt: skip


def test_a_replay_asked_to_stop_ends_after_a_batch_and_is_gone_on_with(scene, monkeypatch):
    monkeypatch.setattr(replay_module, "_BATCH_RECORDS", 4)
    scene.produce(*(large(n) for n in range(10)))
    scene.work()
    monkeypatch.setattr(
        replay_module.Replay, "run",
        lambda self, _stop, show, run=replay_module.Replay.run: run(self, lambda: True, show),
    )  # fmt: skip
    assert [scene.replay().replayed for _ in range(4)] == [4, 4, 2, 0]
    assert sorted(scene.replays().values()) == [1] * 10
    assert [mark.kind for mark in marks(scene)] == ["begin", "done"] * 3
