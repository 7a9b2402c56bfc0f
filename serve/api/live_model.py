"""A model that can answer, and where it comes from; of a divided stream, all that can."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from monitor.judge import EventJudge
from serve.api.predicting.served_keys import ServedKeys
from stream.events import Features
from stream.learner import Learner, Prediction
from stream.logs.partitioner import partition_of_key
from stream.sharding.names import shard_name
from stream.sharding.vote import Ballot, combine
from stream.storage.store import StoredCheckpoint


class Voice(msgspec.Struct, frozen=True):
    """A shard that answered, and how far its model has read."""

    shard: str
    model_version: str
    learned_offset: int


class Said(NamedTuple):
    """What was predicted, and of a divided stream by which shards.

    Parameters
    ----------
    prediction
        The prediction.
    voices
        The shards; empty where the stream is not divided.
    silent
        Shards that have no model, or whose model had nothing to say.
    answered_by
        Which model it is of, where there is one for each key; see ``stream.keys``.
    """

    prediction: Prediction
    voices: tuple[Voice, ...] = ()
    silent: int = 0
    answered_by: str | None = None


@dataclass(frozen=True, slots=True)
class LiveModel:
    """A model that can answer, and where it comes from.

    Parameters
    ----------
    learner
        Used by one thread, the event loop's: River does not promise that models can be shared.
    number
        Of its checkpoint.
    version
        The model version.
    learned_offset
        How far it has read: the sum of its next offsets.
    created_at
        When the checkpoint was made, in seconds since the epoch.
    offsets
        Next offset to read by partition, named as ``topic-partition``.
    judge
        Says what the monitor would say of an event; None before there is a schema.
    stored
        The checkpoint's row, by which the store finds the rest of it.
    keys
        Models of keys that belong to it, where the stream has them.
    shard
        Whose model it is, of a divided stream; else None.
    """

    learner: Learner
    number: int
    version: str
    learned_offset: int
    created_at: float
    offsets: Mapping[str, int]
    judge: EventJudge | None
    stored: StoredCheckpoint
    keys: ServedKeys
    shard: str | None = None

    @property
    def is_of_shards(self) -> bool:
        """Whether the stream is divided."""
        return self.shard is not None

    def of_key(self, key: str) -> LiveModel:
        """Return what answers for a key: this model, for every one."""
        return self

    @property
    def models(self) -> Mapping[int, LiveModel]:
        """The one model, as those of a divided stream are given."""
        return {0: self}

    def say(self, features: Features) -> Said:
        """Predict; may raise whatever the model raises."""
        prediction = self.learner.predict(features)
        voices = () if self.shard is None else (self.voice(),)
        return Said(prediction, voices, answered_by=self.learner.answered_by)

    def voice(self) -> Voice:
        """Return what an answer says of this shard's model."""
        return Voice(self.shard or "", self.version, self.learned_offset)


class NoModelOfShardError(Exception):
    """Raised where the shard that a key belongs to has no model yet."""


class LiveShards:
    """The models of a divided stream's shards.

    Parameters
    ----------
    models
        By the number of the shard; at least one.
    count
        Of all shards.

    Attributes
    ----------
    number
        Rises, or falls, with any of their checkpoints.
    version
        Of the models: one, or several with ``+`` between them.
    learned_offset, offsets
        Of all of them together.
    created_at
        Of the checkpoint that is oldest.
    judge
        Of the shard that has read most.
    """

    is_of_shards = True

    def __init__(self, models: Mapping[int, LiveModel], count: int) -> None:
        self.models = dict(sorted(models.items()))
        self.count = count
        found = self.models.values()
        self.number = sum(one.number for one in found)
        self.version = "+".join(sorted({one.version for one in found}))
        self.learned_offset = sum(one.learned_offset for one in found)
        self.created_at = min(one.created_at for one in found)
        self.judge = max(found, key=lambda one: one.learned_offset).judge
        self.offsets = {place: at for one in found for place, at in one.offsets.items()}

    @property
    def missing(self) -> int:
        """How many shards have no model."""
        return self.count - len(self.models)

    def of_key(self, key: str) -> LiveModel | LiveVote:
        """Return the model of the shard that a key belongs to, by Kafka's own partitioner.

        Raises
        ------
        NoModelOfShardError
        """
        number = partition_of_key(key.encode(), self.count)
        found = self.models.get(number)
        if found is None:
            raise NoModelOfShardError(
                f"the key {key[:200]!r} belongs to shard {shard_name(number, self.count)}, which "
                f"has no model yet; {len(self.models)} of {self.count} shards have one"
            )
        return found


class LiveVote(LiveShards):
    """The models of all shards, which answer together."""

    def __init__(self, models: Mapping[int, LiveModel], count: int) -> None:
        super().__init__(models, count)
        self.task = next(iter(self.models.values())).learner.task

    def of_key(self, key: str) -> LiveVote:
        """Return what answers for a key: all of them, for every one."""
        return self

    def say(self, features: Features) -> Said:
        """Return what the shards say together.

        Raises whatever a model raises, where no other one answers.
        """
        ballots: list[Ballot[LiveModel]] = []
        failure: Exception | None = None
        for one in self.models.values():
            try:
                ballots.append(Ballot(one, one.learner.predict(features)))
            except Exception as error:  # noqa: BLE001 - a model may raise anything
                failure = error
        prediction, voices = combine(self.task, ballots)
        if not voices and failure is not None:
            raise failure
        spoke = tuple(one.voice() for one in voices)
        return Said(prediction, spoke, self.count - len(spoke))


Live = LiveModel | LiveShards
"""What a request is answered with; ``of_key`` says by which model."""
Answering = LiveModel | LiveVote
"""What answers for one key."""
