"""The client against the real API: every verb, sync and async alike, and live events that go on."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from threading import Thread

import pytest

from serve.api.app import create_app
from serve.api.run_api import ApiServer
from serve.client import (
    AsyncClient,
    Client,
    ConflictError,
    LiveEvent,
    NoAnswerError,
    NotFoundError,
    Prediction,
    RefusedEventError,
    Retries,
)
from serve.listening import listen
from tests.lines import SMALL_MONITOR
from tests.serve.conftest import eventually

QUICK = Retries(first_seconds=0.01)


class Waiting:
    """An ``AsyncClient`` whose verbs wait, so that one test is about both clients."""

    def __init__(self, *args, **options):
        self._loop = asyncio.new_event_loop()
        self._client = AsyncClient(*args, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._loop.run_until_complete(self._client.close())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def __getattr__(self, name):
        verb = getattr(self._client, name)

        def call(*args, **options):
            found = verb(*args, **options)
            if hasattr(found, "__aiter__"):
                return self._each(found)
            return self._loop.run_until_complete(found)

        return call

    def _each(self, found):
        try:
            while True:
                yield self._loop.run_until_complete(anext(found))
        except StopAsyncIteration:
            return
        finally:
            self._loop.run_until_complete(found.aclose())


@pytest.fixture(params=[Client, Waiting], ids=["sync", "async"])
def make(request):
    """Return what makes a client of either kind."""

    def made(url, stream="flights", **options):
        return request.param(str(url), stream, **({"retries": QUICK} | options))

    return made


def test_predictions_events_labels_and_what_became_of_them(world, make):
    with world.api() as api, make(api.base_url, id_field="id") as client:
        event, other = world.event(), world.event()
        said = client.predict(event)
        assert isinstance(said, Prediction)
        assert (said.event_id, said.recorded) == (event["id"], True)
        good, bad = client.predict_batch([other, {"x": [1]}], record=False)
        assert good.prediction.event_id == other["id"]
        assert bad.problem.kind == "wrong_type"
        (place,) = client.send_events(other).accepted
        assert (place.id, place.topic) == (other["id"], "flights.events")
        label = {"id": other["id"], "late": True}
        assert client.send_labels(label).accepted[0].topic == "flights.labels"
        eventually(lambda: len(world.records()) == 22)
        world.work()
        found = client.prediction(other["id"])
        assert (found.label, found.source) == (True, "worker")
        assert client.prediction(event["id"]).probabilities == said.probabilities
        assert client.predictions(limit=3, labelled=True).matching == 21
        every = [one.number for one in client.each_prediction(page=5)]
        assert every == list(range(22, 0, -1))
        assert client.status()["stream"] == "flights"


def test_an_answer_can_wait_for_what_was_just_written(world, make):
    with world.api() as api, make(api.base_url, id_field="id") as client:
        written = client.send_events(world.event(late=True))
        worker = Thread(target=world.work)
        worker.start()
        said = client.predict({"x": 1.0, "z": 1.5}, record=False, min_offset=written.min_offset)
        worker.join()
    assert said.learned_offset == 21


def test_versions_drift_and_what_is_asked_of_the_worker(make_world, make):
    world = make_world(monitor=SMALL_MONITOR)
    world.learn(150)
    with world.api() as api, make(api.base_url, by="a test") as client:
        assert client.models()["serving"] == "v1"
        assert client.drift(limit=5)["state"] == "OK"
        asked = client.retrain("to see it")
        assert (asked.state, asked.by) == ("waiting", "a test")
        assert client.wait(asked, 0.1).state == "waiting"
        eventually(lambda: (world.work() and client.wait(asked, 0.0).state == "waiting") or True)
        eventually(lambda: world.work() and client.wait(asked, 0.3).outcome == "run 1 began")
        with pytest.raises(NotFoundError, match="v9"):
            client.promote("v9", "there is none")
        with pytest.raises(ConflictError, match="nothing_before"):
            client.rollback("there is none before")
        cancelled = client.cancel(1, "seen")
        eventually(lambda: world.work() and client.wait(cancelled, 0.3).state == "done")


def test_a_refused_event_says_which_field_is_wrong(world, make):
    with world.api() as api, make(api.base_url) as client:
        with pytest.raises(RefusedEventError) as caught:
            client.predict({"x": 1.0})
        assert [one.field for one in caught.value.problem.errors] == ["event.id"]
        assert caught.value.problem.request_id
        with pytest.raises(NotFoundError, match="unknown_prediction"):
            client.prediction("no/such")
        with (
            make(api.base_url, stream="trains") as other,
            pytest.raises(NotFoundError, match="there is no stream 'trains'"),
        ):
            other.status()


def test_a_server_that_is_not_there_is_an_error_that_says_so(make):
    with make("http://127.0.0.1:1") as client, pytest.raises(NoAnswerError, match="not sent"):
        client.status()


def test_live_events_go_on_behind_the_last_one_when_the_server_comes_back(world, make):
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    listener.close()

    class At:
        """Serve on the same port each time."""

        def __init__(self):
            self.stops = []
            app = create_app([world.served()])
            server = ApiServer(app, listen("127.0.0.1", port), should_stop=lambda: bool(self.stops))
            self.thread = Thread(target=server.run)
            self.thread.start()
            eventually(lambda: server.started)

        def stop(self):
            self.stops.append(True)
            self.thread.join(20)

    server = At()
    found: list[LiveEvent] = []
    with make(f"http://127.0.0.1:{port}") as client:
        for event in client.live(["prediction", "status"]):
            if event.type == "status" and not found:
                world.learn(3)
            if event.type == "prediction":
                found.append(event)
            if len(found) == 3:
                break
        last = found[-1].id
        server.stop()
        world.learn(2)  # while nobody served
        server = At()
        try:
            for event in client.live(["prediction"], after=last):
                found.append(event)
                if len(found) == 5:
                    break
        finally:
            server.stop()
    assert [event.data["number"] for event in found] == [21, 22, 23, 24, 25]


def test_a_live_stream_survives_a_restart_of_the_server(world):
    """One call, while the server goes and comes back: nothing is missed, nothing comes twice."""
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    listener.close()
    numbers: list[int] = []

    def watch():
        with Client(f"http://127.0.0.1:{port}", "flights", retries=QUICK) as client:
            for event in client.live(["prediction"], after="1.4.0"):
                numbers.append(event.data["number"])
                if len(numbers) == 9:
                    return

    thread = Thread(target=watch, daemon=True)
    for round_ in range(3):
        stops: list[bool] = []
        app = create_app([world.served()])
        server = ApiServer(
            app, listen("127.0.0.1", port), should_stop=lambda stops=stops: bool(stops)
        )
        serving = Thread(target=server.run)
        serving.start()
        eventually(lambda server=server: server.started)
        if not round_:
            thread.start()
        world.learn(3)
        eventually(lambda round_=round_: len(numbers) >= 3 * round_ + 3)
        stops.append(True)
        serving.join(20)
    thread.join(5)
    assert numbers == list(range(21, 30))


def test_it_imports_no_log_no_model_and_no_server():
    heavy = ("kafka", "river", "sqlalchemy", "fastapi", "uvicorn", "stream", "monitor", "numpy")
    code = (
        "import sys, serve.client\n"
        f"found = [name for name in {heavy!r} if name in sys.modules]\n"
        "assert not found, found\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_both_clients_have_the_same_verbs_with_the_same_parameters():
    import inspect

    def verbs(kind):
        return {
            name: list(inspect.signature(verb).parameters)
            for name, verb in vars(kind).items()
            if not name.startswith("_")
        }

    assert verbs(Client) == verbs(AsyncClient)
