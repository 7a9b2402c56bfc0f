"""Awaiting with a limit on time that costs nothing where there is nothing to wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class _Begun(Generic[T]):
    """A coroutine that has run up to where it first waits, or to its end.

    It begins in the task that makes it, and is awaited there, at once: what it waits for has
    marked itself for the task's next step.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._rest = coroutine.__await__()
        self.is_done = False
        self.result: T
        try:
            self._waits_for = next(self._rest)
        except StopIteration as end:
            self.is_done, self.result = True, end.value

    def __await__(self) -> Generator[Any, None, T]:
        waits_for = self._waits_for
        while True:
            try:
                yield waits_for
            except BaseException as error:  # noqa: BLE001 - a cancellation belongs inside
                try:
                    waits_for = self._rest.throw(error)
                except StopIteration as end:
                    return end.value  # type: ignore[no-any-return]
            else:
                return (yield from self._rest)


async def within(seconds: float, coroutine: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns, like ``asyncio.timeout``.

    A timer is only set where the coroutine really waits: setting and cancelling one costs as much
    as a small model's prediction, and most bodies are there when they are asked for.

    Raises
    ------
    TimeoutError
        When it takes longer than ``seconds``; then it was cancelled.

    Examples
    --------
    >>> asyncio.run(within(1.0, asyncio.sleep(0.001, "there")))
    'there'
    >>> asyncio.run(within(0.001, asyncio.sleep(60)))
    Traceback (most recent call last):
    TimeoutError
    """
    begun = _Begun(coroutine)
    if begun.is_done:
        return begun.result
    async with asyncio.timeout(seconds):
        return await begun
