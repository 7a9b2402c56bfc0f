"""Explaining in a thread of its own, on a copy of the model that nobody else uses."""

from __future__ import annotations

import asyncio
import pickle
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from serve.api.live_model import Answering, LiveModel, LiveVote, NoModelOfShardError
from serve.api.model_holder import ModelHolder
from serve.api.predicting.served_keys import ServedKeys
from serve.api.problems import ProblemError, problem_of
from stream.checkpoint import MODEL_PART, STATE_PART
from stream.errors import CheckpointDamagedError, StoreError
from stream.events import Features
from stream.learner import Learner
from stream.sharding.vote import JointLearner
from stream.snapshot import load_learner
from stream.storage.store import Store

T = TypeVar("T")

_WAITING_MAX = 16
_TRIES = 3
_COPIES = 4
"""Models that are kept: of a divided stream, those of the shards that were asked last."""
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

    live: Answering
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
        self._copies: OrderedDict[str | None, ModelCopy] = OrderedDict()
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

    async def run(self, work: Callable[[ModelCopy], T], key: str = "") -> T:
        """Do something with a copy of the served model, in the thread.

        Parameters
        ----------
        work
            What is done.
        key
            Of the event: in a divided stream its shard's model is copied, or all that vote.

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
                self._thread, lambda: work(self._current(key))
            )
        except StoreError as error:
            raise ProblemError(problem_of(503, "store_unreachable", str(error)), _RETRY) from None
        finally:
            self._waiting -= 1

    def _current(self, key: str) -> ModelCopy:
        for _ in range(_TRIES):  # a checkpoint may be replaced between two looks
            live = self._models.live
            if live is None:
                raise ProblemError(problem_of(503, "no_model", "there is no model yet"), _RETRY)
            try:
                answering = live.of_key(key)
            except NoModelOfShardError as error:
                raise ProblemError(problem_of(503, "no_model", str(error)), _RETRY) from None
            found = self._copied(answering)
            if found is not None:
                return found
        detail = "checkpoints are replaced faster than they can be read; try again"
        raise ProblemError(problem_of(503, "checkpoint_replaced", detail), _RETRY)

    def _copied(self, live: Answering) -> ModelCopy | None:
        """Return a copy, or None where a checkpoint was replaced before it could be read."""
        shard = None if isinstance(live, LiveVote) else live.shard
        known = self._copies.get(shard)
        if known is not None and known.live.number == live.number:
            self._copies.move_to_end(shard)
            return known
        if isinstance(live, LiveVote):
            found = [self._read(one) for one in live.models.values()]
            read = [one for one in found if one is not None]
            if len(read) < len(found):
                return None
            joint = JointLearner(live.task, [learner for learner, _ in read])
            copy = ModelCopy(live, joint, [event for _, probes in read for event in probes])
        else:
            one = self._read(live)
            if one is None:
                return None
            copy = ModelCopy(live, *one)
        self._copies[shard] = copy
        if len(self._copies) > _COPIES:
            self._copies.popitem(last=False)
        return copy

    def _read(self, live: LiveModel) -> tuple[Learner, list[Features]] | None:
        store = self._store if live.shard is None else self._store.of_shard(live.shard)
        try:
            model = store.load_part(live.stored, MODEL_PART)
            state = store.load_part(live.stored, STATE_PART)
        except CheckpointDamagedError as error:
            raise ProblemError(problem_of(503, "checkpoint_damaged", str(error))) from None
        if model is None or state is None:
            return None
        # Verified by the store when they were read.
        probes: list[Features] = pickle.loads(state)["probes"]  # noqa: S301
        learner = load_learner(model)
        ServedKeys(store.key_models).follow(learner, live.number)  # its own: models of one thread
        return learner, [learner.seen(probe) for probe in probes]
