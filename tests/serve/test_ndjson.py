"""A batch as a stream of lines: answered while it comes in, in bounded memory."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from serve.api.models import BatchResult
from serve.api.predicting.ndjson import lines_of
from serve.api.predicting.spool import Spool

BATCH = "/v1/streams/flights/predict/batch"
NDJSON = {"content-type": "application/x-ndjson"}


def lines(*events: dict) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def results(text: str) -> list[BatchResult]:
    return [BatchResult.model_validate_json(line) for line in text.splitlines()]


def test_each_line_is_answered_in_order_and_a_bad_one_fails_alone(world):
    good = [world.event() for _ in range(3)]
    body = (
        lines(good[0])
        + b'{"x": 1\n'
        + b'{"id": "\xff"}\n'
        + b"\n  \r\n"
        + lines(good[1], {"x": 1.0, "at": 5})
        + lines(good[2]).rstrip()
    )
    with world.api() as client:
        answer = client.post(BATCH, content=body, headers=NDJSON)
        same = client.post("/v1/streams/flights/predict", json={"event": good[0]})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    found = results(answer.text)
    kinds = [r.problem and r.problem.type.rpartition(":")[2] for r in found]
    assert kinds == [None, "invalid_json", "wrong_encoding", None, "missing_id", None]
    assert found[4].problem.errors[0].field == "events[4].id"
    assert [r.prediction.event_id for r in found if r.prediction] == [e["id"] for e in good]
    assert same.json() == json.loads(answer.text.splitlines()[0])["prediction"]
    assert world.work()["counts"]["served"] == 3


def test_the_command_in_the_documentation_works(world, tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
    (command,) = re.findall(r"^curl -sN .*$", page, re.MULTILINE)
    (tmp_path / "events.jsonl").write_bytes(lines(*(world.event() for _ in range(5))))
    with world.api() as client:
        here = command.replace("http://127.0.0.1:8000", str(client.base_url))
        assert here != command
        ran = subprocess.run(
            ["bash", "-c", here], cwd=tmp_path, capture_output=True, text=True, check=True
        )
    assert len([r for r in results(ran.stdout) if r.prediction]) == 5


def test_a_question_of_lines_leaves_no_trace(world):
    with world.api() as client:
        answer = client.post(f"{BATCH}?record=false", content=lines({"x": 1.0}), headers=NDJSON)
    assert results(answer.text)[0].prediction.recorded is False
    assert len(world.records()) == 20


def test_the_stream_waits_for_what_it_shall_have_read(make_world):
    world = make_world(api={"offset_wait": 100})
    world.learn()
    with world.api() as client:
        ok = client.post(f"{BATCH}?min_offset=20", content=b"", headers=NDJSON)
        each = client.post(f"{BATCH}?min_offset=flights.events-0:20", content=b"", headers=NDJSON)
        late = client.post(f"{BATCH}?min_offset=21", content=b"", headers=NDJSON)
        bad = client.post(f"{BATCH}?min_offset=soon", content=b"", headers=NDJSON)
    assert (ok.status_code, ok.text, each.status_code) == (200, "", 200)
    assert (late.status_code, bad.status_code) == (409, 422)
    assert bad.json()["errors"][0]["field"] == "query.min_offset"


def test_what_is_of_lines_only_is_refused_with_json(world):
    with world.api() as client:
        answer = client.post(f"{BATCH}?record=false", json={"events": []})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "query.record"


def test_a_compressed_stream_is_a_415(world):
    with world.api() as client:
        answer = client.post(BATCH, content=b"", headers=NDJSON | {"content-encoding": "gzip"})
    assert answer.status_code == 415


def test_a_line_over_the_limit_fails_alone_and_is_not_kept(make_world):
    world = make_world(api={"max_body_bytes": 2_000})
    world.learn()
    event = world.event()
    body = b'{"pad": "' + b"x" * 300_000 + b'"}\n' + lines(event) + b'{"pad": "' + b"x" * 9_000
    with world.api() as client:
        found = results(client.post(BATCH, content=body, headers=NDJSON).text)
    assert [r.problem and r.problem.status for r in found] == [413, None, 413]


def test_answers_come_while_lines_are_still_sent(world):
    with world.api() as client, raw(client) as connection:
        send_head(connection)
        for answered in range(3):
            event = world.event()
            send_chunk(connection, lines(event))
            assert event["id"].encode() in read_until(connection, b"}\n\r\n", head=not answered)
        connection.sendall(b"0\r\n\r\n")
        assert connection.recv(100).endswith(b"0\r\n\r\n")


def test_a_client_that_closes_its_half_after_the_last_line_gets_every_answer(world):
    with world.api() as client, raw(client) as connection:
        send_head(connection, "?record=false")
        send_chunk(connection, lines({"x": 1.0, "z": 1.5}) * 5_000)
        connection.sendall(b"0\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        said = bytearray()
        while data := connection.recv(1 << 20):
            said += data
    assert b"".join(chunks_of(bytes(said))).count(b'{"prediction":{') == 5_000


def test_a_client_that_reads_only_after_it_has_sent_all_gets_every_answer(world):
    """More than the sockets and the spool's memory hold: its answers wait in a file."""
    count = 20_000
    event = world.event()
    line = lines({"x": event["x"], "z": 1.5, "pad": "p" * 100})
    with world.api() as client, raw(client) as connection:
        send_head(connection, "?record=false")
        for _ in range(20):
            send_chunk(connection, line * (count // 20))
        connection.sendall(b"0\r\n\r\n")
        said = bytearray()
        while not said.endswith(b"\r\n0\r\n\r\n"):
            data = connection.recv(1 << 20)
            assert data
            said += data
    assert len(said) > 3 << 20
    body = b"".join(chunks_of(bytes(said)))
    assert body.count(b'{"prediction":{') == count


def test_a_client_that_goes_away_ends_the_work(make_world, wait):
    world = make_world(model={"pipeline": "ensemble.SRPClassifier(n_models=3)"})
    world.learn(50)
    stream = world.served()
    line = lines({"x": 1.0, "z": 1.5})
    sent = 0
    with world.api(stream) as client:
        with raw(client) as connection:
            send_head(connection, "?record=false")
            connection.settimeout(0.5)
            try:
                while sent < 1_000_000:  # at some point the server's buffers are full
                    send_chunk(connection, line * 1_000)
                    sent += 1_000
            except TimeoutError:
                pass
        before = -1

        def stands_still() -> bool:
            nonlocal before
            before, last = stream.answered, before
            time.sleep(0.3)
            return stream.answered == before == last

        wait(stands_still)
        assert stream.answered < sent
        assert client.get("/healthz").status_code == 200


def test_a_stream_that_dries_up_ends_with_a_problem(make_world):
    world = make_world(api={"body_timeout": 200})
    world.learn()
    with world.api() as client, raw(client) as connection:
        send_head(connection)
        send_chunk(connection, lines(world.event()))
        said = read_until(connection, b"0\r\n\r\n")
    assert b"body_timeout" in said
    assert b'"field":"events[1]"' in said


def test_many_lines_let_other_requests_in_between(make_world):
    world = make_world(model={"pipeline": "ensemble.SRPClassifier(n_models=3)"})
    world.learn(50)
    with world.api() as client, raw(client) as connection:
        send_head(connection, "?record=false")
        send_chunk(connection, lines({"x": 1.0, "z": 1.5}) * 500)
        longest = 0.0
        for _ in range(20):
            started = time.monotonic()
            client.get("/healthz")
            longest = max(longest, time.monotonic() - started)
    assert longest < 0.5


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 1_000])
def test_lines_do_not_depend_on_how_the_body_is_cut(cut):
    body = b"ab\n\r\ncdefghijk\nxyz\n \nlast"

    async def read() -> list[bytes | None]:
        parts = [body[start : start + cut] for start in range(0, len(body), cut)]
        messages = iter(
            {"type": "http.request", "body": part, "more_body": index + 1 < len(parts)}
            for index, part in enumerate(parts)
        )

        async def receive():
            return next(messages)

        return [line async for line in lines_of(receive, 5, 1.0)]

    assert asyncio.run(read()) == [b"ab", None, b"xyz", b"last"]


