"""Reading models of keys before they are asked to predict, beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from serve.api.live_model import Live, LiveModel, NoModelOfShardError
from serve.api.predicting.served_keys import Row
from stream.keys.per_key import PerKeyLearner

if TYPE_CHECKING:
    from serve.api.served_stream import ServedStream

_decode = msgspec.json.Decoder(Row).decode


async def bring_keys(
    stream: ServedStream, events: Iterable[bytes], shard_key: str | None = None
) -> None:
    """Read the models of the keys of events beside the event loop, where there are any.

    Parameters
    ----------
    stream
        Whose events they are.
    events
        As JSON; those that cannot be read are passed over.
    shard_key
        Of a divided stream, the key that says which shard answers; default each event's id.
    """
    live = stream.models.live
    if live is None or stream.config.model.per is None:
        return
    rows = [row for row in map(_row, events) if row is not None]
    for one in live.models.values():
        if isinstance(one.learner, PerKeyLearner):
            mine = [row for row in rows if _answers(one, live, shard_key or _id(stream, row))]
            if wanted := one.keys.missing(one.learner, mine):
                await asyncio.to_thread(one.keys.bring, wanted)


def _row(event: bytes) -> Row | None:
    try:
        return _decode(event)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None  # whoever answers the event says what is wrong with it


def _id(stream: ServedStream, row: Row) -> str:
    found = row.get(stream.config.event.id or "")
    return "" if found is None else str(found)


def _answers(one: LiveModel, live: Live, key: str) -> bool:
    """Return whether a model has part in the answer to an event of a key."""
    try:
        found = live.of_key(key)
    except NoModelOfShardError:
        return False
    return any(model is one for model in found.models.values())
