"""Explaining in a thread of its own, on a copy of the model that nobody else uses."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from serve.api.model_holder import LiveModel, ModelHolder
from serve.api.predicting.divided import refuse_divided
from serve.api.predicting.served_keys import ServedKeys
from serve.api.problems import ProblemError, problem_of
from stream.checkpoint import MODEL_PART, STATE_PART
from stream.errors import CheckpointDamagedError, StoreError
from stream.events import Features
from stream.learner import Learner
from stream.snapshot import load_learner
from stream.storage.store import Store

T = TypeVar("T")

_WAITING_MAX = 16
_TRIES = 3
_RETRY = {"Retry-After": "1"}


class ModelCopy(NamedTuple):
    """A model of one's own, and what it can be compared with.

    Parameters
    ----------
    live
        The served model that it is a copy of.
    learner
        The copy.
    background
        The first events of the stream, as the checkpoint keeps them.
    """

    live: LiveModel
    learner: Learner
    background: list[Features]


class Explainer:
    """Runs explanations one at a time, beside the event loop.

    Parameters
    ----------
    store
        Holds the checkpoints; only read.
    models
        The model that answers.
    """

    def __init__(self, store: Store, models: ModelHolder) -> None:
        self._store = store
        self._models = models
        self._copy: ModelCopy | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._waiting = 0

    def start(self) -> None:
        """Let requests be answered."""
        self._thread = ThreadPoolExecutor(1, "riverrun-explain")

    def stop(self) -> None:
        """Answer no more. May be repeated."""
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
            self._thread = None

    async def run(self, work: Callable[[ModelCopy], T]) -> T:
        """Do something with a copy of the served model, in the thread.

        Raises
        ------
        ProblemError
            503 where there is no model, the store does not answer, or too many wait.
        """
        if self._thread is None or self._waiting >= _WAITING_MAX:
            detail = f"{self._waiting} explanations wait; they are made one at a time: try again"
            raise ProblemError(problem_of(503, "explaining_busy", detail), _RETRY)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._thread, lambda: work(self._current())
            )
        except StoreError as error:
            raise ProblemError(problem_of(503, "store_unreachable", str(error)), _RETRY) from None
        finally:
            self._waiting -= 1

    def _current(self) -> ModelCopy:
        for _ in range(_TRIES):  # a checkpoint may be replaced between two looks
            live = self._models.live
            if live is None:
                refuse_divided(self._models)
                raise ProblemError(problem_of(503, "no_model", "there is no model yet"), _RETRY)
            if self._copy is not None and self._copy.live.number == live.number:
                return self._copy
            try:
                model = self._store.load_part(live.stored, MODEL_PART)
                state = self._store.load_part(live.stored, STATE_PART)
            except CheckpointDamagedError as error:
                problem = problem_of(503, "checkpoint_damaged", str(error))
                raise ProblemError(problem) from None
            if model is None or state is None:
                continue
            # Verified by the store when they were read.
            probes: list[Features] = pickle.loads(state)["probes"]  # noqa: S301
            learner = load_learner(model)
            keys = ServedKeys(self._store.key_models)  # models are not for two threads
            keys.follow(learner, live.number)
            seen = [learner.seen(probe) for probe in probes]
            self._copy = ModelCopy(live, learner, seen)
            return self._copy
        detail = "checkpoints are replaced faster than they can be read; try again"
        raise ProblemError(problem_of(503, "checkpoint_replaced", detail), _RETRY)
