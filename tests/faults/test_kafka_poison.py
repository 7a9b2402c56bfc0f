"""Poison on the log: bytes that mean nothing, batches that unfold without end, records too large.

What can be told from its neighbours becomes a dead letter, bytes untouched. What cannot be unpacked
stops the worker within its bounds of memory, and is never skipped in silence.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka import TopicPartition as KafkaPartition
from kafka.admin import ConfigResource, ConfigResourceType

from stream.logs.open_log import open_log
from stream.records import NewRecord, TopicPartition
from tests.faults.oracle import Replay, read_all, read_source
from tests.faults.scene import Scene
from tests.kafka.broker import LocalKafka
from tests.lines import event, interleaved, new_records, truth

pytestmark = [
    pytest.mark.promise("log_honest"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
MIB = 1024 * 1024
MORE_MEMORY = 220 * MIB
"""What a batch may cost beside the worker itself: 64 MiB unfolded, kept twice for a moment, and
what the allocator does not give back; without the bound it is 200 MiB more."""


def make_scene(broker: LocalKafka, tmp_path: Path, record, events=200, **sections) -> Scene:
    return Scene(
        broker.url, f"sqlite:///{tmp_path / 'store.db'}", tmp_path, record, events=events,
        **sections,
    )  # fmt: skip


@contextmanager
def administering(broker: LocalKafka) -> Iterator[KafkaAdminClient]:
    admin = KafkaAdminClient(bootstrap_servers=[broker.url.removeprefix("kafka://")])
    try:
        yield admin
    finally:
        admin.close()


def set_limit(broker: LocalKafka, topic: str, size: int) -> None:
    """Say how large a batch of a topic may be."""
    with administering(broker) as admin:
        wanted = {"max.message.bytes": str(size)}
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=wanted)])


def produce(broker: LocalKafka, topic: str, values: list[bytes], codec: str | None) -> None:
    """Append values in one batch, as a producer of somebody else's does."""
    producer = KafkaProducer(
        bootstrap_servers=[broker.url.removeprefix("kafka://")],
        compression_type=codec, linger_ms=60_000, delivery_timeout_ms=300_000,
        batch_size=300 * MIB, max_request_size=300 * MIB,
    )  # fmt: skip
    try:
        sent = [producer.send(topic, value) for value in values]
        producer.flush()
        assert {one.get(60).partition for one in sent} == {0}
    finally:
        producer.close()


def good(scene: Scene, first: int, count: int) -> None:
    rows = [event(number, truth(number)) for number in range(first, first + count)]
    scene.produce(new_records(scene.config.events_topic, rows))


def poison() -> list[bytes | None]:
    """Return values that are no events, of every kind that came to mind."""
    rng = random.Random(11)
    return [
        *(rng.randbytes(rng.randrange(1, 4_000)) for _ in range(60)),
        b"\xff\xfe{\x00}\x00",
        '{"id": "ü"}'.encode("latin-1"),
        b'{"id": "\xed\xa0\x80", "t": 1, "a": 1.0}',
        b"",
        None,
        b"\x00" * 1_000,
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"null",
        b"[]",
        b'"text"',
        b"1e999",
        b"NaN",
        b'{"id": 1e400}',
        b'{"id": "x", "t": 1, "a": NaN}',
        b'{"id": "x", "t": 1, "a": ' + b"9" * 5_000 + b"}",
        b'{"id": "x", "t": {"$date": 1}}',
        b"\x1f\x8b\x08\x00" + rng.randbytes(50),
        b"\x80\x04\x95" + b"cos\nsystem\n",
    ]


def test_bytes_that_mean_nothing_become_dead_letters_untouched(kafka_broker, tmp_path, record):
    scene = make_scene(kafka_broker, tmp_path, record, events=0, dead_letters={"max_share": 1.0})
    events, labels = scene.config.topic_names[:2]
    values = poison()
    for topic in (events, labels):
        scene.produce([NewRecord(topic, b"\xff\x00", value, (("h", b"\xff"),)) for value in values])
        record.fault(len(values))
        scene.produce(interleaved(100, topics=(events, labels)))
    code, errors = scene.run()
    assert code == 0, errors
    log = open_log(kafka_broker.url)
    letters = [one.value for one in read_all(log, scene.config.dead_letters_topic)]
    log.close()
    # No value at all is a record that compaction deletes; everything else is kept as it came.
    for value in values:
        assert letters.count(value) >= 2 or value is None, value
    scene.assert_same_as_uninterrupted()


