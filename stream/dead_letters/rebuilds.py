"""Which letters a rebuild has dealt with: it reads the log again, and their records on it.

A rebuild learns from every record that its configuration takes, those included that once became
dead letters, and publishes nothing for them. To append such a record again would be to learn from
it twice, once the line has forgotten its id.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from stream.dead_letters.letter import Letter
from stream.records import Offsets, TopicPartition
from stream.storage.store import Store

_MOST = 10_000


class Rebuild(msgspec.Struct, frozen=True):
    """One rebuild that came to a checkpoint.

    Parameters
    ----------
    time
        When it began, in milliseconds since the epoch.
    expired_below
        Offsets below which the log held nothing any more then, by partition; 0 where none is named.
    """

    time: int
    expired_below: Mapping[TopicPartition, int]

    def has_read(self, letter: Letter) -> bool:
        """Return whether it has read the record that a letter is of."""
        earliest = self.expired_below.get(letter.source.topic_partition, 0)
        return letter.time < self.time and letter.source.offset >= earliest


def rebuilds_of(store: Store) -> list[Rebuild]:
    """Return the rebuilds of a stream that came to a checkpoint, the newest first.

    Raises
    ------
    StoreUnreachableError
    """
    committed = {row["version"] for row in store.versions()}
    found: dict[str, Rebuild] = {}
    for row in store.happenings(_MOST):
        detail = row["detail"]
        if row["kind"] == "rebuild" and (version := detail["version"]) in committed:
            below: Offsets = {
                TopicPartition.parse(name): offset
                for name, offset in detail["expired_below"].items()
            }
            # The newest first: of a version that began twice, the last attempt is the one.
            found.setdefault(version, Rebuild(round(row["at"] * 1000), below))
    return list(found.values())
