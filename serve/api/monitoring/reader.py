"""Reading the store for requests: in few threads of their own, never on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pydantic import BaseModel
from starlette.responses import Response

from serve.api.problems import FieldError, ProblemError, problem_of
from serve.drift_history import DriftHistory, NoPanesError, UnknownVersionError
from stream.config import Config
from stream.errors import CheckpointDamagedError, StoreError
from stream.storage.store import Store

T = TypeVar("T")

_THREADS = 2
_WAITING_MAX = 64
_RETRY = {"Retry-After": "1"}


class HistoryReader:
    """What requests about the past of one stream share.

    Parameters
    ----------
    store
        Only read.
    config
        The stream's.

    Attributes
    ----------
    drift
        Tests spans of the past.
    """

    def __init__(self, store: Store, config: Config) -> None:
        self.store = store
        self.config = config
        self.drift = DriftHistory(store, config)
        self._threads: ThreadPoolExecutor | None = None
        self._waiting = 0

    def start(self) -> None:
        """Let requests be answered."""
        self._threads = ThreadPoolExecutor(_THREADS, "riverrun-history")

    def stop(self) -> None:
        """Answer no more; what has not begun is let go. May be repeated."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None

    async def read(self, ask: Callable[[], T]) -> T:
        """Ask the store in a thread.

        Parameters
        ----------
        ask
            May block.

        Raises
        ------
        ProblemError
            503 where the store does not answer or is damaged, or too many ask; 404 where there is
            no such version, or no pane.
        """
        if self._threads is None or self._waiting >= _WAITING_MAX:
            detail = f"{self._waiting} requests wait for the history; try again"
            raise ProblemError(problem_of(503, "history_busy", detail), _RETRY)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        except UnknownVersionError as error:
            errors = [FieldError(field="query.against", message=str(error))]
            problem = problem_of(
                404, "unknown_version", str(error), errors=errors, known=error.known
            )
            raise ProblemError(problem) from None
        except NoPanesError as error:
            raise ProblemError(problem_of(404, "no_panes", str(error))) from None
        except CheckpointDamagedError as error:
            raise ProblemError(problem_of(503, "history_damaged", str(error))) from None
        except StoreError as error:
            raise ProblemError(problem_of(503, "store_unreachable", str(error)), _RETRY) from None
        finally:
            self._waiting -= 1

    async def answer(self, make: Callable[[], BaseModel]) -> Response:
        """Make an answer in a thread, its JSON too: that of many features takes a while.

        Raises
        ------
        ProblemError
            As ``read``.
        """
        content = await self.read(lambda: make().model_dump_json(by_alias=True))
        return Response(content, media_type="application/json")
