"""Errors that a person can act on: what was found, what was expected, what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


class RiverrunError(Exception):
    """Root of every error that riverrun raises for a mistake or for the outside world failing.

    The command line prints the message without a traceback and leaves with ``exit_code``.
    """

    exit_code: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in the configuration.

    Parameters
    ----------
    key
        Dotted name of the setting, such as ``labels.max_delay``.
    found
        What stands there, as text.
    allowed
        What may stand there, and what to do.
    """

    key: str
    found: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.key}: found {self.found}; {self.allowed}"


class ConfigError(RiverrunError):
    """Raised by the composition root: every mistake of a configuration, in one message."""

    exit_code = 2

    def __init__(self, where: str, problems: list[Problem]) -> None:
        self.where = where
        self.problems = problems
        count = "1 mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
        super().__init__("\n  ".join([f"{where}: {count}", *map(str, problems)]))


class PipelineError(RiverrunError):
    """Raised by the pipeline reader: the text is not a River pipeline that may be built."""

    exit_code = 2


class InputError(RiverrunError):
    """Raised by commands that read a person's file or arguments."""

    exit_code = 2


class LogError(RiverrunError):
    """Raised by the event logs (memory, SQLite, Kafka)."""

    exit_code = 3


class LogUnreachableError(LogError):
    """The broker or the log's file cannot be reached, opened or written."""


class NotAcknowledgedError(LogUnreachableError):
    """Records are not on the log when time is over; who has more of it may wait again.

    They are still on their way; or, where ``append`` raises it at once, none of them has left.
    """


class TopicNotFoundError(LogError):
    """A topic does not exist on the broker and is not to be created."""

    def __init__(self, topic: str, url: str, known: list[str]) -> None:
        self.topic = topic
        shown = ", ".join(sorted(known)[:10]) or "none"
        super().__init__(
            f"topic {topic!r} does not exist on {url} (topics there: {shown}); correct [topics] in "
            "the configuration, or create it with 'riverrun check --create-topics'"
        )


class PartitionNotFoundError(LogError):
    """A record names a partition that its topic does not have; nothing of it was written."""

    def __init__(self, topic: str, partition: int, count: int) -> None:
        super().__init__(
            f"topic {topic!r} has {count} partitions; a record is for partition {partition}. Name "
            f"one below {count}, or none"
        )


class RecordTooLargeError(LogError):
    """A record is larger than the log accepts; nothing of it was written."""

    exit_code = 2

    def __init__(self, topic: str, size: int | None, limit: int | None) -> None:
        self.topic = topic
        measured = "a record" if size is None else f"a record of {size:,} bytes"
        allowed = "the broker's limit" if limit is None else f"the limit of {limit:,} bytes"
        super().__init__(f"{measured} for topic {topic!r} is over {allowed}; send a smaller one")


class OffsetExpiredError(LogError):
    """The log no longer holds the offset that is to be read next."""

    exit_code = 4

    def __init__(self, partition: str, wanted: int, earliest: int) -> None:
        self.partition = partition
        self.wanted = wanted
        self.earliest = earliest
        super().__init__(
            f"{partition}: the checkpoint continues at offset {wanted}, but the log now begins at "
            f"{earliest}: {earliest - wanted} records expired unread. Set stream.on_gap = "
            '"continue" to record the gap and go on, or keep records longer on the log'
        )


class OffsetTruncatedError(LogError):
    """The log ends before the offset that is to be read next."""

    exit_code = 4

    def __init__(self, partition: str, wanted: int, end: int) -> None:
        self.partition = partition
        self.wanted = wanted
        self.end = end
        super().__init__(
            f"{partition}: the checkpoint continues at offset {wanted}, but the log ends at {end}: "
            "the log was truncated or replaced. Restore it, or start a new store"
        )


class TopicReplacedError(LogError):
    """A topic was deleted and made anew while it was read, or between two runs of the worker."""

    exit_code = 4

    def __init__(self, topic: str, when: str = "while it was read") -> None:
        self.topic = topic
        super().__init__(
            f"topic {topic!r} was deleted and made anew, or is another log's, {when}: what was "
            "unread is gone, and its offsets mean something else now. Restore the topic, learn "
            "everything anew from this one with --rebuild, or start a new store"
        )


class UndecodableBatchError(LogError):
    """A batch on the log cannot be unpacked: missing codec, bad checksum, or too large."""

    exit_code = 4

    def __init__(self, partition: str, offset: int, reason: str) -> None:
        self.partition = partition
        self.offset = offset
        super().__init__(
            f"{partition}: the batch at offset {offset} cannot be unpacked ({reason}). Nothing was "
            "skipped. Install what is named, or give the batch up: delete the log's records up to "
            'behind it (kafka-delete-records) and set stream.on_gap = "continue"'
        )


class ReplayRunningError(RiverrunError):
    """Another replay of the same dead letters is at work; this one appended nothing."""

    exit_code = 4


class StoreError(RiverrunError):
    """Raised by the store of checkpoints."""

    exit_code = 3


class StoreUnreachableError(StoreError):
    """The database cannot be reached, opened or written."""


class StoreVersionError(StoreError):
    """The store's tables are of a version that this riverrun does not work with."""

    exit_code = 4


class StoreReplacedError(StoreError):
    """Another file stands where the store was opened, or none: what is written would be lost."""

    exit_code = 4

    def __init__(self, store: str, *, is_gone: bool) -> None:
        what = "was deleted" if is_gone else "was replaced by another file"
        super().__init__(
            f"store {store} {what} while it was open; this process wrote nothing more. Put the "
            "right file there, or restore a backup ('riverrun store restore FILE'), and start again"
        )


class BackupError(StoreError):
    """A backup cannot be made, read or restored; nothing was changed."""

    exit_code = 2


class FencedError(StoreError):
    """Another worker took over this shard: this one may not commit any more."""

    exit_code = 4

    def __init__(self, shard: str, own: int, current: int) -> None:
        self.own = own
        self.current = current
        super().__init__(
            f"{shard}: another worker took over (its epoch is {current}, ours is {own}); "
            "this one changed nothing and stops"
        )


class CheckpointDamagedError(StoreError):
    """A checkpoint does not match its digest or signature; it is not unpickled."""

    exit_code = 4


class HaltedError(RiverrunError):
    """The worker stops on purpose, because going on would lose or spoil something."""

    exit_code = 4