@pytest.mark.parametrize("codec", ["gzip", "lz4", "zstd"])
def test_a_batch_that_unfolds_into_200_mib_stops_the_worker_in_bounded_memory(
    kafka_broker, tmp_path, record, codec
):
    scene = make_scene(kafka_broker, tmp_path, record)
    topic = scene.config.events_topic
    plain, bombed = tmp_path / "plain", tmp_path / "bombed"
    code, errors = scene.run(memory=str(plain))
    assert code == 0, errors
    read = read_source(kafka_broker.url, scene.config)
    bomb = scene.store().newest().offsets[f"{topic}-0"]
    produce(kafka_broker, topic, [bytes(MIB)] * 200, codec)
    record.fault()
    good(scene, 5_000, 50)
    for _ in range(2):  # and again when it is started again
        code, errors = scene.run(memory=str(bombed))
        assert code == 4, errors
        assert f"{topic}-0: the batch at offset {bomb} cannot be unpacked" in errors
        assert "it unfolds into more than 67,108,864 bytes" in errors
        assert "kafka-delete-records" in errors
        assert int(bombed.read_text()) < int(plain.read_text()) + MORE_MEMORY
    # As the message says.
    with administering(kafka_broker) as admin:
        admin.delete_records({KafkaPartition(topic, 0): bomb + 200})
    scene.sections["stream"]["on_gap"] = "continue"
    code, errors = scene.run()
    assert code == 0, errors
    left = [one for one in read_source(kafka_broker.url, scene.config) if one.topic == topic]
    log, store = open_log(kafka_broker.url), scene.store()
    replay = Replay(scene.config, read)
    replay.go_on_behind(TopicPartition(topic, 0), bomb + 200, left)
    replay.assert_same(store, log, record)
    (gap,) = (row for row in store.happenings(limit=50) if row["kind"] == "gap")
    assert (gap["detail"]["first"], gap["detail"]["last"]) == (bomb, bomb + 199)
    store.close()
    log.close()


def test_librdkafka_refuses_such_a_batch_of_zstd(kafka_broker, tmp_path, record):
    scene = make_scene(kafka_broker, tmp_path, record)
    topic = scene.config.events_topic
    scene.sections["stream"]["broker"] = kafka_broker.url.replace("kafka", "kafka+librdkafka", 1)
    code, errors = scene.run()
    assert code == 0, errors
    bomb = scene.store().newest().offsets[f"{topic}-0"]
    produce(kafka_broker, topic, [bytes(MIB)] * 200, "zstd")
    record.fault()
    for _ in range(2):
        code, errors = scene.run()
        assert code == 4, errors
        assert f"{topic}-0: the batch at offset {bomb} cannot be unpacked" in errors


@pytest.mark.slow_fault
@pytest.mark.parametrize("codec", ["gzip", "lz4"])
def test_librdkafka_unfolds_others_without_a_bound_and_max_memory_ends_it(
    kafka_broker, tmp_path, record, codec
):
    """Why ``kafka://`` is kafka-python whatever is installed; see ``docs/kafka.md``."""
    scene = make_scene(kafka_broker, tmp_path, record)
    topic, memory = scene.config.events_topic, tmp_path / "memory"
    scene.sections["stream"]["broker"] = kafka_broker.url.replace("kafka", "kafka+librdkafka", 1)
    code, errors = scene.run(memory=str(memory))
    assert code == 0, errors
    for _ in range(4):  # of less than a MiB each: they come in one answer of the broker
        produce(kafka_broker, topic, [bytes(MIB)] * 200, codec)
    scene.sections["worker"] = {"max_memory": int(memory.read_text()) + 100 * MIB}
    record.fault()
    for _ in range(2):  # nothing is skipped: it ends again until somebody decides
        code, errors = scene.run()
        assert code == 4, errors
        # Said by the worker, or told to the store where the process was ended at once.
        halts = [row for row in scene.store().happenings() if row["kind"] == "halted"]
        said = errors + "".join(row["detail"]["message"] for row in halts[:1])
        assert "the worker holds " in said
        assert "more than worker.max_memory = " in said
        assert "kafka+python:// refuses one that does, and names it" in said
    scene.sections["stream"]["broker"] = kafka_broker.url
    code, errors = scene.run()
    assert code == 4, errors
    assert "it unfolds into more than 67,108,864 bytes" in errors


def test_a_record_over_every_limit_is_a_shortened_dead_letter(kafka_broker, tmp_path, record):
    scene = make_scene(kafka_broker, tmp_path, record, events=0)
    topic = scene.config.events_topic
    set_limit(kafka_broker, topic, 8 * MIB)
    good(scene, 0, 50)
    produce(kafka_broker, topic, [b'{"id": "' + b"x" * 5 * MIB + b'"}'], None)
    record.fault()
    good(scene, 50, 50)
    code, errors = scene.run()
    assert code == 0, errors
    log = open_log(kafka_broker.url)
    (letter,) = read_all(log, scene.config.dead_letters_topic)
    log.close()
    assert len(letter.value or b"") < MIB
    scene.assert_same_as_uninterrupted()


def test_dead_letters_over_their_topic_s_limit_are_shortened(kafka_broker, tmp_path, record):
    scene = make_scene(kafka_broker, tmp_path, record, events=0)
    set_limit(kafka_broker, scene.config.dead_letters_topic, 10_000)
    good(scene, 0, 50)
    noise = random.Random(3).randbytes(100_000)
    scene.produce([NewRecord(scene.config.events_topic, None, noise)])
    record.fault()
    good(scene, 50, 50)
    code, errors = scene.run()
    assert code == 0, errors
    scene.assert_same_as_uninterrupted()


def test_predictions_over_their_topic_s_limit_stop_the_worker(kafka_broker, tmp_path, record):
    scene = make_scene(kafka_broker, tmp_path, record)
    set_limit(kafka_broker, scene.config.predictions_topic, 100)
    record.fault()
    code, errors = scene.run()
    assert code == 2, errors
    assert scene.config.predictions_topic in errors
    assert "the broker's limit" in errors
    set_limit(kafka_broker, scene.config.predictions_topic, 2 * MIB)
    code, errors = scene.run()
    assert code == 0, errors
    scene.assert_same_as_uninterrupted()