def test_a_full_spool_makes_the_writer_wait():
    async def check() -> None:
        with Spool(10) as spool:
            await spool.put(b"x" * 10)
            more = asyncio.create_task(spool.put(b"y"))
            await asyncio.sleep(0.01)
            assert not more.done()
            assert await spool.get() == b"x" * 10
            await more
            assert await spool.get() == b"y"

    asyncio.run(check())


def test_what_goes_through_a_spool_is_neither_lost_nor_mixed():
    async def check() -> None:
        with Spool(5 << 20) as spool:
            got = bytearray()

            async def read() -> None:
                while data := await spool.get():
                    got.extend(data)
                    await asyncio.sleep(0)

            reader = asyncio.create_task(read())
            sent = bytearray()
            for number in range(3_000):
                part = str(number).encode() * 500
                sent += part
                await spool.put(part)
                if number % 700 == 0:
                    await asyncio.sleep(0.01)
            spool.end()
            await reader
            assert got == sent

    asyncio.run(check())


def chunks_of(said: bytes) -> list[bytes]:
    rest, found = said.partition(b"\r\n\r\n")[2], []
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        found.append(rest[: int(size, 16)])
        rest = rest[int(size, 16) + 2 :]
    return found


def raw(client) -> socket.socket:
    address = urlsplit(str(client.base_url))
    return socket.create_connection((address.hostname, address.port), timeout=20)


def send_head(connection: socket.socket, query: str = "") -> None:
    connection.sendall(
        f"POST {BATCH}{query} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
        "Transfer-Encoding: chunked\r\n\r\n".encode()
    )


def send_chunk(connection: socket.socket, data: bytes) -> None:
    connection.sendall(b"%x\r\n%b\r\n" % (len(data), data))


def read_until(connection: socket.socket, end: bytes, *, head: bool = True) -> bytes:
    """Read until the end of something stands in the body that came."""
    found = b""
    while end not in (found.partition(b"chunked\r\n\r\n")[2] if head else found):
        data = connection.recv(65_536)
        assert data, found
        found += data
    return found
