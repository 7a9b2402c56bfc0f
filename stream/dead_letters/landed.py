"""Which records of a replay's batch are on the log: read from where the topics ended before it."""

from __future__ import annotations

import msgspec

from stream.dead_letters.journal import Mark
from stream.dead_letters.reading import Progress, records_until
from stream.log import Bounds, Source
from stream.origin import Place, read_origin


class Landed(msgspec.Struct, frozen=True):
    """What was found of a batch.

    Parameters
    ----------
    places
        Of the records that could not be used and whose replays are on the log.
    is_known
        False where the log no longer holds what was appended since: then nobody knows of the rest.
    """

    places: set[Place]
    is_known: bool


def find_landed(source: Source, mark: Mark, show: Progress) -> Landed:
    """Look for the records of a batch.

    Parameters
    ----------
    source
        Reads the topics that are appended to. It is moved.
    mark
        Of the batch.
    show
        Told how many offsets have been passed.

    Raises
    ------
    LogError
    """
    wanted = dict(zip(mark.firsts, mark.places, strict=True))
    bounds, starts = source.bounds(), mark.starts
    held = {
        tp: Bounds(start, bounds[tp].end)
        for tp, start in starts.items()
        if tp in bounds and bounds[tp].earliest <= start <= bounds[tp].end
    }
    places = set()
    for record in records_until(source, held, show):
        try:
            origin = read_origin(record.headers)
        except ValueError:
            continue  # Somebody else's: a replay writes it well.
        if origin is not None and origin.place in wanted:
            places.add(wanted[origin.place])
    return Landed(places, is_known=len(held) == len(starts))
