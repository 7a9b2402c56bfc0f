"""Which client carries the records, who says so, and that it makes no difference to them."""

from __future__ import annotations

import subprocess
import sys
import uuid

import pytest

from stream.errors import InputError
from stream.logs.kafka_log import KafkaLog
from stream.logs.librdkafka_log import LibrdkafkaLog
from stream.logs.open_log import open_log
from stream.records import NewRecord, Record, TopicPartition
from tests.conformance.reading import read
from tests.kafka.broker import LocalKafka

KINDS = [KafkaLog, LibrdkafkaLog]


@pytest.mark.parametrize(
    ("scheme", "is_installed", "transport"),
    [
        ("kafka", True, "kafka-python "),
        ("kafka", False, "kafka-python "),
        ("kafka+librdkafka", True, "librdkafka "),
        ("kafka+python", True, "kafka-python "),
        ("kafka+python", False, "kafka-python "),
    ],
)
def test_the_url_decides_whatever_is_installed(
    kafka_broker: LocalKafka, monkeypatch, scheme: str, is_installed: bool, transport: str
) -> None:
    if not is_installed:
        monkeypatch.setattr("stream.logs.kafka_transport.find_spec", lambda _name: None)
    log = open_log(kafka_broker.url.replace("kafka", scheme, 1))
    topic = uuid.uuid4().hex
    log.create_topics({topic: 1})
    assert log.transport.startswith(transport)
    assert log.source([topic]).transport == log.transport
    assert log.url == kafka_broker.url
    log.close()


def test_librdkafka_that_is_not_installed_is_asked_for_in_vain(monkeypatch) -> None:
    monkeypatch.setattr("stream.logs.kafka_transport.find_spec", lambda _name: None)
    with pytest.raises(InputError, match=r"pip install 'riverrun\[librdkafka\]'"):
        open_log("kafka+librdkafka://127.0.0.1:1")


def test_without_it_nothing_imports_it() -> None:
    code = (
        "import sys; sys.modules['confluent_kafka'] = None\n"
        "import serve.cli, stream.worker, stream.logs.kafka_log, serve.api.app\n"
        "from stream.logs.open_log import open_log\n"
        "from stream.errors import LogUnreachableError\n"
        "try: open_log('kafka+python://127.0.0.1:1')\n"
        "except LogUnreachableError: print('tried')"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.stdout == "tried\n", done.stderr


def test_both_give_records_the_same_place_key_headers_and_time(kafka_broker: LocalKafka) -> None:
    logs = [kind(kafka_broker.url) for kind in KINDS]
    topics = [uuid.uuid4().hex for _ in logs]
    new = [
        (b"key-%d" % n if n % 7 else b"", b"%d" % n, (("a", b"%d" % n), ("a", b"")))
        for n in range(199)
    ]
    new.append((b"key", None, ()))
    for log, topic in zip(logs, topics, strict=True):
        log.create_topics({topic: 5})
        stands = log.sink().append([NewRecord(topic, *one) for one in new]).offsets()
        assert len({place.partition for place, _ in stands}) == 5
    # Each reads what either wrote.
    found = [[_by_place(log.source([topic])) for log in logs] for topic in topics]
    for by_python, by_native in found:
        assert by_python == by_native
        assert len(by_python) == 200
    first, second = ({at: _without_time(r) for at, r in by[0].items()} for by in found)
    assert first == second
    for log in logs:
        log.close()


def _by_place(source) -> dict[tuple[int, int], Record]:
    records = read(source, 200)
    topic = records[0].topic
    assert source.lag() == {TopicPartition(topic, n): 0 for n in range(5)}
    return {(record.partition, record.offset): record for record in records}


def _without_time(record: Record) -> tuple:
    return record.key, record.value, record.headers
