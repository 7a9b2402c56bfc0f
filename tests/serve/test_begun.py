"""A limit on time that is only set where something waits."""

from __future__ import annotations

import asyncio

import pytest
import uvloop

from serve.api.begun import within

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(params=LOOPS)
def run(request):
    """Return what runs a coroutine on one of both kinds of loops."""

    def runs(coroutine):
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            return runner.run(coroutine)

    return runs


async def _several_waits(log):
    for number in range(3):
        await asyncio.sleep(0.001)
        log.append(number)
    return "done"


def test_what_is_there_needs_no_timer(run, monkeypatch):
    def no_timer(_):
        raise AssertionError("a timer was set")

    async def there():
        return 5

    monkeypatch.setattr(asyncio, "timeout", no_timer)
    assert run(within(0.0, there())) == 5


def test_several_waits_go_to_the_end(run):
    log = []
    assert run(within(5.0, _several_waits(log))) == "done"
    assert log == [0, 1, 2]


def test_an_error_before_or_after_waiting_comes_through(run):
    async def fails(waits):
        if waits:
            await asyncio.sleep(0)
        raise KeyError("inside")

    for waits in (False, True):
        with pytest.raises(KeyError, match="inside"):
            run(within(5.0, fails(waits)))


def test_too_long_is_cancelled_inside_and_a_timeout_outside(run):
    cleaned = []

    async def waits():
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.001)  # even cleaning up may wait
            cleaned.append(True)

    with pytest.raises(TimeoutError):
        run(within(0.01, waits()))
    assert cleaned == [True]


def test_a_cancellation_from_outside_is_none_of_ours(run):
    async def outer():
        task = asyncio.create_task(within(60.0, asyncio.Event().wait()))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return task.cancelled()

    assert run(outer())


def test_who_swallows_the_cancellation_answers_late(run):
    async def stubborn():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "late"

    assert run(within(0.01, stubborn())) == "late"  # as asyncio.timeout has it


def test_a_second_cancellation_reaches_what_cleans_up(run):
    async def outer():
        seen = []

        async def waits():
            try:
                await asyncio.Event().wait()
            finally:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    seen.append("second")
                    raise

        task = asyncio.create_task(within(60.0, waits()))
        for _ in range(2):
            await asyncio.sleep(0.01)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return seen

    assert run(outer()) == ["second"]
