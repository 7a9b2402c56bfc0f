"""The same id is answered the same, recorded once: in one process, and in several."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from serve.api.errors import AnswersFileError
from serve.api.predicting.memory import AnswerMemory, Given

PREDICT = "/v1/streams/flights/predict"


def given(text: str) -> Given:
    return Given(text.encode(), b'"%b"' % text.encode())


def test_the_answer_stays_the_same_after_the_model_has_moved_on(world, wait):
    event = world.event()
    with world.api() as client:
        first = client.post(PREDICT, json={"event": event}).json()
        world.learn(50)
        wait(lambda: client.get("/v1/streams/flights").json()["serving"]["learned_offset"] > 60)
        again = client.post(PREDICT, json={"event": event})
        asked = client.post(PREDICT, json={"event": event, "record": False}).json()
        batch = client.post(f"{PREDICT}/batch", json={"events": [event]}).json()
        metrics = client.get("/metrics").text
    assert again.json() == first == batch["results"][0]["prediction"]
    assert again.headers["idempotent-replayed"] == "true"
    assert asked["learned_offset"] > first["learned_offset"]
    assert 'riverrun_repeated_requests_total{stream="flights"} 2.0' in metrics
    assert len([record for record in world.records() if record.key == event["id"].encode()]) == 1


def test_spaces_and_the_order_of_fields_do_not_make_another_event(world):
    with world.api() as client:
        one = b'{"event": {"id": "a", "at": 5, "x": 1.5, "z": 2}}'
        two = b'{"event": {"z": 2,  "x": 1.5, "at": 5, "id": "a"}}'
        first, second = (client.post(PREDICT, content=body) for body in (one, two))
    assert first.json() == second.json()
    assert second.headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize("change", [{"x": 9.0}, {"at": 6}, {"late": True}, {"new": 1}])
def test_another_event_under_a_remembered_id_is_a_409(world, change):
    event = {"id": "a", "at": 5, "x": 1.0}
    with world.api() as client:
        assert client.post(PREDICT, json={"event": event}).status_code == 200
        answer = client.post(PREDICT, json={"event": event | change})
        batch = client.post(f"{PREDICT}/batch", json={"events": [event | change]}).json()
        asked = client.post(PREDICT, json={"event": event | change, "record": False})
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:riverrun:problem:id_reused"
    assert answer.json()["errors"][0]["field"] == "event.id"
    assert batch["results"][0]["problem"]["status"] == 409
    assert asked.status_code == 200
    assert world.work()["counts"]["repeated"] == 0


def test_only_so_many_answers_are_remembered(make_world):
    world = make_world(api={"remembered": 10})
    world.learn()
    stream = world.served()
    events = [world.event() for _ in range(30)]
    with world.api(stream) as client:
        client.post(f"{PREDICT}/batch", json={"events": events})
        assert len(stream.memory) == 10
        newest = client.post(PREDICT, json={"event": events[-1]})
        oldest = client.post(PREDICT, json={"event": events[0]})
    assert "idempotent-replayed" in newest.headers
    assert "idempotent-replayed" not in oldest.headers


def is_durable(path):
    """Return whether all that was answered is known to be recorded."""
    with closing(sqlite3.connect(path)) as file:
        return file.execute("SELECT min(durable) FROM answers").fetchone() == (1,)


def test_processes_that_share_a_file_answer_the_same(make_world, tmp_path, wait):
    world = make_world(api={"remembered_file": str(tmp_path / "answers.db")})
    world.learn(30)
    with world.api() as one:
        event = world.event()
        first = one.post(PREDICT, json={"event": event}).json()
        wait(lambda: is_durable(tmp_path / "answers.db"))
        world.learn(30)
        with world.api() as two:
            again = two.post(PREDICT, json={"event": event})
            changed = two.post(PREDICT, json={"event": event | {"x": 77.0}})
    assert again.json() == first
    assert changed.status_code == 409
    assert [r.key for r in world.records()].count(event["id"].encode()) == 1
    with world.api() as after_a_restart:
        assert after_a_restart.post(PREDICT, json={"event": event}).json() == first


def test_of_two_processes_that_answer_at_once_the_first_one_counts(tmp_path):
    file = str(tmp_path / "answers.db")
    one, two = (AnswerMemory(10, file, "flights") for _ in range(2))
    other_stream = AnswerMemory(10, file, "trains")
    for memory in (one, two, other_stream):
        memory.open()
    assert one.recall("a") is two.recall("a") is None
    assert one.claim("a", given("1")) == given("1")
    assert two.claim("a", given("2"))[:2] == given("1")[:2]
    assert two.recall("a")[:2] == given("1")[:2]
    assert other_stream.recall("a") is None
    one.forget("a")
    assert AnswerMemory(10, None, "flights").recall("a") is None
    for memory in (one, two, other_stream):
        memory.close()


@pytest.fixture
def memories(tmp_path):
    """Return three memories that share a file, as three processes would."""
    found = [AnswerMemory(10, str(tmp_path / "answers.db"), "flights") for _ in range(3)]
    for memory in found:
        memory.open()
    yield found
    for memory in found:
        memory.close()


ANSWER = Given(b"digest", b"answer", b"header")


def test_who_lives_records_its_answers_itself(memories):
    one, two, _ = memories
    one.claim("a", ANSWER)
    for _ in range(2):
        seen = two.recall("a")
        assert seen[:3] == ANSWER[:3]
        assert not two.take_over("a", seen)
    assert not one.take_over("a", one.recall("a"))
    one.recorded(["a"])
    assert two.recall("a").unrecorded == b""


def test_of_an_ended_process_one_other_takes_over(memories):
    one, two, three = memories
    one.claim("a", ANSWER)
    seen, seen_too = two.recall("a"), three.recall("a")
    one.close()
    assert two.take_over("a", seen)
    assert not three.take_over("a", seen_too)
    assert not two.take_over("a", two.recall("a"))
    two.give_back("a")  # its queue was full
    assert three.take_over("a", three.recall("a"))


def test_what_an_ended_process_had_recorded_is_not_recorded_again(memories):
    one, two, _ = memories
    one.claim("a", ANSWER)
    seen = two.recall("a")
    one.recorded(["a"])
    one.close()
    assert not two.take_over("a", seen)


def test_what_another_process_shed_is_answered_anew(memories):
    one, two, _ = memories
    one.claim("a", ANSWER)
    assert two.recall("a") is not None
    one.forget("a")
    assert two.recall("a") is None


def test_the_file_is_bounded_too(tmp_path):
    memory = AnswerMemory(100, str(tmp_path / "answers.db"), "flights")
    memory.open()
    for number in range(2_000):
        memory.claim(str(number), given("x"))
    (rows,) = memory._file.execute("SELECT count(*) FROM answers").fetchone()
    assert 100 <= rows <= 100 + 256
    memory.close()


def test_a_file_that_cannot_be_used_is_named_at_the_start(tmp_path):
    (tmp_path / "notes.txt").write_text("not a database, and somebody's own\n" * 200)
    for path in (tmp_path / "notes.txt", tmp_path / "no" / "folder.db"):
        with pytest.raises(AnswersFileError, match=r"api\.remembered_file"):
            AnswerMemory(10, str(path), "flights").open()
    assert (tmp_path / "notes.txt").read_text().startswith("not a database")


def test_a_file_that_fails_later_does_not_fail_predictions(make_world, tmp_path):
    world = make_world(api={"remembered_file": str(tmp_path / "answers.db")})
    world.learn()
    stream = world.served()
    with world.api(stream) as client:
        stream.memory._file.execute("DROP TABLE answers")
        event = world.event()
        answers = [client.post(PREDICT, json={"event": event}) for _ in range(2)]
        metrics = client.get("/metrics").text
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert 'remembered_file_failures_total{stream="flights"} 2.0' in metrics


def test_a_shed_answer_is_not_remembered_so_that_asking_again_can_record_it(
    make_world, monkeypatch, wait
):
    import threading

    world = make_world(api={"queue": 1})
    world.learn()
    stream = world.served()
    gate = threading.Event()
    append = stream._sink.append
    monkeypatch.setattr(stream._sink, "append", lambda r: gate.wait(10) and append(r))
    with world.api(stream) as client:
        client.post(PREDICT, json={"event": world.event()})
        event = world.event()
        shed = client.post(PREDICT, json={"event": event}).json()
        gate.set()
        wait(lambda: not len(stream.recorder))
        again = client.post(PREDICT, json={"event": event}).json()
    assert (shed["recorded"], again["recorded"]) == (False, True)
    assert again["probabilities"] == shed["probabilities"]


def test_an_answer_whose_process_was_killed_is_recorded_by_the_one_that_gives_it_again(
    make_world, tmp_path, wait
):
    world = make_world(api={"remembered_file": str(tmp_path / "answers.db")})
    world.learn(30)
    event = world.event()
    killed = world.served()
    killed.recorder._append = lambda batch: 1 / 0  # killed before it could
    with world.api(killed) as client:
        first = client.post(PREDICT, json={"event": event}).json()
        killed.recorder._queue.clear()
    world.learn(30)
    with world.api() as client:
        assert client.post(PREDICT, json={"event": event | {"x": 77.0}}).status_code == 409
        for _ in range(3):
            assert client.post(PREDICT, json={"event": event}).json() == first
    (recorded,) = [r for r in world.records() if r.key == event["id"].encode()]
    assert world.work()["counts"]["served"] == 1
    assert str(first["probabilities"]["true"]) in dict(recorded.headers)["riverrun-served"].decode()


def test_a_file_of_an_older_release_is_used(tmp_path):
    path = tmp_path / "answers.db"
    with closing(sqlite3.connect(path)) as file:
        file.execute(
            "CREATE TABLE answers (number INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT NOT NULL,"
            "id TEXT NOT NULL, digest BLOB NOT NULL, answer BLOB NOT NULL, UNIQUE (stream, id))"
        )
        file.execute(
            "INSERT INTO answers (stream, id, digest, answer) VALUES (?, ?, ?, ?)",
            ("flights", "a", *given("1")[:2]),
        )
        file.commit()
    memory = AnswerMemory(10, str(path), "flights")
    memory.open()
    assert memory.recall("a") == given("1")
    # An API of the release before, which says of no answer whose it is.
    memory._file.execute("UPDATE answers SET durable = 0, header = x'01'")
    memory._own.clear()
    assert memory.take_over("a", memory.recall("a"))
    memory.close()
