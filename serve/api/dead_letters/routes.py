"""``POST /dead-letters/replay``: what can be used now is appended once more, asked by a person."""

from __future__ import annotations

import asyncio
import time
from contextlib import closing
from functools import partial
from threading import Lock
from typing import Annotated

from fastapi import FastAPI, Query
from pydantic import BaseModel, Field
from starlette.requests import Request

from serve.api.auth.caller import actor_of
from serve.api.lifecycle.asking import read_reason
from serve.api.models import with_example
from serve.api.openapi import body, problems
from serve.api.problems import ProblemError, problem_of
from serve.api.served_stream import ServedStream, Streams
from stream.dead_letters.reading import unseen
from stream.dead_letters.rebuilds import Rebuild, rebuilds_of
from stream.dead_letters.replay import Outcome, Replay
from stream.dead_letters.selection import Selection
from stream.errors import LogError, ReplayRunningError, TopicNotFoundError
from stream.storage.audit import Actor

_RETRY = {"Retry-After": "10"}
_SECONDS = 60.0
_MOST = 100_000


class Replayed(BaseModel):
    """What a replay of dead letters did."""

    model_config = with_example(
        {
            "state": "done",
            "outcome": "3 of 5 dead letters replayed; 2 skipped: they were replayed before",
            "topic": "flights.dead-letters",
            "selected": 5,
            "replayed": 3,
            "skipped": {"already_replayed": 2},
            "rejections": {},
            "more": False,
        }
    )

    state: str = Field(description="Always `done`: the answer comes when they are durable.")
    outcome: str = Field(description="A sentence for people.")
    topic: str
    selected: int
    replayed: int
    skipped: dict[str, int] = Field(description="Not replayed, by reason.")
    rejections: dict[str, int] = Field(
        description="Of those that would only become dead letters again, by stage and reason."
    )
    more: bool = Field(description="Whether it ended at the limit or after a minute; ask again.")


def add_dead_letter_routes(app: FastAPI, streams: Streams) -> None:
    """Add the route that replays."""
    locks = {served.name: Lock() for served in streams}

    @app.post(
        "/v1/streams/{stream}/dead-letters/replay",
        operation_id="replay_dead_letters",
        summary="Replay dead letters that can be used now",
        description="As `riverrun dead-letters replay`: the original bytes go to the topic that "
        "they came from, each at most once however often this is asked; what would be refused "
        "again, or was replayed before, is skipped. Answers when they are durable, after a "
        "minute at the latest. Who asked, and why, stands in the audit (`/audit`).",
        tags=["monitor"],
        response_model=Replayed,
        responses=problems(400, 404, 409, 413, 415, 422, 503),
        openapi_extra=body("Reason"),
    )
    async def replay_dead_letters(
        stream: str,
        request: Request,
        limit: Annotated[int, Query(ge=1, le=_MOST, description="Records, oldest first.")] = _MOST,
    ) -> Replayed:
        served = streams.find(stream)
        reason = await read_reason(request)
        lock = locks[served.name]
        if not lock.acquire(blocking=False):
            raise _running(f"a replay of {served.name!r} is under way here; ask again later")
        try:
            prepare = partial(_prepare, served, actor_of(request), reason, limit)
            rebuilds = await served.history.read(prepare)
            return await asyncio.to_thread(_replay, served, rebuilds, limit)
        finally:
            lock.release()


def _prepare(served: ServedStream, by: Actor, reason: str, limit: int) -> list[Rebuild]:
    """Write down who asks, before anything is done, and return what was rebuilt."""
    store = served.history.store
    store.audit.write("replay_dead_letters", by, reason, {"limit": limit}, served.clock.now())
    return rebuilds_of(store)


def _replay(served: ServedStream, rebuilds: list[Rebuild], limit: int) -> Replayed:
    """Replay in the thread that calls."""
    deadline = time.monotonic() + _SECONDS
    stopped = False

    def is_over() -> bool:
        nonlocal stopped
        stopped = time.monotonic() >= deadline
        return stopped

    try:
        replay = Replay(
            served.log, served.config, Selection(), limit=limit, check=True, rebuilds=rebuilds,
            clock=served.clock,
        )  # fmt: skip
        with closing(replay):
            replay.read_marks(unseen)
            outcome = replay.run(is_over, unseen)
            return _told(replay.topic.topic, outcome, stopped or outcome.replayed >= limit)
    except TopicNotFoundError as error:
        if error.topic != served.config.dead_letters_topic:
            raise _unreachable(error) from None
        return _told(error.topic, Outcome(), more=False)  # nothing ever became one
    except ReplayRunningError as error:
        raise _running(str(error)) from None
    except LogError as error:
        raise _unreachable(error) from None


def _told(topic: str, outcome: Outcome, more: bool) -> Replayed:
    parts = [outcome.share("replayed")]
    parts += [f"{count:,} skipped: they {why}" for count, why in outcome.skips()]
    return Replayed(
        state="done",
        outcome="; ".join(parts) + ("; ask again for the rest" if more else ""),
        topic=topic,
        selected=outcome.selected,
        replayed=outcome.replayed,
        skipped=dict(outcome.skipped),
        rejections=dict(outcome.rejections),
        more=more,
    )


def _running(detail: str) -> ProblemError:
    return ProblemError(problem_of(409, "replay_running", detail), _RETRY)


def _unreachable(error: LogError) -> ProblemError:
    detail = f"{error}. What was appended is marked: ask again, and each is appended once"
    return ProblemError(problem_of(503, "log_unreachable", detail), _RETRY)
