"""A dead letter's record as it is appended again, or the reason why it is not."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Literal

import msgspec

from stream.clock import Clock
from stream.config import Config
from stream.dead_letters.journal import Journal
from stream.dead_letters.letter import Letter, original_headers
from stream.dead_letters.original import find_original
from stream.dead_letters.rebuilds import Rebuild
from stream.events import Decoder, Rejected
from stream.labels import LabelReader
from stream.log import MAX_RECORD_BYTES, Source
from stream.origin import REPLAYED_FROM, REPLAYED_TIME, Place, origin_headers
from stream.records import Headers, NewRecord, Record

Reason = Literal[
    "already_replayed",
    "unknown_outcome",
    "repeated",
    "other_topic",
    "already_scored",
    "rebuilt",
    "bad_header",
    "original_gone",
    "too_large",
    "still_rejected",
]

SKIPPED: dict[Reason, str] = {
    "already_replayed": "were replayed before",
    "unknown_outcome": "belong to a replay that was cut short, and the log no longer tells if "
    "they were appended",
    "repeated": "repeat another letter of the same record",
    "other_topic": "come from a topic or partition that the stream does not read",
    "already_scored": "failed while the model learned: they have been scored, and partly learned",
    "rebuilt": "were read again by a rebuild of the model, which learned what it took of them; say "
    "--rebuilt where it could not take them either",
    "bad_header": "have the headers of a replay in another form than one writes",
    "original_gone": "were too large for a dead letter, and the original is no longer there",
    "too_large": "are too large to be appended with the headers of a replay",
    "still_rejected": "would be rejected again by the configuration as it is",
}
"""Why letters are not replayed, in words that follow a number."""


class Revival(msgspec.Struct, frozen=True):
    """A record to append, and the letter that it comes from."""

    letter: Letter
    record: NewRecord


class Skip(msgspec.Struct, frozen=True):
    """Why a letter is not replayed; where it would be rejected again, by which ``stage/reason``."""

    reason: Reason
    rejection: str | None = None


class Reviver:
    """Makes records of letters again.

    Parameters
    ----------
    config
        Of the stream.
    source
        Reads its events and labels; it is moved.
    journal
        What was replayed before.
    check
        Whether records that the configuration refuses are skipped.
    rebuilds
        What they have read is skipped.
    clock
        For the time that a replay would be appended at.
    """

    def __init__(
        self,
        config: Config,
        source: Source,
        journal: Journal,
        *,
        check: bool,
        rebuilds: Sequence[Rebuild],
        clock: Clock,
    ) -> None:
        self._labels_topic = config.labels_topic
        self._source = source
        self._partitions = frozenset(source.partitions)
        self._journal = journal
        self._check = check
        self._rebuilds = tuple(rebuilds)
        self._clock = clock
        read_label = LabelReader(config.model.task, config.model.classes)
        self._decoder = Decoder(config.event, read_label)
        # Their number has no bound, so they are kept on disk, in a file that SQLite deletes.
        self._seen = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._seen.execute("PRAGMA journal_mode = OFF")
        self._seen.execute(
            "CREATE TABLE seen (topic, partition, offset, "
            "PRIMARY KEY (topic, partition, offset)) WITHOUT ROWID"
        )

    def begin(self) -> None:
        """Forget what was seen: the letters are read from the first on."""
        self._seen.execute("DELETE FROM seen")

    def revive(self, letter: Letter, record: Record) -> Revival | Skip:
        """Return what is to be appended for a letter.

        Parameters
        ----------
        letter, record
            As read from the dead-letter topic.

        Raises
        ------
        LogError
            When a record whose bytes were left out cannot be looked up.
        """
        reason = self._refused(letter)
        if reason is not None:
            return Skip(reason)
        value = record.value
        if letter.omitted:
            original = find_original(self._source, letter, record)
            if original is None:
                return Skip("original_gone")
            value = original.value
        headers = _headers(letter, original_headers(record))
        source = letter.source
        new = NewRecord(source.topic, record.key, value, headers, source.partition)
        if new.size > MAX_RECORD_BYTES:
            return Skip("too_large")
        if self._check and (rejected := self._rejected(new)) is not None:
            return Skip("still_rejected", f"{rejected.stage}/{rejected.kind}")
        self._saw(letter.first.place)
        return Revival(letter, new)

    def close(self) -> None:
        """Let go of the file."""
        self._seen.close()

    def _refused(self, letter: Letter) -> Reason | None:
        if letter.source.topic_partition not in self._partitions:
            return "other_topic"
        state = self._journal.state(letter.source)
        if state is not None:
            return "already_replayed" if state == "replayed" else "unknown_outcome"
        if letter.bad_origin:
            return "bad_header"
        # A worker that died may have written a letter twice.
        if self._was_seen(letter.first.place):
            return "repeated"
        if letter.stage == "learn":
            return "already_scored"
        if any(rebuild.has_read(letter) for rebuild in self._rebuilds):
            return "rebuilt"
        return None

    def _rejected(self, new: NewRecord) -> Rejected | None:
        now = round(self._clock.now() * 1000)
        record = Record(new.topic, new.partition or 0, 0, now, new.key, new.value, new.headers)
        decode = self._decoder.label if new.topic == self._labels_topic else self._decoder.event
        read = decode(record)
        return read if isinstance(read, Rejected) else None

    def _was_seen(self, place: Place) -> bool:
        query = "SELECT 1 FROM seen WHERE topic = ? AND partition = ? AND offset = ?"
        row = (place.topic, place.partition, place.offset)
        return self._seen.execute(query, row).fetchone() is not None

    def _saw(self, place: Place) -> None:
        row = (place.topic, place.partition, place.offset)
        self._seen.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", row)


def _headers(letter: Letter, original: Headers) -> Headers:
    """Return the record's own headers, and where it first stood."""
    own = tuple(pair for pair in original if pair[0] not in (REPLAYED_FROM, REPLAYED_TIME))
    return (*own, *origin_headers(letter.first))
