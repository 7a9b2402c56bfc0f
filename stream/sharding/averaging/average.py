"""The average of shards: what each has learned by itself, and where the weights are together.

Each shard's own part is kept apart. So a count never comes twice into the average, however often
and whenever a shard adopts: what is added up is always what each has learned from its own events.

- Moments, counts and extremes of the average are those of all own parts together.
- Weights are averaged step by step: from where the average before it stands they move by what the
  shards have moved theirs since, each weighing as much as it has learned events since.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from stream.learner import Learner
from stream.line import Line
from stream.sharding.averaging.model import read_model, write_model
from stream.sharding.averaging.part import Key, Moments, Part, Parts, total
from stream.storage.shared import Shared

KIND = "average"
"""Of averages in the table ``shared``, and of their adoptions."""


class Own(msgspec.Struct):
    """What one shard has learned from its own events.

    Parameters
    ----------
    learned
        How many events.
    parts
        What it has learned; of weights, how far these events have moved them.
    """

    learned: int
    parts: Parts


class Average(msgspec.Struct):
    """One average.

    Parameters
    ----------
    shards
        What each shard had learned by itself, by its name.
    weights
        The averaged weights.
    """

    shards: dict[str, Own] = {}
    weights: Parts = msgspec.field(default_factory=Parts)


def own(learner: Learner, learned: int, others: Parts | None) -> Own:
    """Return what a shard has learned by itself.

    Parameters
    ----------
    learner, learned
        The shard's, and from how many events.
    others
        What the shard has from others, as ``adopt`` left it; None before the first adoption.
    """
    parts = read_model(learner)
    return Own(learned, parts if others is None else parts - others)


def averaged(before: Average, shards: Mapping[str, Own]) -> Average | None:
    """Return the next average; None where nothing was learned since the one before.

    Parameters
    ----------
    before
        The last average, or an empty one.
    shards
        What each shard has learned by itself; one that is not named stays as it was.
    """
    shards = {name: one for name, one in shards.items() if not _is_older(one, before, name)}
    news = {
        name: one.learned - (before.shards[name].learned if name in before.shards else 0)
        for name, one in shards.items()
    }
    news = {name: count for name, count in news.items() if count > 0}
    count = sum(news.values())
    if not count:
        return None
    moved = [
        _moved(before.shards.get(name), shards[name]).weights(since / count)
        for name, since in sorted(news.items())
    ]
    return Average({**before.shards, **shards}, total([before.weights, *moved]).weights())


def _is_older(one: Own, before: Average, name: str) -> bool:
    """Return whether a shard went back behind what was averaged: it will learn that again."""
    known = before.shards.get(name)
    return known is not None and one.learned < known.learned


def _moved(before: Own | None, now: Own) -> Parts:
    return now.parts if before is None else now.parts - before.parts


def adopt(learner: Learner, average: Average, shard: str, others: Parts | None) -> Parts:
    """Let a shard go on from an average, and from what it has learned by itself since.

    Parameters
    ----------
    learner
        The shard's; changed.
    average
        What it adopts.
    shard
        Its name.
    others
        What it has from others until now; None before the first adoption.

    Returns
    -------
    Parts
        What it has from others from now on.
    """
    mine = own(learner, 0, others).parts
    rest = total(one.parts for name, one in sorted(average.shards.items()) if name != shard)
    weights = average.weights
    if shard in average.shards:
        # ``-`` keeps only what stands on its left: weights that nobody else has are zero there.
        counted = average.shards[shard].parts.weights()
        weights = counted.weights(0.0) + weights - counted
    following = rest.without_weights() + weights
    write_model(learner, following + mine)
    return following


class Averager:
    """Takes averages into a shard: see ``stream.sharding.adoption.Adopter``.

    Parameters
    ----------
    shard
        The shard's name.
    """

    kind = KIND
    newest_only = True

    def __init__(self, shard: str) -> None:
        self._shard = shard

    def adopt(self, line: Line, shared: Shared) -> None:
        """Let the line's model go on from an average."""
        kept = line.adopted.kept
        kept[KIND] = adopt(line.learner, decode(shared.data), self._shard, kept.get(KIND))


_Pairs = list[tuple[Key, bool | int | float]]  # naive Bayes counts a first one as True


class _Sent(msgspec.Struct, array_like=True):
    """A part as pairs: keys of dictionaries would lose their types on the way."""

    moments: list[tuple[Key, Moments]]
    sums: _Pairs
    lows: _Pairs
    highs: _Pairs
    members: list[Key]
    weights: _Pairs


class _SentAverage(msgspec.Struct, array_like=True):
    shards: dict[str, tuple[int, dict[str, _Sent]]]
    weights: dict[str, _Sent]


_decoder = msgspec.msgpack.Decoder(_SentAverage)


def encode(average: Average) -> bytes:
    """Return an average as bytes."""
    shards = {name: (one.learned, _sent(one.parts)) for name, one in average.shards.items()}
    return msgspec.msgpack.encode(_SentAverage(shards, _sent(average.weights)))


def decode(data: bytes) -> Average:
    """Return the average that ``encode`` wrote."""
    sent = _decoder.decode(data)
    shards = {
        name: Own(learned, _received(parts)) for name, (learned, parts) in sent.shards.items()
    }
    return Average(shards, _received(sent.weights))


def _sent(parts: Parts) -> dict[str, _Sent]:
    return {
        place: _Sent(
            list(one.moments.items()),
            list(one.sums.items()),
            list(one.lows.items()),
            list(one.highs.items()),
            list(one.members),
            list(one.weights.items()),
        )
        for place, one in parts.by_place.items()
    }


def _received(sent: dict[str, _Sent]) -> Parts:
    return Parts(
        {
            place: Part(
                dict(one.moments),
                dict(one.sums),
                dict(one.lows),
                dict(one.highs),
                dict.fromkeys(one.members),
                dict(one.weights),
            )
            for place, one in sent.items()
        }
    )
