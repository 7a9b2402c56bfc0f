"""kill -9 of worker and API, a hundred times at random, while events come and a client asks."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from threading import Event, Thread

import httpx
import pytest

from stream.logs.open_log import open_log
from tests.faults.oracle import read_all, said_of
from tests.faults.scene import PROCESSES, Scene
from tests.faults.victim import serve
from tests.kafka.broker import free_port
from tests.lines import event, new_records, truth

pytestmark = pytest.mark.promise("learned_once", "answers_kept")

KILLS = 100
ASKED = 100_000
"""Numbers of the events that the client asks about begin here; those below are produced."""


class Api:
    """The API of a scene in a process of its own, which can be killed and started again."""

    def __init__(self, scene: Scene, folder) -> None:
        self.port = free_port()
        self._scene, self._ready = scene, folder / "ready"
        self.start()

    def start(self) -> None:
        self._ready.unlink(missing_ok=True)
        arguments = (self._scene.sections, self.port, str(self._ready))
        self.process = PROCESSES.Process(target=serve, args=arguments)
        self.process.start()

    def wait(self) -> None:
        deadline = time.monotonic() + 120
        while not self._ready.exists():
            assert self.process.is_alive(), "the API did not start"
            assert time.monotonic() < deadline
            time.sleep(0.01)


class Client:
    """Asks one event after another, and asks again until there is an answer."""

    def __init__(self, api: Api, scene: Scene) -> None:
        self.answers: dict[int, dict] = {}
        self.wrong: list[str] = []
        self._url = f"http://127.0.0.1:{api.port}/v1/streams/{scene.name}/predict"
        self._http = httpx.Client(timeout=10)

    def run(self, stop: Event) -> None:
        number = ASKED
        while not stop.is_set():
            answer = self.ask(number)
            if answer is None:
                # Whoever was killed may have answered these without recording them.
                for before in range(max(ASKED, number - 20), number):
                    while self.ask(before, stop) is None and not stop.is_set():
                        time.sleep(0.02)
                continue
            number += 1
            time.sleep(0.005)

    def ask(self, number: int, stop: Event | None = None) -> dict | None:
        """Return the answer; None where nobody answers. One that differs is wrong."""
        try:
            answer = self._http.post(self._url, json={"event": event(number)})
        except httpx.TransportError:
            return None
        if answer.status_code == 503:  # no model yet, or the store is being written
            return None
        if answer.status_code != 200:
            self.wrong.append(f"{number}: {answer.status_code} {answer.text}")
            return {}
        said = answer.json()
        if said != (first := self.answers.setdefault(number, said)):
            self.wrong.append(f"{number}: {first} became {said}")
        return said

    def close(self) -> None:
        self._http.close()


class Producer:
    """Appends labelled events and labels that come later, at a steady pace."""

    def __init__(self, scene: Scene) -> None:
        self.made = 0
        self._scene = scene

    def run(self, stop: Event) -> None:
        config = self._scene.config
        while not stop.is_set() and self.made < 20_000:
            numbers = range(self.made, self.made + 20)
            late = [{"id": f"e{n - 40}", "y": truth(n - 40)} for n in numbers if n >= 40]
            self._scene.produce(
                new_records(config.events_topic, [event(n) for n in numbers])
                + new_records(config.labels_topic, late)
            )
            self.made += 20
            time.sleep(0.15)


@pytest.fixture(params=["sqlite", pytest.param("kafka", marks=pytest.mark.slow_fault)])
def scene(request, tmp_path, record):
    """Return a stream without any event, on each log."""
    if request.param == "sqlite":
        broker = f"sqlite:///{tmp_path / 'log.db'}"
    else:
        broker = request.getfixturevalue("kafka_broker").url
    return Scene(
        broker,
        f"sqlite:///{tmp_path / 'store.db'}",
        tmp_path,
        record,
        events=0,
        labels={"max_delay": "30d"},
        event={"max_future": "365d"},
        api={"remembered_file": str(tmp_path / "answers.db")},
    )


@pytest.mark.timeout(900)
def test_a_hundred_kills_of_worker_and_api_under_load(scene, record, tmp_path):
    rng, stop = random.Random(20), Event()
    producer = Producer(scene)
    threads = [Thread(target=producer.run, args=(stop,))]
    threads[0].start()
    worker, api = scene.start(slow=0.01, forever=True), Api(scene, tmp_path)
    api.wait()
    client = Client(api, scene)
    threads.append(Thread(target=client.run, args=(stop,)))
    threads[1].start()
    killed = Counter()
    try:
        while killed.total() < KILLS:
            time.sleep(0.5 * rng.random())
            kind = rng.choice(["worker", "worker", "api"])
            victim = worker if kind == "worker" else api.process
            os.kill(victim.pid, signal.SIGKILL)
            victim.join(60)
            assert victim.exitcode == -signal.SIGKILL, f"the {kind} had ended by itself"
            record.fault()
            killed[kind] += 1
            if kind == "worker":
                worker = scene.start(slow=0.01, forever=True)
            else:
                api.start()
                # It may be killed before it ever listens, but not each time.
                if rng.random() < 0.8:
                    api.wait()
        api.wait()
    finally:
        stop.set()
        for thread in threads:
            thread.join(120)
    assert min(killed.values()) > KILLS / 5
    for number in client.answers:  # all of them once more, of a process that gave none of them
        assert client.ask(number) is not None
    client.close()
    assert not client.wrong
    os.kill(api.process.pid, signal.SIGTERM)
    api.process.join(120)
    assert api.process.exitcode == 0
    os.kill(worker.pid, signal.SIGTERM)
    assert scene.end(worker)[0] == 0
    labels = [{"id": f"e{number}", "y": truth(number)} for number in client.answers]
    labels += [
        {"id": f"e{n}", "y": truth(n)} for n in range(max(0, producer.made - 40), producer.made)
    ]
    scene.produce(new_records(scene.config.labels_topic, labels))
    code, errors = scene.run()
    assert code == 0, errors
    scene.assert_same_as_uninterrupted()
    assert_each_is_scored_as_answered(scene, producer, client)


def assert_each_is_scored_as_answered(scene, producer, client):
    """Compare what was produced and answered with what is learned and published."""
    numbers = [*range(producer.made), *client.answers]
    scene.record.compared({event(n)["a"]: 1 for n in numbers}, scene.learned())
    scene.record.assert_nothing_lost()
    log = open_log(scene.broker)
    published = {
        said["id"]: said for said in map(said_of, read_all(log, scene.config.predictions_topic))
    }
    log.close()
    assert len(client.answers) >= 200
    for number, answer in client.answers.items():
        said = published[f"e{number}"]
        assert said["source"] == "api"
        for name in ("prediction", "probabilities", "model_version", "learned_offset"):
            assert said[name] == answer[name]
