"""What a stream loses when it is divided, by how its shards share a model.

Four shards; each event belongs to the one that its id hashes to, by Kafka's partitioner. Scores are
progressive: each event is predicted, and then learned with its label, in the order of the stream.
`single` is one model over all events: what an undivided stream has. `independent` is the model of
the event's shard, `averaged` the same with an average that all shards adopt at once after every so
many events, and `vote` is all four models together, of which only the event's own learns. Merging,
adopting and voting are those of the workers and of the API. What a real stream adds is delay: an
average is made of checkpoints, and adopted within a second of it.

Shards that are averaged make a quarter of the steps each, so that their weights move a quarter as
far: `rate x 4` is `averaged, 1,000` with four times the learning rate of gradient descent (0.01).

The loss of two classes is the squared error of the probability (Brier), as the monitor counts it;
of bicycles by the hour it is the root of the mean squared error. Less is better. `lost` is how much
worse than `single` it is, in percent; of `averaged` with an average every 1,000 events.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import inspect
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import sqrt
from pathlib import Path
from typing import Any

from benchmarks.monitor_real import data
from benchmarks.retrain_streams import ELEC2, NOAA, _real
from serve.demo.flights import find_flights, replay
from stream.errors import InputError
from stream.labels import Label
from stream.learner import Learner, Prediction
from stream.logs.partitioner import partition_of_key
from stream.pipelines.read import read_pipeline
from stream.sections import Task
from stream.sharding.averaging.average import Average, adopt, averaged, decode, encode, own
from stream.sharding.averaging.model import refusals
from stream.sharding.averaging.part import Parts
from stream.sharding.vote import Ballot, combine

SHARDS = 4
INTERVALS = (100, 1_000, 10_000)
FOLDER = Path(__file__).parents[1] / "docs"
_RATE, _FASTER = "optim.SGD(0.01)", f"optim.SGD({0.01 * SHARDS})"
_NUMBERS = "preprocessing.StandardScaler()"
_RANGES = "preprocessing.MinMaxScaler()"
_MIXED = (
    "((compose.SelectType(str) | preprocessing.OneHotEncoder())"
    " + (compose.SelectType(int, float) | preprocessing.StandardScaler()))"
)

Row = tuple[dict[str, Any], Label]


@dataclass(frozen=True, slots=True)
class Stream:
    """Events with their labels, and the models that are tried on them."""

    name: str
    task: Task
    rows: list[Row]
    models: dict[str, str]


def streams(limit: int) -> Iterator[Stream]:
    """Yield the streams whose data are there; say of the others where they would be looked for."""
    binary = {
        "logistic regression": f"{_NUMBERS} | linear_model.LogisticRegression({_RATE})",
        "naive Bayes": "naive_bayes.GaussianNB()",
        "Hoeffding tree": "tree.HoeffdingTreeClassifier()",
    }
    for title, name, label, positive in (
        ("elec2", ELEC2, "class", "UP"),
        ("NOAA weather", NOAA, "rain", "1"),
    ):
        if _is_there(data() / name):
            rows = [(x, y) for x, y in _real(name, label, positive)(0, limit)]
            yield Stream(title, "binary", rows, binary)
    if _is_there(data() / "bike_sharing_hourly.csv.gz"):
        models = {
            "linear regression": f"{_RANGES} | linear_model.LinearRegression({_RATE})",
            "Hoeffding tree": "tree.HoeffdingTreeRegressor()",
        }
        yield Stream("bicycles", "regression", list(islice(_bicycles(), limit)), models)
    try:
        folder = find_flights()
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return
    models = {
        "logistic regression": f"{_MIXED} | linear_model.LogisticRegression({_RATE})",
        "Hoeffding tree": "tree.HoeffdingTreeClassifier()",
    }
    yield Stream("flights", "binary", _flights(folder, limit), models)


def measure(stream: Stream, pipeline: str, intervals: Sequence[int] = INTERVALS) -> dict[str, Any]:
    """Return the losses of each way to share a model, over one stream."""
    model = read_pipeline(pipeline, 42)
    can = not refusals(model)
    found: dict[str, Any] = {"single": _loss(stream, pipeline, count=1)}
    for every in intervals:
        loss = _loss(stream, pipeline, every=every) if can else None
        found[f"averaged, {every:,}"] = "refused" if loss is None else loss
    faster = pipeline.replace(_RATE, _FASTER)
    found["rate x 4"] = "" if faster == pipeline else _loss(stream, faster, every=1_000)
    found["independent"] = _loss(stream, pipeline)
    found["vote"] = _loss(stream, pipeline, votes=True)
    best = found.get("averaged, 1,000") if can else None
    found["lost, averaged"] = "" if best is None else _percent(best, found["single"])
    found["lost, independent"] = _percent(found["independent"], found["single"])
    found["lost, vote"] = _percent(found["vote"], found["single"])
    return {name: round(one, 4) if isinstance(one, float) else one for name, one in found.items()}


class Cluster:
    """Shards of one stream in memory.

    Parameters
    ----------
    task, pipeline
        Of their models.
    count
        Of shards.
    """

    def __init__(self, task: Task, pipeline: str, count: int) -> None:
        self.task = task
        self.learners = [Learner(read_pipeline(pipeline, 42), task) for _ in range(count)]
        self.learned = [0] * count
        self._others: list[Parts | None] = [None] * count
        self._average = Average()

    def learn(self, shard: int, features: dict[str, Any], label: Label) -> None:
        """Let a shard learn one event."""
        self.learners[shard].learn(features, label)
        self.learned[shard] += 1

    def vote(self, features: dict[str, Any]) -> Prediction:
        """Return what all shards say together."""
        ballots = [
            Ballot(number, one.predict(features)) for number, one in enumerate(self.learners)
        ]
        return combine(self.task, ballots)[0]

    def average(self) -> None:
        """Make an average of all shards, and let each adopt it."""
        each = zip(self.learners, self.learned, self._others, strict=True)
        found = {f"{n}": own(*one) for n, one in enumerate(each)}
        following = averaged(self._average, found)
        if following is None:
            return
        self._average = decode(encode(following))
        for n, learner in enumerate(self.learners):
            self._others[n] = adopt(learner, self._average, f"{n}", self._others[n])


def _loss(
    stream: Stream,
    pipeline: str,
    *,
    count: int = SHARDS,
    every: int | None = None,
    votes: bool = False,
) -> float:
    cluster, total = Cluster(stream.task, pipeline, count), 0.0
    for number, (features, label) in enumerate(stream.rows, start=1):
        shard = partition_of_key(f"e{number}".encode(), count)
        said = cluster.vote(features) if votes else cluster.learners[shard].predict(features)
        total += _loss_of(stream.task, said, label)
        cluster.learn(shard, features, label)
        if every is not None and number % every == 0:
            cluster.average()
    mean = total / len(stream.rows)
    return sqrt(mean) if stream.task == "regression" else mean


def _loss_of(task: Task, said: Prediction, label: Label) -> float:
    wanted = float(label) if task == "regression" else float(bool(label))
    nothing = 0.0 if task == "regression" else 0.5
    return (float(said if isinstance(said, int | float) else nothing) - wanted) ** 2


def _percent(loss: float, single: float) -> str:
    return f"{100 * (loss / single - 1):+.1f} %"


def _is_there(path: Path) -> bool:
    if not path.exists():
        sys.stderr.write(f"sharing: {path} is not there; set RIVERRUN_DATA to its folder\n")
    return path.exists()


def _bicycles() -> Iterator[Row]:
    with gzip.open(data() / "bike_sharing_hourly.csv.gz", "rt", newline="") as file:
        for row in csv.DictReader(file):
            label = float(row.pop("cnt"))
            row.pop("ts")
            yield {name: float(value) for name, value in row.items()}, label


def _flights(folder: Path, limit: int) -> list[Row]:
    """Return flights in the order of their events, each with the label that came later."""
    features: dict[Any, dict[str, Any]] = {}
    labels: dict[Any, bool] = {}
    for message in replay(folder, limit):
        fields = dict(message.fields)
        key = fields.pop("flight_id")
        if message.kind == "event":
            features[key] = {n: v for n, v in fields.items() if n not in ("scheduled", "tailnum")}
        else:
            labels[key] = bool(fields["late"])
    return [(x, labels[key]) for key, x in features.items() if key in labels]


def document(table: list[dict[str, Any]]) -> str:
    """Return the page of the documentation."""
    from benchmarks.__main__ import markdown

    about = inspect.cleandoc(__doc__ or "").split("\n", 1)[1].strip()
    return (
        "# How shards share a model, measured\n\n"
        "Written by `python -m benchmarks.sharing`; the figures depend on the data alone, not on "
        "the machine. What each way is, and what it costs beside its loss, is in "
        f"`docs/scaling.md`.\n\n{about}\n\n{markdown(table)}"
    )


def main() -> None:
    """Measure, print the table, and write it and the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=50_000, help="of each stream, at most")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the page and its JSON")
    asked = parser.parse_args()
    table = []
    for stream in streams(asked.events):
        for title, pipeline in stream.models.items():
            sys.stderr.write(f"sharing: {stream.name}, {title}\n")
            head = {"stream": stream.name, "events": len(stream.rows), "model": title}
            table.append(head | measure(stream, pipeline))
    if table:
        sys.stdout.write(document(table))
        (asked.out / "sharing.json").write_text(json.dumps(table, indent=2) + "\n")
        (asked.out / "sharing.md").write_text(document(table))


if __name__ == "__main__":
    main()
