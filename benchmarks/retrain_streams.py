"""Labelled streams for retraining: synthetic ones whose changes are known, and two of the world."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import msgspec
from river.datasets import synth

from benchmarks.monitor_real import data
from stream.config import Config
from stream.records import Record

MINUTE = 60_000
Pair = tuple[dict[Any, Any], Any]
PIPELINES = {
    "Hoeffding tree": "tree.HoeffdingTreeClassifier()",
    "logistic regression": "preprocessing.StandardScaler() | linear_model.LogisticRegression()",
}
MONITOR = {"warmup_events": 2_000, "pane_events": 500, "reference_losses": 1_000}
RETRAIN = {"window": 5_000, "labels": 5_000}


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream of pairs of features and label.

    Parameters
    ----------
    name
        What it is called in tables.
    make
        Gives the pairs of a seed and of a size.
    changes
        Shares of the stream at which its concept changes; of a gradual change the middle.
    is_real
        There is one of it, whatever the seed.
    """

    name: str
    make: Callable[[int, int], Iterator[Pair]]
    changes: tuple[float, ...] = ()
    is_real: bool = False


def _parts(generators: list[Any], count: int) -> Iterator[Pair]:
    each = count // len(generators)
    return chain.from_iterable(generator.take(each) for generator in generators)


def sea(seed: int, count: int) -> Iterator[Pair]:
    """Return SEA with 10 % noise and abrupt changes of its threshold: 8, 9, 7, 9.5."""
    variants = [synth.SEA(variant=v, noise=0.1, seed=seed + v) for v in range(4)]
    return _parts(variants, count)


def stagger(seed: int, count: int) -> Iterator[Pair]:
    """Return STAGGER with two abrupt changes."""
    return _parts([synth.STAGGER(f, seed=seed + f) for f in range(3)], count)


def agrawal(seed: int, count: int) -> Iterator[Pair]:
    """Return Agrawal, whose function 0 gives way to function 4 over a tenth of the stream."""
    drift = synth.ConceptDriftStream(
        synth.Agrawal(0, seed=seed), synth.Agrawal(4, seed=seed + 1), count // 2, count // 10, seed
    )
    return iter(drift.take(count))


def mixed(seed: int, count: int) -> Iterator[Pair]:
    """Return Mixed, whose classes change places over a tenth of the stream."""
    drift = synth.ConceptDriftStream(
        synth.Mixed(0, seed=seed), synth.Mixed(1, seed=seed + 1), count // 2, count // 10, seed
    )
    return iter(drift.take(count))


def sine(seed: int, count: int) -> Iterator[Pair]:
    """Return Sine with two concepts that come back in turn, each the other's opposite."""
    return _parts([synth.Sine(v % 2, seed=seed + v) for v in range(4)], count)


def still(seed: int, count: int) -> Iterator[Pair]:
    """Return Agrawal's function 0 with 10 % perturbation, in which nothing changes."""
    return iter(synth.Agrawal(0, seed=seed, perturbation=0.1).take(count))


def _real(name: str, label: str, positive: str) -> Callable[[int, int], Iterator[Pair]]:
    def make(_: int, count: int) -> Iterator[Pair]:
        with gzip.open(data() / name, "rt", newline="") as file:
            for row in islice(csv.DictReader(file), count):
                truth = row.pop(label) == positive
                row.pop("date", None)
                yield {key: float(value) for key, value in row.items() if value}, truth

    return make


ELEC2, NOAA = "elec2.csv.gz", "noaa_weather.csv.gz"
SYNTHETIC = (
    Stream("SEA, abrupt", sea, (0.25, 0.5, 0.75)),
    Stream("STAGGER, abrupt", stagger, (1 / 3, 2 / 3)),
    Stream("Agrawal, gradual", agrawal, (0.5,)),
    Stream("Mixed, gradual", mixed, (0.5,)),
    Stream("Sine, recurring", sine, (0.25, 0.5, 0.75)),
    Stream("Agrawal, stationary", still),
)


def streams() -> list[Stream]:
    """Return all streams; real ones only where their data are."""
    real = [
        Stream("elec2", _real(ELEC2, "class", "UP"), is_real=True),
        Stream("NOAA weather", _real(NOAA, "rain", "1"), is_real=True),
    ]
    there = {"elec2": ELEC2, "NOAA weather": NOAA}
    return [*SYNTHETIC, *(one for one in real if (data() / there[one.name]).exists())]


def pairs(stream: Stream, seed: int, count: int) -> list[Pair]:
    """Return the pairs of a stream, with names for features and plain labels."""
    made = stream.make(seed, count)
    return [({f"x{k}": _plain(v) for k, v in x.items()}, bool(y)) for x, y in made]


def records(rows: list[Pair]) -> list[Record]:
    """Return pairs as records, a minute apart."""
    return [
        Record(
            "bench.events", 0, at, at * MINUTE, None,
            msgspec.json.encode({"id": f"e{at}", "time": at * MINUTE, **x, "label": y}),
        )
        for at, (x, y) in enumerate(rows)
    ]  # fmt: skip


def config(pipeline: str) -> Config:
    """Return the configuration that all policies run with."""
    return Config(
        stream={"name": "bench"},
        event={"id": "id", "time": "time", "label": "label"},
        model={"task": "binary", "pipeline": pipeline, "metrics": ["Accuracy"]},
        monitor=MONITOR,
        retrain=RETRAIN,
    )


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str) else float(value)
